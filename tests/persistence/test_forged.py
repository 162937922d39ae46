"""Forged archives, with checksums made right, are refused at load or work within bounds.

A forged file of any kind must either be refused with `InvalidArchive` when it is loaded, or give a
model whose methods return finite numbers or raise an error of isthmus. Either way, it must end
within limits of time and memory. The archives are those of ``tests/golden`` and a few of this
version; run this file as a script for many cases, or for one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forging import Forger, Forgery

import isthmus as ist
import test_golden as golden
from isthmus.core.errors import InvalidArchive, InvalidParameter, IsthmusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

resource = pytest.importorskip("resource", reason="the limits are those of Linux")

SECONDS = 20
"""Of processor time, for one case."""
MEMORY = 200 * 2**20
"""Bytes by which one case may exceed what the process had."""
ADDRESSES = 4 * 2**30
"""Bytes of addresses that one case may reserve, so that none takes the machine down."""


class TooLong(BaseException):
    """No `except Exception` in the code under test catches this."""


def _too_long(*_: Any) -> None:
    raise TooLong


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Interrupt what takes too long, and let what takes too much memory fail."""
    before = signal.signal(signal.SIGPROF, _too_long)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ADDRESSES, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def _memory(name: str) -> int:
    """Return VmRSS or VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


# --- what is done with a model ----------------------------------------------------------------


def rows_of_table(n: int = 60) -> pd.DataFrame:
    """Return a table with missing cells and a constant column."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "width": generator.normal(50, 9, n),
            "open": generator.random(n) > 0.5,
            "kind": np.array(["a", "b", "c"])[generator.integers(0, 3, n)],
            "same": "x",
            "day": pd.Timestamp("2020-02-29") + pd.to_timedelta(generator.integers(0, 99, n), "D"),
        }
    )
    frame.loc[3, "width"] = np.nan
    return frame


SMALL = {"hidden": (4,), "epochs": 2, "verbose": 0, "random_state": 0}


def numbers(n: int = 60) -> np.ndarray:
    """Return rows with a missing cell."""
    X = np.random.default_rng(1).normal(size=(n, 4))
    X[4, 2] = np.nan
    return X


