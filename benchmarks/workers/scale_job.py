"""One job of benchmarks/scale.py in a process of its own; prints its figures as JSON.

usage: scale_job.py fit-stream|fit-memory FOLDER MODEL [--epochs E]
       scale_job.py command COMMAND ARGUMENT ...
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import isthmus as ist
from isthmus.cli.__main__ import main as command
from isthmus.data.sources import opening
from isthmus.data.sources.files import files_source

SETTINGS = {"latent_dim": 8, "batch_size": 256, "random_state": 0, "verbose": 0, "patience": None}

VALIDATION_ROWS = 1 << 16
"""What a streamed fit holds out of many rows."""


def tenth(folder: Path) -> pa.Table:
    """Return a random tenth of the rows."""
    rng = np.random.default_rng(1)
    parts = []
    for batch in files_source(folder).stream(1 << 16):
        chosen = batch.take(np.flatnonzero(rng.random(len(batch)) < 0.1))
        parts.append(pa.table(dict(zip(chosen.schema.names, chosen.columns, strict=True))))
    return pa.concat_tables(parts)


def fit(job: str, folder: Path, output: Path, epochs: int) -> dict[str, float]:
    rows = str(folder) if job == "fit-stream" else tenth(folder)
    # As many validation rows in both.
    held_out = 0.1 if job == "fit-stream" else VALIDATION_ROWS / len(rows)
    model = ist.Autoencoder(**SETTINGS, epochs=epochs, validation_fraction=held_out)
    cpu = []

    def on_epoch(epoch: int, logs: object) -> None:  # noqa: ARG001
        cpu.append(time.process_time())

    from keras.callbacks import LambdaCallback  # after isthmus, which sets the backend

    model.fit(rows, callbacks=LambdaCallback(on_epoch_begin=on_epoch, on_epoch_end=on_epoch))
    model.save(output)
    trained = len(model.history_["loss"]) * (model.n_samples_ - VALIDATION_ROWS)
    seconds = sum(model.history_["seconds"])
    return {
        "rows_per_second": trained / seconds,
        "rows_per_cpu_second": trained / (sum(cpu[1::2]) - sum(cpu[::2])),
        "training_seconds": seconds,
    }


def peak_megabytes() -> float:
    """Return this program's peak memory; getrusage would count that of the parent's fork, too."""
    status = Path("/proc/self/status").read_text()
    return float(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    began = time.perf_counter()
    opening.MOST_BYTES_IN_MEMORY = 0  # so that fewer rows are read in batches, too
    if sys.argv[1] == "command":
        code = command(sys.argv[2:])
        found: dict[str, float] = {"code": code}
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("job")
        parser.add_argument("folder", type=Path)
        parser.add_argument("output", type=Path)
        parser.add_argument("--epochs", type=int, default=1)
        options = parser.parse_args()
        found = fit(options.job, options.folder, options.output, options.epochs)
    found["seconds"] = time.perf_counter() - began
    found["peak_mb"] = peak_megabytes()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
