"""Compare two processes with one, each on one core: the losses, the seconds of an epoch.

usage: scripts/bench processes [--rows 65536] [--columns 200] [--batches 256,4096] [--epochs 6]

All runs have the same data and the same batches. Linux only: each process is kept to a core.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys

WORKER = """
import json, os, sys, time
count, index, cores, port, rows, columns, batch, epochs = map(int, sys.argv[1:])
os.sched_setaffinity(0, {index} if cores == 1 else set(range(cores)))
import jax
if count > 1:
    jax.distributed.initialize(f"localhost:{port}", count, index)
import numpy as np
import isthmus as ist

rng = np.random.default_rng(0)
X = rng.normal(size=(rows, 20)) @ rng.normal(size=(20, columns)) + rng.normal(size=(rows, columns))
settings = dict(hidden=(512, 256), epochs=epochs, batch_size=batch, patience=None, random_state=0)
model = ist.Autoencoder(16, verbose=0, **settings).fit(X.astype(np.float32))
print("FIGURES", json.dumps([model.history_["loss"], model.history_["seconds"]]))
"""


def run(count: int, cores: int, *sizes: int) -> tuple[list[float], float]:
    """Return the loss of each epoch, and the median seconds of all but the first."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, (count, index, cores, port, *sizes))],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(count)
    ]
    printed = [process.communicate()[0] for process in started]
    losses, seconds = json.loads(printed[0].partition("FIGURES")[2])
    return losses, statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--batches", default="256,4096")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("scripts/bench processes: needs two cores")
    print("| batch | processes | cores | seconds of an epoch | speed | largest change of a loss |")
    print("|--:|--:|--:|--:|--:|--:|")
    for batch in map(int, options.batches.split(",")):
        sizes = (options.rows, options.columns, batch, options.epochs)
        base, slowest = run(1, 1, *sizes)
        for count, cores in ((1, 1), (1, 2), (2, 1)):
            losses, seconds = (
                (base, slowest) if (count, cores) == (1, 1) else run(count, cores, *sizes)
            )
            change = max(abs(a / b - 1) for a, b in zip(losses, base, strict=True))
            speed = slowest / seconds
            cells = [
                f"{batch:,}",
                count,
                count * cores,
                f"{seconds:.2f}",
                f"{speed:.2f}",
                f"{change:.1e}",
            ]
            print("|", *(f"{cell} |" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
