"""Train on a folder that is read in batches: two processes, each on one core, and one.

usage: scripts/bench shards [--rows 1000000] [--columns 100] [--batches 4096] [--hidden 128]
                            [--epochs 5] [--folder FOLDER]

All runs have the same rows and the same batches. It prints the rows per second of the first pass,
which learns the schema, and of the fastest epoch; the rows per second of processor time that a
process needs for them; and how far the losses of an epoch differ from those of one process. The
processor time tells how fast an idle machine would be, but for waiting. Linux only: each process is
kept to a core.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES, GROUP, FACTORS = 4, 1 << 16, 6
WORKER = """
import json, os, sys, time
count, index, port, batch, epochs = map(int, sys.argv[1:6])
os.sched_setaffinity(0, {index})
import jax
if count > 1:
    jax.distributed.initialize(f"localhost:{port}", count, index)
import isthmus as ist
from isthmus.data.sources import opening
from isthmus.estimators import fit_rows
opening.MOST_BYTES_IN_MEMORY = 0  # so that fewer rows are read in batches, too
summarise, first, cpu = fit_rows.summarise, {}, []

def timed(*arguments, **options):
    began = time.perf_counter(), time.process_time()
    found = summarise(*arguments, **options)
    first.update(seconds=time.perf_counter() - began[0], cpu=time.process_time() - began[1])
    return found

fit_rows.summarise = timed
from keras.callbacks import LambdaCallback  # after isthmus, which sets the backend

def note(*arguments):
    cpu.append(time.process_time())

hidden = tuple(map(int, sys.argv[7].split(",")))
settings = dict(hidden=hidden, epochs=epochs, batch_size=batch, patience=None, random_state=0)
model = ist.Autoencoder(8, verbose=0, **settings).fit(
    sys.argv[6], callbacks=LambdaCallback(on_epoch_begin=note, on_epoch_end=note)
)
history = model.history_
epoch_cpu = [after - before for before, after in zip(cpu[::2], cpu[1::2])]
figures = [model.n_samples_, first, history["seconds"], epoch_cpu, history["loss"]]
print("FIGURES", json.dumps(figures))
"""


def write_lake(folder: Path, rows: int, columns: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mixing = np.random.default_rng(0).normal(size=(FACTORS, columns))
    for number in range(FILES):
        path = folder / f"{number}-{rows}x{columns}.parquet"
        if not path.exists():
            rng = np.random.default_rng([1, number])
            X = np.tanh(rng.normal(size=(rows // FILES, FACTORS)) @ mixing)
            X += 0.1 * rng.normal(size=X.shape)
            table = pa.table({f"x{i}": X[:, i].astype(np.float32) for i in range(columns)})
            pq.write_table(table, path, row_group_size=GROUP, use_dictionary=False)


def run(count: int, *arguments: object) -> tuple[list[float], list[float]]:
    """Return the four rates, in rows per second, and the losses."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, (count, index, port, *arguments))],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(count)
    ]
    printed = [process.communicate()[0] for process in started]
    rows, first, seconds, cpu, losses = json.loads(printed[0].partition("FIGURES")[2])
    times = (first["seconds"], first["cpu"], min(seconds[1:]), float(np.median(cpu[1:])))
    return [rows / time for time in times], losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--batches", default="4096")
    parser.add_argument("--hidden", default="128")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("scripts/bench shards: needs two cores")
    folder = options.folder or Path(tempfile.mkdtemp())
    lake = folder / f"lake-{options.rows}x{options.columns}"
    write_lake(lake, options.rows, options.columns)
    print(
        "| batch | processes | first pass | of a CPU second | training | of a CPU second | change |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for batch in map(int, options.batches.split(",")):
        base: list[float] = []
        for count in (1, 2):
            rates, losses = run(count, batch, options.epochs, lake, options.hidden)
            base = base or losses
            change = max(abs(a / b - 1) for a, b in zip(losses, base, strict=True))
            cells = [f"{batch:,}", count, *(f"{rate:,.0f}" for rate in rates), f"{change:.1e}"]
            print("|", *(f"{cell} |" for cell in cells), flush=True)
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
