"""Anomalies: alarms beside peers, promises, explanations, series.

usage: scripts/bench anomalies [PART [ARGUMENTS]]

PART is adbench (tables beside PyOD), validity (false alarms and discoveries), explanations
(are the corrupted cells blamed) or series (SKAB, NAB, streams); each has a --help. Without one,
adbench, validity and explanations run one after the other with their own settings.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = ("adbench", "validity", "explanations", "series")
DATA = FOLDER.parents[1] / "shared" / "data"
WITHOUT_ARGUMENTS = {
    "adbench": ("--without-network",),
    "validity": (),
    "explanations": ("--data", str(DATA / "adbench")),
}


def main() -> None:
    given = sys.argv[1:]
    if given and given[0] not in PARTS:
        print(__doc__)
        sys.exit(given[0] not in ("-h", "--help"))
    wanted = {given[0]: tuple(given[1:])} if given else WITHOUT_ARGUMENTS
    codes = [_run(part, arguments) for part, arguments in wanted.items()]
    sys.exit(max(codes))


def _run(part: str, arguments: tuple[str, ...]) -> int:
    # As modules below this folder, so that they find each other and the workers.
    command = [sys.executable, "-m", f"anomalies_parts.{part}", *arguments]
    return subprocess.run(command, cwd=FOLDER, check=False).returncode


if __name__ == "__main__":
    main()
