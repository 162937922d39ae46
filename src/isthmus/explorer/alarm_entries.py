"""The alarms of a detector with their reasons, for the page's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.number_format import number
from isthmus.evaluation.alarm_reasons import reasons
from isthmus.report.anomaly_rows import cells_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.evaluation.alarm_evaluation import AlarmCounts

MOST_ALARMS = 200
"""Alarms that are listed with their reasons, those with the highest scores."""


def highest_alarms(seen: AlarmCounts) -> NDArray[np.intp]:
    """Return the numbers of the rows that are listed, the highest score first."""
    order = np.argsort(-seen.scores, kind="stable")
    return order[seen.raised[order]][:MOST_ALARMS]


def alarm_entries(
    detector: Any, X: Any, seen: AlarmCounts, rows: NDArray[np.intp]
) -> list[dict[str, Any]]:
    """Return the score, the p-value and the reasons of alarms, JSON-able.

    Parameters
    ----------
    detector : AnomalyDetector
    X : array or table of n rows
    seen : AlarmCounts
        The alarms of the detector on these rows.
    rows : array of int
        The rows to list.
    """
    if not len(rows):
        return []
    why = reasons(detector, X, rows)
    return [
        {
            "score": number(float(seen.scores[row])),
            "p": number(float(seen.p_values[row]), 2),
            "reasons": [
                {
                    "column": cell.column,
                    "value": cell.value,
                    "expected": cell.expected,
                    "share": cell.share_text,
                }
                for cell in cells_of(why, place)
            ],
        }
        for place, row in enumerate(rows)
    ]
