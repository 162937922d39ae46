"""Part tsb_ad: VUS-PR on series of NAB, by the protocol of TSB-AD, beside its published values.

usage: scripts/bench anomalies tsb_ad [--data FOLDER] [--window auto] [--seeds 10]

Three methods of TSB-AD are measured to check the measurement. Then POLY, Sub-PCA and isthmus are
measured on all files of NAB; those that are not in TSB-AD have a quarter of their rows to learn
from, as most of the others. POLY and Sub-PCA see the whole series; AutoEncoder (PyTorch) and
isthmus learn from the training rows. Values of these two are means over the seeds, with the lowest
and highest. The published ones are from one run.

Liu and Paparrizos, NeurIPS 2024, "The Elephant in the Room: Towards A Reliable Time-Series Anomaly
Detection Benchmark". Its univariate series include 23 from NAB. Those that NAB's own files
determine are rebuilt from them: without a file's first row, and with the rows after the start of a
window up to its end as anomalies.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import argrelmax, correlate

import isthmus as ist
from anomalies_parts.tsb_ad_methods import autoencoder, poly, sub_pca
from isthmus.evaluation.vus import surface_volumes

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PUBLISHED = Path("tsb-ad", "vus_pr_univariate.csv")
PERIODS = range(6, 304)
UNKNOWN_PERIOD = 125
"""The window of a series whose autocorrelation has no highest peak at one of `PERIODS`."""


class Series(NamedTuple):
    """A series of TSB-AD.

    Attributes
    ----------
    name : str
        Its file in TSB-AD, without the suffix.
    values, labels : array, shape (n,)
        The measurements, and True for rows of anomalies.
    training : int
        Number of rows at the start that methods may learn from.
    period : int
        The window of the methods that find it, and the longest buffer of VUS-PR, in rows.
    """

    name: str
    values: NDArray[np.float64]
    labels: NDArray[np.bool_]
    training: int
    period: int


def series(data: Path) -> list[Series]:
    """Return the series of TSB-AD that the files of NAB in `data` determine, by name."""
    published, files = published_values(data), list(_nab(data))
    found = []
    for name, row in published[published.index.str.contains("_NAB_")].iterrows():
        rows = int(row["ts_len"])
        same = [(values, labels) for _, values, labels in files if _is(name, row, labels)]
        if len(same) == 1:
            values, labels = (column[:rows] for column in same[0])
            training = int(re.search(r"_tr_(\d+)_", name)[1])
            found.append(Series(name, values, labels, training, period(values)))
    return found


def all_series(data: Path) -> list[Series]:
    """Return the series of all files of NAB; those of TSB-AD as `series` returns them."""
    known = {one.values.tobytes(): one for one in series(data)}
    found = []
    for name, values, labels in _nab(data):
        same = [k for k in known if values.tobytes().startswith(k)]
        own = Series(name, values, labels, len(values) // 4, period(values))
        found.append(known[same[0]] if same else own)
    return found


def published_values(data: Path) -> pd.DataFrame:
    """Return the published VUS-PR of each method (columns) on each series (index)."""
    table = pd.read_csv(data / PUBLISHED, index_col="file")
    return table.set_axis(table.index.str.removesuffix(".csv"))


def _nab(data: Path) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield the name, values and labels, (n,), of each file of NAB as TSB-AD has them."""
    windows = json.loads((data / "nab" / "combined_windows.json").read_text())
    for path in sorted((data / "nab").glob("*/*.csv")):
        table = pd.read_csv(path, parse_dates=["timestamp"])[1:]
        labels = np.zeros(len(table), dtype=bool)
        for start, stop in windows[f"{path.parent.name}/{path.name}"]:
            labels |= table["timestamp"].between(start, stop, inclusive="right").to_numpy()
        yield path.stem, table["value"].to_numpy(float), labels


def _is(name: str, row: pd.Series, labels: NDArray[np.bool_]) -> bool:
    """Return whether the labels start with those of a published series."""
    rows, first = int(row["ts_len"]), int(re.search(r"_1st_(\d+)$", name)[1])
    if len(labels) < rows:
        return False
    labels = labels[:rows]
    runs = np.count_nonzero(np.diff(labels.astype(int), prepend=0) == 1)
    wanted = (first, row["anomaly_len"], row["num_anomaly"])
    return (int(labels.argmax()), labels.sum(), runs) == wanted


