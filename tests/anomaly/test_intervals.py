"""Alarms merged into intervals, against a walk along the series."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.intervals import AlarmSpan, merged_alarms, responsible_sensors


def slow_merged(scores, threshold, calm):
    """Walk along the scores, and close an interval when it has been calm for too long."""
    found, first, last = [], None, None
    for row, score in enumerate(scores):
        if not score > threshold:  # so is NaN, which is no alarm
            continue
        if first is not None and row - last - 1 > calm:
            found.append((first, last))
            first = None
        first, last = (row if first is None else first), row
    if first is not None:
        found.append((first, last))
    spans = []
    for first, last in found:
        alarms = [row for row in range(first, last + 1) if scores[row] > threshold]
        highest = max(scores[row] for row in alarms)
        peak = next(row for row in alarms if scores[row] == highest)
        spans.append(AlarmSpan(first, last, peak))
    return spans


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, float("nan")]), max_size=40),
    st.sampled_from([0.5, 1.0, 2.5, 9.0]),
    st.integers(0, 5),
)
def test_intervals_are_those_of_a_walk(scores, threshold, calm):
    found = merged_alarms(np.array(scores, dtype=float), threshold, calm)
    assert found == slow_merged(scores, threshold, calm)
    assert [span.rows for span in found] == [len(range(s[0], s[1] + 1)) for s in found]


def slow_responsible(means, sensors):
    named, reached = [], 0.0
    while len(named) < 3 and reached < 0.8 * sum(means) and len(named) < len(sensors):
        best = max((s for s in range(len(sensors)) if s not in named), key=lambda s: means[s])
        named.append(best)
        reached += means[best]
    return tuple(sensors[s] for s in named)


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_responsible_sensors_are_those_of_a_plain_loop(width, seed):
    contributions = np.random.default_rng(seed).exponential(size=width) ** 3
    names = [f"s{column}" for column in range(width)]
    expected = slow_responsible(contributions.tolist(), names)
    assert responsible_sensors(contributions, names) == expected
