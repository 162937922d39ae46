"""Run the tutorials' tasks with isthmus' settings, and compare the figures with the goals.

usage: scripts/bench systems [--only two-numbers,...] [--data mnist.npz]

Models are fitted on MNIST's 60,000 training digits and evaluated on its 10,000 test digits, with
seed 0. Each takes minutes to a quarter of an hour on two cores. The table is Markdown, on standard
output.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import isthmus as ist
from isthmus.recipes import metrics
from isthmus.recipes.denoising import noisy
from isthmus.recipes.digits import Digits, from_file
from speed_parts import harness

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"
SEED = {"random_state": 0, "verbose": 0}


class Figure(NamedTuple):
    what: str
    value: float
    wanted: float
    sign: str = "≥"

    @property
    def met(self) -> bool:
        return self.value >= self.wanted if self.sign == "≥" else self.value <= self.wanted


def features(d: Digits) -> tuple[Any, list[Figure]]:
    """Codes as features for a linear classifier, compared with the pixels."""
    model = ist.DenoisingAutoencoder(
        32, noise="masking", noise_level=0.5, linear_path=False, **SEED
    ).fit(d.x_train)
    flat = (each.reshape(len(each), -1) for each in (d.x_train, d.x_test))
    pixels = _linear(*flat, d)
    codes = _linear(model.transform(d.x_train), model.transform(d.x_test), d)
    return model, [Figure("accuracy of logistic regression on 32 numbers", codes, pixels)]


def two_numbers(d: Digits) -> tuple[Any, list[Figure]]:
    """Codes on a plane, without labels."""
    model = ist.Autoencoder(2, epochs=80, **SEED).fit(d.x_train)
    train, test = (model.transform(rows) for rows in (d.x_train, d.x_test))
    return model, [
        Figure("5-NN accuracy", metrics.neighbours_accuracy(train, test, d, neighbours=5), 0.85),
        Figure("squared error", _error(model, d.x_test), 0.0360, "≤"),
    ]


def supervised(d: Digits) -> tuple[Any, list[Figure]]:
    """Codes on a plane, with labels, compared with the error without labels."""
    model = ist.SupervisedAutoencoder(2, **SEED).fit(d.x_train, d.y_train)
    plain = ist.Autoencoder(2, **SEED).fit(d.x_train)
    worse = _error(model, d.x_test) / _error(plain, d.x_test) - 1
    return model, [
        Figure("accuracy", model.score(d.x_test, d.y_test), 0.975),
        Figure(
            "increase in squared error over that without labels, as a fraction", worse, 0.05, "≤"
        ),
    ]


def convolutional(d: Digits) -> tuple[Any, list[Figure]]:
    """A code of 64 numbers."""
    model = ist.Autoencoder(
        64,
        architecture="convolutional",
        loss="mse",
        epochs=40,
        batch_size=128,
        patience=None,
        validation_fraction=0.01,
        **SEED,
    ).fit(d.x_train)
    return model, [Figure("squared error", _error(model, d.x_test), 0.0016, "≤")]


def denoising(d: Digits) -> tuple[Any, list[Figure]]:
    """Gaussian noise of 0.4, clipped, on the test digits."""
    model = ist.DenoisingAutoencoder(
        784, noise_level=0.4, loss="bce", architecture="convolutional", epochs=10, **SEED
    ).fit(d.x_train)
    clean = model.denoise(noisy(d.x_test, seed=1))
    return model, [
        Figure("PSNR over all test pixels, dB", metrics.psnr(d.x_test, clean), 20.8),
        Figure("cross-entropy", metrics.cross_entropy(d.x_test, clean), 0.0838, "≤"),
    ]


def mapped(d: Digits) -> tuple[Any, list[Figure]]:
    """A map of the test digits from 32 numbers each, compared with t-SNE of the pixels."""
    from openTSNE import TSNE

    began = time.perf_counter()
    latent_map = ist.LatentMap(ist.Autoencoder(32, epochs=10, **SEED), random_state=0)
    ours = latent_map.fit_transform(d.x_test)
    between = time.perf_counter()
    flat = d.x_test.reshape(len(d.x_test), -1)
    theirs = np.asarray(TSNE(random_state=0, n_jobs=1).fit(flat))
    seconds = between - began, time.perf_counter() - between
    return latent_map, [
        Figure("1-NN accuracy on the map", _neighbours(ours, d), 0.9411),
        Figure("trustworthiness of the map", _trust(flat, ours), 0.9874),
        Figure("seconds, compared with t-SNE on pixels", seconds[0], seconds[1], "≤"),
        Figure("(1-NN of t-SNE on pixels)", _neighbours(theirs, d), 0),
        Figure("(trustworthiness of t-SNE on pixels)", _trust(flat, theirs), 0),
    ]


def likelihood(d: Digits) -> tuple[Any, list[Figure]]:
    """Log likelihood of binarised test digits, with 5,000 importance samples each."""
    model = ist.VariationalAutoencoder(
        50,
        likelihood="binarized",
        hidden=(500, 500),
        epochs=200,
        batch_size=256,
        learning_rate=0.002,
        patience=None,
        validation_fraction=0.05,
        **SEED,
    ).fit(d.x_train)
    nats = -model.log_likelihood(d.x_test, 5_000, random_state=0).mean()
    return model, [Figure("negative log likelihood, nats", float(nats), 86.35, "≤")]


SYSTEMS: dict[str, Callable[[Digits], tuple[Any, list[Figure]]]] = {
    "features": features,
    "two-numbers": two_numbers,
    "supervised": supervised,
    "convolutional": convolutional,
    "denoising": denoising,
    "map": mapped,
    "likelihood": likelihood,
}


def _error(model: Any, rows: Any) -> float:
    return metrics.squared_error(rows, model.reconstruct(rows))


def _linear(train: Any, test: Any, d: Digits) -> float:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return float(classifier.fit(train, d.y_train).score(test, d.y_test))


def _neighbours(places: Any, d: Digits) -> float:
    found = cross_val_predict(KNeighborsClassifier(1), places, d.y_test, cv=10)
    return float((found == d.y_test).mean())


def _trust(rows: Any, places: Any) -> float:
    return float(trustworthiness(rows, places, n_neighbors=5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SYSTEMS), help="comma-separated tasks")
    parser.add_argument("--data", default=str(SHARED), help="mnist.npz")
    arguments = parser.parse_args()
    data = from_file(arguments.data)
    rows = []
    for name in arguments.only.split(","):
        began = time.perf_counter()
        model, figures = SYSTEMS[name](data)
        seconds = f"{time.perf_counter() - began:.0f} s"
        shown = repr(getattr(model, "autoencoder", None) or model).replace("\n", " ")
        harness.say(f"{name}: {seconds}; {figures}")
        for place, figure in enumerate(figures):
            wanted = f"{figure.sign} {figure.wanted:.4g}" if figure.wanted else ""
            met = ("yes" if figure.met else "**no**") if figure.wanted else ""
            first = [name, f"`{' '.join(shown.split())}`", seconds] if place == 0 else [""] * 3
            rows.append([*first, figure.what, f"{figure.value:.4f}", wanted, met])
    columns = ["task", "estimator", "total time", "figure", "measured", "goal", "met"]
    print("\n".join(harness.table(columns, rows)))


if __name__ == "__main__":
    main()
