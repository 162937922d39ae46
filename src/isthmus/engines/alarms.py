"""The columns in which the alarms of a detector are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.evaluation.alarm_evaluation import scored, seen_from
from isthmus.evaluation.alarm_reasons import reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.evaluation.alarm_evaluation import AlarmCounts

_TOP = 3

ALARM_SCHEMA = pa.schema(
    {
        "score": pa.float64(),
        "p_value": pa.float64(),
        "alarm": pa.bool_(),
        "top_columns": pa.string(),
    }
)
"""A row without a score has neither score nor p-value."""


def alarm_table(seen: AlarmCounts, top: Sequence[str]) -> pa.Table:
    """Return scores, p-values and alarms as a table of `ALARM_SCHEMA`.

    Parameters
    ----------
    seen : AlarmCounts
        What a detector says about n rows.
    top : sequence of str
        For each row, the columns that contribute most; shown if it raises an alarm.
    """
    shown = [text if alarm else "" for text, alarm in zip(top, seen.raised, strict=True)]
    return pa.table(
        {
            "score": pa.array(seen.scores, from_pandas=True),
            "p_value": pa.array(seen.p_values, from_pandas=True),
            "alarm": seen.raised,
            "top_columns": pa.array(shown, pa.string()),
        }
    )


def top_columns(detector: Any, rows: Any, chosen: NDArray[np.bool_]) -> list[str]:
    """Return the names of the columns that contribute most to each chosen row, "" for others.

    Parameters
    ----------
    detector : AnomalyDetector
    rows : array or table of n rows
    chosen : bool array of shape (n,)
        The rows to explain.
    """
    top = [""] * len(chosen)
    which = np.flatnonzero(chosen)
    if len(which):
        why = reasons(detector, rows, which)
        for place, row in enumerate(which):
            top[row] = ", ".join(why.columns[i] for i in why.largest(place, _TOP))
    return top


def alarms(detector: Any, rows: Any) -> pa.Table:
    """Return the scores and alarms of independent rows as a table of `ALARM_SCHEMA`."""
    seen = seen_from(detector, *scored(detector, rows))
    return alarm_table(seen, top_columns(detector, rows, seen.raised))
