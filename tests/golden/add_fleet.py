"""Adds the archive of a detector for a fleet to the files that ``tests/test_golden.py`` reads.

Fleets came after the version that `make.py` runs with. It was run with the source that they were
first released from, and is not run again::

    PYTHONPATH=src:tests python tests/golden/add_fleet.py
"""

from __future__ import annotations

import hashlib
import json
import warnings

import numpy as np
import pandas as pd

import isthmus as ist
import test_golden as reading

NAME, CALLS = "detector-fleet", ("anomaly_score", "p_values", "predict", "explain", "intervals")
KEPT = ("sensors_", "units_", "unit_levels_", "threshold_")


def fleet(rows: int, seed: int) -> pd.DataFrame:
    """Return the interleaved series of three units with two sensors; the last is a short one."""
    generator = np.random.default_rng(seed)
    parts = []
    for unit, (name, count) in enumerate({"north": rows, "south": rows, "west": rows // 2}.items()):
        angle = np.arange(count) / 5 + unit
        values = np.column_stack([np.sin(angle), 2 * np.cos(angle)]) + 10 * unit
        noise = 0.4 if name == "south" else 0.05  # so that its level differs
        values += noise * generator.normal(size=values.shape)
        times = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(count), "min")
        own = pd.DataFrame(values.round(4), columns=["flow", "level"])
        parts.append(own.assign(at=times.as_unit("us"), site=name))
    return pd.concat(parts).sort_values(["at", "site"], ignore_index=True)


def main() -> None:
    """Add the files, and an entry to the manifest."""
    warnings.simplefilter("ignore")
    network = ist.Autoencoder(3, epochs=1, hidden=(8,), scale="none", verbose=0, random_state=0)
    detector = ist.AnomalyDetector(
        network, window=8, group="site", false_alarm_rate=0.1, random_state=0
    ).fit(fleet(160, 0))
    rows = fleet(60, 1)
    rows.loc[(rows["site"] == "south") & (rows["at"].dt.minute >= 45), "flow"] += 3
    rows.to_parquet(reading.FOLDER / "tables" / "fleet.parquet", index=False)
    file, expected = f"archives/{NAME}.isthmus", f"expected/{NAME}.npz"
    detector.save(reading.FOLDER / file)
    calls = [{"method": name, "rows": ["fleet"], "settings": {}} for name in CALLS]
    found = {f"kept.{k}": a for k, a in reading.stored(detector, list(KEPT)).items()}
    found |= {f"out.{k}": a for k, a in reading.outputs(detector, calls).items()}
    np.savez_compressed(reading.FOLDER / expected, **found)
    entry = {
        "name": NAME,
        "class": "AnomalyDetector",
        "file": file,
        "sha256": hashlib.sha256((reading.FOLDER / file).read_bytes()).hexdigest(),
        "params": reading.plain_params(ist.load(reading.FOLDER / file)),
        "weights": reading.weights_digest(detector),
        "kept": list(KEPT),
        "calls": calls,
        "expected": expected,
        "rtol": reading.RTOL,
    }
    manifest = reading.manifest()
    manifest["archives"] = [e for e in manifest["archives"] if e["name"] != NAME] + [entry]
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (reading.FOLDER / "manifest.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
