"""Worker: isthmus with a peer's architecture, epochs, batch size and learning rate.

job: peer ("pyod", "ae", "vae" or "sklearn"), and the job of that peer's worker
"""

import time
from typing import Any

import job
import numpy as np

import isthmus as ist


def pyod(task: Any) -> tuple[Any, np.ndarray]:
    """F-64-32-64-F with batch normalisation before relu, and dropout of 0.2, as in PyOD."""
    import keras
    from keras import layers

    def block(units: int) -> list[Any]:
        normal = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        return [layers.Dense(units), normal, layers.ReLU(), layers.Dropout(0.2)]

    inputs, code = keras.Input((task.columns,)), keras.Input((32,))
    encoder = keras.Sequential([inputs, *block(64), *block(32)])
    decoder = keras.Sequential([code, *block(64), layers.Dense(task.columns)])
    rows = job.standardised(job.table(task.rows, task.columns))
    return ist.Autoencoder(encoder=encoder, decoder=decoder, scale="none", **plain(task)), rows


def ae(task: Any) -> tuple[Any, np.ndarray]:
    import keras
    from keras import layers

    encoder = keras.Sequential(
        [keras.Input((784,)), layers.Dense(512, "relu"), layers.Dense(task.latent)]
    )
    decoder = keras.Sequential(
        [keras.Input((task.latent,)), layers.Dense(512, "relu"), layers.Dense(784, "sigmoid")]
    )
    train, _ = job.mnist(task.data, task.rows)
    return ist.Autoencoder(encoder=encoder, decoder=decoder, **plain(task)), train


def vae(task: Any) -> tuple[Any, np.ndarray]:
    import keras
    from keras import layers

    encoder = keras.Sequential([keras.Input((784,)), layers.Dense(512, "relu")])
    decoder = keras.Sequential(
        [keras.Input((task.latent,)), layers.Dense(512, "relu"), layers.Dense(784, "sigmoid")]
    )
    train, _ = job.mnist(task.data, task.rows)
    settings = {name: value for name, value in plain(task).items() if name != "loss"}
    # pythae minimises half the squared error plus the KL divergence. This loss is twice that.
    model = ist.VariationalAutoencoder(
        task.latent, encoder=encoder, decoder=decoder, likelihood="mse", beta=2.0, **settings
    )
    return model, train


def sklearn(task: Any) -> tuple[Any, np.ndarray]:
    import keras
    from keras import layers

    middle = len(task.hidden) // 2
    halves = task.hidden[: middle + 1], task.hidden[middle + 1 :]
    encoder = keras.Sequential(
        [keras.Input((784,)), *(layers.Dense(units, "relu") for units in halves[0])]
    )
    decoder = keras.Sequential(
        [
            keras.Input((task.hidden[middle],)),
            *(layers.Dense(units, "relu") for units in halves[1]),
            layers.Dense(784),
        ]
    )
    train, _ = job.mnist(task.data, task.rows)
    return ist.Autoencoder(encoder=encoder, decoder=decoder, **plain(task)), train


def plain(task: Any) -> dict[str, Any]:
    """Return settings that train in the same way as the peer."""
    return {
        "loss": "mse",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "clip_norm": None,
        "validation_fraction": 0,
        "epochs": task.epochs,
        "batch_size": task.batch,
        "random_state": 0,
        "verbose": 0,
    }


def main() -> None:
    task = job.read()
    model, rows = {"pyod": pyod, "ae": ae, "vae": vae, "sklearn": sklearn}[task.peer](task)
    began = time.perf_counter()
    model.fit(rows)
    if task.peer == "pyod":
        model.reconstruction_error(rows)  # PyOD's fit scores the training rows
    seconds = time.perf_counter() - began
    job.report(
        epoch_seconds=model.history_["seconds"],
        fit_seconds=seconds,
        figure=job.squared_error(rows, model.reconstruct(rows)),
    )


if __name__ == "__main__":
    main()
