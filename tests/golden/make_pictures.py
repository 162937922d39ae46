"""Adds the detector of pictures to the files that ``tests/test_golden.py`` reads.

It was run once, when that detector was new, and stands beside `make.py`, which needs the source of
an earlier version::

    PYTHONPATH=src:tests python tests/golden/make_pictures.py
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

import isthmus as ist
import test_golden as reading

NAME = "detector-pictures"
METHODS = ("anomaly_score", "p_values", "predict", "anomaly_map", "explain", "expected")
KEPT = ["calibration_scores_"]


def pictures(rows: int, seed: int, size: int = 8) -> np.ndarray:
    """Return pictures of one spot each, as `make.py` does."""
    generator = np.random.default_rng(seed)
    places = np.arange(size)
    row, column = generator.uniform(1, size - 1, (2, rows, 1, 1))
    apart = (places[:, None] - row) ** 2 + (places - column) ** 2
    return np.rint(16 * np.exp(-apart / 4)) / 16


def main() -> None:
    """Write the archive, what it must give, and its entry in the manifest."""
    folder = reading.FOLDER
    model = ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(pictures(60, 0))
    path = folder / "archives" / f"{NAME}.isthmus"
    model.save(path)
    calls = [{"method": method, "rows": ["pictures"], "settings": {}} for method in METHODS]
    loaded = ist.load(path)
    kept = {f"kept.{name}": a for name, a in reading.stored(loaded, KEPT).items()}
    out = {f"out.{name}": a for name, a in reading.outputs(loaded, calls).items()}
    np.savez_compressed(folder / "expected" / f"{NAME}.npz", **kept, **out)
    entry = {
        "name": NAME,
        "class": "AnomalyDetector",
        "file": f"archives/{NAME}.isthmus",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "params": reading.plain_params(loaded),
        "weights": reading.weights_digest(loaded),
        "kept": KEPT,
        "calls": calls,
        "expected": f"expected/{NAME}.npz",
        "rtol": reading.RTOL,
    }
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    others = [each for each in manifest["archives"] if each["name"] != NAME]
    manifest["archives"] = [*others, entry]
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=False)
    (folder / "manifest.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
