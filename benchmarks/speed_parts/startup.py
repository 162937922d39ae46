"""Part startup: wall-clock time of the command line."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from speed_parts import harness
from speed_parts.harness import Options, Section


def startup(options: Options) -> Section:
    """Measure the time of whole processes."""
    section = Section(
        "Start-up",
        ["The time of whole processes. `isthmus encode` writes the codes of 1,000 rows.", ""],
    )
    times = 2 if options.quick else 7
    cold = {"ISTHMUS_COMPILATION_CACHE": "0"}
    rows, seconds = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cached = {"XDG_CACHE_HOME": name}
        encode = lambda: _encode(folder)  # noqa: E731
        for title, command, settings, least in (
            ("isthmus --help", lambda: ["-m", "isthmus", "--help"], {}, 0.3),
            ('python -c "import isthmus"', lambda: ["-c", "import isthmus"], {}, 0.3),
            ("isthmus encode, no compilation cache", encode, cold, 5.0),
            ("isthmus encode, cached", encode, cached, None),
        ):
            if title.startswith("isthmus encode") and not (folder / "rows.npy").exists():
                _prepare(folder, cached)
            seconds[title] = harness.median(_process(command, settings) for _ in range(times))
            harness.say(f"{title}: {seconds[title]:.2f} s")
            rows.append([title, f"{seconds[title]:.2f} s"])
            if least:
                section.goals.append(harness.at_most(title, least, seconds[title], "s"))
    section.lines += harness.table(["", "seconds"], rows)
    return section


def _prepare(folder: Path, settings: dict[str, str]) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "rows.npy", rng.normal(size=(1000, 10)).astype(np.float32))
    model = str(folder / "model.isthmus")
    fit = ["-m", "isthmus", "fit", str(folder / "rows.npy"), "--output", model]
    _process(lambda: [*fit, "--epochs", "1", "--no-report"], settings)


def _encode(folder: Path) -> list[str]:
    names = [str(folder / name) for name in ("model.isthmus", "rows.npy", "codes.npy")]
    return ["-m", "isthmus", "encode", *names[:2], "--output", names[2], "--force"]


def _process(command: Callable[[], list[str]], settings: dict[str, str]) -> float:
    words = [sys.executable, *command()]
    began = time.perf_counter()
    done = subprocess.run(
        words,
        env=harness.environment_of("jax", settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise harness.WorkerFailed(done.stderr.strip()[-300:])
    return time.perf_counter() - began
