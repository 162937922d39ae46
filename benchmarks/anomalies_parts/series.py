"""Part series: SKAB, NAB, and a stream of a million rows.

usage, in benchmarks: python -m anomalies_parts.series skab|nab|faults|stream|online|promise|whole
           --data FOLDER [--window 30] [--seeds 3] [--rows 1000000] [--architecture dense]

skab
    In each file, the first 400 rows are for training. The others are scored, and flagged at the
    default false-alarm rate. F1 and the rates of false and missed alarms are pooled over all files.
    The same is measured without the network (means alone), with the network's residual alone, and
    with PCA's T2 and Q with the published limits.
nab
    VUS-PR of the scores of a whole series. Training rows are the first quarter, at most up to the
    first labelled window. Published means over the series of TSB-AD that come from NAB: POLY 0.404,
    Sub-PCA 0.370, AutoEncoder 0.337. They are not directly comparable: they include other series of
    NAB, and use the training parts of TSB-AD and a longest buffer for each series. The figures here
    are for the seven series of realKnownCause, with a longest buffer of 100 rows for all. Part
    tsb_ad follows the protocol of TSB-AD.
faults
    Faults that need the network: faults in one of six sensors that oscillate together, which keep
    the sensor within its usual range. Average precision, and the fractions of faulty rows and of
    other rows that are flagged; the same without the network, and with its residual alone.
stream
    Rows per second and peak memory for a memory map of 20 sensors, and again for a tenth of it.
online
    Microseconds per row of update, 20 sensors, and its difference from the whole series' results.
promise
    Fraction of alarms on normal series that are stationary, seasonal or drift slowly (4 sensors,
    4,000 rows to learn from, 20,000 to score), and fraction of faults found that are planted there.
whole
    The series of NAB, fitted and scored as a whole with mode="outlier", window "auto": alarms among
    the rows without a label, labelled windows with an alarm, and series with such a window.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from scipy import stats
from scipy.signal import lfilter
from sklearn.metrics import average_precision_score

import isthmus as ist
from anomalies_parts.made_series import SERIES, with_faults
from anomalies_parts.tsb_ad import all_series
from isthmus.anomaly.series_score import Level, SeriesScore
from isthmus.anomaly.series_training import fit_series
from isthmus.evaluation.vus import surface_volumes

RATE = 0.01
TRAINED = 400
SENSORS = 20
LEARNED, SCORED = 4_000, 20_000
LEARNED_ONLINE = 20_000


def skab_files(data: Path) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the sensors and labels of each file, from all folders except anomaly-free."""
    for path in sorted((data / "skab").glob("*/*.csv")):
        if path.parent.name != "anomaly-free":
            table = pd.read_csv(path, sep=";", index_col=0, parse_dates=True)
            labels = table["anomaly"].to_numpy() == 1
            yield table.drop(columns=["anomaly", "changepoint"]), labels


