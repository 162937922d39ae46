"""Alarms as rows are settled, against the intervals of the whole series."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.alarm_stream import AlarmStream
from isthmus.anomaly.alarm_threshold import AlarmThreshold, thresholds
from isthmus.anomaly.intervals import merged_alarms, responsible_sensors
from isthmus.anomaly.stream_scores import SettledSlot
from isthmus.core.errors import InvalidArchive
from isthmus.data.stream_slots import Slot, StreamRow

SENSORS = ("a", "b")
ZEROS = np.zeros(2)
SCORES = st.lists(st.sampled_from([0.5, 1.0, 1.9, 2.5, 4.0, 90.0, math.nan]), max_size=60)


def stream(calm, tau=5.0):
    threshold = AlarmThreshold(2.0, 0.1, tau, 0.5)
    return AlarmStream(threshold, calm, SENSORS, lambda row: f"t{row.number}")


def settled(scores, start=0):
    for number, score in enumerate(scores, start=start):
        share = (1 + number % 4) / 5
        parts = None if math.isnan(score) else np.array([share, 1 - share]) * score
        slot = Slot(ZEROS, before_gap=False, rows=(StreamRow(number, 0, True),))
        yield SettledSlot(slot, parts, score)


@given(SCORES, st.integers(0, 5))
def test_alarms_are_the_intervals_of_the_whole_series(scores, calm):
    alarms = stream(calm)
    changes = [alarms.take(each) for each in settled(scores)]
    began = [change.began for change in changes if change.began]
    assert all(change.began is None or change.ended is None for change in changes)
    ended = [*(change.ended for change in changes), alarms.close()]
    found = [interval for interval in ended if interval is not None]
    limits = thresholds(np.array(scores, dtype=float), 2.0, 0.1, 5.0, 0.5)
    spans = merged_alarms(np.array(scores, dtype=float), limits, calm)
    assert [interval.rows for interval in found] == [(s.first, s.last) for s in spans]
    assert [interval.peak for interval in found] == [f"t{span.peak}" for span in spans]
    assert [interval.rows for interval in began] == [(s.first, s.first) for s in spans]
    assert [row.threshold for change in changes for row in change.rows] == limits.tolist()
    parts = [each.contributions for each in settled(scores)]
    for interval, span in zip(found, spans, strict=True):
        own = [part for part in parts[span.first : span.last + 1] if part is not None]
        assert interval.sensors == responsible_sensors(np.mean(own, axis=0), SENSORS)
        assert interval.score == pytest.approx(scores[span.peak])


def test_an_alarm_is_over_after_a_calm():
    alarms = stream(2)
    flags = []
    for each in settled([1, 90, 1, 1, 90, 1, 1, 1, 1]):
        alarms.take(each)
        flags.append(alarms.is_open)
    assert flags == [False, *[True] * 6, False, False]


def test_rows_that_were_not_measured_raise_no_alarm():
    alarms = stream(0)
    rows = (StreamRow(0, 0, False), StreamRow(1, 0, True))
    change = alarms.take(SettledSlot(Slot(ZEROS, False, rows), np.array([50.0, 40.0]), 90.0))
    assert [row.score for row in change.rows] == pytest.approx([math.nan, 90], nan_ok=True)
    assert change.began.rows == (1, 1)
    assert not alarms.take(SettledSlot(Slot(ZEROS, False, ()), np.array([50.0, 40.0]), 90.0)).rows


@given(SCORES, st.data())
def test_alarms_go_on_from_their_arrays(scores, data):
    cut = data.draw(st.integers(0, len(scores)))
    alarms, again = stream(2), stream(2)
    for each in settled(scores[:cut]):
        alarms.take(each)
    again.restore(alarms.to_arrays())
    for each in settled(scores[cut:], cut):
        assert str(alarms.take(each)) == str(again.take(each))


def test_an_archive_cannot_move_the_threshold_beyond_its_bounds():
    alarms = stream(2)
    alarms.restore({**alarms.to_arrays(), "threshold": np.array([1e300, 0, 0])})
    (row,) = alarms.take(next(settled([1.0]))).rows
    assert row.threshold == pytest.approx(2 * math.exp(3))


def test_arrays_that_no_alarm_has_are_refused():
    alarms = stream(2)
    for each in settled([1, 90, 1]):
        alarms.take(each)
    arrays = alarms.to_arrays()
    changes = {
        "threshold": [np.array([np.nan, 0, 0]), np.array([0.0, -1, 0]), np.zeros(2)],
        "alarm_rows": [arrays["alarm_rows"][:2], -arrays["alarm_rows"], np.zeros((6, 3), int)],
        "alarm_score": [np.array([-1.0]), np.array([np.nan]), np.zeros(0)],
        "alarm_shares": [-arrays["alarm_shares"], np.full((2, 2), np.inf)],
        "alarm_counts": [np.array([0, 1, 1]), np.array([1, 1, 3]), np.array([1, -1, 1])],
    }
    for name, wrong in changes.items():
        for array in wrong:
            with pytest.raises(InvalidArchive, match="the archive's stream"):
                stream(2).restore({**arrays, name: array})
    for name in arrays:
        with pytest.raises(InvalidArchive, match="the archive's stream"):
            stream(2).restore({n: a for n, a in arrays.items() if n != name})
