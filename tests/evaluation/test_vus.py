"""VUS-PR and VUS-ROC, against the definition row by row, and on cases computed by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.evaluation.vus import surface_volumes


@st.composite
def labelled_scores(draw):
    """Labels of both kinds, and scores with ties and gaps."""
    n = draw(st.integers(2, 60))
    labels = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda x: len({*x}) == 2))
    levels = st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0, math.nan])
    scores = draw(st.lists(levels, min_size=n, max_size=n))
    scores[draw(st.integers(0, n - 1))] = 1.5  # so that some row has a score
    return np.array(labels), np.array(scores)


def stretches(labels):
    """The first and the last row of each anomaly."""
    n = len(labels)
    starts = [i for i in range(n) if labels[i] and (i == 0 or not labels[i - 1])]
    ends = [i for i in range(n) if labels[i] and (i == n - 1 or not labels[i + 1])]
    return list(zip(starts, ends, strict=True))


def slow_volumes(labels, scores, longest):
    """The areas for each length of the buffer, from one threshold after the other."""
    lowest = min(score for score in scores if score == score)
    scores = [score if score == score else lowest for score in scores]
    areas = [slow_areas(labels, scores, length) for length in range(longest + 1)]
    return np.mean(areas, axis=0)


def slow_areas(labels, scores, length):
    n, half = len(labels), length // 2
    weights = [float(label) for label in labels]
    joined = []
    for start, end in stretches(labels):
        for d in range(1, half + 1):
            for row in (start - d, end + d):
                if 0 <= row < n:
                    weights[row] = min(1.0, weights[row] + math.sqrt(1 - d / length))
        if joined and joined[-1][1] >= start - half:
            joined[-1][1] = end + half
        else:
            joined.append([start - half, end + half])
    curve = [(0.0, 0.0, 1.0)]
    for rank in np.linspace(0, n - 1, 250).astype(int):
        threshold = sorted(scores, reverse=True)[rank]
        raised = [score >= threshold for score in scores]
        hits = sum(w for w, alarm in zip(weights, raised, strict=True) if alarm)
        around = hits - sum(label and alarm for label, alarm in zip(labels, raised, strict=True))
        detected = np.mean([any(raised[max(0, a) : b + 1]) for a, b in joined])
        positives = sum(labels) + around / 2
        recall = min(hits / positives, 1) * detected
        curve.append(((sum(raised) - hits) / (n - positives), recall, hits / sum(raised)))
    pr = sum(b[2] * (b[1] - a[1]) for a, b in pairwise(curve))
    curve.append((1.0, 1.0, 0.0))
    roc = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(curve))
    return roc, pr


@given(labelled_scores(), st.integers(0, 12))
def test_volumes_are_those_of_the_definition(example, longest):
    labels, scores = example
    volumes = surface_volumes(labels, scores, longest)
    assert tuple(volumes) == pytest.approx(slow_volumes(labels, scores, longest), abs=1e-12)


def test_without_a_buffer_and_with_one_anomaly_it_is_the_area_under_the_curve():
    labels = np.array([0, 0, 1, 1, 0, 0]) == 1
    scores = np.array([0.0, 1.0, 4.0, 2.0, 3.0, 0.5])
    volumes = surface_volumes(labels, scores, 0)
    # Thresholds 4, 3 and 2: precision 1, 1/2 and 2/3 at recall 1/2, 1/2 and 1.
    assert volumes.pr == pytest.approx(1 / 2 + 2 / 3 * 1 / 2)
    # Seven of the eight pairs of an anomalous and a normal row are in the right order.
    assert volumes.roc == pytest.approx(7 / 8)


def test_a_buffer_of_two_rows_by_hand():
    labels = np.array([0, 0, 1, 0, 0]) == 1
    scores = np.array([0.0, 3.0, 2.0, 0.0, 0.0])
    weight = math.sqrt(1 / 2)
    # Buffers of 0 and 1 rows change nothing: the anomaly is the second of two alarms.
    # With 2 rows, the first alarm is a hit of this weight, and then recall is 1 (at most).
    first = weight / (1 + weight / 2)
    with_buffer = first * weight + (1 - first) * (1 + weight) / 2
    assert surface_volumes(labels, scores, 2).pr == pytest.approx((0.5 + 0.5 + with_buffer) / 3)


def test_anomalies_with_adjoining_buffers_are_two():
    labels = np.array([0, 1, 0, 0, 1, 0]) == 1
    scores = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    areas = [slow_areas(labels, scores, length) for length in (0, 1, 2)]
    assert surface_volumes(labels, scores, 2).pr == pytest.approx(np.mean(areas, axis=0)[1])
    # The only alarm finds one of two anomalies, so recall is 1/2 of 1/2 at precision 1.
    assert areas[0][1] == pytest.approx(1 / 4 + 3 / 4 * 2 / 6)


def test_perfect_and_reversed_scores():
    labels = np.zeros(400, dtype=bool)
    labels[100:140] = True
    perfect, reversed_ = (surface_volumes(labels, sign * labels, 20) for sign in (1.0, -1.0))
    assert perfect.pr > 0.9
    assert perfect.roc > 0.95
    assert reversed_.pr < 0.2
    assert reversed_.roc < 0.2


def test_a_longer_buffer_forgives_an_alarm_beside_the_anomaly():
    labels = np.zeros(300, dtype=bool)
    labels[100:120] = True
    late = np.roll(labels, 20).astype(float)
    volumes = [surface_volumes(labels, late, longest).pr for longest in (0, 20, 80)]
    assert volumes == sorted(volumes)
    assert volumes[2] > volumes[0] + 0.2
