"""Anomaly detection: comparison with PyOD, false-alarm rates, explanations, series, fleets.

usage: scripts/bench anomalies [PART [ARGUMENTS]]

PART is adbench (tables, compared with PyOD), validity (false alarms and false discoveries),
explanations (whether shifted cells have the highest contributions), series (SKAB, NAB, streams),
fleets (false alarms and faults found in made fleets, and a thousand units in one file), tsb_ad
(series of NAB as in TSB-AD, beside its published values) or pictures (made defects).
Each has a --help. Without PART, adbench, validity and explanations run one after the other with
their own settings.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = ("adbench", "validity", "explanations", "series", "fleets", "tsb_ad", "pictures")
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
    # Run as modules from this folder, so that they can import each other and the workers.
    command = [sys.executable, "-m", f"anomalies_parts.{part}", *arguments]
    return subprocess.run(command, cwd=FOLDER, check=False).returncode


if __name__ == "__main__":
    main()
