"""Times of rows in the forms that users have, and those that follow from the alarms."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import isthmus as ist
from isthmus.anomaly.intervals import Interval, Intervals

LABELS = np.array([0, 0, 1, 1, 0, 0])
SCORES = np.array([0.0, 1.0, 5.0, 2.0, 1.5, 0.0])
TIMES = pd.date_range("2026-01-01", periods=6, freq="h")
RESULT = ist.evaluate_alarms(LABELS, SCORES, SCORES > 1, times=TIMES)
BOTH = np.array([0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0])
MINUTES = np.datetime64("2026-01-01") + np.arange(12) * np.timedelta64(1, "m")


@pytest.mark.parametrize(
    "times",
    [
        TIMES.to_series(),
        TIMES.to_numpy(),
        TIMES.to_numpy().astype("datetime64[s]"),
        TIMES.to_pydatetime().tolist(),
        TIMES.astype(str).tolist(),
        TIMES.tz_localize("UTC"),
        TIMES.tz_localize("Europe/Berlin"),
        TIMES - TIMES[0],
        [timedelta(hours=i) for i in range(6)],
        pl.Series(TIMES.to_pydatetime().tolist()),
        pa.array(TIMES.to_pydatetime().tolist()),
    ],
    ids=lambda times: type(times).__name__,
)
def test_times_in_any_form(times):
    assert ist.evaluate_alarms(LABELS, SCORES, SCORES > 1, times=times) == RESULT


def test_times_come_from_the_intervals_of_a_detector():
    start = datetime(2026, 1, 1)
    minutes = [start + timedelta(minutes=i) for i in range(12)]
    rows = [(0, 0), (4, 5), (7, 7)]
    spans = Intervals(
        Interval(minutes[a], minutes[b], minutes[a], 1.0, (), (a, b)) for a, b in rows
    )
    result = ist.evaluate_alarms(BOTH, intervals=spans)
    assert result == ist.evaluate_alarms(BOTH, intervals=spans, times=MINUTES)
    assert result.median_delay == timedelta(minutes=2)
    alone = ist.evaluate_alarms(BOTH, intervals=spans[:1])
    assert alone.false_alarms_per_day is None
    assert alone.false_alarms_per_1000_rows == pytest.approx(1000 / 7)
    durations = Intervals(
        Interval(minutes[a] - start, minutes[b] - start, start, 1.0, (), (a, b)) for a, b in rows
    )
    assert ist.evaluate_alarms(BOTH, intervals=durations) == result
