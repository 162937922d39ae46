"""ADBench with the protocols of Livernoche et al. (ICLR 2024), for workers of any library.

S: trains on the first half of the normal rows as stored, and scores the rest and all anomalies.
U: trains on a bootstrap of all rows, and scores all rows.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def split(path: Path, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training rows, rows to score and their labels.

    Columns are standardised by the training rows in S, and by all rows in U.
    """
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
    """Return the figures of each data set and seed.

    They are ROC AUC and average precision in percent, seconds to fit, seconds to score, and the
    processor seconds of both. The latter are summed over all threads and hardly depend on other
    load.
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
            # Scores of some peers overflow; a NaN counts as the highest score.
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
