"""Train on a folder that is read in batches: two processes, each on one core, and one.

usage: scripts/bench shards [--rows 4000000] [--batches 256,4096] [--hidden 64] [--folder FOLDER]

All runs have the same rows and the same batches. It prints the rows that are trained per second,
those of the first pass, which learns the schema, and how far the losses of an epoch differ from
those of one process. Linux only: each process is kept to a core.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from scale import write_lake

EPOCHS = 3
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
passes, summarise = [], fit_rows.summarise

def timed(*arguments, **options):
    began = time.perf_counter()
    found = summarise(*arguments, **options)
    passes.append(time.perf_counter() - began)
    return found

fit_rows.summarise = timed
hidden = tuple(map(int, sys.argv[7].split(",")))
settings = dict(hidden=hidden, epochs=epochs, batch_size=batch, patience=None, random_state=0)
model = ist.Autoencoder(8, verbose=0, **settings).fit(sys.argv[6])
history = model.history_
figures = [model.n_samples_, passes[0], history["seconds"], history["loss"]]
print("FIGURES", json.dumps(figures))
"""


def run(count: int, batch: int, lake: Path, hidden: str) -> tuple[float, float, list[float]]:
    """Return the rows per second of the first pass and of an epoch, and the losses."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    arguments = (batch, EPOCHS, lake, hidden)
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
    rows, first, seconds, losses = json.loads(printed[0].partition("FIGURES")[2])
    return rows / first, rows / statistics.median(seconds[1:]), losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--batches", default="256,4096")
    parser.add_argument("--hidden", default="64")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("scripts/bench shards: needs two cores")
    folder = options.folder or Path(tempfile.mkdtemp())
    lake = folder / "lake"
    write_lake(lake, options.rows)
    print("| batch | processes | first pass, rows/s | training, rows/s | change of a loss |")
    print("|--:|--:|--:|--:|--:|")
    for batch in map(int, options.batches.split(",")):
        base: list[float] = []
        for count in (1, 2):
            first, trained, losses = run(count, batch, lake, options.hidden)
            base = base or losses
            change = max(abs(a / b - 1) for a, b in zip(losses, base, strict=True))
            cells = [f"{batch:,}", count, f"{first:,.0f}", f"{trained:,.0f}", f"{change:.1e}"]
            print("|", *(f"{cell} |" for cell in cells), flush=True)
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
