"""Describe the machine and the libraries for the page, without host names or paths."""

import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from environments import REQUIREMENTS, python_of

OWN = ("isthmus", "jax", "keras", "numpy", "scikit-learn")
PEERS = {
    "tensorflow": ("tensorflow-cpu", "keras"),
    "torch": ("torch", "keras"),
    "pyod": ("pyod", "torch"),
    "pythae": ("pythae", "torch"),
}


def header(command: str, repeats: int, environments: set[str]) -> list[str]:
    """Return the lines above the tables."""
    return [
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Command: `{command}`",
        f"- Machine: {cores()} cores, {processor()}, {memory_gib():.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}",
        f"- isthmus' environment: {versions('own', OWN)}",
        *(
            f"- {name}'s environment: {versions(name, PEERS[name])}"
            for name in REQUIREMENTS
            if name in environments
        ),
        "- Each library runs in its own process, one after the other. Figures are medians of "
        f"{repeats} round{'s' if repeats > 1 else ''}. Seconds per epoch exclude the first epoch, "
        "which compiles. A ratio is the peer's time divided by that of isthmus: above 1, isthmus "
        "is faster.",
        "- OpenMP threads sleep while they wait (OMP_WAIT_POLICY=PASSIVE), unless that variable is "
        "set.",
        "- A percentage in bold is the difference from the loss of isthmus, if above 3 %.",
    ]


class OtherWork:
    """Fraction of the machine's time that other processes took since this object was created.

    Other load slows some libraries more than others: PyTorch's threads wait for one another at
    every layer.
    """

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.perf_counter(), _busy_seconds(), _own_seconds()

    def share(self) -> float:
        wall = (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return max(0.0, others / wall)

    def line(self) -> str:
        share = self.share()
        if share < 0.05:
            return f"- Other processes took {share:.0%} of the machine's time during the run."
        return (
            f"- **Other processes took {share:.0%} of the machine's time during the run**: ratios "
            "are approximate, and those of PyTorch hardly reliable. Try: run it again on an idle "
            "machine."
        )


def _busy_seconds() -> float:
    """Return the busy seconds of all cores since the machine started, or 0 if unknown."""
    words = _field("/proc/stat", r"^cpu\s+(.+)$").split()
    if not words:
        return 0.0
    user, nice, system, _, _, interrupt, soft = map(int, words[:7])
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def versions(environment: str, names: tuple[str, ...]) -> str:
    code = (
        "import sys; from importlib.metadata import version; "
        "print(', '.join(f'{name} {version(name)}' for name in sys.argv[1:]))"
    )
    done = subprocess.run(
        [python_of(environment), "-c", code, *names], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    return _field("/proc/cpuinfo", r"^model name\s*:\s*(.+)$") or platform.processor()


def memory_gib() -> float:
    return int(_field("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0) / 2**20


def _field(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1) if found else ""
