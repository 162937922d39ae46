import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.data.pixel_noise import estimate, narrowed, recorrupted, scaled
from isthmus.data.schema import infer_schema

RNG = np.random.default_rng(0)


def smooth(n, *shape):
    """Pictures of waves, values within [0, 1]."""
    y, x = np.mgrid[: shape[0], : shape[1]] / 8
    high, wide, phase = np.random.default_rng(1).uniform(0, 6, (3, n, 1, 1))
    grey = 0.5 + 0.5 * np.sin(high / 3 * y + wide / 3 * x + phase)
    return grey if len(shape) == 2 else np.repeat(grey[..., None], shape[2], axis=-1)


def with_noise(pictures, level):
    return pictures + level * np.random.default_rng(2).standard_normal(pictures.shape)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.02, 0.5), st.sampled_from([(12, 12), (9, 14, 3), (4, 20)]), st.floats(0.1, 900))
def test_the_deviation_is_found_in_any_units(level, shape, unit):
    noise = estimate(unit * with_noise(smooth(300, *shape), level))
    assert noise.deviation.shape == ((*shape, 1)[2],)
    np.testing.assert_allclose(noise.deviation, unit * level, rtol=0.15)
    assert (noise.low > unit * (-0.05 - level)).all()
    assert (noise.high < unit * (1.05 + level)).all()


def test_every_channel_has_its_own_deviation():
    levels = np.array([0.05, 0.1, 0.3])
    noise = estimate(with_noise(smooth(300, 12, 12, 3), levels))
    np.testing.assert_allclose(noise.deviation, levels, rtol=0.15)


def test_missing_pixels_are_left_out():
    noisy = with_noise(smooth(300, 12, 12), 0.2)
    noisy[RNG.random(noisy.shape) < 0.2] = np.nan
    np.testing.assert_allclose(estimate(noisy).deviation, 0.2, rtol=0.15)


def photons(pictures):
    return RNG.poisson(30 * pictures) / 30


def impulses(pictures):
    drawn = RNG.random(pictures.shape)
    return np.where(drawn < 0.1, drawn < 0.05, pictures)


def outliers(pictures):
    noisy = with_noise(pictures, 0.05)
    return noisy + (RNG.random(noisy.shape) < 0.02) * with_noise(0 * noisy, 1.0)


def clipped(pictures):
    return np.clip(with_noise(pictures, 0.2), 0, 1)


def clean(pictures):
    return pictures.round(3)


@pytest.mark.parametrize("spoil", [photons, impulses, outliers, clipped, clean])
def test_other_noise_is_not_taken_for_gaussian(spoil):
    assert estimate(spoil(smooth(300, 12, 12))) is None


@pytest.mark.parametrize("shape", [(4, 12, 12), (300, 2, 12)])
def test_too_few_or_too_small_pictures(shape):
    assert estimate(with_noise(smooth(*shape), 0.1)) is None or shape[0] > 3
    assert estimate(with_noise(smooth(1, *shape[1:]), 0.1)) is None


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 3)])
def test_the_range_is_narrowed_to_that_without_noise(shape):
    noisy = with_noise(smooth(300, *shape), 0.2)
    schema, noise = infer_schema(noisy), estimate(noisy)
    narrow = narrowed(schema, noise)
    assert (narrow.scaling.scale < 0.8 * schema.scaling.scale).all()
    np.testing.assert_allclose(narrow.from_matrix(narrow.to_matrix(noisy)), noisy, atol=1e-5)
    np.testing.assert_allclose(scaled(noise, narrow) * narrow.scaling.scale, noise.deviation)


@pytest.mark.parametrize("scale", ["auto", "none", "robust"])
def test_the_range_of_a_type_stays(scale):
    noisy = np.clip(255 * with_noise(0.3 + 0.4 * smooth(300, 12, 12), 0.05), 0, 255)
    noisy = noisy.astype(np.uint8)
    schema, noise = infer_schema(noisy, scale=scale), estimate(noisy)
    assert narrowed(schema, noise) is schema
    expected = {"auto": 0.05, "none": 0.05 * 255, "robust": None}[scale]
    if expected is None:
        assert scaled(noise, schema) is None
    else:
        np.testing.assert_allclose(scaled(noise, schema), expected, rtol=0.15)


def test_inputs_and_targets_have_independent_noise():
    deviation = np.array([0.1, 0.2, 0.3])
    clean = smooth(2_000, 8, 8, 3).astype(np.float32)
    noisy = with_noise(clean, deviation).astype(np.float32)
    made = recorrupted(deviation)(jax.random.key(0), noisy)
    inputs, targets = (np.asarray(half) - np.concatenate([clean, clean]) for half in made[::2])
    assert made.counted is None
    covariance = (inputs * targets).mean(axis=(0, 1, 2))
    scale = inputs.std(axis=(0, 1, 2)) * targets.std(axis=(0, 1, 2)) / np.sqrt(128_000)
    np.testing.assert_array_less(np.abs(covariance), 5 * scale)
    np.testing.assert_allclose(made.inputs.reshape(2, *noisy.shape).mean(axis=0), noisy, atol=1e-5)
