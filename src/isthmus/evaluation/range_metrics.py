"""Precision and recall for ranges of rows.

Tatbul et al., 2018, "Precision and Recall for Time Series". Each range counts the same, whatever
its length. The paper leaves its parameters to the application. Here they are those of TSB-UAD and
TSB-AD: all rows of a range count the same (flat bias), the overlap of a range that is hit in `x`
parts is divided by `x`, and a fifth of recall is for detecting the anomaly at all (alpha = 0.2).
For precision, alpha is 0, as the paper recommends.
"""

from __future__ import annotations

import numpy as np

from isthmus.evaluation.runs import Runs, flags_of, overlaps

_EXISTENCE = 0.2
"""The part of an anomaly's recall that is for detecting any of its rows."""


def range_precision(anomalies: Runs, alarms: Runs, n: int) -> float | None:
    """Return the mean precision of alarms among n rows; None without alarms."""
    return _mean_reward(alarms, anomalies, n, existence=0.0)


def range_recall(anomalies: Runs, alarms: Runs, n: int) -> float | None:
    """Return the mean recall of anomalies among n rows; None without anomalies."""
    return _mean_reward(anomalies, alarms, n, existence=_EXISTENCE)


def _mean_reward(ranges: Runs, others: Runs, n: int, *, existence: float) -> float | None:
    """Return the mean reward of the ranges, by how the others overlap them (equations 2 to 5)."""
    if not len(ranges):
        return None
    parts = overlaps(ranges, others).many
    covered = np.concatenate([[0], np.cumsum(flags_of(others, n))])
    lengths = ranges[:, 1] - ranges[:, 0] + 1
    shares = (covered[ranges[:, 1] + 1] - covered[ranges[:, 0]]) / lengths
    rewards = existence * (parts > 0) + (1 - existence) * shares / np.maximum(parts, 1)
    return float(rewards.mean())
