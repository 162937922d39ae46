"""Compare partial_fit over chunks that arrive in order with one fit to all rows.

usage: scripts/bench incremental [--chunks 10] [--rows 4000] [--seeds 1] [--data FOLDER]
           [--only KIND ...]

FOLDER contains mnist.npz and adbench/*.npz; without it, these kinds are left out.

Each kind of data is sorted, drifts or is shuffled, and is passed to `partial_fit` in chunks. Shown
is the mean squared error of a random sixth of all rows, held out, in units of the columns'
variances, and its ratio to that of one `fit` to all other rows. "Without earlier rows" are fits
with `warm_start` to one chunk after the other. All other settings are the defaults.

The number of epochs of a call, and how many earlier rows are repeated, were chosen on the first six
kinds. The others were looked at afterwards: two of ADBench's data sets, sorted by their first
principal component, MNIST sorted by its digits, and waves.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import isthmus as ist

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CODE = 6
Rows = np.ndarray
Maker = Callable[[np.random.Generator, int], Rows]


def shuffled_factors(rng: np.random.Generator, n: int) -> Rows:
    return factors(rng, n)[1]


def sorted_factors(rng: np.random.Generator, n: int) -> Rows:
    hidden, X = factors(rng, n)
    return X[np.argsort(hidden[:, 0])]


def factors(rng: np.random.Generator, n: int) -> tuple[Rows, Rows]:
    hidden = rng.normal(size=(n, 6))
    return hidden, np.tanh(hidden @ rng.normal(size=(6, 20))) + 0.1 * rng.normal(size=(n, 20))


def clusters(rng: np.random.Generator, n: int) -> Rows:
    """Ten planes, each with its own centre, one after the other."""
    parts = []
    for _ in range(10):
        plane = rng.normal(size=(n // 10, 2)) @ rng.normal(size=(2, 15))
        parts.append(3 * rng.normal(size=15) + plane + 0.1 * rng.normal(size=plane.shape))
    return np.concatenate(parts)


def turning(rng: np.random.Generator, n: int) -> Rows:
    """A subspace that turns by half a circle."""
    angle, hidden = np.linspace(0, np.pi, n)[:, None], rng.normal(size=(n, 3))
    A, B = rng.normal(size=(2, 3, 16))
    return np.cos(angle) * (hidden @ A) + np.sin(angle) * (hidden @ B) + noise(rng, n, 16)


def growing(rng: np.random.Generator, n: int) -> Rows:
    """Rows whose level and spread grow."""
    time = np.linspace(0, 1, n)[:, None]
    waves = np.sin(rng.normal(size=(n, 4)) @ rng.normal(size=(4, 12)))
    return (0.3 + 2.7 * time) * waves + 5 * time * rng.normal(size=12)


def digits(rng: np.random.Generator, n: int) -> Rows:  # noqa: ARG001
    found = load_digits()
    return found.data[np.argsort(found.target, kind="stable")]


def waves(rng: np.random.Generator, n: int) -> Rows:
    """Windows of a wave whose period falls from 60 to 15 rows."""
    phase = np.cumsum(2 * np.pi / np.linspace(60, 15, n + 24)) + 0.02 * noise(rng, 1, n + 24)[0]
    series = np.sin(phase) + 0.3 * np.sin(3 * phase + 1) + noise(rng, 1, n + 24)[0]
    return np.lib.stride_tricks.sliding_window_view(series, 24)[:n]


def noise(rng: np.random.Generator, n: int, columns: int) -> Rows:
    return 0.1 * rng.normal(size=(n, columns))


def mnist(file: Path) -> Maker:
    def rows(rng: np.random.Generator, n: int) -> Rows:
        with np.load(file) as data:
            chosen = rng.permutation(len(data["x_train"]))[:n]
            X, y = data["x_train"][chosen], data["y_train"][chosen]
        return X[np.argsort(y, kind="stable")].reshape(n, -1) / 255

    return rows


def adbench(file: Path) -> Maker:
    def rows(rng: np.random.Generator, n: int) -> Rows:
        with np.load(file) as data:
            X = data["X"][rng.permutation(len(data["X"]))[:n]].astype(float)
        X = X[:, X.std(axis=0) > 0]
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        return X[np.argsort(Z @ np.linalg.svd(Z, full_matrices=False)[2][0])]

    return rows


def kinds(options: argparse.Namespace) -> Iterator[tuple[str, Maker]]:
    made = (shuffled_factors, sorted_factors, clusters, turning, growing, digits, waves)
    yield from ((maker.__name__, maker) for maker in made)
    if options.data.exists():
        yield "mnist", mnist(options.data / "mnist.npz")
        for name in ("letter", "satellite"):
            yield name, adbench(options.data / "adbench" / f"{name}.npz")


def errors(maker: Maker, options: argparse.Namespace, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    X = maker(rng, options.rows)
    held_out = np.zeros(len(X), bool)
    held_out[rng.permutation(len(X))[: len(X) // 6]] = True
    rows, rest = X[~held_out], X[held_out]
    chunks, spread = np.array_split(rows, options.chunks), X.std(axis=0)
    whole, as_they_come, forgetful = (
        ist.Autoencoder(CODE, random_state=seed, verbose=0, warm_start=warm)
        for warm in (False, False, True)
    )
    whole.fit(rng.permutation(rows))
    for chunk in chunks:
        as_they_come.partial_fit(chunk)
        forgetful.fit(chunk)
    spread[spread == 0] = 1
    return [
        float(np.mean(np.square((model.reconstruct(rest) - rest) / spread)))
        for model in (whole, as_they_come, forgetful)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=10)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':18}{'one fit':>10}{'partial_fit':>18}{'without earlier rows':>24}")
    for name, maker in kinds(options):
        if options.only and name not in options.only:
            continue
        found = np.mean([errors(maker, options, seed) for seed in range(options.seeds)], axis=0)
        ratios = found / found[0]
        print(
            f"{name:18}{found[0]:10.4f}{found[1]:10.4f} ({ratios[1]:.2f})"
            f"{found[2]:14.4f} ({ratios[2]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
