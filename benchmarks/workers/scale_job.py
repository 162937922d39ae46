"""One job of benchmarks/scale.py in a process of its own; prints figures as JSON.

usage: scale_job.py fit-stream|fit-memory|detect|encode FOLDER OUTPUT [--epochs E] [--fraction F]
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import isthmus as ist
from isthmus.data.sources.files import files_source

SETTINGS = {"latent_dim": 8, "batch_size": 256, "random_state": 0, "verbose": 0, "patience": None}


def fit(rows, epochs: int, output: Path) -> dict[str, float]:
    model = ist.Autoencoder(**SETTINGS, epochs=epochs).fit(rows)
    model.save(output)
    trained = model.n_samples_ * 0.9 if isinstance(rows, np.ndarray) else model.n_samples_ - 65536
    seconds = sum(model.history_["seconds"])
    return {"rows_per_second": epochs * trained / seconds, "training_seconds": seconds}


def tenth(folder: Path, fraction: float) -> np.ndarray:
    """Return a random fraction of the rows as an array."""
    rng = np.random.default_rng(1)
    parts = []
    for batch in files_source(folder).stream(1 << 16):
        chosen = np.flatnonzero(rng.random(len(batch)) < fraction)
        parts.append(np.column_stack([column.to_numpy() for column in batch.take(chosen).columns]))
    return np.concatenate(parts)


def apply(folder: Path, model: Path, output: Path, method: str) -> dict[str, float]:
    """Apply a model to each batch, and write the results."""
    import pyarrow as pa

    fitted = ist.load(model)
    began, count, writer = time.perf_counter(), 0, None
    for batch in files_source(folder).stream(1 << 16):
        result = np.asarray(getattr(fitted, method)(batch))
        table = pa.table({"values": list(result)} if result.ndim > 1 else {"values": result})
        writer = writer or pq.ParquetWriter(output, table.schema)
        writer.write_table(table)
        count += len(batch)
    if writer is not None:
        writer.close()
    return {"rows_per_second": count / (time.perf_counter() - began)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job")
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--fraction", type=float, default=0.1)
    options = parser.parse_args()
    began = time.perf_counter()
    if options.job == "fit-stream":
        found = fit(str(options.folder), options.epochs, options.output)
    else:
        found = fit(tenth(options.folder, options.fraction), options.epochs, options.output)
    found["seconds"] = time.perf_counter() - began
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
