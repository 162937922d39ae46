"""Python environments of the peers, created in .benchmarks when they are first needed.

Requirements are pinned here. The wheels come from the index for which this machine's pip is
configured. PyTorch has the same version in every environment and is installed in the same command
as the library that requires it, so that pip does not fetch another build.
"""

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".benchmarks"
KERAS = "keras==3.15.1"
TORCH = "torch==2.13.0"
REQUIREMENTS = {
    "tensorflow": ("tensorflow-cpu==2.21.0", KERAS),
    "torch": (TORCH, KERAS),
    "pyod": ("pyod==3.6.7", "tqdm", TORCH),  # pyod imports tqdm without requiring it
    "pythae": ("pythae==0.1.2", TORCH),
    "imagecodecs": ("imagecodecs==2026.3.6", "pillow==13.0.0"),
}


def python_of(name: str) -> str:
    """Return the interpreter of a peer's environment; "own" is the current interpreter."""
    if name == "own":
        return sys.executable
    folder = FOLDER / name
    python, complete = folder / "bin" / "python", folder / ".complete"
    if not complete.exists() and not _imports(python, name):
        print(f"creating the environment of {name} in .benchmarks", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", *REQUIREMENTS[name]],
            check=True,
            stdout=sys.stderr,
        )
    complete.touch()
    return str(python)


def _imports(python: Path, name: str) -> bool:
    """Return whether the environment has its library; False after an interrupted install."""
    if not python.exists():
        return False
    done = subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False)
    return done.returncode == 0
