"""What measures are on normal pictures."""

import numpy as np
import pytest

from isthmus.anomaly.expected_levels import ExpectedLevels


def made(kind, seed=0):
    """Return measures that depend on nothing, on the place or on the look; and looks."""
    rng = np.random.default_rng(seed)
    looks = rng.uniform(-1, 1, (20, 6, 6, 1)).astype("f4")
    # points of a block of four look alike, as neighbours do
    looks = np.repeat(np.repeat(looks[:, ::2, ::2], 2, axis=1), 2, axis=2)
    noise = 0.05 * rng.normal(size=(20, 6, 6, 1))
    places = np.add.outer(np.arange(6), np.arange(6))[..., None]
    level = {"everywhere": 3.0, "place": places, "look": 5 * looks}[kind]
    return (level + noise).astype("f4"), looks


@pytest.mark.parametrize("kind", ["everywhere", "place", "look"])
def test_the_dependence_is_found(kind):
    measures, looks = made(kind)
    levels = ExpectedLevels.fit(measures, looks, np.random.default_rng(0))
    if kind != "everywhere":  # where nothing matters, any of them is right
        assert levels.choice[0] == ("everywhere", "place", "look").index(kind)
    new, seen = made(kind, seed=1)
    assert np.abs(levels.excess(new, seen)).mean() < 1.5
    assert levels.excess(new + 10, seen).min() > 1


def test_arrays_restore_them():
    measures, looks = made("look")
    levels = ExpectedLevels.fit(measures, looks, np.random.default_rng(0))
    again = ExpectedLevels.from_arrays(levels.to_arrays(), (6, 6), 1, 1)
    np.testing.assert_array_equal(again.excess(measures, looks), levels.excess(measures, looks))
