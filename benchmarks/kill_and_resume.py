"""Kill ``isthmus fit --checkpoint`` at random moments, resume it, and compare the weights.

usage: scripts/bench kill_and_resume [--trials 20] [--seed 0] [--streamed]

With ``--streamed``, the rows are read while training, and checkpoints are also written within an
epoch, after each of its 8 chunks. The run is killed a random time after the first checkpoint.

Each trial starts a run in its own process and kills it with SIGKILL after a random time. It reads
the checkpoint, if there is one, and runs the same command again until it ends. Every weight is
compared bit for bit with those of an uninterrupted run.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

from isthmus.persistence import artifact

STREAMED = """
from isthmus.data.sources import opening
from isthmus.training import checkpoint, row_stream
opening.MOST_BYTES_IN_MEMORY = 0
row_stream.CHUNK_CELLS = 80_000
checkpoint.SECONDS_WITHIN_EPOCH = 0.0
"""
START = "import sys; from isthmus.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"


def write_data(root: Path, *, streamed: bool) -> None:
    if not streamed:
        np.save(root / "data.npy", load_digits().images)
        return
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64_000, 3)) @ rng.normal(size=(3, 10)) + rng.normal(size=(64_000, 10))
    (root / "data").mkdir()
    for part in range(4):
        rows = X[part * 16_000 : (part + 1) * 16_000]
        table = pa.table({f"x{i}": rows[:, i] for i in range(10)})
        pq.write_table(table, root / "data" / f"{part}.parquet", row_group_size=5_000)


def command(folder: Path) -> list[str]:
    data = folder.parent / "data"
    streamed = data.exists()
    size = ["--epochs", "4", "--latent-dim", "3"] if streamed else ["--epochs", "60"]
    return [
        *(sys.executable, "-c", (STREAMED if streamed else "") + START),
        *("fit", str(data if streamed else folder.parent / "data.npy")),
        *("--output", str(folder / "model.isthmus"), "--no-report", "--force"),
        *("--checkpoint", str(folder / "run.checkpoint"), *size),
        *([] if streamed else ["--latent-dim", "8"]),
    ]


def weights(folder: Path) -> dict[str, np.ndarray]:
    return artifact.read(folder / "model.isthmus").arrays


def run_whole(folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command(folder), check=True, capture_output=True)
    return time.perf_counter() - began


def training_seconds(folder: Path) -> float:
    """Return how long the epochs of a whole run took."""
    return sum(artifact.read(folder / "run.checkpoint").manifest["history"]["seconds"])


def kill_after(folder: Path, seconds: float, *, from_checkpoint: bool) -> str:
    """Return the epochs and steps of the checkpoint after the kill."""
    process = subprocess.Popen(
        command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoint = folder / "run.checkpoint"
    while from_checkpoint and not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (folder / "model.isthmus").exists():
        weights(folder)  # if the file exists, it must be readable
    if not checkpoint.exists():
        return "none"
    found = artifact.read(checkpoint).manifest
    return f"epoch {found['epoch']}" + (f" + {found['steps']} steps" if "steps" in found else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--streamed", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_data(root, streamed=options.streamed)
        unbroken = root / "unbroken"
        unbroken.mkdir()
        run_whole(unbroken)  # fills the compilation cache, so that the next time is typical
        (unbroken / "run.checkpoint").unlink()
        whole = run_whole(unbroken)
        expected = weights(unbroken)
        if options.streamed:
            whole = training_seconds(unbroken)
        failures = 0
        for trial in range(1, options.trials + 1):
            folder = root / f"trial{trial}"
            folder.mkdir()
            moment = float(rng.uniform(0, whole))
            state = kill_after(folder, moment, from_checkpoint=options.streamed)
            run_whole(folder)
            got = weights(folder)
            same = got.keys() == expected.keys() and all(
                (got[name] == expected[name]).all() for name in expected
            )
            failures += not same
            print(
                f"{trial:2d}  killed after {moment:5.2f} s of {whole:.2f}, checkpoint: "
                f"{state}: {'identical' if same else 'DIFFERENT'}",
                flush=True,
            )
    print(f"{options.trials - failures} of {options.trials} resumed runs are identical bit for bit")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
