"""Worker: isthmus' estimators on the textbooks' tasks, with defaults except where the task differs.

job: data, recipe, rows, epochs, seed
"""

import time
from typing import Any

import job
import numpy as np

import isthmus as ist


def estimator(recipe: str, settings: dict[str, Any]) -> Any:
    """Return the estimator for a task, with the textbook's code size."""
    makers = {
        "dense-32": lambda: ist.Autoencoder(32, hidden=(128,), **settings),
        "deep-tanh-2": lambda: ist.Autoencoder(2, **settings),
        "conv-upsampling": lambda: ist.Autoencoder(784, architecture="convolutional", **settings),
        "denoising": lambda: ist.DenoisingAutoencoder(
            784, noise_level=0.4, loss="bce", architecture="convolutional", **settings
        ),
        "variational": lambda: ist.VariationalAutoencoder(2, likelihood="mse", **settings),
    }
    return makers[recipe]()


def figure(recipe: str, model: Any, test: np.ndarray) -> float:
    if recipe == "denoising":
        return job.cross_entropy(test, model.denoise(job.noisy(test, seed=1)))
    if recipe != "variational":
        return job.cross_entropy(test, model.reconstruct(test))
    # Without noise, the code is the posterior mean. Pixels in [0, 1] need no further scaling.
    noise = np.zeros((len(test), model.latent_dim_), np.float32)
    said = model.network_.full.predict([test, noise], batch_size=1000, verbose=0)
    return job.negative_elbo(test, said["reconstruction"], said["mean"], said["log_variance"])


def main() -> None:
    task = job.read()
    train, test = job.mnist(task.data, task.rows, shape=(28, 28))
    model = estimator(task.recipe, {"epochs": task.epochs, "random_state": task.seed, "verbose": 0})
    began = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - began
    job.report(
        fit_seconds=seconds,
        epoch_seconds=model.history_["seconds"],
        figure=figure(task.recipe, model, test),
    )


if __name__ == "__main__":
    main()
