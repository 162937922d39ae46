"""VUS-PR, the volume under the surface of precision and recall over buffer lengths.

Paparrizos et al., 2022, "Volume Under the Surface: A New Accuracy Evaluation Measure for
Time-Series Anomaly Detection". Labels are widened on either side by a buffer that falls from 1 to
sqrt(1/2) over half its length. Recall is multiplied by the fraction of anomalies of which at least
one row was detected. The area under precision over recall is averaged over the lengths.
"""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = 250


def vus_pr(labels: NDArray[np.bool_], scores: NDArray[np.float64], longest: int = 100) -> float:
    """Return VUS-PR, in [0, 1], of scores (n,) against labels (n,); NaN counts as the lowest."""
    scores = np.where(np.isnan(scores), np.nanmin(scores), scores)
    return float(np.mean([range_auc_pr(labels, scores, buffer) for buffer in range(longest + 1)]))


def range_auc_pr(labels: NDArray[np.bool_], scores: NDArray[np.float64], buffer: int) -> float:
    """Return the area under precision over recall, with labels widened by `buffer` rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
    starts, stops = edges[::2], edges[1::2]
    widened = labels.astype(float)
    for start, stop in zip(starts, stops, strict=True):
        for step in range(1, buffer // 2 + 1):
            weight = np.sqrt(1 - step / buffer)
            for row in (start - step, stop - 1 + step):
                if 0 <= row < len(labels) and not labels[row]:
                    widened[row] = min(1.0, widened[row] + weight)
    thresholds = -np.sort(-scores)[np.linspace(0, len(scores) - 1, THRESHOLDS).astype(int)]
    order = np.argsort(-scores, kind="stable")
    flagged = np.searchsorted(-scores[order], -thresholds, side="right")
    inside = np.concatenate([[0.0], np.cumsum(labels[order])])[flagged]
    around = np.concatenate([[0.0], np.cumsum((widened * ~labels)[order])])[flagged]
    blocks = np.flatnonzero(np.diff(np.concatenate([[0], widened > 0, [0]])))
    highest = np.array([scores[a:b].max() for a, b in zip(blocks[::2], blocks[1::2], strict=True)])
    exist = (highest[None] >= thresholds[:, None]).mean(axis=1)
    found = inside + around
    recall = np.minimum(found / (labels.sum() + around / 2), 1) * exist
    precision = found / flagged
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