def _fitted() -> dict[str, tuple[Any, tuple[str, ...], Any]]:
    """Fit small models of this version, and name methods and rows to try them with.

    Those of earlier versions lack some parameters, and detectors lack rates of events.
    """
    table, X = rows_of_table(), numbers()
    detectors = ("anomaly_score", "explain", "predict", "repair", "drift")
    estimators = ("transform", "reconstruct", "reconstruction_error")
    models = {
        "new-detector-table": (ist.AnomalyDetector(random_state=0), detectors, table),
        "new-detector-outlier": (
            ist.AnomalyDetector(ist.Autoencoder(2, **SMALL), mode="outlier"),
            detectors,
            X,
        ),
        "new-autoencoder-table": (ist.Autoencoder(2, **SMALL), estimators, table),
        "new-denoising-numbers": (ist.DenoisingAutoencoder(2, **SMALL), estimators, X),
        "new-variational-table": (ist.VariationalAutoencoder(2, **SMALL), estimators, table),
        "new-sampler": (
            ist.LatentSampler(ist.Autoencoder(2, **SMALL), n_components=2),
            ("score_samples",),
            X,
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: (model.fit(X), methods, X[:5]) for name, (model, methods, X) in models.items()
        }


def _stream() -> tuple[Any, np.ndarray]:
    """Fit a detector of series, pass it a part of a stream, and return it with the next rows."""
    rows = np.random.default_rng(2).normal(size=(140, 2)).cumsum(axis=0)
    network = ist.Autoencoder(2, scale="none", **SMALL)
    detector = ist.AnomalyDetector(network, window=8, random_state=0).fit(rows[:100])
    rows[100:130] += 100  # an alarm is open
    rows[126:129, 0] = np.nan
    for row in rows[100:128]:
        detector.update(row)
    return detector, rows[128:]


def _use_stream(rows: np.ndarray) -> Callable[[Any], dict[str, np.ndarray]]:
    def use(detector: Any) -> dict[str, np.ndarray]:
        found = [detector.update(row) for row in rows]
        settled = [(each.score, each.threshold) for update in found for each in update.settled]
        return {"settled": np.array(settled), "ended": np.array([str(u.ended) for u in found])}

    return use


def _use(methods: tuple[str, ...], X: Any) -> Callable[[Any], dict[str, np.ndarray]]:
    def use(model: Any) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name in methods:
            found |= golden.flat(getattr(model, name)(X), name)
        return found

    return use


def _use_codec(blob: dict[str, Any] | None) -> Callable[[Any], dict[str, np.ndarray]]:
    def use(codec: Any) -> dict[str, np.ndarray]:
        if blob is not None:
            codec.decompress(codec.compress(golden.decoded(blob)[:5]))
            codec.decompress((golden.FOLDER / blob["file"]).read_bytes())
        return {}

    return use


def _nan_in(found: dict[str, np.ndarray]) -> set[str]:
    return {name for name, a in found.items() if a.dtype.kind == "f" and np.isnan(a).any()}


class Bench:
    """Archives of all kinds, and what to do with the models in them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "forged.isthmus"
        blobs: dict[str, bytes] = {}
        self.uses: dict[str, Callable[[Any], dict[str, np.ndarray]]] = {}
        self.may_be_nan: dict[str, set[str]] = {}
        for name, (model, methods, X) in _fitted().items():
            model.save(self.path)
            blobs[name], self.uses[name] = self.path.read_bytes(), _use(methods, X)
            self.may_be_nan[name] = _nan_in(self.uses[name](model))
        stream, rows = _stream()
        stream.save(self.path)
        blobs["new-stream"] = self.path.read_bytes()
        self.uses["new-stream"], self.may_be_nan["new-stream"] = _use_stream(rows), {"settled"}
        content = golden.manifest()
        by_codec = {blob["codec"]: blob for blob in content["blobs"] if blob["codec"]}
        for entry in content["archives"]:
            name = entry["name"]
            blobs[name] = (golden.FOLDER / entry["file"]).read_bytes()
            if entry["class"] == "Codec":
                self.uses[name] = _use_codec(by_codec.get(entry["file"]))
                continue
            self.uses[name] = lambda m, calls=entry["calls"]: golden.outputs(m, calls)
            wanted = golden.arrays(entry["expected"])
            self.may_be_nan[name] = {key.removeprefix("out.") for key in _nan_in(wanted)}
        self.unfitted = ist.Autoencoder(2, checkpoint=self.path, **SMALL)
        self.path.unlink()
        clone(self.unfitted).set_params(epochs=2).fit(numbers())
        blobs["checkpoint"] = self.path.read_bytes()
        self.forger = Forger(blobs)

    def judge(self, forged: Forgery) -> tuple[str, str]:
        """Return what came of a forged archive, and the reason if that is wrong."""
        self.path.write_bytes(forged.blob)
        _forget_peak()
        memory, began = _memory("VmRSS"), time.process_time()
        stage, outcome, wrong = "load", "", ""
        try:
            with limited(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = self._opened(forged)
                stage = "use"
                if model is not None:
                    wrong = self._used(forged, model)
                outcome = "works"
        except IsthmusError as error:
            outcome = "refused" if stage == "load" else "unusable"
            resumed = forged.of == "checkpoint" and isinstance(error, InvalidParameter)
            if stage == "load" and not isinstance(error, InvalidArchive) and not resumed:
                wrong = f"{type(error).__name__}: {error}"
            wrong = wrong or _hidden(error)
        except TooLong:
            wrong = f"more than {SECONDS} s\n{traceback.format_exc()}"
        except Exception:
            wrong = traceback.format_exc()
        seconds, growth = time.process_time() - began, _memory("VmHWM") - memory
        if not wrong and seconds > SECONDS:
            wrong = f"{seconds:.0f} s"
        if not wrong and growth > MEMORY:
            wrong = f"{growth / 2**20:.0f} MB more"
        return outcome or stage, wrong

    def _opened(self, forged: Forgery) -> Any:
        """Load a model, or resume a run from a checkpoint."""
        if forged.of == "checkpoint":
            clone(self.unfitted).fit(numbers())
            return None
        return ist.load(self.path)

    def _used(self, forged: Forgery, model: Any) -> str:
        found = self.uses[forged.of](model)
        if forged.extreme:
            return ""
        for name, array in found.items():
            if array.dtype.kind == "f":
                missing_too = name in self.may_be_nan[forged.of]
                bad = np.isinf(array) if missing_too else ~np.isfinite(array)
                if bad.any():
                    return f"{name} is not finite"
        return ""


def _hidden(error: BaseException) -> str:
    """Return the reason if memory ran out or an unforeseen error was caught; "" otherwise."""
    unforeseen = "does not describe a model that can be rebuilt" in str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or (unforeseen and not isinstance(cause, IsthmusError)):
            return "".join(traceback.format_exception(cause))
        cause = cause.__cause__
    return ""


def fuzz(
    bench: Bench, seed: int, cases: Any, tell: Callable[[str], object] = len
) -> tuple[collections.Counter[str], list[str]]:
    """Judge the cases of these numbers."""
    import jax

    counts: collections.Counter[str] = collections.Counter()
    wrongs = []
    for done, number in enumerate(cases):
        forged = bench.forger.case(seed, number)
        outcome, wrong = bench.judge(forged)
        counts[outcome] += 1
        if wrong:
            wrongs.append(f"case {seed}/{number}, {forged.of}: {', '.join(forged.done)}: {wrong}")
            tell(wrongs[-1])
        if done % 200 == 199:
            jax.clear_caches()
    return counts, wrongs


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the limits are those of Linux")
    return Bench(tmp_path_factory.mktemp("forged"))


def test_a_hundred_forged_archives_are_refused_or_work(bench):
    counts, wrongs = fuzz(bench, 0, range(100))
    assert not wrongs, "\n".join(wrongs)
    assert counts["refused"] > 20


@pytest.mark.nightly
def test_ten_thousand_forged_archives_are_refused_or_work(bench):
    seed = int.from_bytes(os.urandom(4), "little")
    _, wrongs = fuzz(bench, seed, range(10_000))
    assert not wrongs, "\n".join(wrongs)


def main() -> int:
    parser = argparse.ArgumentParser(description="Judge forged archives.")
    parser.add_argument("first", type=int)
    parser.add_argument("stop", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    def tell(wrong: str) -> None:
        sys.stdout.write(f"{wrong}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as folder:
        counts, wrongs = fuzz(Bench(Path(folder)), given.seed, range(given.first, given.stop), tell)
    sys.stdout.write(f"{counts}, {len(wrongs)} wrong\n")
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
