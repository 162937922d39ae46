"""Kill ``isthmus fit --checkpoint`` at random moments, resume it, and compare the weights.

usage: scripts/bench kill_and_resume [--trials 20] [--seed 0]

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
from sklearn.datasets import load_digits

from isthmus.persistence import artifact


def command(folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "isthmus", "fit", str(folder.parent / "digits.npy")),
        *("--output", str(folder / "model.isthmus"), "--no-report", "--force"),
        *("--checkpoint", str(folder / "run.checkpoint"), "--epochs", "60", "--latent-dim", "8"),
    ]


def weights(folder: Path) -> dict[str, np.ndarray]:
    return artifact.read(folder / "model.isthmus").arrays


def run_whole(folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command(folder), check=True, capture_output=True)
    return time.perf_counter() - began


def kill_after(folder: Path, seconds: float) -> int | None:
    """Return the epoch of the checkpoint after the kill, or None if there is no checkpoint."""
    process = subprocess.Popen(
        command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    checkpoint = folder / "run.checkpoint"
    if (folder / "model.isthmus").exists():
        weights(folder)  # if the file exists, it must be readable
    return int(artifact.read(checkpoint).manifest["epoch"]) if checkpoint.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        np.save(root / "digits.npy", load_digits().images)
        unbroken = root / "unbroken"
        unbroken.mkdir()
        run_whole(unbroken)  # fills the compilation cache, so that the next time is typical
        (unbroken / "run.checkpoint").unlink()
        whole = run_whole(unbroken)
        expected = weights(unbroken)
        failures = 0
        for trial in range(1, options.trials + 1):
            folder = root / f"trial{trial}"
            folder.mkdir()
            moment = float(rng.uniform(0, whole))
            epoch = kill_after(folder, moment)
            run_whole(folder)
            got = weights(folder)
            same = got.keys() == expected.keys() and all(
                (got[name] == expected[name]).all() for name in expected
            )
            failures += not same
            print(
                f"{trial:2d}  killed after {moment:5.2f} s of {whole:.2f}, checkpoint at epoch "
                f"{'none' if epoch is None else epoch:>4}: {'identical' if same else 'DIFFERENT'}",
                flush=True,
            )
    print(f"{options.trials - failures} of {options.trials} resumed runs are identical bit for bit")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
