"""Figures of a labelled series: counted, by hand, at the limits, and for random scores."""

import dataclasses
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

import isthmus as ist
from isthmus.anomaly.intervals import Interval, Intervals
from isthmus.core.errors import InvalidData

ROWS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
BOTH = np.array([0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0])
MINUTES = np.datetime64("2026-01-01") + np.arange(12) * np.timedelta64(1, "m")


def events(flags):
    """The rows of each run of True, as sets."""
    found = []
    for row, flag in enumerate(flags):
        if flag and row and flags[row - 1]:
            found[-1].add(row)
        elif flag:
            found.append({row})
    return found


@given(ROWS)
def test_figures_are_those_of_a_count(rows):
    labels, raised = (np.array(part) for part in zip(*rows, strict=True))
    result = ist.evaluate_alarms(labels, intervals=raised)
    anomalies, alarms = events(labels), events(raised)
    assert (result.rows, result.normal_rows) == (len(rows), (~labels).sum())
    assert (result.anomalies, result.alarms) == (len(anomalies), len(alarms))
    found = [one for one in anomalies if any(one & alarm for alarm in alarms)]
    false = [alarm for alarm in alarms if not any(one & alarm for one in anomalies)]
    assert (result.found, result.false_alarms) == (len(found), len(false))
    rate = raised[~labels].mean() if (~labels).any() else None
    assert result.false_alarm_rate == (None if rate is None else pytest.approx(rate))
    if anomalies:
        assert result.event_recall == pytest.approx(len(found) / len(anomalies))
        assert result.point_recall == pytest.approx(recall_score(labels, raised))
        assert result.point_f1 == pytest.approx(f1_score(labels, raised))
    else:
        assert result.event_recall is result.point_recall is result.range_recall is None
        assert result.event_f1 is result.point_f1 is result.range_f1 is None
    if alarms:
        plain = len(found) / (len(found) + len(false))
        assert result.event_precision == pytest.approx(plain * (1 - (rate or 0)))
        assert result.point_precision == pytest.approx(precision_score(labels, raised))
    else:
        assert result.event_precision is result.point_precision is result.range_precision is None
    delays = [min(one & set(np.flatnonzero(raised))) - min(one) for one in found]
    assert result.median_delay_rows == (np.median(delays) if delays else None)
    assert (result.vus_pr, result.vus_roc, result.false_alarms_per_day) == (None, None, None)
    assert str(result)


@given(ROWS)
def test_the_forms_of_labels_and_alarms_agree(rows):
    labels, raised = (np.array(part) for part in zip(*rows, strict=True))
    result = ist.evaluate_alarms(labels, intervals=raised)
    windows = [(min(one), max(one)) for one in events(labels)]
    spans = [Interval(0, 0, 0, 1.0, (), (min(one), max(one))) for one in events(raised)]
    for truth in (labels.astype(int), np.where(labels, -1, 1), labels.tolist()):
        if isinstance(truth, list) or not (truth == 1).all():
            assert ist.evaluate_alarms(truth, intervals=raised.tolist()) == result
    assert ist.evaluate_alarms(windows, intervals=raised) == result
    assert ist.evaluate_alarms(labels, intervals=Intervals(spans)) == result
    assert ist.evaluate_alarms(labels, intervals=spans) == result


def test_by_hand():
    raised = np.array([1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0])
    scores = np.where(raised, 2.0, 1.0)
    result = ist.evaluate_alarms(BOTH, scores, raised, times=MINUTES)
    assert (result.anomalies, result.alarms, result.found, result.false_alarms) == (2, 3, 1, 2)
    assert result.false_alarm_rate == pytest.approx(3 / 7)
    assert result.event_precision == pytest.approx(1 / 3 * 4 / 7)
    assert result.event_recall == pytest.approx(1 / 2)
    assert result.range_precision == pytest.approx((0 + 1 / 2 + 0) / 3)
    assert result.range_recall == pytest.approx((0.2 + 0.8 / 3) / 2)
    assert (result.point_precision, result.point_recall) == (1 / 4, 1 / 5)
    assert result.point_f1 == pytest.approx(2 / 9)
    assert (result.median_delay_rows, result.median_delay) == (2, timedelta(minutes=2))
    assert result.false_alarms_per_day == pytest.approx(2 * 24 * 60 / 7)
    assert result.false_alarms_per_1000_rows == pytest.approx(2000 / 7)
    assert str(result).startswith(
        "1 of 2 anomalies found, median delay 2 min 0 s. 2 of 3 alarms are false: 411 per day."
    )
    for words in ("events", "ranges", "points", "VUS-PR", "(buffers up to 100 rows)"):
        assert words in str(result)
    without = ist.evaluate_alarms(BOTH, scores, raised)
    assert "median delay 2 rows. 2 of 3 alarms are false: 286 per 1,000 normal rows" in str(without)
    assert dataclasses.replace(without, median_delay=None) == dataclasses.replace(
        result, median_delay=None, false_alarms_per_day=None
    )


