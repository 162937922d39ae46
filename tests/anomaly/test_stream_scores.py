"""Scores of rows as they arrive, against the mean over the windows of the whole series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.series_windows import SensorScaling
from isthmus.anomaly.stream_scores import StreamScores
from isthmus.core.errors import InvalidArchive
from isthmus.data.stream_slots import Slot, StreamRow

SENSORS = 2
SCALING = SensorScaling(np.zeros(SENSORS), np.ones(SENSORS))


def contributions(block):
    """Return something that depends on the order of rows; none if all of a sensor is missing."""
    weights = 1 + np.arange(block.shape[1], dtype=np.float64)[:, None]
    return np.abs(block * weights).sum(axis=1)


@st.composite
def streams(draw):
    """Return a window and slots: whole, partly missing, missing, not measured, and before gaps."""
    window, slots = draw(st.integers(2, 6)), []
    kinds = draw(st.lists(st.sampled_from("wwwwwwwwwpmng"), max_size=60))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    for number, kind in enumerate(kinds):
        values = random.standard_normal(SENSORS)
        values[0 if kind == "p" else slice(None) if kind == "m" else slice(0)] = np.nan
        rows = () if kind == "n" else (StreamRow(number, 0, kind != "m"),)
        slots.append(Slot(values, kind == "g", rows))
    return window, slots


def slow(window, slots):
    """Return the contributions to the score of each slot, (n, sensors), NaN for none."""
    found = [[] for _ in slots]
    for start in range(len(slots) - window + 1):
        own = slots[start : start + window]
        if any(np.isnan(s.values).all() for s in own) or any(s.before_gap for s in own[:-1]):
            continue
        block = np.stack([slot.values for slot in own]).astype(np.float32)
        parts = contributions(block[None])[0]
        if sum(bool(slot.rows) for slot in own) < 0.1 * window or np.isnan(parts).any():
            continue
        for place in range(start, start + window):
            found[place].append(parts)
    return [np.mean(parts, axis=0) if parts else None for parts in found]


def taken(scores, slots):
    settled = []
    for slot in slots:
        settled += scores.take(slot)
        settled += scores.cut() if slot.before_gap else []
    return settled


@given(streams())
def test_a_slot_has_the_mean_over_the_windows_that_cover_it(stream):
    window, slots = stream
    scores = StreamScores(window, SCALING, contributions)
    settled = [*taken(scores, slots), *scores.cut()]
    assert [each.slot for each in settled] == slots
    for each, expected in zip(settled, slow(window, slots), strict=True):
        if expected is None:
            assert each.contributions is None
        else:
            np.testing.assert_allclose(each.contributions, expected, rtol=1e-6)


@given(streams(), st.data())
def test_a_stream_goes_on_from_its_arrays(stream, data):
    window, slots = stream
    cut = data.draw(st.integers(0, len(slots)))
    scores = StreamScores(window, SCALING, contributions)
    taken(scores, slots[:cut])
    again = StreamScores(window, SCALING, contributions)
    again.restore(scores.to_arrays())
    for one, other in zip(taken(scores, slots[cut:]), taken(again, slots[cut:]), strict=True):
        np.testing.assert_array_equal(one.slot.values, other.slot.values)
        assert one.slot[1:] == other.slot[1:]
        assert str(one[1:]) == str(other[1:])


def test_arrays_that_no_stream_has_are_refused():
    scores = StreamScores(3, SCALING, contributions)
    taken(scores, [Slot(np.full(2, i / 7), False, (StreamRow(i, 0, True),)) for i in range(9)])
    arrays = scores.to_arrays()
    changes = {
        "parts": [-arrays["parts"], arrays["parts"][:2], np.full((3, 2), np.nan)],
        "scored": [np.array([1, 1, 2]), np.array([1, 1, 0])],
        "next_part": [np.array([3]), np.array([-1])],
        "unsettled_values": [np.full((2, 2), np.nan), np.full((2, 2), np.inf)],
        "unsettled_slots": [arrays["unsettled_slots"] + 1],
    }
    for name, wrong in changes.items():
        for array in wrong:
            with pytest.raises(InvalidArchive, match="the archive's stream"):
                StreamScores(3, SCALING, contributions).restore({**arrays, name: array})
    for name in arrays:
        others = {n: a for n, a in arrays.items() if n != name}
        with pytest.raises(InvalidArchive, match="the archive's stream"):
            StreamScores(3, SCALING, contributions).restore(others)
