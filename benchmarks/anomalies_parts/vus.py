"""VUS-PR, the volume under the surface of precision and recall over buffer lengths.

Paparrizos et al., 2022, "Volume Under the Surface: A New Accuracy Evaluation Measure for
Time-Series Anomaly Detection". Labels are widened on either side by a buffer that falls from 1 to
sqrt(1/2) over half its length. Recall is multiplied by the fraction of anomalies of which at least
one row was detected; anomalies whose buffers overlap count as one. The area under precision over
recall is averaged over the lengths.
"""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = 250


def vus_pr(labels: NDArray[np.bool_], scores: NDArray[np.float64], longest: int = 100) -> float:
    """Return VUS-PR, in [0, 1], of scores (n,) against labels (n,); NaN counts as the lowest.

    Parameters
    ----------
    labels : array, shape (n,)
        True for the rows of anomalies, of which there is at least one.
    scores : array, shape (n,)
        Higher for rows that are more anomalous; only their order matters.
    longest : int
        The longest buffer, in rows. The area is averaged over 0, 1, ..., longest.
    """
    scores = np.where(np.isnan(scores), np.nanmin(scores), scores)
    ranked = np.argsort(-scores, kind="stable")
    thresholds = scores[ranked][np.linspace(0, len(scores) - 1, THRESHOLDS).astype(int)]
    flagged = np.searchsorted(-scores[ranked], -thresholds, side="right")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
    starts, stops = edges[::2], edges[1::2]
    areas = []
    for buffer in range(longest + 1):
        around = _buffers(labels, starts, stops, buffer)
        recall, precision = _curve(labels, around, ranked, flagged)
        existence = _existence(scores, thresholds, starts, stops, buffer // 2)
        areas.append(np.sum(np.diff(recall * existence, prepend=0.0) * precision))
    return float(np.mean(areas))


def _buffers(
    labels: NDArray[np.bool_], starts: NDArray[np.int64], stops: NDArray[np.int64], buffer: int
) -> NDArray[np.float64]:
    """Return the weights, in [0, 1], of the rows around the anomalies, (n,)."""
    around, half = np.zeros(len(labels)), buffer // 2
    weights = np.sqrt(1 - np.arange(1, half + 1) / max(buffer, 1))
    for start, stop in zip(starts, stops, strict=True):
        before, after = min(half, start), min(half, len(labels) - stop)
        around[start - before : start] += weights[:before][::-1]
        around[stop : stop + after] += weights[:after]
    around[labels] = 0.0
    return np.minimum(around, 1.0)


def _curve(
    labels: NDArray[np.bool_],
    around: NDArray[np.float64],
    ranked: NDArray[np.int64],
    flagged: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return recall and precision where the first `flagged` of the ranked rows are flagged."""
    inside = np.cumsum(labels[ranked])[flagged - 1]
    beside = np.cumsum(around[ranked])[flagged - 1]
    recall = (inside + beside) / (labels.sum() + beside / 2)
    return np.minimum(recall, 1.0), (inside + beside) / flagged


def _existence(
    scores: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    half: int,
) -> NDArray[np.float64]:
    """Return, for each threshold, the fraction of anomalies with a flagged row."""
    apart = stops[:-1] + half <= starts[1:] - half
    first = np.maximum(starts[np.concatenate([[True], apart])] - half, 0)
    last = stops[np.concatenate([apart, [True]])] + half
    highest = np.array([scores[a:b].max() for a, b in zip(first, last, strict=True)])
    found: NDArray[np.float64] = (highest >= thresholds[:, None]).mean(axis=1)
    return found
