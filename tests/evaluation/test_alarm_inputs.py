"""Labels and alarms in the forms that users have, and what is refused."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

import isthmus as ist
from isthmus.anomaly.intervals import Interval, Intervals
from isthmus.core.errors import InvalidData, InvalidParameter

LABELS = np.array([0, 0, 1, 1, 0, 0])
SCORES = np.array([0.0, 1.0, 5.0, 2.0, 1.5, 0.0])
TIMES = pd.date_range("2026-01-01", periods=6, freq="h")
RESULT = ist.evaluate_alarms(LABELS, SCORES, SCORES > 1, times=TIMES)


def span(first, last):
    return Interval(first, last, first, 1.0, (), (first, last))


@pytest.mark.parametrize(
    "window",
    [
        (2, 3),
        [2, 3],
        (np.int64(2), np.int64(3)),
        ("2026-01-01 02:00", "2026-01-01 03:00"),
        (TIMES[2], TIMES[3]),
        (TIMES.to_numpy()[2], TIMES.to_numpy()[3]),
        (datetime(2026, 1, 1, 1, 30), datetime(2026, 1, 1, 3, 59)),
        (datetime(2026, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 3, tzinfo=UTC)),
    ],
)
def test_windows_include_both_ends(window):
    assert ist.evaluate_alarms([window], SCORES, SCORES > 1, times=TIMES) == RESULT


def test_windows_of_durations_and_windows_in_an_array():
    hours = [timedelta(hours=2), timedelta(hours=3)]
    times = TIMES - TIMES[0]
    assert ist.evaluate_alarms([hours], SCORES, SCORES > 1, times=times) == RESULT
    for windows in (np.array([[2, 3]]), np.array([TIMES[2:4].to_numpy()])):
        assert ist.evaluate_alarms(windows, SCORES, SCORES > 1, times=TIMES) == RESULT


def test_windows_that_adjoin_are_one_anomaly():
    assert ist.evaluate_alarms([(2, 2), (3, 3)], SCORES, SCORES > 1, times=TIMES) == RESULT


def test_columns_of_tables():
    frame = pd.DataFrame({"fault": LABELS, "score": SCORES}, index=TIMES)
    alarms = frame["score"] > 1
    result = ist.evaluate_alarms(frame["fault"], frame["score"], alarms, times=frame.index)
    assert result == RESULT
    table = pl.DataFrame({"fault": LABELS, "score": SCORES})
    alarms = table["score"] > 1
    assert ist.evaluate_alarms(table["fault"], table["score"], alarms, times=TIMES) == RESULT


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        ({"labels": LABELS}, "evaluate_alarms"),
        ({"labels": LABELS[:5], "scores": SCORES}, "labels"),
        ({"labels": np.ones(6), "scores": SCORES}, "labels"),
        ({"labels": LABELS, "intervals": np.ones(6, dtype=int)}, "intervals"),
        ({"labels": LABELS + 2, "scores": SCORES}, "labels"),
        ({"labels": ["no"] * 6, "scores": SCORES}, "labels"),
        ({"labels": LABELS[:, None], "scores": SCORES}, "labels"),
        ({"labels": [(1, 2, 3)], "scores": SCORES}, "labels"),
        ({"labels": [(4, 2)], "scores": SCORES}, "labels"),
        ({"labels": [(6, 9)], "scores": SCORES}, "labels"),
        ({"labels": [(2, 3)], "intervals": Intervals([span(1, 2)])}, "labels"),
        ({"labels": [("2026-01-01", "2026-01-02")], "scores": SCORES}, "labels"),
        ({"labels": [("monday", "friday")], "scores": SCORES, "times": TIMES}, "labels"),
        ({"labels": [(0.5, 1.5)], "scores": SCORES, "times": TIMES}, "labels"),
        ({"labels": [(TIMES[0], TIMES[1])], "scores": SCORES, "times": TIMES - TIMES[0]}, "labels"),
        ({"labels": LABELS, "scores": ["a"] * 6}, "scores"),
        ({"labels": LABELS, "scores": SCORES[:, None]}, "scores"),
        ({"labels": LABELS, "scores": SCORES, "intervals": SCORES[:5] > 1}, "intervals"),
        ({"labels": LABELS, "intervals": SCORES}, "intervals"),
        ({"labels": LABELS, "intervals": [span(4, 9)]}, "intervals"),
        ({"labels": LABELS, "intervals": [span(3, 4), span(1, 2)]}, "intervals"),
        ({"labels": LABELS, "intervals": [span(1, 2), span(2, 4)]}, "intervals"),
        ({"labels": LABELS, "intervals": [span(-1, 2)]}, "intervals"),
        ({"labels": LABELS, "scores": SCORES, "times": TIMES[:5]}, "times"),
        ({"labels": LABELS, "scores": SCORES, "times": TIMES[::-1]}, "times"),
        ({"labels": LABELS, "scores": SCORES, "times": np.arange(6)}, "times"),
        ({"labels": LABELS, "scores": SCORES, "times": [pd.NaT, *TIMES[1:]]}, "times"),
        ({"labels": [], "scores": []}, "a series"),
    ],
)
def test_what_is_refused(arguments, subject):
    with pytest.raises(InvalidData) as caught:
        ist.evaluate_alarms(**arguments)
    assert caught.value.subject == subject
    assert caught.value.expected
    assert caught.value.received


@pytest.mark.parametrize("buffer", [-1, 2.5, True, 10_001])
def test_a_buffer_is_a_number_of_rows(buffer):
    with pytest.raises(InvalidParameter, match="buffer"):
        ist.evaluate_alarms(LABELS, SCORES, buffer=buffer)


def test_intervals_of_several_units_are_refused():
    one = Interval(0, 1, 0, 9.0, ("x",), (0, 1), unit="a")
    with pytest.raises(InvalidData, match="those of one series"):
        ist.evaluate_alarms(LABELS, SCORES, Intervals([one]))
