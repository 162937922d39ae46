"""Python environments for peers, made when they are first needed, beside the repository's files."""

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".benchmarks"
REQUIREMENTS = {"tensorflow": ("tensorflow-cpu", "keras==3.15.1")}


def python_of(name: str) -> str:
    """Return the interpreter of a peer's environment; "own" is the one that runs now."""
    if name == "own":
        return sys.executable
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making the environment of {name} in {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS[name]], check=True)
    return str(python)