def test_an_alarm_that_begins_before_the_anomaly_has_no_delay():
    raised = [0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    result = ist.evaluate_alarms(BOTH, intervals=raised)
    assert result.found == 2
    assert result.median_delay_rows == 0.5  # 0 and 1


def test_gaps_count_as_time():
    times = MINUTES.copy()
    times[6:] += np.timedelta64(1, "D") - np.timedelta64(7, "m")  # normal from row 5 to row 8
    result = ist.evaluate_alarms(BOTH, intervals=np.arange(12) == 0, times=times)
    assert result.false_alarms_per_day == pytest.approx(1 / (1 + (7 - 7) / 1440))


def test_false_alarms_per_day_are_a_rate():
    n = 3 * 1440
    labels = np.zeros(n, dtype=bool)
    labels[1440:2880] = True  # one day of three
    raised = np.arange(n) % 720 == 5
    hours = np.datetime64("2026-01-01") + np.arange(n) * np.timedelta64(1, "m")
    result = ist.evaluate_alarms(labels, intervals=raised, times=hours)
    assert result.false_alarms == 4
    assert result.false_alarms_per_day == pytest.approx(2)


def test_intervals_that_adjoin_are_separate_alarms():
    spans = Intervals(Interval(a, b, a, 1.0, (), (a, b)) for a, b in [(5, 6), (7, 7)])
    assert ist.evaluate_alarms(BOTH, intervals=spans).false_alarms == 2


def test_no_anomaly_and_nothing_but_anomalies():
    scores, raised = np.arange(5.0), np.array([0, 1, 0, 0, 1])
    calm = ist.evaluate_alarms(np.zeros(5), scores, raised)
    assert (calm.anomalies, calm.found, calm.false_alarms) == (0, 0, 2)
    assert (calm.event_precision, calm.point_precision, calm.range_precision) == (0, 0, 0)
    assert (calm.vus_pr, calm.vus_roc, calm.median_delay_rows) == (None, None, None)
    assert "No row is labelled as an anomaly." in str(calm)
    assert ist.evaluate_alarms([], scores, raised) == calm
    full = ist.evaluate_alarms(np.ones(5) == 1, scores, raised, times=MINUTES[:5])
    assert (full.normal_rows, full.false_alarms) == (0, 0)
    assert (full.false_alarm_rate, full.false_alarms_per_day) == (None, None)
    assert full.false_alarms_per_1000_rows is None
    assert full.event_precision == full.event_recall == 1
    assert (full.vus_pr, full.vus_roc) == (None, None)
    assert "1 of 1 anomaly found" in str(full)


def test_no_alarm():
    result = ist.evaluate_alarms(BOTH, np.arange(12.0), np.zeros(12))
    assert (result.alarms, result.found, result.false_alarms) == (0, 0, 0)
    assert result.event_precision is None
    assert (result.event_recall, result.range_recall, result.point_recall) == (0, 0, 0)
    assert (result.event_f1, result.range_f1, result.point_f1) == (0, 0, 0)
    assert result.median_delay is result.median_delay_rows is None
    assert str(result).startswith("0 of 2 anomalies found. No alarms.")


def test_scores_alone():
    result = ist.evaluate_alarms(BOTH, BOTH.astype(float))
    assert result.alarms is result.event_f1 is result.false_alarm_rate is None
    assert result.vus_pr > 0.5
    assert "alarm" not in str(result)
    one = ist.evaluate_alarms(BOTH, BOTH.astype(float), buffer=0)
    assert (one.vus_pr, one.vus_roc, one.buffer) == (1, 1, 0)
    assert "buffers up to 0 rows" in str(one)


def test_constant_scores_and_rows_without_one():
    for constant in (0.0, 3.0):
        result = ist.evaluate_alarms(BOTH, np.full(12, constant), buffer=0)
        assert result.vus_pr == pytest.approx(5 / 12)
        assert result.vus_roc == pytest.approx(0.5)
    scores = np.where(BOTH, 2.0, 1.0)
    lowest = scores.copy()
    scores[3], lowest[3] = np.nan, 1.0
    assert ist.evaluate_alarms(BOTH, scores) == ist.evaluate_alarms(BOTH, lowest)
    missing = ist.evaluate_alarms(BOTH, np.full(12, np.nan), BOTH)
    assert (missing.vus_pr, missing.point_recall) == (None, 1)


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_random_scores_do_not_win(rate):
    """With point adjustment they would: see docs/anomalies.md, which has these figures."""
    labels = np.zeros(20_000, dtype=bool)
    for start in range(500, 20_000, 2_000):
        labels[start : start + 150] = True
    random = np.random.default_rng(0)
    useful, useless = random.normal(size=20_000) + 3 * labels, random.normal(size=20_000)
    better, worse = (
        ist.evaluate_alarms(labels, scores, scores > np.quantile(scores, 1 - rate))
        for scores in (useful, useless)
    )
    names = ("event_f1", "range_f1", "point_f1", "vus_pr", "vus_roc")
    for name in names:
        assert getattr(better, name) > getattr(worse, name)
    assert max(worse.event_f1, worse.range_f1, worse.point_f1, worse.vus_pr) < 0.15
    raised = useless > np.quantile(useless, 1 - rate)
    for start in range(500, 20_000, 2_000):
        raised[start : start + 150] |= raised[start : start + 150].any()
    assert f1_score(labels, raised) > 0.7


def test_an_alarm_without_end_does_not_win():
    result = ist.evaluate_alarms(BOTH, intervals=np.ones(12) == 1)
    assert (result.event_recall, result.event_precision, result.event_f1) == (1, 0, 0)


UNITS = st.lists(
    st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), min_size=1, max_size=40
)