def rates(found: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """Return F1 and the rates of false and missed alarms over all files, as table cells."""
    flagged = np.concatenate([flags for flags, _ in found])
    truth = np.concatenate([labels for _, labels in found])
    hits = (flagged & truth).sum()
    false, missed = (flagged & ~truth).sum(), (~flagged & truth).sum()
    f1 = 2 * hits / (2 * hits + false + missed)
    return f"{f1:.3f} | {100 * false / (~truth).sum():.1f} % | {100 * missed / truth.sum():.1f} %"


def pca(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Flag rows by Hotelling's T2 and Q, standardised: limits at 0.999, 85 % of the variance."""
    scaled = (train - train.mean()) / train.std(ddof=0)
    new = ((test - train.mean()) / train.std(ddof=0)).to_numpy()
    variances, axes = np.linalg.eigh(np.cov(scaled.T))
    variances, axes = variances[::-1], axes[:, ::-1]
    kept, n = int(np.searchsorted(np.cumsum(variances) / variances.sum(), 0.85)) + 1, len(train)
    t2 = np.square(new @ axes[:, :kept]) @ (1 / variances[:kept])
    t2_limit = kept * (n - 1) * (n + 1) / (n * (n - kept)) * stats.f.ppf(0.999, kept, n - kept)
    q = np.square(new @ axes[:, kept:]).sum(axis=1)
    # Jackson and Mudholkar, 1979, with the sums of powers computed as in the published code.
    first = variances[kept:].sum()
    power = 1 - 2 * first**4 / (3 * first**4)
    normal = stats.norm.ppf(0.999)
    inner = 1 + normal * power * np.sqrt(2) + power * (power - 1)
    return (t2 > t2_limit) | (q > first * inner ** (1 / power))


def skab(options: argparse.Namespace) -> None:
    print("| | F1 | false alarms | missed alarms | seconds |\n|---|--:|--:|--:|--:|")
    files = list(skab_files(options.data))
    found = [(pca(x[:TRAINED], x[TRAINED:]), y[TRAINED:]) for x, y in files]
    print(f"| PCA, T² and Q | {rates(found)} | |", flush=True)
    for seed in range(options.seeds):
        print(f"| isthmus, seed {seed} | {flagged(files, options, seed)} |", flush=True)
    for name, left_out in {
        "without the network": (1, 2),
        "the network's residual alone": (0,),
    }.items():
        with mock.patch.object(SeriesScore, "fit", without(left_out)):
            print(f"| {name}, seed 0 | {flagged(files, options, 0)} |", flush=True)


def flagged(
    files: list[tuple[pd.DataFrame, np.ndarray]], options: argparse.Namespace, seed: int
) -> str:
    began, found = time.perf_counter(), []
    for x, y in files:
        detector = fit_series(x[:TRAINED], network(options, seed), options.window, seed)
        with np.errstate(invalid="ignore"):
            scores = detector.score(x[TRAINED:])
            alarms = scores > detector.thresholds(scores, RATE)
        found.append((alarms, y[TRAINED:]))
    return f"{rates(found)} | {time.perf_counter() - began:.0f}"


def without(left_out: tuple[int, ...]) -> Callable[..., tuple[SeriesScore, Any]]:
    """Return `SeriesScore.fit` with zero weight for some of the statistics."""
    original = SeriesScore.fit

    def fit(
        statistics: np.ndarray, width: int, begins: Sequence[int] = ()
    ) -> tuple[SeriesScore, Any]:
        score, _ = original(statistics, width, begins)
        score.change[list(left_out)] = 1e30
        absent = np.zeros((len(statistics), statistics.shape[2]), dtype=bool)
        return score, Level(score, width).of_units(statistics, absent, begins)

    return fit


def network(options: argparse.Namespace, seed: int) -> Any:
    if options.architecture == "dense":
        return None
    return ist.Autoencoder(
        16, architecture=options.architecture, scale="none", verbose=0, random_state=seed
    )


def nab(options: argparse.Namespace) -> None:
    labelled = json.loads((options.data / "nab" / "combined_windows.json").read_text())
    print("| series | rows | training rows | VUS-PR |\n|---|--:|--:|--:|")
    found = []
    for path in sorted((options.data / "nab" / "realKnownCause").glob("*.csv")):
        table = pd.read_csv(path, parse_dates=["timestamp"]).sort_values("timestamp")
        labels = np.zeros(len(table), dtype=bool)
        for start, stop in labelled[f"realKnownCause/{path.name}"]:
            labels |= table["timestamp"].between(start, stop).to_numpy()
        learned = min(len(table) // 4, int(labels.argmax()))
        value = []
        for seed in range(options.seeds):
            detector = fit_series(table[:learned], network(options, seed), options.window, seed)
            value.append(surface_volumes(labels, detector.score(table)).pr)
        found.append(np.mean(value))
        print(f"| {path.stem} | {len(table)} | {learned} | {found[-1]:.3f} |", flush=True)
    print(f"| mean | | | {np.mean(found):.3f} |")


def swinging(rows: int, seed: int) -> np.ndarray:
    """Return six sensors (rows, 6) that mix two common oscillations, plus noise."""
    at, rng = np.arange(rows), np.random.default_rng(seed)
    common = np.stack([np.sin(at / 11 + 0.3 * np.sin(at / 170)), np.cos(at / 29)], axis=1)
    mixing = np.random.default_rng(99).standard_normal((2, 6))
    return common @ mixing + 0.2 * rng.standard_normal((rows, 6))


FAULTS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "stuck at its mean": lambda x, a, b: np.full(b - a, x.mean()),
    "delayed by 10 rows": lambda x, a, b: x[a - 10 : b - 10],
    "noise of 0.5": lambda x, a, b: x[a:b] + 0.5 * np.random.default_rng(a).standard_normal(b - a),
    "level + 0.3": lambda x, a, b: x[a:b] + 0.3,
}


def faults(options: argparse.Namespace) -> None:
    train, parts = (
        swinging(3_000, 0),
        {"isthmus": (), "without the network": (1, 2), "the network's residual alone": (0,)},
    )
    print("| fault | | average precision | detected | false alarms |\n|---|---|--:|--:|--:|")
    for name, left_out in parts.items():
        with mock.patch.object(SeriesScore, "fit", without(left_out)):
            detector = fit_series(train, network(options, 0), options.window, 0)
        for fault, made in FAULTS.items():
            rows, wrong = swinging(4_000, 1), np.zeros(4_000, dtype=bool)
            for number, start in enumerate(range(300, 3_900, 600)):
                sensor, stop = rows[:, number % 6], start + 80
                sensor[start:stop] = made(sensor.copy(), start, stop)
                wrong[start:stop] = True
            scores = detector.score(rows)
            alarms = scores > detector.thresholds(scores, RATE)
            print(
                f"| {fault} | {name} | {average_precision_score(wrong, scores):.2f} "
                f"| {100 * alarms[wrong].mean():.0f} % | {100 * alarms[~wrong].mean():.1f} % |",
                flush=True,
            )


def autoregressive(rows: int, sensors: int, rng: np.random.Generator) -> np.ndarray:
    """Return a stationary series (rows, sensors): two common causes, plus noise for each sensor."""
    common = lfilter([np.sqrt(1 - 0.95**2)], [1, -0.95], rng.standard_normal((rows, 2)), axis=0)
    own = lfilter([np.sqrt(1 - 0.5**2)], [1, -0.5], rng.standard_normal((rows, sensors)), axis=0)
    return common @ rng.standard_normal((2, sensors)) + own


def stream(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    detector = fit_series(autoregressive(20_000, SENSORS, rng), None, options.window, 0)
    print("| rows | seconds | rows/s | peak MB |\n|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.dat")
        for rows in (options.rows // 10, options.rows):
            written = np.memmap(path, np.float32, "w+", shape=(rows, SENSORS))
            for start in range(0, rows, 50_000):
                written[start : start + 50_000] = autoregressive(50_000, SENSORS, rng)[
                    : rows - start
                ]
            written.flush()
            began = time.perf_counter()
            scores = detector.score(np.memmap(path, np.float32, "r", shape=(rows, SENSORS)))
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(f"| {len(scores):,} | {seconds:.1f} | {rows / seconds:,.0f} | {peak:,.0f} |")


def online(options: argparse.Namespace) -> None:
    """Pass rows to update, in two halves with a save and a load between them."""
    rng = np.random.default_rng(0)
    rows = autoregressive(LEARNED_ONLINE + options.rows, SENSORS, rng)
    detector = ist.AnomalyDetector(window=options.window, random_state=0)
    detector.fit(rows[:LEARNED_ONLINE])
    new, ended = rows[LEARNED_ONLINE:], 0
    for start in range(options.window, len(new) - 100, 5_000):
        new[start : start + 60, start // 5_000 % SENSORS] += 8  # a fault
    taken, settled = np.empty(len(new)), []
    for number, row in enumerate(new):
        if number == len(new) // 2:
            with tempfile.TemporaryDirectory() as folder:
                detector.save(Path(folder, "detector.isthmus"))
                detector = ist.load(Path(folder, "detector.isthmus"))
        began = time.perf_counter()
        update = detector.update(row)
        taken[number] = 1e6 * (time.perf_counter() - began)
        settled += [(each.score, each.threshold) for each in update.settled]
        ended += len(update.ended)
    scores, limits = np.array(settled).T
    whole = detector.anomaly_score(new)
    expected = detector.thresholds_of(whole)[: len(limits)]
    off = np.nanmax(np.abs(scores / whole[: len(scores)] - 1))
    print(f"update: median {np.median(taken):.0f} us, 99 % {np.quantile(taken, 0.99):.0f} us")
    print(f"largest relative difference from the whole series in {len(scores):,} rows:")
    print(f"scores {off:.1e}, thresholds {np.abs(limits / expected - 1).max():.1e}")
    alarmed = int((scores > limits).sum())
    print(f"{ended} alarms ended, {len(detector.intervals(new))} intervals, {alarmed} rows above")


def promise(options: argparse.Namespace) -> None:
    print("| series | chosen rate | alarms | planted faults found |\n|---|--:|--:|--:|")
    for name, make in SERIES.items():
        found: dict[float, list[tuple[float, float]]] = {0.1: [], 0.05: [], 0.01: []}
        for seed in range(options.seeds):
            rows = make(np.random.default_rng([seed, *name.encode()]), LEARNED + SCORED)
            faulty, faults = with_faults(rows, LEARNED, options.window)
            fitted = ist.AnomalyDetector(window=options.window, random_state=seed)
            fitted.fit(rows[:LEARNED])
            scores, wrong = (fitted.anomaly_score(each[LEARNED:]) for each in (rows, faulty))
            for rate, results in found.items():
                fitted.false_alarm_rate = rate
                alarms = scores > fitted.thresholds_of(scores)
                hits = wrong > fitted.thresholds_of(wrong)
                caught = [hits[f.start - LEARNED : f.stop - LEARNED].any() for f in faults]
                results.append((float(alarms.mean()), float(np.mean(caught))))
        for rate, results in found.items():
            share, caught = np.mean(results, axis=0)
            print(f"| {name} | {rate} | {share:.4f} | {100 * caught:.0f} % |", flush=True)


def whole(options: argparse.Namespace) -> None:
    print("| chosen rate | alarms | at most | windows found | series |\n|--:|--:|--:|--:|--:|")
    found: dict[float, list[tuple[float, float]]] = {0.1: [], 0.05: [], 0.01: []}
    for one in all_series(options.data):
        fitted = ist.AnomalyDetector(window="auto", mode="outlier", random_state=0)
        scores = fitted.fit(one.values[:, None]).anomaly_score(one.values[:, None])
        ends = np.flatnonzero(np.diff(one.labels.astype(int), prepend=0, append=0))
        for rate, results in found.items():
            fitted.false_alarm_rate = rate
            alarms = scores > fitted.thresholds_of(scores)
            hits = [alarms[a:b].any() for a, b in zip(ends[::2], ends[1::2], strict=True)]
            results.append((float(alarms[~one.labels].mean()), float(np.mean(hits))))
    for rate, results in found.items():
        (share, hit), (most, _) = np.mean(results, axis=0), np.max(results, axis=0)
        several = sum(each > 0 for _, each in results)
        print(
            f"| {rate} | {100 * share:.1f} % | {100 * most:.1f} % | {100 * hit:.0f} % "
            f"| {several} of {len(results)} |"
        )


def window(value: str) -> int | str:
    return value if value == "auto" else int(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = {
        "skab": skab,
        "nab": nab,
        "faults": faults,
        "stream": stream,
        "online": online,
        "promise": promise,
        "whole": whole,
    }
    parser.add_argument("what", choices=what)
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--window", type=window, default=30, help="rows, or auto")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--architecture", default="dense")
    options = parser.parse_args()
    what[options.what](options)


if __name__ == "__main__":
    main()