def period(values: NDArray[np.float64]) -> int:
    """Return the lag of the highest peak of the autocorrelation of a series (n,), in rows.

    Lags up to 400 of the first 20,000 rows are searched. Without a peak, or if the highest is at a
    lag outside `PERIODS`, the answer is `UNKNOWN_PERIOD`.
    """
    deviations = values[:20_000] - values[:20_000].mean()
    correlation = correlate(deviations, deviations, method="fft")[len(deviations) - 1 :][3:401]
    peaks = argrelmax(correlation)[0]
    if not len(peaks):
        return UNKNOWN_PERIOD
    lag = int(peaks[np.argmax(correlation[peaks])]) + 3
    return lag if lag in PERIODS else UNKNOWN_PERIOD


def methods(found: list[Series], seeds: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return VUS-PR, one value per seed, of each published method on each series."""
    learned = autoencoder(
        {one.name: one.values for one in found}, {one.name: one.training for one in found}, seeds
    )
    return {
        "POLY": {one.name: _measured(one, [poly(one.values, one.period)]) for one in found},
        "Sub-PCA": {one.name: _measured(one, [sub_pca(one.values, one.period)]) for one in found},
        "AutoEncoder": {one.name: _measured(one, learned[one.name]) for one in found},
    }


def detector(one: Series, window: int | str, seeds: int) -> NDArray[np.float64]:
    """Return VUS-PR of isthmus on a series, one value per seed."""
    scores = []
    for seed in range(seeds):
        fitted = ist.AnomalyDetector(window=window, random_state=seed)
        fitted.fit(one.values[: one.training, None])
        scores.append(fitted.anomaly_score(one.values[:, None]))
    return _measured(one, scores)


def _measured(one: Series, scores: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array([surface_volumes(one.labels, each, one.period).pr for each in scores])


def _shown(values: NDArray[np.float64]) -> str:
    """Return the mean of the seeds' values and their range, as table cells."""
    spread = f"{values.min():.3f}–{values.max():.3f}" if len(values) > 1 else ""
    return f"{values.mean():.4f} | {spread}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--window", default="auto", help="rows per window of isthmus, or auto")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    found, published = series(options.data), published_values(options.data)
    print("| series | rows | training rows | period |\n|---|--:|--:|--:|")
    for one in found:
        print(f"| {one.name} | {len(one.values)} | {one.training} | {one.period} |")
    print("\n| method | series | published | measured | seeds | difference |")
    print("|---|---|--:|--:|--:|--:|")
    for method, measured in methods(found, options.seeds).items():
        known = published.loc[list(measured), method]
        rows = [(name, known[name], measured[name]) for name in measured]
        for name, value, values in [*rows, ("mean", known.mean(), _means(measured))]:
            difference = round(values.mean() - value, 4) + 0.0  # never shows -0.0000
            print(f"| {method} | {name} | {value:.4f} | {_shown(values)} | {difference:+.4f} |")
    window = options.window if options.window == "auto" else int(options.window)
    print("\n| series | POLY | Sub-PCA | isthmus | seeds |\n|---|--:|--:|--:|--:|")
    rows = []
    for one in all_series(options.data):
        others = [
            _measured(one, [method(one.values, one.period)]).item() for method in (poly, sub_pca)
        ]
        own = detector(one, window, options.seeds)
        rows.append([*others, own.mean()])
        print(
            f"| {one.name} | {others[0]:.3f} | {others[1]:.3f} | {_shown(own)} |",
            flush=True,
        )
    table = np.array(rows)
    poly_mean, pca_mean, mean = table.mean(axis=0)
    print(f"| mean | {poly_mean:.3f} | {pca_mean:.3f} | {mean:.3f} | |")
    above = (table[:, 2:] > table[:, :2]).sum(axis=0)
    print(f"| isthmus is above on | {above[0]} of {len(rows)} | {above[1]} of {len(rows)} | | |")


def _means(measured: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the means over all series, one per seed."""
    means: NDArray[np.float64] = np.mean(list(measured.values()), axis=0)
    return means


if __name__ == "__main__":
    main()
