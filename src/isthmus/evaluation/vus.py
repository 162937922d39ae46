"""VUS-PR and VUS-ROC: volumes under the surface of a curve over buffer lengths.

Paparrizos et al., 2022, "Volume Under the Surface: A New Accuracy Evaluation Measure for
Time-Series Anomaly Detection". Labels are often a few rows off, and windows spread the scores. So
each anomaly gets a buffer on either side, in which rows count less the farther away they are. The
area under the curve is averaged over the lengths of the buffer, from 0 to the longest.

The figures are those of the authors' code (github.com/TheDatumOrg/VUS, also used by TSB-AD), as far
as the paper leaves it open:

- A buffer of `length` rows is half before and half after an anomaly. A row at distance `d` has the
  weight ``sqrt(1 - d / length)``; weights from several anomalies are added, up to 1.
- There are 250 thresholds, at equidistant ranks of the scores.
- With `P` anomalous rows and a weight `A` of the raised rows in buffers, the number of positives is
  ``P + A / 2``.
- Recall is multiplied by the fraction of anomalies with at least one raised row. Anomalies whose
  buffers overlap count as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.evaluation.runs import Runs, runs

if TYPE_CHECKING:
    from isthmus.core.types import RowNumbers

_THRESHOLDS = 250
_FAR = np.iinfo(np.int64).max // 4
"""The distance to an anomaly that does not exist."""

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]


class SurfaceVolumes(NamedTuple):
    """Both volumes, in [0, 1]."""

    roc: float
    pr: float


def surface_volumes(
    labels: NDArray[np.bool_],
    scores: Float64s,
    longest: int = 100,
    starts: RowNumbers | None = None,
) -> SurfaceVolumes:
    """Return VUS-ROC and VUS-PR.

    Parameters
    ----------
    labels : array of shape (n,)
        True for an anomaly; some rows must be anomalies and some not.
    scores : array of shape (n,)
        Higher is more anomalous. NaN counts as the lowest score.
    longest : int
        The longest buffer, in rows.
    starts : array of int, optional
        Rows in which another unit begins; anomalies and buffers end there.
    """
    levels = _levels(np.where(np.isnan(scores), np.nanmin(scores), scores))
    places = np.arange(len(labels))
    if starts is not None:  # units are farther apart than buffers reach
        places += (longest + 1) * (np.searchsorted(starts, places, side="right") - 1)
    ranges = places[runs(labels, starts)]
    flagged = _up_to_level(levels)
    inside = _up_to_level(levels[labels])
    around = _around(places[~labels], levels[~labels], ranges, longest)
    spaced = np.full(places[-1] + 1, _THRESHOLDS)
    spaced[places] = levels
    detected = _detected(spaced, ranges, longest)[np.arange(longest + 1) // 2]

    hits = inside + around
    positives = labels.sum() + around / 2
    recall = np.minimum(hits / positives, 1) * detected
    false_alarms = (flagged - hits) / (len(labels) - positives)
    widths = np.diff(false_alarms, prepend=0, append=1)
    ends = np.pad(recall, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    areas_roc = (widths * (ends[:, 1:] + ends[:, :-1]) / 2).sum(axis=1)
    areas_pr = (np.diff(recall, prepend=0) * hits / flagged).sum(axis=1)
    return SurfaceVolumes(float(areas_roc.mean()), float(areas_pr.mean()))


def _levels(scores: Float64s) -> Int64s:
    """Return the number of the highest threshold that each score reaches, (n,)."""
    ranks = np.linspace(0, len(scores) - 1, _THRESHOLDS).astype(int)
    descending = np.sort(-scores)
    return np.searchsorted(descending[ranks], -scores, side="left")


def _up_to_level(levels: Int64s, weights: Float64s | None = None) -> Float64s:
    """Return the number or the weight of rows that reach each threshold."""
    return np.cumsum(np.bincount(levels, weights, minlength=_THRESHOLDS), dtype=np.float64)


def _around(places: Int64s, levels: Int64s, ranges: Runs, longest: int) -> Float64s:
    """Return the weight of raised normal rows in buffers, (lengths, thresholds).

    A weight is at least sqrt(1/2), so two anomalies give a row the full weight, and only the
    distances to the nearest two matter.
    """
    nearest, second = _distances(ranges, places)
    order = np.argsort(nearest, kind="stable")
    order = order[nearest[order] <= longest // 2]
    nearest, second = nearest[order], second[order]
    levels = levels[order]
    result = np.zeros((longest + 1, _THRESHOLDS))
    for length in range(2, longest + 1):
        in_buffer = np.searchsorted(nearest, length // 2, side="right")
        weights = np.sqrt(1 - nearest[:in_buffer] / length)
        weights[second[:in_buffer] <= length // 2] = 1
        result[length] = _up_to_level(levels[:in_buffer], weights)
    return result


def _distances(ranges: Runs, rows: Int64s) -> tuple[Int64s, Int64s]:
    """Return the distances of rows to the nearest and to the second nearest anomaly."""
    padded = np.pad(ranges, ((2, 2), (0, 0)), constant_values=((-_FAR, _FAR), (0, 0)))
    after = np.searchsorted(ranges[:, 0], rows) + 2
    each = np.stack(
        [
            rows - padded[after - 1, 1],
            rows - padded[after - 2, 1],
            padded[after, 0] - rows,
            padded[after + 1, 0] - rows,
        ]
    )
    each.partition(1, axis=0)
    return each[0], each[1]


def _detected(levels: Int64s, ranges: Runs, longest: int) -> Float64s:
    """Return the fraction of anomalies with a raised row, (halves of buffers, thresholds)."""
    padded = np.append(levels, _THRESHOLDS)
    result = np.empty((longest // 2 + 1, _THRESHOLDS))
    for half in range(longest // 2 + 1):
        starts, stops = ranges[:, 0] - half, ranges[:, 1] + half + 1
        apart = stops[:-1] <= starts[1:]
        starts = np.maximum(starts[np.append(True, apart)], 0)
        stops = np.minimum(stops[np.append(apart, True)], len(levels))
        highest = np.minimum.reduceat(padded, np.stack([starts, stops], axis=1).ravel())[::2]
        result[half] = _up_to_level(highest) / len(starts)
    return result
