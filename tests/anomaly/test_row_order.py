"""A detector warns if the order of its training rows matters."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

import isthmus as ist
from isthmus.anomaly.row_order import order_effect

RNG = np.random.default_rng(0)
ROWS = 500


def standardised(X):
    return ((X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)).astype(np.float32)


def groups():
    """Rows of five kinds, one kind after the other."""
    return np.repeat(np.arange(5.0), ROWS // 5)[:, None] + 0.3 * RNG.normal(size=(ROWS, 3))


ORDERED = {
    "sorted by kind": groups(),
    "a trend": np.linspace(0, 6, ROWS)[:, None] + RNG.normal(size=(ROWS, 2)),
    "sorted by one column": np.sort(RNG.normal(size=(ROWS, 1)), axis=0) + np.zeros(3),
    "a column turned on late": np.column_stack(
        [RNG.normal(size=ROWS), np.arange(ROWS) > 0.7 * ROWS]
    ),
    "a walk": np.cumsum(RNG.normal(size=(ROWS, 2)), axis=0),
}
EXCHANGEABLE = {
    "the same rows, shuffled": RNG.permutation(groups()),
    "independent rows": RNG.normal(size=(ROWS, 30)),
    "few values": RNG.integers(0, 3, (ROWS, 4)).astype(float),
    "few rows": RNG.normal(size=(12, 2)),
    "a constant": np.ones((ROWS, 2)),
    "many columns": RNG.normal(size=(60, 2000)),
}


@pytest.mark.parametrize("X", ORDERED.values(), ids=ORDERED)
def test_order_is_noticed(X):
    assert order_effect(standardised(X)) is not None


@pytest.mark.parametrize("X", EXCHANGEABLE.values(), ids=EXCHANGEABLE)
def test_no_order_is_not(X):
    assert order_effect(standardised(X)) is None


def test_the_column_is_that_of_the_largest_distance():
    X = np.round(groups(), 1)
    X[:, 1] += 3 * (np.arange(ROWS) >= 0.8 * ROWS)
    effect = order_effect(X.astype(np.float32))
    first, last = np.split(X, [int(0.8 * ROWS)])
    distances = [ks_2samp(last[:, i], first[:, i]).statistic for i in range(3)]
    assert effect.column == np.argmax(distances)


def test_fit_warns_and_names_the_column():
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 3)), columns=["a", "b", "c"])
    frame["b"] += np.linspace(0, 4, ROWS)
    with pytest.warns(ist.DataWarning, match="last fifth of the rows differs.*most in 'b'"):
        ist.AnomalyDetector(false_alarm_rate=0.05, random_state=0).fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shuffled = frame.sample(frac=1, random_state=0)
        ist.AnomalyDetector(false_alarm_rate=0.05, random_state=0).fit(shuffled)
