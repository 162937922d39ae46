"""Rows per second of a detector and of an encoder on a folder of tables, by engine.

usage: scripts/bench engines [--rows 200000] [--files 16] [--workers 2] [--rounds 3]

Each run is a command of its own or, for one process, a loop over the files, with start-up and
compilation; the compilation cache is warm. The engines take turns, and the median of the rounds is
printed, with the ratio to one process in the same round. It also checks that all wrote the same
rows, and measures what it costs that results do not depend on batches.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import isthmus as ist

COLUMNS, FACTORS = 20, 4
ENGINES = ("one process", "processes", "ray", "dask")
ONE = """
import sys, json
from pathlib import Path
from isthmus.engines.parts import PartJob, find_parts, run_part
from isthmus.engines import worker_threads
import isthmus as ist
model, lake, out, task = sys.argv[1:]
function = ist.arrow_function(model, task)
worker_threads.limit = lambda: None
job = PartJob(function.path, function.checksum, task)
for part in find_parts(Path(lake), Path(out)):
    assert not run_part(part, job).fault
"""


def table(rows: int, seed: int) -> pa.Table:
    mixing = np.random.default_rng(0).normal(size=(FACTORS, COLUMNS))
    rng = np.random.default_rng([1, seed])
    X = rng.normal(size=(rows, FACTORS)) @ mixing + 0.3 * rng.normal(size=(rows, COLUMNS))
    return pa.table({f"sensor{i}": X[:, i].astype(np.float32) for i in range(COLUMNS)})


def seconds(engine: str, model: Path, lake: Path, out: Path, workers: int) -> float:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "isthmus", "detect", str(model), str(lake), "-o", str(out)]
    command += ["--engine", engine, "--workers", str(workers)]
    if engine == "one process":
        command = [sys.executable, "-c", ONE, str(model), str(lake), str(out), "detect"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def engines(folder: Path, options: argparse.Namespace) -> None:
    lake, out = folder / "lake", folder / "out"
    lake.mkdir()
    for number in range(options.files):
        rows = table(options.rows // options.files, number)
        pq.write_table(rows, lake / f"{number:03}.parquet")
    times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    rows = {}
    for _ in range(options.rounds):
        for engine in ENGINES:
            taken = seconds(engine, folder / "d.isthmus", lake, out, options.workers)
            times[engine].append(taken)
            rows[engine] = pq.read_table(out)
            print(json.dumps({"engine": engine, "seconds": round(taken, 1)}), flush=True)
    print(f"detect, {options.rows:,} rows x {COLUMNS} in {options.files} files")
    for engine in ENGINES:
        pairs = zip(times["one process"], times[engine], strict=True)
        ratio = statistics.median(one / own for one, own in pairs)
        speed = options.rows / statistics.median(times[engine])
        same = rows[engine].equals(rows["one process"])
        print(f"  {engine:12} {speed:9,.0f} rows/s  {ratio:5.2f} x  same bits: {same}")


def fixed_batches(folder: Path, options: argparse.Namespace) -> None:
    """Compare the function with the model's own method on batches of several sizes."""
    print("encode, time per batch: the function / the model's own method")
    encode = ist.arrow_function(folder / "a.isthmus", "encode")
    model = ist.load(folder / "a.isthmus")
    for size in (1, 64, 1024, 4096, 65536):
        batch = table(size, 99)
        ratios = []
        for _ in range(3 + 10 * options.rounds):
            taken = []
            for apply in (encode, model.transform):
                began = time.perf_counter()
                apply(batch)
                taken.append(time.perf_counter() - began)
            ratios.append(taken)
        ours, own = (statistics.median(each[i] for each in ratios[3:]) for i in (0, 1))
        ratio = statistics.median(a / b for a, b in ratios[3:])
        print(f"  {size:6,} rows  {1e3 * ours:8.2f} ms / {1e3 * own:8.2f} ms  ratio {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        normal = table(4_000, 1_000)
        autoencoder = ist.Autoencoder(latent_dim=FACTORS, epochs=5, random_state=0, verbose=0)
        autoencoder.fit(normal).save(folder / "a.isthmus")
        ist.AnomalyDetector(random_state=0).fit(normal).save(folder / "d.isthmus")
        fixed_batches(folder, options)
        engines(folder, options)


if __name__ == "__main__":
    main()
