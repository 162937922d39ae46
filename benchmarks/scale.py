"""Fit, apply and detect on a folder of Parquet files that is larger than memory need be.

usage: scripts/bench scale [--rows 20000000] [--epochs 1] [--rounds 2] [--folder FOLDER] [--mixed]

The rows, 25 float32 columns, are nonlinear functions of 6 hidden factors and noise; with --mixed
there are also words, days, truth values, whole numbers and missing cells. Each job runs
in a process of its own, which reports its peak memory. The fit to all rows is compared with one of
as many steps to a random tenth in memory: the rows that are trained per second, and the loss on
rows that neither has seen. Both are run several times in turn, because the machine may be busy.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import isthmus as ist

COLUMNS, FACTORS, FILE_ROWS, NOISE, MISSING = 25, 6, 1_000_000, 0.1, 0.05
WORKER = Path(__file__).parent / "workers" / "scale_job.py"


def rows(seed: int, count: int) -> np.ndarray:
    mixing = np.random.default_rng(0).normal(size=(FACTORS, COLUMNS))
    rng = np.random.default_rng([1, seed])
    hidden = rng.normal(size=(count, FACTORS))
    noise = NOISE * rng.normal(size=(count, COLUMNS))
    return (np.tanh(hidden @ mixing) + noise).astype(np.float32)


def table(seed: int, count: int, *, mixed: bool) -> pa.Table:
    X = rows(seed, count)
    columns = {f"x{i}": X[:, i] for i in range(COLUMNS)}
    if mixed:
        words = np.array(["low", "middle", "high"])
        missing = np.random.default_rng([2, seed]).random(count) < MISSING
        columns |= {
            "word": pa.array(words[np.digitize(X[:, 0], [-0.5, 0.5])]),
            "day": pa.array((1000 * X[:, 1]).astype(np.int32)).cast(pa.date32()),
            "on": pa.array(X[:, 2] > 0),
            "count": pa.array(np.round(10 * X[:, 3]).astype(np.int64)),
            "gaps": pa.array(X[:, 4], mask=missing),
        }
    return pa.table(columns)


def write_lake(folder: Path, count: int, *, mixed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, count, FILE_ROWS)):
        path = folder / f"{number:04}.parquet"
        if not path.exists():
            part = table(number, min(FILE_ROWS, count - start), mixed=mixed)
            pq.write_table(part, path, row_group_size=1 << 18, use_dictionary=False)


def job(name: str, *arguments: object) -> dict[str, float]:
    command = [sys.executable, str(WORKER), name, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    shown = ", ".join(f"{key} {value:,.1f}" for key, value in found.items())
    print(f"{name}: {shown}", flush=True)
    return found


def command(*arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, str(WORKER), "command", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    print(f"isthmus {arguments[0]}: {done.stdout.splitlines()[-1]}", flush=True)


def loss(model: Path, *, mixed: bool) -> float:
    new = table(10**6, 200_000, mixed=mixed)
    return float(ist.load(model).reconstruction_error(new).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--mixed", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    lake, all_rows, some = folder / "lake", folder / "all.isthmus", folder / "tenth.isthmus"
    write_lake(lake, options.rows, mixed=options.mixed)
    size = sum(file.stat().st_size for file in lake.iterdir())
    print(f"{options.rows:,} rows, {size / 1e9:.2f} GB", flush=True)
    ratios: dict[str, list[float]] = {"rows_per_second": [], "rows_per_cpu_second": []}
    for _ in range(options.rounds):
        streamed = job("fit-stream", lake, all_rows, "--epochs", options.epochs)
        memory = job("fit-memory", lake, some, "--epochs", 10 * options.epochs)
        for name, values in ratios.items():
            values.append(streamed[name] / memory[name])
    for name, values in ratios.items():
        shown = ", ".join(f"{value:.2f}" for value in values)
        print(f"{name}, all against a tenth in memory: {shown}; median {np.median(values):.2f}")
    losses = loss(all_rows, mixed=options.mixed), loss(some, mixed=options.mixed)
    print(
        f"mean error of new rows: {losses[0]:.5f} and {losses[1]:.5f}, "
        f"{100 * (losses[0] / losses[1] - 1):+.2f} %",
        flush=True,
    )
    detector = folder / "detector.isthmus"
    command("encode", all_rows, lake, "-o", folder / "codes.parquet", "--force")
    command("fit", lake, "-o", detector, "--kind", "detector", "--no-report", "--force")
    command("detect", detector, lake, "-o", folder / "alarms.parquet", "--force")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
