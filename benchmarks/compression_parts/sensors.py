"""Sensor tables and series as float32: error-bounded, relative to each column's range; lossless."""

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import isthmus as ist
from speed_parts import harness
from speed_parts.harness import Contestant

SHARES = (1e-2, 1e-3)
TABLES = ("satellite", "shuttle")
QUANTISED = ("quantise + lzma", "quantise + bz2")


def data_sets(folder: Path) -> dict[str, np.ndarray]:
    """Return float32 arrays, (n, columns), by name."""
    found = {}
    for path in sorted((folder / "nab" / "realKnownCause").glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            values = [float(row["value"]) for row in csv.DictReader(file)]
        found[path.stem] = np.array(values, dtype=np.float32)[:, None]
    for name in TABLES:
        with np.load(folder / "adbench" / f"{name}.npz") as arrays:
            found[name] = arrays["X"].astype(np.float32)
    return found


def bounded(folder: Path) -> list[str]:
    lines = []
    for share in SHARES:
        lines += [f"### Within {share:g} of each column's range", ""]
        lines += _table(folder, share)
    return lines


def lossless(folder: Path) -> list[str]:
    return ["## Lossless: series and tables", "", *_table(folder, 0.0)]


def _table(folder: Path, share: float) -> list[str]:
    rows, ratios = [], []
    for name, X in data_sets(folder).items():
        sizes = {"isthmus": _isthmus(X, share), **_peers(X, share)}
        ratios.append({peer: X.nbytes / size for peer, size in sizes.items()})
        best = min(size for peer, size in sizes.items() if peer != "isthmus")
        rows.append(_row(name, ratios[-1], f"{sizes['isthmus'] / best - 1:+.1%}"))
    means = {peer: float(np.mean([each[peer] for each in ratios])) for peer in ratios[0]}
    best = max(value for peer, value in means.items() if peer != "isthmus")
    rows.append(_row("mean", means, f"{best / means['isthmus'] - 1:+.1%}"))
    head = ["compression ratio", *means, "size relative to the best other compressor"]
    return [*harness.table(head, rows), ""]


def _row(name: str, ratios: dict[str, float], apart: str) -> list[str]:
    top = max(ratios.values())
    cells = [f"**{r:.2f}**" if r == top else f"{r:.2f}" for r in ratios.values()]
    return [name, *cells, apart]


def _isthmus(X: np.ndarray, share: float) -> int:
    codec = ist.Codec(max_error=share, relative=share > 0).fit(X)
    blob = codec.compress(X)
    back = codec.decompress(blob)
    apart = np.abs(back.astype(np.float64) - X)
    limit = share * np.ptp(X.astype(np.float64), axis=0)
    if (apart > limit).any() or (share == 0 and back.tobytes() != X.tobytes()):
        raise AssertionError("the error of a value exceeds its bound")
    return len(blob)


def _peers(X: np.ndarray, share: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, X)
        job = {"data": str(path), "share": share}
        answer = harness.run(Contestant("peers", "compress_peers.py", job, "imagecodecs"))
    return answer["sizes"]