@given(UNITS)
def test_events_are_those_within_units(rows):
    units, labels, raised = (np.array(part) for part in zip(*rows, strict=True))
    result = ist.evaluate_alarms(labels, intervals=raised, units=units)
    assert list(result.units) == sorted(set(units.tolist()))
    for name, one in result.units.items():
        own = units == name
        assert one == ist.evaluate_alarms(labels[own], intervals=raised[own])
    for figure in ("rows", "normal_rows", "anomalies", "alarms", "found", "false_alarms"):
        assert getattr(result, figure) == sum(getattr(u, figure) for u in result.units.values())
    plain = ist.evaluate_alarms(labels, intervals=raised)
    for figure in ("point_precision", "point_recall", "false_alarm_rate"):
        assert getattr(result, figure) == getattr(plain, figure)
    assert str(result)


@given(st.permutations(range(24)), st.integers(0, 9))
def test_the_rows_of_units_may_be_in_any_order(order, seed):
    random = np.random.default_rng(seed)
    units, times = np.repeat(["a", "b"], 12), np.tile(MINUTES, 2)
    labels, raised = random.random((2, 24)) < 0.3
    scores = random.normal(size=24)
    result = ist.evaluate_alarms(labels, scores, raised, units=units, times=times)
    mixed = [each[order] for each in (labels, scores, raised)]
    assert ist.evaluate_alarms(*mixed, units=units[order], times=times[order]) == result


def test_a_fleet_of_one_unit_is_a_series():
    scores = np.arange(12.0)
    plain = ist.evaluate_alarms(BOTH, scores, scores > 6, times=MINUTES)
    one = ist.evaluate_alarms(BOTH, scores, scores > 6, times=MINUTES, units=np.full(12, 7))
    assert dataclasses.replace(one, units=None) == plain
    assert one.units == {7: plain}


def test_buffers_and_days_end_with_the_unit():
    labels, scores = np.zeros(400, dtype=bool), np.zeros(400)
    labels[190:200] = True
    scores[200:210] = 1  # after the anomaly, but of another unit
    units = np.repeat([0, 1], 200)
    times = np.tile(np.datetime64("2026-01-01") + np.arange(200) * np.timedelta64(1, "h"), 2)
    near = ist.evaluate_alarms(labels, scores, scores > 0, times=np.sort(times))
    apart = ist.evaluate_alarms(labels, scores, scores > 0, times=times, units=units)
    assert apart.vus_pr < near.vus_pr / 2
    assert apart.false_alarms_per_day == pytest.approx(24 / 390)
    assert (apart.units[0].false_alarms, apart.units[1].false_alarms) == (0, 1)


def test_intervals_of_units_are_placed_by_their_rows():
    units = np.tile(["b", "a"], 12)
    labels = np.repeat(BOTH, 2).astype(bool) & (units == "a")
    spans = [Interval(0, 0, 0, 1.0, (), (5, 9), "a"), Interval(0, 0, 0, 1.0, (), (0, 4), "b")]
    result = ist.evaluate_alarms(labels, intervals=spans, units=units)
    assert (result.anomalies, result.found, result.false_alarms) == (2, 1, 1)
    assert result.units["a"].found == result.units["b"].false_alarms == 1
    headers, rows = result.unit_table()
    assert headers[0] == "unit"
    assert [(row[0], row[2], row[5]) for row in rows] == [("a", "1", "0"), ("b", "0", "1")]
    assert "unit" in str(result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.zeros(3, dtype=int)}, "units: expected the unit of each row"),
        ({"units": np.zeros(12)}, "units: expected"),
        ({"labels": [(0, 3)]}, "do not say their unit"),
        ({"times": MINUTES[:5]}, "times: expected one per row"),
        ({"intervals": [Interval(0, 0, 0, 1.0, (), (0, 1), 0)]}, "intervals within units"),
        ({"intervals": [Interval(0, 0, 0, 1.0, (), (0, 99), 0)]}, "intervals within units"),
    ],
)
def test_other_units_are_refused(changes, message):
    arguments = {"labels": BOTH, "scores": BOTH * 1.0, "units": np.arange(12) % 2} | changes
    with pytest.raises(InvalidData, match=message):
        ist.evaluate_alarms(**arguments)
