"""Compare ONNX files with Python: outputs on hostile rows, size, and time for one row.

usage: scripts/bench export [--rows 10000] [--only NAME ...]

Every architecture, estimator and kind of detector is fitted to a little made data and exported.
Each then gets so many rows: some of those it was fitted to, others like them, uniform ones, rows
of other scales, rows with missing cells, with one enormous cell, of one value, and shuffled ones. A
series is made of such stretches, with gaps. Differences are relative to 1 or to the largest number
of the row. Times are medians of processor time, alternating between the two with one thread each,
of one row or picture, or of a series of one window; other work on the machine hardly changes them.
"""

import argparse
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from threadpoolctl import threadpool_limits

import isthmus as ist
from isthmus.export.check_rows import feeds

FITTED = 600
AT_ONCE = 100
CALLS, ROUNDS = 25, 4
QUICK = {"epochs": 3, "random_state": 0, "verbose": 0}


class Case(NamedTuple):
    """A fitted model, rows to compare, and how both sides are called."""

    model: Any
    parts: list[tuple[dict[str, Any], Any]]
    """Inputs of the graph, and what Python gets, some rows at a time."""
    outputs: Callable[[Any], dict[str, Any]]
    """Python's outputs by the graph's names."""
    one: tuple[dict[str, Any], Callable[[], Any]]
    """Inputs of one row, and Python's call for it."""


