"""Compare the defaults with alternatives on several data sets: the first table of docs/adr/0004.

usage: scripts/bench defaults [--data FOLDER] [--only NAME,NAME]

Prints the mean squared error of held-out rows in scaled units, compared with PCA with the same code
size. FOLDER contains mnist.npz and adbench/. The data sets of scikit-learn need no files.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA

import isthmus as ist

PLAIN = {"linear_path": False}
ALTERNATIVES = {
    "default": {},
    "no linear path": PLAIN,
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "none": {"normalization": "none"},
    "relu": {"activation": "relu"},
    "rate 1e-3": {"learning_rate": 1e-3},
    "rate 2e-3": {"learning_rate": 2e-3},
    "textbook": {
        **PLAIN,
        "normalization": "none",
        "activation": "tanh",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "clip_norm": None,
    },
    "linear": {"architecture": "linear"},
}
TABLES = ("annthyroid", "satellite", "SpamBase", "letter", "cardio", "Pima")


def sets(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, dict]]:
    """Yield name, training rows, held-out rows and settings of each data set."""
    rng = np.random.default_rng(0)
    for load in (load_wine, load_diabetes, load_breast_cancer):
        yield load.__name__[5:], *_parted(load().data, rng), {}
    yield "digits", *_parted(load_digits().images, rng), {"latent_dim": 8}
    for name in TABLES:
        path = folder / "adbench" / f"{name}.npz"
        if path.exists():
            yield name, *_parted(np.load(path)["X"].astype(float), rng), {}
    if (folder / "mnist.npz").exists():
        arrays = np.load(folder / "mnist.npz")
        rows = arrays["x_train"][:12_000], arrays["x_test"][:3_000]
        for size in (2, 32):
            yield f"mnist-{size}", *rows, {"latent_dim": size, "epochs": 15}


def _parted(X: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = rng.permutation(len(X))
    return X[order[: len(X) * 4 // 5]], X[order[len(X) * 4 // 5 :]]


def pca_error(model: ist.Autoencoder, train: np.ndarray, test: np.ndarray) -> float:
    known, held = (model.schema_.to_matrix(rows) for rows in (train, test))
    known, held = known.reshape(len(known), -1), held.reshape(len(held), -1)
    pca = PCA(model.latent_dim_).fit(known)
    return float(np.square(pca.inverse_transform(pca.transform(held)) - held).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).resolve().parents[2]
    parser.add_argument("--data", type=Path, default=here / "shared" / "data")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(f"| data | code | {' | '.join(ALTERNATIVES)} | PCA |")
    print(f"|---|--:|{'--:|' * (len(ALTERNATIVES) + 1)}")
    for name, train, test, settings in sets(options.data):
        if options.only and name not in options.only.split(","):
            continue
        errors = []
        for change in ALTERNATIVES.values():
            model = ist.Autoencoder(random_state=0, verbose=0, **settings, **change)
            errors.append(-model.fit(train).score(test))
        cells = " | ".join(f"{error:.4g}" for error in [*errors, pca_error(model, train, test)])
        print(f"| {name} | {model.latent_dim_} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
