"""Sensors in standard deviations of their units."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isthmus.anomaly.unit_scaling import UnitScaling, in_units, standardised
from isthmus.data.fleet import as_fleet


def fleet(units=30, rows=200, offset=0.0, gain=0.0, seed=0):
    random = np.random.default_rng(seed)
    own = np.random.default_rng(7)
    values = random.standard_normal((units, rows, 2))
    values = values * np.exp(gain * own.standard_normal((units, 1, 2)))
    values += 10 + offset * own.standard_normal((units, 1, 2))
    frame = pd.DataFrame(values.reshape(-1, 2), columns=["p", "q"])
    return as_fleet(frame.assign(unit=np.repeat(np.arange(units), rows)), "unit")


def by_unit(values, made):
    return values.reshape(len(made.names), -1, values.shape[1])


def test_units_that_differ_are_standardised_each():
    made = fleet(offset=5, gain=1)
    values = by_unit(standardised(made, UnitScaling.fit(made).figures), made)
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=0.05)
    np.testing.assert_allclose(values.std(axis=1), 1, atol=0.05)


def test_units_that_are_alike_share_their_scaling():
    made = fleet(units=200)
    figures = UnitScaling.fit(made).figures
    own = by_unit(made.values, made).mean(axis=1)
    assert figures.means.std() < 0.6 * own.std()
    assert np.exp(figures.logs).std() < 0.04


def test_rows_return_to_their_units_of_measurement():
    made = fleet(offset=5, gain=1)
    figures = UnitScaling.fit(made).figures
    values = standardised(made, figures)
    np.testing.assert_allclose(in_units(values, made, figures), made.values)


def test_known_units_keep_their_scaling_and_new_ones_have_their_own():
    made = fleet(offset=5, gain=1)
    scaling = UnitScaling.fit(made)
    other = fleet(offset=5, gain=1, seed=1)
    moved = replace(other, values=other.values + 100)
    known = np.r_[np.arange(29), -1]
    figures = scaling.of(moved, known)
    np.testing.assert_array_equal(figures.means[:29], scaling.figures.means[:29])
    values = by_unit(standardised(moved, figures), moved)
    assert (values[:29].mean(axis=1) > 5).all()
    np.testing.assert_allclose(values[29].mean(axis=0), 0, atol=0.2)


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_sensor_that_does_not_vary(everywhere):
    made = fleet(units=5)
    still = made.values.copy()
    still[slice(None) if everywhere else slice(200), 1] = 40
    made = replace(made, values=still)
    figures = UnitScaling.fit(made).figures
    assert np.isfinite(standardised(made, figures)).all()
    changed = standardised(replace(made, values=still + 1), figures)
    assert (changed[:200, 1] > (0 if everywhere else 5)).all()


def test_missing_cells_are_left_out():
    made = fleet(units=5, offset=5)
    full = UnitScaling.fit(made).figures
    holes = made.values.copy()
    holes[::7, 0] = np.nan
    holes[:200, 1] = np.nan
    found = UnitScaling.fit(replace(made, values=holes)).figures
    np.testing.assert_allclose(found.means[:, 0], full.means[:, 0], atol=0.1)
    assert np.isfinite(found.means).all()
    assert np.isfinite(found.logs).all()


@pytest.mark.parametrize(("cut", "parts"), [(True, 2), (False, 1)])
def test_rows_are_as_far_from_their_unit_as_later_ones(cut, parts):
    units, rows = 1500, 40
    made = fleet(units, rows, offset=5, gain=1)
    scaling = UnitScaling.fit(made)
    values = scaling.as_for_new_rows(made, np.full(units, cut))
    later = fleet(units, rows, offset=5, gain=1, seed=1)
    new = standardised(later, scaling.figures)
    found, wanted, own = (
        each.reshape(parts * units, -1, 2).mean(axis=1).std()
        for each in (values, new, standardised(made, scaling.figures))
    )
    assert found == pytest.approx(wanted, rel=0.08)
    assert own < 0.7 * wanted


def test_units_that_are_alike_stay_as_they_are():
    made = fleet(units=300)
    scaling = UnitScaling.fit(made)
    values = scaling.as_for_new_rows(made, np.full(300, True))
    np.testing.assert_allclose(values, standardised(made, scaling.figures), atol=0.25)


def test_a_sensor_that_is_missing_in_half_of_a_unit_has_the_figures_of_the_other():
    made = fleet(offset=5)
    values = made.values.copy()
    values[:100, 0] = np.nan
    made = replace(made, values=values)
    found = UnitScaling.fit(made).as_for_new_rows(made, np.full(30, True))
    assert np.isfinite(found[~np.isnan(values)]).all()
    assert abs(np.nanmean(found[100:200, 0])) < 0.1
