"""Part tsb_ad: VUS-PR on series of NAB, by the protocol of TSB-AD, beside its published values.

Liu and Paparrizos, NeurIPS 2024, "The Elephant in the Room: Towards A Reliable Time-Series Anomaly
Detection Benchmark". Its univariate series include 23 from NAB. Those that NAB's own files
determine are rebuilt from them: without a file's first row, and with the rows after the start of a
window up to its end as anomalies.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import argrelmax, correlate

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
        same = [(values, labels) for values, labels in files if _is(name, row, labels)]
        if len(same) == 1:
            values, labels = (column[:rows] for column in same[0])
            training = int(re.search(r"_tr_(\d+)_", name)[1])
            found.append(Series(name, values, labels, training, period(values)))
    return found


def published_values(data: Path) -> pd.DataFrame:
    """Return the published VUS-PR of each method (columns) on each series (index)."""
    table = pd.read_csv(data / PUBLISHED, index_col="file")
    return table.set_axis(table.index.str.removesuffix(".csv"))


def _nab(data: Path) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield the values and labels, (n,), of each file of NAB as TSB-AD has them."""
    windows = json.loads((data / "nab" / "combined_windows.json").read_text())
    for path in sorted((data / "nab").glob("*/*.csv")):
        table = pd.read_csv(path, parse_dates=["timestamp"])[1:]
        labels = np.zeros(len(table), dtype=bool)
        for start, stop in windows[f"{path.parent.name}/{path.name}"]:
            labels |= table["timestamp"].between(start, stop, inclusive="right").to_numpy()
        yield table["value"].to_numpy(float), labels


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
