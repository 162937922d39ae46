"""Arrays of eight kinds, lossless and error-bounded, beside the best of other compressors.

``workers/array_data.py`` lists the arrays and says which are held back. Isthmus gets an array as it
is, without a fitted model. Bounds are fractions of the range of each column for tables, of all
values for the others. A bound that is below 1 for integers is left out, as it would be lossless.
The best other compressor may be a lossless one at any bound. Its sizes are kept in .benchmarks,
by the array and the program that measured them.
"""

import argparse
import hashlib
import json
import math
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import environments
import isthmus as ist
from speed_parts import harness
from speed_parts.harness import Contestant

KINDS = ("series", "integer series", "tables", "binary tables")
KINDS += ("fields", "volumes", "photographs", "audio")
HALVES = ("design", "held back")
SHARES = (0, 1e-2, 1e-3, 1e-4)
ALLOWED = (0.02, 24)
"""The largest excess over the best other compressor: a share of its size, and bytes."""
ENVIRONMENT, DATA = "arrays", "array-data"


@dataclass(frozen=True)
class Result:
    """One array at one setting, with the sizes in bytes."""

    kind: str
    half: str
    name: str
    share: float
    isthmus: int
    best: str
    bytes: int

    @property
    def ratio(self) -> float:
        return self.isthmus / self.bytes

    @property
    def excess(self) -> float:
        """By how many bytes the size exceeds what is allowed; negative if it does not."""
        return self.isthmus - (1 + ALLOWED[0]) * self.bytes - ALLOWED[1]


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("arrays")
    group.add_argument("--kind", choices=KINDS, action="append", help="only these kinds")
    group.add_argument("--half", choices=("design", "held-back"), help="only this half")
    group.add_argument("--debian", default="/", help="where Debian's sounds are unpacked")
    group.add_argument("--results", help="a file for the results, as JSON")


def arrays(folder: Path, chosen: argparse.Namespace) -> list[str]:
    results, missing = [], []
    with tempfile.TemporaryDirectory() as place:
        for entry in _collected(folder, Path(place), chosen):
            if "missing" in entry:
                missing.append(f"- {entry['kind']}, {entry['name']}: {entry['missing']}")
                continue
            results += _measured(entry)
    if chosen.results:
        Path(chosen.results).write_text(json.dumps([asdict(each) for each in results], indent=1))
    lines = ["## Arrays of eight kinds", "", *_summary(results), ""]
    for kind in KINDS:
        lines += _one_kind(kind, [each for each in results if each.kind == kind])
    return [*lines, *(["Not measured:", "", *missing, ""] if missing else [])]


def _collected(folder: Path, place: Path, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    job = {
        "folder": str(place),
        "packages": str(environments.files_of(DATA)),
        "shared": str(folder),
        "debian": chosen.debian,
        "kinds": chosen.kind or KINDS,
        "halves": [chosen.half.replace("-", " ")] if chosen.half else HALVES,
    }
    found: list[dict[str, Any]] = harness.run(
        Contestant("collect", "array_data.py", job, ENVIRONMENT)
    )["arrays"]
    return found


def _measured(entry: dict[str, Any]) -> list[Result]:
    X, table = np.load(entry["path"]), entry["kind"] == "tables"
    answer = _peers(Path(entry["path"]), entry["name"], table=table)
    found, exact = [], answer["sizes"]["0"]
    for share in SHARES:
        if share in answer["skipped"]:
            continue
        sizes = answer["sizes"][str(share)]
        sizes = {peer: min(sizes.get(peer, math.inf), exact.get(peer, math.inf))
                 for peer in {*sizes, *exact}}  # fmt: skip
        best = min(sizes, key=lambda peer: (sizes[peer], peer))
        size = _isthmus(X, share, table=table)
        kept = (entry["kind"], entry["half"], entry["name"])
        found.append(Result(*kept, share, size, best, int(sizes[best])))
        harness.say(f"{entry['name']}, {share:g}: {size:,}; {best} {sizes[best]:,}")
    return found


def _peers(path: Path, name: str, *, table: bool) -> dict[str, Any]:
    job = {"data": str(path), "table": table, "shares": SHARES}
    worker = harness.WORKERS / "array_peers.py"
    told = repr((environments.REQUIREMENTS[ENVIRONMENT], table, SHARES)).encode()
    digest = hashlib.sha256(path.read_bytes() + worker.read_bytes() + told).hexdigest()
    known = environments.FOLDER / "array-peers" / f"{digest}.json"
    if not known.exists():
        answer = harness.run(Contestant(name, worker.name, job, ENVIRONMENT))
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(answer))
    kept: dict[str, Any] = json.loads(known.read_text())
    return kept


def _isthmus(X: np.ndarray, share: float, *, table: bool) -> int:
    ranges = np.ptp(X.astype(float), axis=0 if table else None)
    bound = share * ranges
    codec = ist.Codec(max_error=share if table else float(bound), relative=table and share > 0)
    codec.fit(X if table and share else X[:0])
    blob = codec.compress(X)
    back = codec.decompress(blob)
    same = back.dtype == X.dtype and back.shape == X.shape
    near = (np.abs(back.astype(float) - X.astype(float)) <= bound).all()
    if not (same and near) or (share == 0 and back.tobytes() != X.tobytes()):
        raise AssertionError("the error of a value exceeds its bound")
    return len(blob)


# --- tables -----------------------------------------------------------------------------------


def _summary(results: list[Result]) -> list[str]:
    rows = []
    for half in HALVES:
        for kind in (*KINDS, "all"):
            these = [r for r in results if r.half == half and kind in (r.kind, "all")]
            if these:
                rows.append([kind, half, *_figures(these)])
    head = ["kind", "half", "arrays", "results", "smallest", "size relative to the best, mean"]
    return harness.table([*head, "within 2 % + 24 bytes", "largest excess over that"], rows)


def _figures(results: list[Result]) -> Iterable[str]:
    yield str(len({each.name for each in results}))
    yield str(len(results))
    yield f"{sum(each.isthmus <= each.bytes for each in results) / len(results):.0%}"
    yield f"{math.exp(sum(math.log(r.ratio) for r in results) / len(results)) - 1:+.1%}"
    yield f"{sum(each.excess <= 0 for each in results) / len(results):.0%}"
    worst = max(results, key=lambda each: each.excess / each.bytes)
    above = f"{worst.excess:,.0f} bytes, {worst.excess / worst.bytes:.0%}"
    yield "none" if worst.excess <= 0 else f"{above} ({worst.name}, {worst.share:g})"


def _one_kind(kind: str, results: list[Result]) -> list[str]:
    if not results:
        return []
    rows = [_cells(each) for each in results]
    head = [kind, "half", "bound", "isthmus", "best other", "bytes", "relative size"]
    return [f"### {kind.capitalize()}", "", *harness.table(head, rows), ""]


def _cells(result: Result) -> list[str]:
    sizes = [f"{result.isthmus:,}", result.best, f"{result.bytes:,}"]
    return [result.name, result.half, f"{result.share:g}", *sizes, f"{result.ratio - 1:+.1%}"]
