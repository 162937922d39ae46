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
    "arrays": (
        "imagecodecs==2026.3.6",
        "pillow==13.0.0",
        "pcodec==1.1.0",
        "soundfile==0.14.0",
    ),
}
FILES = {
    "array-data": (
        "aeon==1.6.0",
        "arch==8.0.0",
        "dipy==1.12.1",
        "global-land-mask==1.0.0",
        "matplotlib==3.11.2",
        "nibabel==5.4.2",
        "nilearn==0.14.1",
        "obspy==1.5.1",
        "pygame==2.6.1",
        "scikit-image==0.26.0",
        "scikit-learn==1.9.1",
        "statsmodels==0.15.0",
        "vega_datasets==0.9.0",
    ),
}
"""Packages of which only data files are read, by the name of a folder in .benchmarks."""
_IMPORTED = {"arrays": "imagecodecs"}
"""The module that shows an environment to be complete, if it has another name."""


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


def files_of(name: str) -> Path:
    """Return a folder with packages of `FILES`, without what they require; nothing imports them."""
    folder = FOLDER / name
    complete = folder / ".complete"
    if not complete.exists():
        print(f"collecting {name} in .benchmarks", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
        subprocess.run([*command, "--target", folder, *FILES[name]], check=True, stdout=sys.stderr)
        complete.touch()
    return folder


def _imports(python: Path, name: str) -> bool:
    """Return whether the environment has its library; False after an interrupted install."""
    if not python.exists():
        return False
    module = _IMPORTED.get(name, name)
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0
