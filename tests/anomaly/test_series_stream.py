"""Series whose rows arrive one at a time, by the detector's public face."""

import copy
import datetime
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.anomaly.protocol import StoredDetector
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.core.errors import InvalidArchive, InvalidData, SchemaMismatch

WINDOW = 16
ROWS = 2000
START = pd.Timestamp("2026-01-01")


def network():
    return ist.Autoencoder(4, hidden=8, epochs=8, scale="none", verbose=0, random_state=0)


def table(minutes, seed=0):
    """Return three sensors at these times: two that follow a rhythm, and noise about 50."""
    rng, minutes = np.random.default_rng(seed), np.asarray(minutes, dtype=float)
    swing = np.sin(minutes / 35)
    values = np.stack([swing, 3 - 2 * swing, np.full(len(minutes), 50.0)], axis=1)
    values += 0.1 * rng.standard_normal(values.shape)
    return pd.DataFrame(values, columns=list("abc"), index=START + pd.to_timedelta(minutes, "min"))


def regular(rows=ROWS, seed=1):
    """Return a series with drift, faults, missing cells, a dead sensor and a gap."""
    found = table(np.arange(rows) * 5, seed)
    found["c"] += np.linspace(0, 1, rows)
    for start in range(150, rows, 400):
        found.iloc[start : start + 30, 2] += 3
    holes = np.random.default_rng(2).random(found.shape) < 0.02
    found = found.mask(holes)
    found.iloc[rows // 2 :, 1] = np.nan
    found.iloc[250:265] = np.nan
    found.iloc[:2, 0] = np.nan
    return found


def irregular(rows=ROWS, seed=1):
    """Return a series with gaps, rows that share a slot, a slow sensor and a fault."""
    steps = np.random.default_rng(seed).choice(
        [0, 0.1, 1, 2, 3, 4, 12, 40], rows, p=[0.02, 0.02, 0.7, 0.15, 0.05, 0.03, 0.02, 0.01]
    )
    found = table(5.0 * np.cumsum(steps), seed)
    found.iloc[::3, 0] = np.nan
    found.iloc[200:230, 2] += 2
    found.iloc[330:338] = np.nan
    return found


@pytest.fixture(scope="module")
def detector():
    detector = ist.AnomalyDetector(network(), window=WINDOW, random_state=0)
    return detector.fit(table(np.arange(800) * 5))


@pytest.fixture(autouse=True)
def forget(detector):
    detector.reset()


def updates(detector, S, *, timed, start=0):
    times = S.index if timed else [None] * len(S)
    return [
        detector.update(row, time)
        for row, time in zip(S.to_numpy()[start:], times[start:], strict=True)
    ]


@pytest.mark.parametrize(
    ("S", "timed"), [(regular(), False), (regular(500), True), (irregular(900), True)]
)
@pytest.mark.filterwarnings("ignore:Missing in more consecutive rows")
def test_a_stream_gives_what_the_whole_series_gives(detector, S, timed):
    found = updates(detector, S, timed=timed)
    settled = [row for update in found for row in update.settled]
    assert [row.row for row in settled] == list(range(len(settled)))
    assert len(settled) > len(S) - 2 * WINDOW
    whole = S if timed else S.to_numpy()
    scores = detector.anomaly_score(whole)
    np.testing.assert_allclose([r.score for r in settled], scores[: len(settled)], rtol=1e-4)
    limits = detector.thresholds_of(scores)[: len(settled)]
    np.testing.assert_allclose([r.threshold for r in settled], limits, rtol=1e-6)
    times = S.index if timed else range(len(S))
    assert [row.time for row in settled] == list(times[: len(settled)])

    began = [alarm for update in found for alarm in update.began]
    ended = [alarm for update in found for alarm in update.ended]
    intervals = detector.intervals(whole)
    assert len(intervals) > 1
    assert len(ended) >= len(intervals) - 1
    for alarm, interval in zip(ended, intervals, strict=False):
        assert replace(alarm, score=0) == replace(interval, score=0)
        assert alarm.score == pytest.approx(interval.score, rel=1e-4)
    assert [alarm.start for alarm in began[: len(ended)]] == [each.start for each in ended]


def test_one_fault_is_one_alarm_and_is_known_while_it_lasts(detector):
    S = table(np.arange(400) * 5, 3)
    S.iloc[200:230, 2] += 2
    found = updates(detector, S, timed=False)
    (began,) = [update for update in found if update.began]
    (ended,) = [update for update in found if update.ended]
    assert 200 <= began.row < 200 + WINDOW
    assert began.began[0].sensors[0] == "c"
    assert [u.row for u in found if u.alarm] == list(range(began.row, ended.row))
    assert ended.row < 230 + 2.5 * WINDOW
    assert str(ended.ended) == str(detector.intervals(S.to_numpy()))


def test_scores_are_known_a_window_later(detector):
    found = updates(detector, table(np.arange(60) * 5), timed=False)
    assert [len(update.settled) for update in found] == [0] * (WINDOW - 1) + [1] * (61 - WINDOW)
    assert np.isnan([u.window_score for u in found[: WINDOW - 1]]).all()
    assert np.isnan([u.score + u.threshold for u in found[: WINDOW - 1]]).all()
    first = found[WINDOW - 1]
    assert first.score == first.settled[0].score == first.window_score
    assert first.threshold == pytest.approx(detector.threshold_)
    assert np.mean([u.window_score for u in found[WINDOW - 1 : WINDOW + 1]]) == pytest.approx(
        found[WINDOW].score
    )


def test_rows_before_a_gap_in_time_are_settled_after_it(detector):
    S = table(np.r_[np.arange(40) * 5, 1000])
    S.iloc[30:40, 2] += 9
    found = updates(detector, S, timed=True)
    assert [row.row for row in found[40].settled] == [*range(39 - WINDOW + 1, 40)]
    assert found[39].alarm
    assert found[40].ended
    assert not found[40].alarm


GO_ON = """
import sys
import numpy as np
import isthmus as ist

detector, rows = ist.load(sys.argv[1]), np.load(sys.argv[2])
for row in rows:
    print(repr(detector.update(row)))
"""


@pytest.mark.parametrize("cut", [3, 261, 505])
def test_a_saved_stream_goes_on_in_another_process(detector, tmp_path, cut):
    S = regular(560)
    updates(detector, S[:cut], timed=False)
    detector.save(tmp_path / "stream.isthmus")
    np.save(tmp_path / "rows.npy", S.to_numpy()[cut:])
    command = [sys.executable, "-c", GO_ON, tmp_path / "stream.isthmus", tmp_path / "rows.npy"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = [repr(update) for update in updates(detector, S, timed=False, start=cut)]
    assert run.stdout.splitlines() == expected


@pytest.mark.parametrize("copied", ["pickle", "deepcopy", "archive"])
def test_a_copy_goes_on_by_itself(detector, tmp_path, copied):
    S = irregular(300)
    updates(detector, S[:230], timed=True)
    if copied == "archive":
        detector.save(tmp_path / "stream.isthmus")
        other = ist.load(tmp_path / "stream.isthmus")
    else:
        other = pickle.loads(pickle.dumps(detector)) if copied == "pickle" else None
        other = other or copy.deepcopy(detector)
    expected = list(map(repr, updates(detector, S, timed=True, start=230)))
    assert list(map(repr, updates(other, S, timed=True, start=230))) == expected


def test_state_is_stored_only_while_a_stream_is_under_way(detector):
    def stored():
        return {name for name in detector._fitted.to_arrays() if name.startswith("stream/")}

    assert not stored()
    detector.update([0, 3, 50])
    assert stored()
    detector.reset()
    assert not stored()


def test_a_stream_begins_again_after_reset(detector):
    S = table(np.arange(60) * 5)
    first = list(map(repr, updates(detector, S, timed=False)))
    detector.reset()
    assert list(map(repr, updates(detector, S, timed=True)))[-1] != first[-1]
    detector.reset()
    assert list(map(repr, updates(detector, S, timed=False))) == first


def test_a_stream_keeps_the_rate_it_began_with(detector):
    other = copy.deepcopy(detector)
    S = table(np.arange(60) * 5)
    expected = updates(detector, S, timed=False)[-1]
    updates(other, S[:30], timed=False)
    other.set_params(false_alarm_rate=0.2)
    assert updates(other, S, timed=False, start=30)[-1].threshold == expected.threshold


def test_rows_have_names_and_times_of_any_kind(detector):
    S = table(np.arange(40) * 5)
    expected = list(map(repr, updates(detector, S, timed=True)))
    detector.reset()
    assert [repr(detector.update(row, time)) for time, row in S.iterrows()] == expected
    zone = datetime.timezone(datetime.timedelta(hours=2))
    for convert in (
        lambda time: time.to_pydatetime(),
        lambda time: time.to_datetime64(),
        lambda time: time.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        lambda time: time.tz_localize("UTC").to_pydatetime().astimezone(zone),
    ):
        detector.reset()
        rows = S[["c", "a", "b"]].assign(state="on").to_dict("records")
        found = [
            detector.update(row, convert(time)) for row, time in zip(rows, S.index, strict=True)
        ]
        assert list(map(repr, found)) == expected


def test_durations_are_times_too(detector):
    S = table(np.arange(40) * 5)
    S.iloc[20:, 2] += 9
    found = [detector.update(row, time - START) for time, row in S.iterrows()]
    (began,) = [alarm for update in found for alarm in update.began]
    assert isinstance(began.start, datetime.timedelta)


@pytest.mark.parametrize(
    "row", [np.zeros(2), np.zeros((1, 3)), ["a", 1, 2], None, [np.inf, 0, 0], 3.0]
)
def test_what_is_no_row_is_refused(detector, row):
    with pytest.raises(InvalidData, match="a row: expected 3 finite numbers"):
        detector.update(row)


def test_a_refused_row_is_not_part_of_the_stream(detector):
    S = table(np.arange(40) * 5)
    expected = list(map(repr, updates(detector, S, timed=True)))
    detector.reset()
    found = []
    for time, row in S.iterrows():
        with pytest.raises(InvalidData):
            detector.update(row * np.inf, time)
        if found:
            with pytest.raises(InvalidData, match="not before that of the last row, 2026"):
                detector.update(row, START - pd.Timedelta("1s"))
            with pytest.raises(InvalidData, match="a date with time, as in the first row"):
                detector.update(row)
            with pytest.raises(InvalidData, match="a date with time, as in the first row"):
                detector.update(row, time - START)
        found.append(repr(detector.update(row, time)))
    assert found == expected


def test_a_row_without_a_sensor_is_refused(detector):
    with pytest.raises(SchemaMismatch, match=r"the sensors a, b, c, received a, time"):
        detector.update({"a": 1, "time": 3})
    detector.update({"a": 1, "b": None, "c": np.nan})


@pytest.mark.parametrize("time", ["2026-01-01", 5, pd.NaT, datetime.date(2026, 1, 1)])
def test_what_is_no_time_is_refused(detector, time):
    with pytest.raises(InvalidData, match="the time of a row: expected a date with time"):
        detector.update([0, 3, 50], time)


def test_times_are_refused_if_none_were_learned():
    detector = ist.AnomalyDetector(network(), window=WINDOW, random_state=0)
    detector.fit(table(np.arange(300)).to_numpy())
    with pytest.raises(InvalidData, match="the detector was fitted without times"):
        detector.update([0, 3, 50], START)


def test_a_fleet_has_no_stream():
    fleet = ist.AnomalyDetector(window=WINDOW, group="unit")
    assert not hasattr(fleet, "update")
    with pytest.raises(AttributeError) as raised:
        fleet.update([0, 3, 50])
    assert "without a group" in str(raised.value.__cause__)


@pytest.mark.parametrize("timed", [True, False])
def test_every_array_of_a_stream_is_checked(detector, timed):
    S = regular(300)
    updates(detector, S[:173], timed=timed)
    assert updates(detector, S[:175], timed=timed, start=173)[-1].alarm
    arrays = detector._fitted.to_arrays()
    stored = StoredDetector(detector.autoencoder_, arrays, None, WINDOW, "warn")
    again = SeriesDetector.from_archive(stored).to_arrays()
    assert list(again) == list(arrays)
    for name, array in again.items():
        np.testing.assert_array_equal(array, arrays[name])
    own = {name: array for name, array in arrays.items() if name.startswith("stream/")}
    for name, array in own.items():
        wrong = [{n: a for n, a in arrays.items() if n != name}]
        wrong += [{**arrays, name: np.array(0, array.dtype)}]
        wrong += [{**arrays, name: array[None]}, {**arrays, name: array.astype("U9")}]
        if array.dtype.kind == "f" and array.size:
            wrong.append({**arrays, name: np.full_like(array, np.inf)})
        elif array.size:
            wrong += [{**arrays, name: array - (1 << 62) - 1}]
        for each in wrong:
            with pytest.raises(InvalidArchive):
                SeriesDetector.from_archive(replace(stored, arrays=each))
    extra = {**arrays, "stream/more": np.zeros(1)}
    with pytest.raises(InvalidArchive):
        SeriesDetector.from_archive(replace(stored, arrays=extra))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", [0.0]),
        ("numbers", [3, 40, 0]),
        ("numbers", [0, 0, 0]),
        ("level_numbers", [1, 0, 1, 0, 99, 0]),
        ("level_numbers", [2, 0, 1, 0, 1, 0]),
        ("level_numbers", [1, 0, 1, 0, 1, -1]),
    ],
)
def test_numbers_that_no_stream_has_are_refused(detector, name, value):
    updates(detector, table(np.arange(40)), timed=False)
    arrays = detector._fitted.to_arrays()
    stored = StoredDetector(detector.autoencoder_, arrays, None, WINDOW, "warn")
    changed = {**arrays, f"stream/{name}": np.array(value)}
    with pytest.raises(InvalidArchive):
        SeriesDetector.from_archive(replace(stored, arrays=changed))
