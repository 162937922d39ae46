"""Worker: scikit-learn's MLPRegressor as an autoencoder.

job: data, hidden, rows, batch, epochs
"""

import time
import warnings

import job
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor


def main() -> None:
    task = job.read()
    train, _ = job.mnist(task.data, task.rows)
    model = MLPRegressor(
        hidden_layer_sizes=tuple(task.hidden),
        alpha=0.0,
        batch_size=task.batch,
        max_iter=task.epochs,
        tol=0.0,
        n_iter_no_change=task.epochs + 1,
        random_state=0,
    )
    warnings.simplefilter("ignore", ConvergenceWarning)
    began = time.perf_counter()
    model.fit(train, train)
    seconds = time.perf_counter() - began
    job.report(
        epoch_seconds=[seconds / task.epochs] * task.epochs,
        fit_seconds=seconds,
        figure=job.squared_error(train, model.predict(train)),
    )


if __name__ == "__main__":
    main()
