"""What alarms find, counted one row after the other, and the areas under both curves."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidData
from isthmus.evaluation.alarm_evaluation import curves, found, is_anomaly, seen_from

DETECTOR = SimpleNamespace(
    threshold_=2.0,
    false_alarm_rate=0.1,
    is_series=False,
    calibration_scores_=np.arange(19) / 9,
)
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, float("nan")]), st.booleans()),
    min_size=1,
    max_size=30,
)


def seen(rows):
    scores, truth = (np.array(part) for part in zip(*rows, strict=True))
    p_values, thresholds = np.full(len(rows), 0.5), np.full(len(rows), 2.0)
    return seen_from(DETECTOR, scores.astype(float), p_values, thresholds, y=truth)


def slow_roc_auc(scored):
    """How often an anomaly scores higher than a normal row; a tie counts half."""
    pairs = [(a, n) for a, bad in scored if bad for n, other in scored if not other]
    return sum((a > n) + 0.5 * (a == n) for a, n in pairs) / len(pairs) if pairs else None


def slow_average_precision(scored):
    """The precision at each threshold, weighted by the anomalies that it adds."""
    anomalies = sum(bad for _, bad in scored)
    total, before = 0.0, 0
    for threshold in sorted({score for score, _ in scored}, reverse=True):
        raised = [bad for score, bad in scored if score >= threshold]
        total += (sum(raised) - before) * sum(raised) / len(raised)
        before = sum(raised)
    return total / anomalies


@given(ROWS)
def test_figures_are_those_of_a_count(rows):
    result = found(seen(rows))
    scored = [(score, bad) for score, bad in rows if score == score]
    assert result.normal == sum(not bad for _, bad in scored)
    assert result.anomalies == sum(bad for _, bad in scored)
    assert result.false_alarms == sum(score > 2 and not bad for score, bad in scored)
    assert result.hits == sum(score > 2 and bad for score, bad in scored)
    raised = [bad for score, bad in scored if score > 2]
    assert result.precision == (pytest.approx(sum(raised) / len(raised)) if raised else None)
    hits = [score > 2 for score, bad in scored if bad]
    assert result.recall == (pytest.approx(sum(hits) / len(hits)) if hits else None)
    expected = slow_roc_auc(scored)
    if expected is None:
        assert result.roc_auc is result.average_precision is None
        return
    assert result.roc_auc == pytest.approx(expected)
    assert result.average_precision == pytest.approx(slow_average_precision(scored))


@given(ROWS)
def test_the_areas_under_the_curves_are_the_figures(rows):
    both, result = curves(seen(rows)), found(seen(rows))
    if result.roc_auc is None:
        assert both is None
        return
    false, true = both.roc.T / 100
    area = sum((false[1:] - false[:-1]) * (true[1:] + true[:-1]) / 2)
    assert area == pytest.approx(result.roc_auc)
    recall, precision = both.precision_recall.T / 100
    steps = sum((recall[1:] - recall[:-1]) * precision[1:])
    assert steps == pytest.approx(result.average_precision)


@pytest.mark.parametrize(
    "labels", [[True, False, False], [1, 0, 0], [1.0, 0.0, 0.0], [-1, 1, 1], np.array([-1, 1, 1])]
)
def test_labels_may_be_written_in_three_ways(labels):
    assert is_anomaly(labels, 3).tolist() == [True, False, False]


@pytest.mark.parametrize("labels", [[1, 2, 0], ["yes", "no", "no"], [1, None, 0], [1, 0]])
def test_other_labels_are_refused(labels):
    with pytest.raises(InvalidData) as caught:
        is_anomaly(labels, 3)
    assert caught.value.subject == "labels"
    assert caught.value.remedy
