import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isthmus.core.errors import InvalidParameter
from isthmus.data.augmentation import KINDS, amounts, augmentation
from isthmus.data.schema import infer_schema

SHAPE = (6, 5, 5, 2)
RAMP = np.linspace(0, 1, 300, dtype=np.float32).reshape(SHAPE)
PICTURES = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))
SEEDS = st.integers(0, 2**31 - 1)
few = settings(max_examples=8, deadline=None)


def changed(text, pictures, seed=0, like=RAMP):
    schema = infer_schema(like)
    change = augmentation(text, schema, schema.to_matrix(like))
    return np.asarray(jax.jit(change)(jax.random.key(seed), pictures))


@few
@given(PICTURES, SEEDS)
def test_a_flip_made_twice_is_none(pictures, seed):
    for name in ("flip", "flip_vertical"):
        once = changed(name, pictures, seed)
        np.testing.assert_array_equal(changed(name, once, seed), pictures)


@few
@given(PICTURES, SEEDS)
def test_flips_and_turns_give_one_of_the_symmetric_pictures(pictures, seed):
    cases = {
        "flip": lambda p: [p, p[:, ::-1]],
        "flip_vertical": lambda p: [p, p[::-1]],
        "quarter_turns": lambda p: [np.rot90(p, k) for k in range(4)],
    }
    for name, symmetric in cases.items():
        for before, after in zip(pictures, changed(name, pictures, seed), strict=True):
            assert any(np.array_equal(after, each) for each in symmetric(before))


def test_every_symmetric_picture_occurs_as_often():
    many = np.broadcast_to(RAMP[:1], (4_000, *SHAPE[1:]))
    turned = changed("quarter_turns", many)
    kinds = [np.all(turned == np.rot90(RAMP[0], k), axis=(1, 2, 3)).mean() for k in range(4)]
    np.testing.assert_allclose(kinds, 0.25, atol=0.04)
    flipped = changed("flip", many)
    assert np.all(flipped == RAMP[0], axis=(1, 2, 3)).mean() == pytest.approx(0.5, abs=0.04)


@few
@given(SEEDS, st.sampled_from([(7, 5), (5, 9, 3)]))
def test_a_crop_is_one_of_a_picture_extended_by_reflection(seed, shape):
    pictures = np.random.default_rng(seed).random((4, *shape), np.float32)
    reach = 0.3
    up, across = (round(reach * side) for side in shape[:2])
    rest = [(0, 0)] * (len(shape) - 2)
    for before, after in zip(pictures, changed("crop:0.3", pictures, seed, pictures), strict=True):
        wide = np.pad(before, [(up, up), (across, across), *rest], mode="reflect")
        crops = [
            wide[y : y + shape[0], x : x + shape[1]]
            for y in range(2 * up + 1)
            for x in range(2 * across + 1)
        ]
        assert any(np.array_equal(after, each) for each in crops)


def test_pictures_turn_about_their_middle():
    y, x = np.mgrid[-8:9, -8:9].astype(np.float32)
    plane = np.stack([0.5 + 0.02 * x + 0.01 * y] * 200)
    turned = changed("rotation:20", plane, like=plane)
    inside = np.hypot(x, y) < 7
    slopes = np.stack([x[inside], y[inside]], axis=1)
    found = np.linalg.lstsq(slopes, turned[:, inside].T - 0.5, rcond=None)[0].T
    np.testing.assert_allclose(np.hypot(*found.T), np.hypot(0.02, 0.01), rtol=1e-4)
    angles = np.degrees(np.arctan2(*found.T) - np.arctan2(0.02, 0.01))
    assert np.abs(angles).max() <= 20.01
    assert np.abs(angles).max() > 18
    assert abs(angles.mean()) < 3


@few
@given(PICTURES, SEEDS)
def test_brightness_and_contrast_stay_within_the_range(pictures, seed):
    brighter = changed("brightness:0.3", pictures, seed)
    for before, after in zip(pictures, brighter, strict=True):
        free = (after > 0) & (after < 1)
        assert after.min() >= 0
        assert after.max() <= 1
        steps = (after - before)[free]
        assert np.abs(steps).max(initial=0) <= 0.3 + 1e-6
        assert np.ptp(steps) < 1e-5 if steps.size else True
    other = changed("contrast:0.5", pictures, seed)
    assert other.min() >= 0
    assert other.max() <= 1
    assert np.all(np.abs(other - 0.5) <= 1.5 * np.abs(pictures - 0.5) + 1e-6)


