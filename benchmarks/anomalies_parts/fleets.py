"""Part fleets: false alarms and faults found in made fleets, and a thousand units in one file.

usage, in benchmarks: python -m anomalies_parts.fleets rates|thousand
           [--kinds NAMES] [--histories NAMES] [--units 40] [--window 20] [--seeds 2] [--rows 1000]

rates
    Units of several kinds (`made_fleets`), with histories of 3, 8 or 25 windows, 25 windows with a
    fifth of the units at 3, and unequal ones (geometrically from 3 to 80). Each unit is scored on
    40 windows of normal rows, and again with a fault planted after 20 of them. Printed are the
    fraction of alarms over all rows; its median, 90 % quantile and highest value over units; and
    the fraction of faults with an alarm.
thousand
    A thousand units of --rows rows in one Parquet file, fitted and scored by the command line:
    seconds and peak memory of each command, and what it prints.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import isthmus as ist
from anomalies_parts.made_fleets import FLEETS
from anomalies_parts.made_series import SENSORS, Rows, plant
from isthmus.core.errors import DataWarning

RATES = (0.1, 0.05, 0.01)
SCORED, FAULT = 40, 20
"""Rows that are scored, and the row in which the fault begins, in windows."""
NAMES = [f"s{sensor}" for sensor in range(SENSORS)]


def histories(name: str, units: int) -> np.ndarray:
    """Return the number of windows that each unit is learned from."""
    if name == "some short":
        return np.where(np.arange(units) % 5 == 0, 3, 25)
    if name == "unequal":
        return np.geomspace(3, 80, units).astype(int)
    return np.full(units, int(name))


HISTORIES = ("3", "8", "25", "some short", "unequal")


def table(units: list[Rows]) -> pd.DataFrame:
    frame = pd.DataFrame(np.concatenate(units), columns=NAMES)
    return frame.assign(machine_id=np.repeat(np.arange(len(units)), list(map(len, units))))


def with_faults(units: list[Rows], learned: np.ndarray, window: int) -> list[Rows]:
    """Plant one fault in what is scored of each unit."""
    rng, made = np.random.default_rng(0), []
    for number, (unit, before) in enumerate(zip(units, learned, strict=True)):
        rows, start = unit.copy(), int(before) + FAULT * window
        plant(
            rows, slice(start, start + 2 * window), number,
            rows.mean(axis=0), rows.std(axis=0), rng,
        )  # fmt: skip
        made.append(rows)
    return made


def measured(kind: str, history: str, seed: int, options: argparse.Namespace) -> list[np.ndarray]:
    """Return for each rate: the fractions of alarms of the units, and which faults are found."""
    window, rng = options.window, np.random.default_rng([seed, *kind.encode()])
    learned = window * histories(history, options.units)
    units = FLEETS[kind](rng, learned + SCORED * window)
    faulty = with_faults(units, learned, window)
    parts = [[unit[n:] for unit, n in zip(each, learned, strict=True)] for each in (units, faulty)]
    detector = ist.AnomalyDetector(window=window, group="machine_id", random_state=seed)
    detector.fit(table([unit[:n] for unit, n in zip(units, learned, strict=True)]))
    tables = [table(part) for part in parts]
    scores = [detector.anomaly_score(each) for each in tables]
    found = []
    fault = slice(FAULT * window, (FAULT + 2) * window)
    for rate in RATES:
        detector.false_alarm_rate = rate
        normal, wrong = (
            (own > detector.thresholds_of(own, each)).reshape(len(units), -1)
            for own, each in zip(scores, tables, strict=True)
        )
        found.append(np.stack([normal.mean(axis=1), wrong[:, fault].any(axis=1)]))
    return found


def rates(options: argparse.Namespace) -> None:
    print(
        "| fleet | windows | chosen rate | alarms | units: median | 90 % | highest | found | s |\n"
        "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for kind in options.kinds:
        for history in options.histories:
            began = time.perf_counter()
            runs = [measured(kind, history, seed, options) for seed in range(options.seeds)]
            seconds = (time.perf_counter() - began) / options.seeds
            for rate, results in zip(RATES, zip(*runs, strict=True), strict=True):
                share, caught = np.concatenate(results, axis=1)
                figures = (share.mean(), np.median(share), np.quantile(share, 0.9), share.max())
                cells = " | ".join(f"{100 * figure:.1f} %" for figure in figures)
                print(
                    f"| {kind} | {history} | {100 * rate:.0f} % | {cells} "
                    f"| {100 * caught.mean():.0f} % | {seconds:.0f} |",
                    flush=True,
                )


COMMAND = """
import resource, sys
from isthmus.cli.__main__ import main
code = main(sys.argv[1:])
print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")
sys.exit(code)
"""


def thousand(options: argparse.Namespace) -> None:
    rows, rng = options.rows, np.random.default_rng(0)
    units = FLEETS["offsets and gains"](rng, [2 * rows] * 1_000)
    learned = np.full(len(units), rows)
    faulty = with_faults(units, learned, options.window)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, later = folder / "log.parquet", folder / "later.parquet"
        table([unit[:rows] for unit in units]).to_parquet(log)
        fault = np.zeros((len(units), rows), dtype=int)
        fault[:, FAULT * options.window : (FAULT + 2) * options.window] = 1
        # Every tenth unit has a fault.
        broken = np.arange(len(units)) % 10 == 0
        shown = [f if b else u for f, b, u in zip(faulty, broken, units, strict=True)]
        table([unit[rows:] for unit in shown]).assign(
            fault=(fault * broken[:, None]).ravel()
        ).to_parquet(later)
        print(f"{log.stat().st_size / 1e6:.0f} MB of Parquet, {len(units) * rows:,} rows")
        model = folder / "fleet.isthmus"
        _command(
            "fit", log, "--kind", "detector", "--window", options.window, "--group", "machine_id",
            "--no-report", "-o", model,
        )  # fmt: skip
        _command(
            "detect", model, later, "--label", "fault", "-o", folder / "alarms.parquet",
            "--intervals", folder / "intervals.parquet",
        )  # fmt: skip
        print(pd.read_parquet(folder / "intervals.parquet").head(3))


def _command(*arguments: object) -> None:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", COMMAND, *map(str, arguments)], check=True)
    print(f"isthmus {arguments[0]}: {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = {"rates": rates, "thousand": thousand}
    parser.add_argument("what", choices=what)
    parser.add_argument("--kinds", nargs="+", choices=FLEETS, default=list(FLEETS))
    parser.add_argument("--histories", nargs="+", choices=HISTORIES, default=HISTORIES)
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--window", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", DataWarning)
    what[options.what](options)


if __name__ == "__main__":
    main()
