"""The timeline's names, notes and table agree with the detector, whatever the series is held in."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.anomaly.intervals import Interval, Intervals
from isthmus.evaluation.alarm_evaluation import AlarmCounts
from isthmus.report.timeline_views import timeline


def detector_of(sensors):
    """What a timeline asks of a detector; it expects what is measured."""

    return SimpleNamespace(window_=5, group=None, sensors_=tuple(sensors), expected=lambda X: X)


def drawn(X, sensors, alarms=()):
    n = len(X)
    scores = np.linspace(0, 1, n)
    seen = AlarmCounts(scores, scores, scores > 2, 0.01, False, 2.0, None, None)
    return timeline(detector_of(sensors), X, seen, Intervals(alarms))


def alarm(first, last, score, *sensors):
    return Interval(first, last, first, score, sensors, (first, last))


def test_sensors_of_an_array_have_the_names_of_the_fit():
    alarms = [alarm(10, 12, 3.0, "oil"), alarm(20, 22, 4.0, "gas", "air")]
    found = drawn(np.zeros((50, 3)), ["air", "gas", "oil"], alarms)
    assert [sensor.name for sensor in found.sensors] == ["air", "gas", "oil"]
    assert json.loads(found.data)["blame"] == [[2], [1, 0]]
    assert [one.number for one in found.alarms] == [1, 0]
    assert found.held.startswith("The page holds every row. The band is")


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas, pa.Table.from_pandas])
def test_tables_keep_their_order_and_times(convert):
    times = pd.date_range("2026-03-01", periods=50, freq="min")
    frame = pd.DataFrame({"t": times, "b": np.arange(50.0), "a": np.zeros(50)})
    found = drawn(convert(frame), ["a", "b"])
    assert [sensor.name for sensor in found.sensors] == ["b", "a"]
    data = json.loads(found.data)
    assert (data["dated"], data["step"]) == (True, 60)
    assert data["origin"] == times[0].timestamp() * 1000


def test_of_many_sensors_those_that_alarms_name_are_held():
    names = [f"s{i}" for i in range(300)]
    alarms = [alarm(10, 12, 3.0, "s299"), alarm(20, 22, 9.0, "s150", "s299")]
    found = drawn(np.zeros((50, 300)), names, alarms)
    held = [sensor.name for sensor in found.sensors]
    assert len(held) == 40
    assert held == sorted(held, key=lambda name: int(name[1:]))
    assert {"s150", "s299", "s0"} <= set(held)
    assert [sensor.name for sensor in found.sensors if sensor.shown] == ["s0", "s1", "s150", "s299"]
    assert "40 of 300 sensors can be shown" in found.note
    assert json.loads(found.data)["blame"] == [[39], [38, 39]]


def test_what_the_page_holds_of_a_long_series():
    found = drawn(np.zeros((120_000, 20)), [f"s{i}" for i in range(20)])
    assert "the lowest and the highest value of every 18 rows." in found.held
    alarms = [alarm(10, 60_000, 3.0, "s0"), alarm(90_000, 90_010, 2.0, "s1")]
    found = drawn(np.zeros((120_000, 20)), [f"s{i}" for i in range(20)], alarms)
    assert "and every row from 10 before to 10 after all alarms" in found.held
    assert "(of 1 long alarm, those near the highest score)" in found.held