def test_unscaled_channels_keep_to_their_own_range():
    rng = np.random.default_rng(0)
    pictures = np.stack([rng.uniform(-1, 1, (50, 4, 4)), rng.uniform(0, 500, (50, 4, 4))], -1)
    pictures = pictures.astype(np.float32)
    schema = infer_schema(pictures, scale="none")
    change = augmentation("brightness:0.5+contrast:0.5", schema, schema.to_matrix(pictures))
    after = np.asarray(change(jax.random.key(0), pictures))
    low, high = (f(pictures, axis=(0, 1, 2)) for f in (np.min, np.max))
    assert (after >= low).all()
    assert (after <= high).all()
    steps = np.abs(after - pictures).mean(axis=(0, 1, 2)) / (high - low)
    assert steps[0] == pytest.approx(steps[1], rel=0.2)
    assert steps.min() > 0.05


def test_values_outside_the_range_of_clean_pictures_are_not_clipped_to_it():
    noisy = RAMP * 2 - 0.5
    after = changed("brightness:0.001", noisy)
    np.testing.assert_allclose(after, noisy, atol=0.0011)


@few
@pytest.mark.parametrize("name", KINDS)
@given(seed=SEEDS)
def test_missing_pixels_move_with_the_others(name, seed):
    holes = np.random.default_rng(seed).random(SHAPE) < 0.2
    pictures = np.where(holes, np.float32(np.nan), RAMP)
    whole, after = changed(name, RAMP, seed), changed(name, pictures, seed)
    seen = ~np.isnan(after)
    np.testing.assert_allclose(after[seen], whole[seen], atol=1e-6)
    moved = changed(name, holes.astype(np.float32), seed) > 0
    if name not in ("brightness", "contrast"):
        np.testing.assert_array_equal(~seen, moved)
    else:
        np.testing.assert_array_equal(~seen, holes)


def test_changes_depend_on_the_key_alone_and_not_on_each_other():
    every = "+".join(reversed(list(KINDS)))
    np.testing.assert_array_equal(changed(every, RAMP, 3), changed(every, RAMP, 3))
    assert (changed(every, RAMP, 3) != changed(every, RAMP, 4)).any()
    flipped = changed("flip", RAMP, 3)
    both = changed("brightness+flip", RAMP, 3)
    np.testing.assert_allclose(both, changed("brightness", flipped, 3), atol=1e-6)


def test_a_picture_changes_by_itself():
    """Pictures beside it make no difference, nor does a channel more."""
    every = "flip+flip_vertical+rotation+crop+contrast+brightness"
    many = changed(every, np.concatenate([RAMP, RAMP[::-1]]), 1)
    again = changed(every, np.concatenate([RAMP, 0 * RAMP]), 1)
    np.testing.assert_array_equal(many[:6], again[:6])


def test_amounts_are_read_in_the_order_of_the_changes():
    assert amounts("brightness:0.2+flip") == {"flip": 0.0, "brightness": 0.2}
    assert list(amounts(" crop + flip ").items()) == [("flip", 0.0), ("crop", 0.1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flop", "did you mean 'flip'"),
        ("", "names joined by"),
        ("flip+", "names joined by"),
        ("flip+flip", "each name once"),
        ("flip:0.5", "augmentation 'flip': expected no amount"),
        ("crop:0.6", "augmentation 'crop': expected an amount above 0 and at most 0.5"),
        ("crop:", "received ''"),
        ("brightness:nan", "received 'nan'"),
        ("rotation:-3", "at most 180"),
    ],
)
def test_other_texts_are_refused(text, said):
    with pytest.raises(InvalidParameter, match=said):
        amounts(text)


TABLE = pd.DataFrame({"a": np.arange(5.0), "b": np.arange(5.0)})


@pytest.mark.parametrize(
    ("data", "scale", "text", "said"),
    [
        (RAMP.reshape(6, -1), "auto", "flip", "expected pictures.*received rows of a table"),
        (TABLE, "auto", "flip", "received rows of a table"),
        (np.ones((4, 5, 5, 40)), "none", "flip", r"received samples of shape \(5, 5, 40\)"),
        (RAMP, "robust", "flip", "one scale for all pixels"),
        (np.zeros((4, 5, 6)) + np.arange(6), "auto", "quarter_turns", "pictures of 5 x 6 pixels"),
    ],
)
def test_samples_that_are_no_such_pictures_are_refused(data, scale, text, said):
    schema = infer_schema(data, scale=scale)
    with pytest.raises(InvalidParameter, match=said):
        augmentation(text, schema, schema.to_matrix(data))
