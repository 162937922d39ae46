"""Scores of units in units of their level."""

import numpy as np
import pandas as pd

from isthmus.anomaly.unit_levels import fitted_levels
from isthmus.data.fleet import as_fleet

UNITS, ROWS = 20, 300
FLEET = as_fleet(pd.DataFrame({"unit": np.repeat(np.arange(UNITS), ROWS), "x": 0.0}), "unit")


def scores(levels, seed=0):
    random = np.random.default_rng(seed)
    return (np.exp(random.standard_normal((UNITS, ROWS)) / 2) * levels[:, None]).ravel()


def test_units_with_higher_scores_have_higher_levels():
    levels = np.exp(np.linspace(-1, 1, UNITS))
    np.testing.assert_allclose(fitted_levels(FLEET, scores(levels)), levels, rtol=0.15)


def test_units_that_are_alike_have_level_1():
    np.testing.assert_allclose(fitted_levels(FLEET, scores(np.ones(UNITS))), 1, atol=0.06)


def test_rows_and_units_without_a_score_do_not_count():
    levels = np.exp(np.linspace(-1, 1, UNITS))
    given = scores(levels)
    given[::3] = np.nan
    given[-ROWS:] = np.nan
    found = fitted_levels(FLEET, given)
    np.testing.assert_allclose(found[:-1] / found[0], levels[:-1] / levels[0], rtol=0.2)
    assert found[-1] == 1