def usual(shape: tuple[int, ...], rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows in which cells depend on each other and on a few causes."""
    size = int(np.prod(shape))
    causes = rng.normal(size=(rows, 3)) @ np.random.default_rng(1).normal(size=(3, size))
    return (causes + 0.3 * rng.normal(size=(rows, size))).reshape(rows, *shape).astype("f4")


def hostile(fitted: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows of nine kinds."""
    shape = fitted.shape[1:]
    X = fitted[rng.integers(len(fitted), size=rows)].reshape(rows, -1).astype("f8")
    kind = rng.integers(9, size=rows)
    low, high = X.min(axis=0), X.max(axis=0)
    new = usual(shape, rows, rng).reshape(rows, -1)
    X[kind == 1] = new[kind == 1]
    X[kind == 2] = rng.uniform(low, high, X.shape)[kind == 2]
    X[kind == 3] *= 10 ** rng.uniform(-6, 6, (rows, 1))[kind == 3]
    X[(kind == 4)[:, None] & (rng.random(X.shape) < 0.3)] = np.nan
    enormous = np.flatnonzero(kind == 5)
    cells = rng.integers(X.shape[1], size=len(enormous))
    X[enormous, cells] = rng.choice([-1, 1], len(enormous)) * 10 ** rng.uniform(0, 9, len(enormous))
    X[kind == 6] = rng.normal(size=(rows, 1))[kind == 6]
    X[kind == 7] = rng.permuted(X[kind == 7], axis=1)
    X[kind == 8] += rng.normal(size=X.shape)[kind == 8] * rng.uniform(0, 3, (rows, 1))[kind == 8]
    return X.reshape(rows, *shape)


def by_parts(inputs: dict[str, Any], X: Any) -> list[tuple[dict[str, Any], Any]]:
    parts = []
    for start in range(0, len(X), AT_ONCE):
        own = slice(start, start + AT_ONCE)
        parts.append(({name: cells[own] for name, cells in inputs.items()}, X[own]))
    return parts


def autoencoder(model: Any, shape: tuple[int, ...], rows: int) -> Case:
    rng = np.random.default_rng(0)
    fitted = usual(shape, FITTED, rng)
    labels = [np.arange(FITTED) % 3] if hasattr(model, "predict") else []
    model.fit(fitted, *labels)
    X = hostile(fitted, rows, rng).astype(model.schema_.dtype)

    def outputs(part: Any) -> dict[str, Any]:
        return {
            "code": model.transform(part),
            "reconstruction": model.reconstruct(part),
            "reconstruction_error": model.reconstruction_error(part),
        }

    one = fitted[:1].astype(model.schema_.dtype)
    return Case(model, by_parts({"X": X}, X), outputs, ({"X": one}, lambda: model.reconstruct(one)))


def alarms_of(detector: Any) -> Callable[[Any], dict[str, Any]]:
    def outputs(part: Any) -> dict[str, Any]:
        scores = detector.anomaly_score(part)
        limits = detector.thresholds_of(scores, part)
        with np.errstate(invalid="ignore"):
            return {"anomaly_score": scores, "threshold": limits, "alarm": scores > limits}

    return outputs


def rows_or_pictures(detector: Any, shape: tuple[int, ...], rows: int) -> Case:
    rng = np.random.default_rng(0)
    fitted = usual(shape, FITTED, rng)
    detector.fit(fitted)
    X = hostile(fitted, rows, rng).astype(detector.schema_.dtype)
    blank = np.isnan(X.reshape(rows, -1)).all(axis=1)
    X[blank] = 0
    one = fitted[:1].astype(detector.schema_.dtype)
    return Case(
        detector,
        by_parts({"X": X}, X),
        alarms_of(detector),
        ({"X": one}, lambda: detector.decision_function(one)),
    )


def table(detector: Any, rows: int) -> Case:
    rng = np.random.default_rng(0)

    def frame(X: np.ndarray) -> pd.DataFrame:
        made = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
        made["kind"] = np.where(np.nan_to_num(X[:, 3]) > 0, "high", "low")
        made["sold"] = np.nan_to_num(X[:, 4]) > 0
        return made

    fitted = usual((5,), FITTED, rng).astype("f8")
    detector.fit(frame(fitted))
    new = frame(hostile(fitted, rows, rng))
    new.loc[rng.random(rows) < 0.02, "kind"] = "new"
    new.loc[rng.random(rows) < 0.02, "kind"] = None
    one = frame(fitted[:1])
    schema = detector.schema_
    return Case(
        detector,
        by_parts(feeds(schema, new, every=True), new),
        alarms_of(detector),
        (feeds(schema, one, every=True), lambda: detector.decision_function(one)),
    )


def waves(rows: int, rng: np.random.Generator) -> np.ndarray:
    time_ = np.arange(rows) / 4
    level = np.cumsum(rng.normal(size=rows)) / 50
    X = np.stack([np.sin(time_), 5 + np.cos(time_), level], axis=1)
    return np.asarray(X + 0.1 * rng.normal(size=X.shape))


def hostile_series(rows: int, rng: np.random.Generator) -> np.ndarray:
    X = waves(rows, rng)
    place = 0
    while place < rows:
        own = slice(place, place + int(rng.integers(5, 150)))
        sensor = int(rng.integers(3))
        kind = rng.integers(9)
        if kind == 0:
            X[own, sensor] += rng.normal() * 5
        elif kind == 1:
            X[own] *= 10 ** rng.uniform(-6, 6)
        elif kind == 2:
            X[own, sensor] = np.nan
        elif kind == 3:
            X[own] = np.where(rng.random(X[own].shape) < 0.3, np.nan, X[own])
        elif kind == 4:
            X[own.start : own.start + int(rng.integers(1, 20))] = np.nan
        elif kind == 5:
            X[own, sensor] = X[own.start, sensor]
        place = own.stop + int(rng.integers(200))
    return X


def series(detector: Any, rows: int) -> Case:
    rng = np.random.default_rng(0)
    detector.fit(waves(FITTED, rng))
    X = hostile_series(rows, rng)
    one = waves(detector.window_, rng)
    return Case(
        detector, [({"X": X}, X)], alarms_of(detector), ({"X": one}, lambda: detector.predict(one))
    )


def fleet(detector: Any, rows: int) -> Case:
    rng = np.random.default_rng(0)

    def frame(X: np.ndarray, unit: str) -> pd.DataFrame:
        return pd.DataFrame(X, columns=["a", "b", "c"]).assign(unit=unit)

    units = [frame(waves(FITTED // 3, rng) * (1 + n), f"u{n}") for n in range(4)]
    detector.fit(pd.concat(units, ignore_index=True))
    parts = []
    for unit in ("u0", "u3", "new"):
        X = hostile_series(rows // 3, rng)
        parts.append(({"X": X, "unit": np.array([unit], object)}, frame(X, unit)))
    X = waves(detector.window_, rng)
    one = frame(X, "u0")
    inputs = {"X": X, "unit": np.array(["u0"], object)}
    return Case(detector, parts, alarms_of(detector), (inputs, lambda: detector.predict(one)))


def cases() -> dict[str, Callable[[int], Case]]:
    """Return what is compared, by its name."""
    shapes = {
        **dict.fromkeys(("dense", "linear"), (8,)),
        **dict.fromkeys(("convolutional", "strided"), (16, 16, 1)),
        "convolutional-3d": (8, 8, 8, 1),
        **dict.fromkeys(("convolutional-1d", "gru", "recurrent"), (16, 3)),
    }

    def net(kind: Any, shape: tuple[int, ...], **more: Any) -> Callable[[int], Case]:
        return lambda rows: autoencoder(kind(3, **QUICK, **more), shape, rows)

    made = {
        f"autoencoder, {name}": net(ist.Autoencoder, shape, architecture=name)
        for name, shape in shapes.items()
    }
    for kind in (
        ist.DenoisingAutoencoder,
        ist.VariationalAutoencoder,
        ist.SupervisedAutoencoder,
    ):
        made[kind.__name__] = net(kind, (8,))

    def detector(**more: Any) -> Any:
        return ist.AnomalyDetector(random_state=0, false_alarm_rate=0.02, **more)

    own = ist.Autoencoder(4, architecture="convolutional", **QUICK)
    return {
        **made,
        "detector, rows": lambda rows: rows_or_pictures(detector(), (8,), rows),
        "detector, contaminated rows": lambda rows: rows_or_pictures(
            detector(mode="outlier"), (8,), rows
        ),
        "detector, table": lambda rows: table(detector(), rows),
        "detector, pictures": lambda rows: rows_or_pictures(detector(), (16, 16), rows),
        "detector, colour pictures": lambda rows: rows_or_pictures(detector(), (16, 16, 3), rows),
        "detector, pictures, convolutional": lambda rows: rows_or_pictures(
            detector(autoencoder=own), (16, 16, 1), rows
        ),
        "detector, series": lambda rows: series(detector(window=16), rows),
        "detector, fleet": lambda rows: fleet(detector(window=16, group="unit"), rows),
    }


class Difference(NamedTuple):
    """How far a graph is from Python."""

    largest: float
    share: float
    """Rows that differ by more than 1e-5."""
    alarms: int | None


def compared(session: Any, case: Case) -> Difference:
    worst, wrong, alarms, rows = 0.0, 0, None, 0
    for inputs, part in case.parts:
        wanted = case.outputs(part)
        found = session.run(list(wanted), inputs)
        apart = np.zeros(len(found[0]))
        for here, (name, there) in zip(found, wanted.items(), strict=True):
            if name == "alarm":
                alarms = (alarms or 0) + int((here != there).sum())
                continue
            here, there = (np.asarray(x, "f8").reshape(len(here), -1) for x in (here, there))
            size = np.nan_to_num(np.abs(there)).max(axis=1, initial=1)
            same = (here == there) | (np.isnan(here) & np.isnan(there))
            with np.errstate(invalid="ignore"):
                away = np.where(same, 0, np.abs(here - there)).max(axis=1) / size
            apart = np.maximum(apart, np.where(np.isnan(away), np.inf, away))
        worst, wrong, rows = (
            max(worst, apart.max()),
            wrong + int((apart > 1e-5).sum()),
            rows + len(apart),
        )
    return Difference(worst, wrong / rows, alarms)


def median_times(session: Any, case: Case) -> tuple[float, float]:
    """Return the medians of Python and of ONNX Runtime, in milliseconds."""
    inputs, call = case.one
    both: tuple[list[float], list[float]] = ([], [])
    with threadpool_limits(1):
        for _ in range(ROUNDS):
            for times, run in zip(both, (call, lambda: session.run(None, inputs)), strict=True):
                run()
                for _ in range(CALLS):
                    begun = time.process_time()
                    run()
                    times.append(time.process_time() - begun)
    python, runtime = (1e3 * float(np.median(times)) for times in both)
    return python, runtime


def measured(name: str, make: Callable[[int], Case], rows: int, folder: Path) -> str:
    case = make(rows)
    case.model.save(folder / "m.isthmus")
    case.model.export(folder / "m.onnx")
    sizes = [(folder / f"m.{ending}").stat().st_size / 1000 for ending in ("onnx", "isthmus")]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "m.onnx", options, providers=["CPUExecutionProvider"]
    )
    found = compared(session, case)
    python, runtime = median_times(session, case)
    alarms = "" if found.alarms is None else str(found.alarms)
    return (
        f"| {name} | {sizes[0]:,.0f} | {sizes[1]:,.0f} | {python:.2f} | {runtime:.3f} | "
        f"{python / runtime:.0f} | {found.largest:.1e} | {found.share:.2%} | {alarms} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parts of names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"isthmus {ist.__version__}, onnx {onnx.__version__}, ONNX Runtime "
        f"{onnxruntime.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores; "
        f"{options.rows:,} rows each\n"
    )
    print("| model | .onnx kB | .isthmus kB | Python ms | ONNX ms | times faster | ", end="")
    print("largest difference | above 1e-5 | alarms differing |\n|---|" + "---:|" * 8)
    with tempfile.TemporaryDirectory() as folder:
        for name, make in cases().items():
            if options.only is None or any(part in name for part in options.only):
                print(measured(name, make, options.rows, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
