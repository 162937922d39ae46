"""ADBench's sets by the protocols of Livernoche et al. (ICLR 2024), for workers of any library.

S: the first half of the normal rows as stored is learned, the rest and all anomalies are scored.
U: a bootstrap of all rows is learned, all rows are scored.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def split(path: Path, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows to learn, rows to score and the labels of these, standardised by the former."""
    stored = np.load(path)
    rows, truth = stored["X"].astype(np.float64), stored["y"] == 1
    if protocol == "S":
        normal = rows[~truth]
        half = len(normal) // 2
        learned, scored = normal[:half], np.concatenate([normal[half:], rows[truth]])
        truth = np.arange(len(scored)) >= len(normal) - half
        center, scale = learned.mean(axis=0), learned.std(axis=0)
    else:
        chosen = np.random.default_rng(seed).choice(len(rows), len(rows))
        learned, scored = rows[chosen], rows
        center, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale == 0] = 1
    return (learned - center) / scale, (scored - center) / scale, truth


def measure(
    task: Any, fitted: Callable[[np.ndarray, int], Any], score: Callable[[Any, np.ndarray], Any]
) -> dict[str, list[list[float]]]:
    """Return AUROC and AUPR in percent, seconds to fit and to score, and processor seconds of both.

    By set and seed. Processor seconds are all threads', and hardly depend on what else runs.
    """
    found: dict[str, list[list[float]]] = {}
    for name in task.sets:
        for seed in range(task.seeds):
            learned, scored, truth = split(Path(task.data) / f"{name}.npz", task.protocol, seed)
            began, worked = time.perf_counter(), time.process_time()
            model = fitted(learned, seed)
            middle = time.perf_counter()
            scores = np.asarray(score(model, scored))
            ended, worked = time.perf_counter(), time.process_time() - worked
            # Some peers overflow: what is no number is as bad as can be.
            finite = np.clip(np.nan_to_num(scores, nan=np.inf), -1e300, 1e300)
            found.setdefault(name, []).append(
                [
                    100 * roc_auc_score(truth, finite),
                    100 * average_precision_score(truth, finite),
                    middle - began,
                    ended - middle,
                    worked,
                ]
            )
    return found
