"""Part validity: are the chosen false-alarm and false-discovery rates kept?

usage: python benchmarks/anomalies_parts/validity.py [--data FOLDER] [--seeds 20] [--sets N]
           [--rates 0.1,0.05,0.01] [--rows 2000]

False alarms: a random half of the normal rows of a data set is for training, at the smallest rate,
and the other half is scored. The fraction of p-values up to a rate is compared with that rate; its
standard error is over seeds and data sets. Data sets with too few rows for a rate are reported
separately, with the fraction of alarms at the extrapolated threshold of the smallest rate.

False discoveries: the other half, and a tenth as many anomalies, are tested together at the rates
given. The anomalies are normal rows with three cells shifted by 4 standard deviations.

The data sets are those of ADBench and scikit-learn, with at most --rows rows each.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

import isthmus as ist
from isthmus.anomaly import conformal
from isthmus.core.errors import DataWarning

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "adbench"


def sets(folder: Path, most: int) -> dict[str, np.ndarray]:
    """Return the normal rows of each data set by name."""
    found = {}
    for path in sorted(folder.glob("*.npz")):
        stored = np.load(path)
        found[path.stem] = stored["X"][stored["y"] == 0].astype(float)
    found["breast cancer"] = load_breast_cancer().data
    for load in (load_digits, load_iris, load_wine):
        found[load.__name__.removeprefix("load_")] = load().data
    rng = np.random.default_rng(0)
    return {name: rows[rng.permutation(len(rows))[:most]] for name, rows in found.items()}


def planted(rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with a tenth as many anomalies added, and a mask of the anomalies."""
    bad = rows[rng.choice(len(rows), max(1, len(rows) // 10))].copy()
    spread = rows.std(axis=0)
    for row in bad:
        cells = rng.choice(rows.shape[1], min(3, rows.shape[1]), replace=False)
        row[cells] += 4 * spread[cells] * rng.choice([-1, 1], len(cells))
    return np.concatenate([rows, bad]), np.arange(len(rows) + len(bad)) >= len(rows)


def measured(
    rows: np.ndarray, rates: list[float], seed: int
) -> list[tuple[float, float, float, bool]]:
    """Return false-alarm rate, FDR, power and whether there are enough rows, for each rate."""
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(rows))
    learned, fresh = rows[order[: len(rows) // 2]], rows[order[len(rows) // 2 :]]
    mixed, truth = planted(fresh, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        fitted = ist.AnomalyDetector(false_alarm_rate=min(rates), random_state=seed).fit(learned)
    values = fitted.p_values(mixed)
    answers = []
    for rate in rates:
        enough = conformal.is_enough(len(fitted.calibration_scores_), rate)
        alarms = values <= rate + 1e-9 if enough else fitted.predict(mixed) == -1
        found = conformal.discoveries(values, rate)
        false = found[~truth].sum() / max(1, found.sum())
        answers.append((alarms[~truth].mean(), false, found[truth].mean(), enough))
    return answers


def main() -> None:
    options = _options()
    rates = [float(rate) for rate in options.rates.split(",")]
    chosen = list(sets(options.data, options.rows).items())[: options.sets]
    # (sets, seeds, rates, figures)
    table = np.array(
        [[measured(rows, rates, seed) for seed in range(options.seeds)] for _, rows in chosen]
    )
    print(f"{len(chosen)} data sets, {options.seeds} seeds\n")
    print(
        "| chosen rate | false alarms | standard error | data sets | too few rows | FDR | power |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for column, rate in enumerate(rates):
        figures = table[:, :, column]
        enough = figures[:, :, 3].all(axis=1)
        alarms = figures[enough, :, 0]
        error = alarms.std() / np.sqrt(max(1, alarms.size))
        few = f"{figures[~enough, :, 0].mean():.4f}" if (~enough).any() else "none"
        print(
            f"| {rate:g} | {alarms.mean():.4f} | {error:.4f} | {enough.sum()} | "
            f"{few} in {(~enough).sum()} | {figures[:, :, 1].mean():.4f} | "
            f"{figures[:, :, 2].mean():.2f} |"
        )
    print()
    for (name, rows), figures in zip(chosen, table, strict=True):
        shares = " ".join(f"{share:.4f}" for share in figures[:, :, 0].mean(axis=0))
        print(f"{name:16} {len(rows):6} rows  false alarms {shares}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sets", type=int, default=20, help="largest number of data sets")
    parser.add_argument("--rates", default="0.1,0.05,0.01")
    parser.add_argument("--rows", type=int, default=2000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
