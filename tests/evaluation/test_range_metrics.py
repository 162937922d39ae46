"""Range-based precision and recall, against the paper's definition row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.evaluation.range_metrics import range_precision, range_recall
from isthmus.evaluation.runs import flags_of, overlaps, runs

FLAGS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n)] * 2)
)


def slow_runs(flags):
    n = len(flags)
    return [
        [i, next(j for j in range(i, n) if j == n - 1 or not flags[j + 1])]
        for i in range(n)
        if flags[i] and (i == 0 or not flags[i - 1])
    ]


def slow_reward(ranges, others, alpha):
    """The mean over ranges of alpha times existence plus the rest times the overlap."""
    rewards = []
    for first, last in ranges:
        rows = set(range(first, last + 1))
        parts = [rows & set(range(a, b + 1)) for a, b in others]
        parts = [part for part in parts if part]
        share = sum(len(part) for part in parts) / len(rows) / max(len(parts), 1)
        rewards.append(alpha * bool(parts) + (1 - alpha) * share)
    return pytest.approx(np.mean(rewards)) if rewards else None


@given(FLAGS)
def test_ranges_are_those_of_the_definition(example):
    labels, raised = (np.array(flags) for flags in example)
    anomalies, alarms = runs(labels), runs(raised)
    assert anomalies.tolist() == slow_runs(labels)
    assert (flags_of(anomalies, len(labels)) == labels).all()
    n = len(labels)
    assert range_precision(anomalies, alarms, n) == slow_reward(alarms, anomalies, 0)
    assert range_recall(anomalies, alarms, n) == slow_reward(anomalies, alarms, 0.2)


@given(FLAGS)
def test_overlaps_are_those_of_sets(example):
    one, two = (runs(np.array(flags)) for flags in example)
    found = overlaps(one, two)
    for run, first, many in zip(one, found.first, found.many, strict=True):
        numbers = [i for i, other in enumerate(two) if other[0] <= run[1] and other[1] >= run[0]]
        assert many == len(numbers)
        if numbers:
            assert first == numbers[0]


def test_by_hand():
    anomalies, alarms = np.array([[2, 5], [10, 11]]), np.array([[2, 2], [5, 8], [20, 20]])
    # 2 of 4 rows in 2 alarms: 0.2 + 0.8 * (2 / 4) / 2; the other anomaly is missed.
    assert range_recall(anomalies, alarms, 30) == pytest.approx((0.2 + 0.8 * 0.25) / 2)
    # The alarms are right in 1 of 1, 1 of 4 and 0 of 1 rows.
    assert range_precision(anomalies, alarms, 30) == pytest.approx((1 + 1 / 4 + 0) / 3)


def test_without_ranges_there_is_no_figure():
    none, some = np.empty((0, 2), dtype=int), np.array([[1, 2]])
    assert range_recall(none, some, 5) is None
    assert range_precision(some, none, 5) is None
    assert range_recall(some, none, 5) == range_precision(none, some, 5) == 0
