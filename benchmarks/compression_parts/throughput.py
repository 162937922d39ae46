"""MB of float32 per second on one core, by processor time, so that other load does not count."""

import time
from pathlib import Path

import numpy as np

import isthmus as ist
from compression_parts.sensors import data_sets
from speed_parts import harness


def speed(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    found = data_sets(folder)
    series = np.tile(found["machine_temperature_system_failure"], (180, 1))
    walk = np.cumsum(rng.normal(size=(500_000, 8)), axis=0) + rng.normal(size=(500_000, 8))
    inputs = {
        "machine temperature, 180 times with noise": series + rng.normal(0, 0.3, series.shape),
        "8 random walks with noise": walk,
        "shuttle, 10 times": np.tile(found["shuttle"], (10, 1)),
        "machine temperature, once": found["machine_temperature_system_failure"],
        "shuttle, once": found["shuttle"],
    }
    rows = []
    for name, values in inputs.items():
        X = np.ascontiguousarray(values, dtype=np.float32)
        rows += [
            [name, f"{share:g}", f"{X.nbytes / 1e6:.1f}", *_one(X, share)]
            for share in (1e-2, 1e-3, 0.0)
        ]
    head = [
        "float32 rows",
        "error bound",
        "MB",
        "compression ratio",
        "compress, MB/s",
        "decompress, MB/s",
    ]
    return ["## Speed", "", *harness.table(head, rows)]


def _one(X: np.ndarray, share: float) -> list[str]:
    codec = ist.Codec(max_error=share, relative=share > 0).fit(X)
    codec.compress(X[:100])  # warm-up: some work is done only once
    began = time.process_time()
    blob = codec.compress(X)
    between = time.process_time()
    codec.decompress(blob)
    ended = time.process_time()
    megabytes = X.nbytes / 1e6
    times = (between - began, ended - between)
    return [f"{X.nbytes / len(blob):.2f}", *(f"{megabytes / seconds:.1f}" for seconds in times)]
