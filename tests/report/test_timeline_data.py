"""The numbers in the page decode to the values of the series, and are not too many."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.anomaly.intervals import Interval, Intervals
from isthmus.evaluation.alarm_evaluation import AlarmCounts
from isthmus.report.timeline_data import (
    TimelineRows,
    around_alarms,
    bucket_size,
    encoded,
    usual_residuals,
)


def counts(scores, *, threshold=2.0, anomalous=None):
    return AlarmCounts(
        scores=scores,
        p_values=np.full(len(scores), 0.5),
        raised=np.nan_to_num(scores) > threshold,
        rate=0.01,
        fdr=False,
        threshold=threshold,
        held_out=None,
        anomalous=anomalous,
    )


def alarm(first, last, score=5.0):
    return Interval(first, last, first, score, ("a",), (first, last))


def rows(n, sensors, *, seconds=None, scores=None, anomalous=None, values=None):
    random = np.random.default_rng(0)
    values = random.normal(size=(n, sensors)) if values is None else values
    scores = random.uniform(size=n) if scores is None else scores
    seen = counts(scores, anomalous=anomalous)
    return TimelineRows(values, values / 2, seconds, 1000.0, seen)


def written(series, alarms=(), context=5):
    found = Intervals(alarms)
    detail = around_alarms(found, series.seen.scores, context=context, width=series.width)
    text = encoded(series, found, [[0] for _ in found], detail, context=context)
    return json.loads(text), len(text)


def numbers(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def low_and_high(block, channels):
    low = numbers(block["low"], "<f4").reshape(channels, block["count"])
    high = low if block["high"] is None else numbers(block["high"], "<f4").reshape(low.shape)
    return low, high


def test_a_short_series_is_there_in_full():
    values = np.random.default_rng(1).normal(size=(50, 2))
    values[3, 1] = np.nan
    scores = np.r_[np.full(5, np.nan), np.linspace(0, 3, 45)]
    labels = np.zeros(50, dtype=bool)
    labels[40:44] = True
    series = rows(50, 2, values=values, scores=scores, anomalous=labels)
    data, _ = written(series, [alarm(36, 49)])
    low, high = low_and_high(data["overview"], 5)
    np.testing.assert_array_equal(low[0], scores.astype(np.float32))
    np.testing.assert_array_equal(low[1:3], values.T.astype(np.float32))
    np.testing.assert_array_equal(low[3:], values.T.astype(np.float32) / 2)
    assert high is low
    assert data["pieces"] == []
    assert data["alarms"] == [[36, 49]]
    assert data["views"] == [[31, 49]]
    assert data["truth"] == [[40, 43]]
    assert not data["dated"]


@settings(max_examples=20)
@given(st.integers(60_000, 200_000), st.integers(1, 9))
def test_a_long_series_keeps_its_extremes_and_the_rows_around_alarms(n, sensors):
    series = rows(n, sensors)
    spot = n // 3
    series.values[spot, 0] = 99
    series.values[spot + 1, 0] = -99
    data, _ = written(series, [alarm(spot, spot + 3)])
    overview, size = data["overview"], bucket_size(n, series.width)
    assert overview["size"] == size
    low, high = low_and_high(overview, 1 + 2 * sensors)
    assert (high[1].max(), low[1].min()) == (99, -99)
    assert high[1].argmax() == spot // size
    starts = range(size, n, size)
    scores = series.seen.scores.astype("f4")
    np.testing.assert_array_equal(high[0], [part.max() for part in np.split(scores, starts)])
    assert len(data["pieces"]) == (size > 1)
    for piece in data["pieces"]:
        assert (piece["first"], piece["stop"]) == (spot - 5, spot + 9)
        detail, _ = low_and_high(piece, 1 + 2 * sensors)
        held = series.values[spot - 5 : spot + 9].T.astype("f4")
        np.testing.assert_array_equal(detail[1 : 1 + sensors], held)


def test_regular_times_are_a_step_and_others_are_listed():
    n = 70_000
    even = np.arange(n) * 10.0
    data, _ = written(rows(n, 5, seconds=even))
    assert data["dated"]
    assert (data["step"], data["gap"], data["origin"]) == (10, 40, 1000)
    assert data["overview"]["times"] is None
    gap = even.copy()
    gap[30_001:] += 5000
    data, _ = written(rows(n, 5, seconds=gap), [alarm(30_000, 30_002)])
    start, end = numbers(data["overview"]["times"], "<f8").reshape(2, -1)
    assert 300_000 in end  # a bucket ends before the gap, and one starts after it
    assert 305_010 in start
    assert data["alarms"] == [[300_000, 305_020]]
    assert data["end"] == gap[-1]


@pytest.mark.parametrize("sensors", [1, 5, 20, 40])
@pytest.mark.parametrize("dated", [False, True])
def test_a_million_rows_make_less_than_5_mb(sensors, dated):
    n = 1_000_000
    random = np.random.default_rng(0)
    values = np.broadcast_to(random.normal(size=(n, 1)), (n, sensors))
    seconds = np.cumsum(random.uniform(size=n)) if dated else None
    alarms = [alarm(k, k + 30, score=float(k)) for k in range(0, n, 1000)]
    series = rows(n, sensors, values=values, seconds=seconds)
    data, characters = written(series, alarms, context=40)
    assert characters < 5e6
    assert data["overview"]["count"] >= 1800  # more than the pixels of a chart


def test_the_alarms_with_the_highest_scores_are_in_detail():
    scores = np.zeros(100_000)
    scores[50_000] = 9
    alarms = [alarm(100, 110, 1.0), alarm(40_000, 60_000, 3.0), alarm(90_000, 90_010, 2.0)]
    detail = around_alarms(Intervals(alarms), scores, context=10, width=41)
    assert (detail.alarms, detail.shortened) == (3, 1)
    (a, b), (c, d), (e, f) = detail.ranges.tolist()
    assert (a, b, e, f) == (90, 120, 89_990, 90_020)
    assert 40_000 < c < 50_000 < d < 60_000
    many = Intervals([alarm(k, k + 10, float(k)) for k in range(0, 90_000, 100)])
    detail = around_alarms(many, scores, context=10, width=41)
    assert 0 < detail.alarms < 900
    assert detail.ranges[-1].tolist() == [89_890, 89_920]
    assert detail.ranges[0, 0] == 90_000 - 100 * detail.alarms - 10


def test_most_residuals_of_calm_rows_are_within_the_band():
    random = np.random.default_rng(0)
    expected = random.normal(size=(10_000, 3))
    values = expected + random.normal(size=(10_000, 3)) * [1, 2, 0]
    calm = np.ones(10_000, dtype=bool)
    calm[:500] = False
    values[:500] += 100
    values[600, 0] = np.nan
    band = usual_residuals(values, expected, calm)
    residuals = (values - expected)[501:]
    inside = (residuals >= band[:, 0]) & (residuals <= band[:, 1])
    np.testing.assert_allclose(inside.mean(axis=0)[:2], 0.99, atol=0.001)
    np.testing.assert_allclose(band[2], 0, atol=1e-12)
    everywhere = usual_residuals(values, expected, np.zeros_like(calm))
    assert everywhere[0, 1] > 90
    nothing = usual_residuals(np.full((5, 1), np.nan), np.zeros((5, 1)), np.ones(5, dtype=bool))
    assert nothing.tolist() == [[0, 0]]


def test_series_without_scores_or_of_a_single_row():
    data, _ = written(rows(1, 2, scores=np.array([np.nan])))
    assert data["overview"]["count"] == 1
    assert data["end"] == 0
    series = rows(10, 1, seconds=np.zeros(10), scores=np.full(10, np.nan))
    data, _ = written(series)
    assert data["step"] == 1
