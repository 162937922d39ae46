#!/usr/bin/env python
"""Damage saved models in N ways, and see that none of them crashes, hangs or runs code.

    python scripts/fuzz_archives.py 10000 [--seed 0] [--keep FOLDER]

A mutant is right when isthmus refuses it with an error of its own, or loads it to the same outputs
bit for bit. A *forged* mutant has its checksums made right again, so that it is a consistent file
of other content; it may also load to another model, as long as loading and using it ends, within
the bounds of time and memory, in a result or in an error of isthmus' own.

Each thousand runs in a process of its own, under a limit on memory, watched for the starting of
programs, connections, unpickling, writing of files and the import of a module that only mutants
name. It exits with 1 if any mutant was wrong; `--keep` stores those.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import json
import pickle
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from archive_mutations import CANARY, FORGED, mutate

import isthmus as ist

CHUNK = 1000
SECONDS = 15
MEMORY = 3 * 2**30
FORBIDDEN = (
    *("subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork"),
    *("socket.connect", "urllib.", "pickle.", "code.", "shutil.", "os.remove", "os.rename"),
)


# --- the archives -----------------------------------------------------------------------------


def make(folder: Path) -> None:
    """Save small models of each kind, and rows to try them with."""
    import keras
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits

    layers = keras.layers
    images = load_digits().images[:64]
    rows = images.reshape(64, -1)[:, 18:26]
    table = pd.DataFrame(
        {
            "width": rows[:, 0],
            "open": rows[:, 1] > 5,
            "kind": np.array(["a", "b", "ä"])[rows[:, 2].astype(int) % 3],
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rows[:, 3], unit="D"),
        }
    )
    table.loc[3, "width"] = np.nan
    settings = {"epochs": 1, "verbose": 0, "random_state": 0}
    encoder = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(2),
        ]
    )
    x = keras.Input((2,))
    decoder = keras.Model(x, layers.Add()([layers.Dense(8)(x), layers.Dense(8)(x)]))
    models = {
        "images": (ist.Autoencoder(2, hidden=(8,), **settings), images),
        "linear": (ist.Autoencoder(2, architecture="linear", **settings), rows),
        "table": (ist.Autoencoder(2, hidden=(6,), **settings), table),
        "given": (ist.Autoencoder(encoder=encoder, decoder=decoder, **settings), rows),
    }
    for name, (model, X) in models.items():
        model.fit(X).save(folder / f"{name}.isthmus")
        (folder / f"{name}.rows").write_bytes(pickle.dumps(X[:5]))


# --- the watch --------------------------------------------------------------------------------


class Watch:
    """Notes what no file may cause, while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple) -> None:
        if not self.on:
            return
        writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        canary = event == "import" and str(args[0]).startswith(CANARY)
        if writes or canary or event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {str(args)[:200]}")


class TooLong(BaseException):
    pass


def too_long(*_):
    raise TooLong


def judge(path: Path, kind: str, outputs, expected, watch: Watch) -> tuple[str, str]:
    """Load one mutant; return what came of it, and the reason if that is wrong."""
    from isthmus import load
    from isthmus.core.errors import IsthmusError

    watch.seen.clear()
    began = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(2 * SECONDS, exit=True)  # where no signal gets through
    watch.on = True
    try:
        stage = "refused"
        model = load(path)
        stage = "unusable"
        same = outputs(model) == expected
        outcome = "same" if same else "other"
        wrong = "" if same or kind in FORGED else "loads to other outputs"
    except IsthmusError as error:
        outcome, wrong = stage, "" if str(error) else "an error without a message"
    except TooLong:
        outcome, wrong = "hang", f"more than {SECONDS} s\n{traceback.format_exc()}"
    except BaseException:
        outcome, wrong = "crash", f"{stage}\n{traceback.format_exc()}"
    finally:
        watch.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    if watch.seen:
        outcome, wrong = "code", "\n".join(watch.seen)
    took = time.perf_counter() - began
    return (outcome, wrong) if wrong or took < SECONDS else ("hang", f"{took:.1f} s")


def work(folder: Path, seed: int, start: int, stop: int, keep: Path | None) -> dict:
    """Judge the mutants from `start` to `stop`."""
    import jax
    import numpy as np

    sys.path.insert(0, str(folder))
    watch = Watch()
    blobs = {p.stem: p.read_bytes() for p in sorted(folder.glob("*.isthmus"))}
    rows = {name: pickle.loads((folder / f"{name}.rows").read_bytes()) for name in blobs}

    def outputs_of(name):
        def outputs(model):
            back = model.reconstruct(rows[name])
            back = back.tobytes() if isinstance(back, np.ndarray) else back.to_csv()
            return model.transform(rows[name]).tobytes(), back, model.history_, model.get_params()

        return lambda model: tuple(map(str, outputs(model)))

    expected = {
        name: without_addresses(outputs_of(name)(ist.load(folder / f"{name}.isthmus")))
        for name in blobs
    }
    signal.signal(signal.SIGALRM, too_long)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)

    counts: collections.Counter[str] = collections.Counter()
    wrongs = []
    path = folder / f"mutant-{start}"
    for index in range(start, stop):
        name, kind, blob = mutate(random.Random(f"{seed}/{index}"), blobs)
        path.write_bytes(blob)
        (folder / "current").write_text(f"{index} {kind} of {name}")
        outputs = outputs_of(name)
        outcome, wrong = judge(
            path, kind, lambda m, o=outputs: without_addresses(o(m)), expected[name], watch
        )
        counts[f"{kind} {outcome}"] += 1
        if wrong:
            wrongs.append(f"mutant {index}, {kind} of {name}: {outcome}: {wrong}")
            if keep:
                (keep / f"{index}-{kind}-{name}-{outcome}.isthmus").write_bytes(blob)
        if index % 200 == 199:
            jax.clear_caches()
    return {"counts": counts, "wrongs": wrongs}


def without_addresses(outputs):
    return tuple(re.sub(r" at 0x[0-9a-f]+|name=\w+", "", text) for text in outputs)


# --- the supervisor ---------------------------------------------------------------------------


def run(folder: Path, *words: object) -> subprocess.CompletedProcess:
    command = [sys.executable, __file__, *map(str, words), "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def supervise(count: int, seed: int, keep: Path | None) -> int:
    counts: collections.Counter[str] = collections.Counter()
    wrongs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = run(folder, 0, "--make")
        if made.returncode:
            sys.exit(made.stderr)
        for start in range(0, count, CHUNK):
            stop = min(count, start + CHUNK)
            kept = ["--keep", keep] if keep else []
            worker = run(folder, stop, "--start", start, "--seed", seed, *kept)
            if worker.returncode:
                current = (folder / "current").read_text()
                wrongs.append(f"the process died at mutant {current}:\n{worker.stderr[-3000:]}")
                continue
            result = json.loads(worker.stdout.splitlines()[-1])
            counts.update(result["counts"])
            wrongs += result["wrongs"]
            print(f"{stop} of {count}, {len(wrongs)} wrong", file=sys.stderr, flush=True)
    for key, number in sorted(counts.items()):
        print(f"{number:6} {key}")
    for wrong in wrongs:
        print(wrong)
    print(f"{sum(counts.values())} mutants, {len(wrongs)} wrong")
    return 1 if wrongs else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other mutants")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that were wrong")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.folder)
    elif given.folder:
        print(json.dumps(work(given.folder, given.seed, given.start, given.count, given.keep)))
    else:
        return supervise(given.count, given.seed, given.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
