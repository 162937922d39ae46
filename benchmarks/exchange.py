"""Measure the sum over processes that ends each training step, by the number of weights.

usage: scripts/bench exchange [--weights 10000,100000,1000000,10000000] [--processes 2]

Each process is kept to a core. Printed are the fastest and the median of 50 sums of one float32
vector, of which each process holds one, and the line t = latency + bytes / rate through the fastest
ones. Linux only.
"""

import argparse
import json
import os
import socket
import subprocess
import sys

import numpy as np

SUMS = 50
WORKER = """
import json, os, sys, time
count, index, port, sums = map(int, sys.argv[1:5])
os.sched_setaffinity(0, {index % os.cpu_count()})
import jax
jax.distributed.initialize(f"localhost:{port}", count, index)
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

mesh = Mesh(np.asarray(jax.devices()), ("rows",))
same = PartitionSpec()
add = jax.jit(jax.shard_map(
    lambda x: jax.lax.psum(x, "rows") / count, mesh=mesh, in_specs=same, out_specs=same,
    check_vma=False,
))
found = []
for weights in json.loads(sys.argv[5]):
    x = jax.make_array_from_callback(
        (weights,), NamedSharding(mesh, same), lambda where: np.ones(weights, np.float32)[where]
    )
    add(x).block_until_ready()
    times = []
    for _ in range(sums):
        began = time.perf_counter()
        x = add(x).block_until_ready()
        times.append(time.perf_counter() - began)
    found.append([min(times), float(np.median(times))])
print("FIGURES", json.dumps(found))
"""


def measured(count: int, weights: list[int]) -> list[tuple[float, float]]:
    """Return the fastest and the median seconds of a sum of so many weights."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, (count, i, port, SUMS)), json.dumps(weights)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for i in range(count)
    ]
    printed = [process.communicate()[0] for process in started]
    return [tuple(each) for each in json.loads(printed[0].partition("FIGURES")[2])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", default="10000,100000,1000000,10000000")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("scripts/bench exchange: needs Linux")
    weights = [int(each) for each in options.weights.split(",")]
    found = measured(options.processes, weights)
    print("| weights | MB | fastest, ms | median, ms |")
    print("|--:|--:|--:|--:|")
    for count, (fastest, median) in zip(weights, found, strict=True):
        print(f"| {count:,} | {4e-6 * count:.2f} | {1e3 * fastest:.2f} | {1e3 * median:.2f} |")
    size, fastest = 4.0 * np.array(weights), np.array([each[0] for each in found])
    slope, latency = np.polyfit(size, fastest, 1, w=1 / fastest)
    print(f"latency {1e3 * latency:.2f} ms, {1e-6 / slope:,.0f} MB/s")


if __name__ == "__main__":
    main()
