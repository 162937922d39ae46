"""SSIM and MS-SSIM, against loops over windows in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.structural_similarity import ms_ssim, ssim, structural_similarity

EXPONENTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
SMALLEST = 1e-4


def gauss(side):
    width = min(11, side if side % 2 else side - 1)
    places = np.arange(width) - width // 2
    values = np.exp(-(places**2) / (2 * (1.5 * width / 11) ** 2))
    return values / values.sum()


def slow_windows(x, y, weight):
    """SSIM, its contrast and structure, and the weight of each window of one channel."""
    down, across = gauss(x.shape[0]), gauss(x.shape[1])
    window = np.outer(down, across)
    for row in range(x.shape[0] - len(down) + 1):
        for column in range(x.shape[1] - len(across) + 1):
            place = np.s_[row : row + len(down), column : column + len(across)]
            w = window * weight[place]
            covered = w.sum()
            if covered == 0:
                continue
            w = w / covered
            mx, my = (w * x[place]).sum(), (w * y[place]).sum()
            vx, vy = (w * (x[place] - mx) ** 2).sum(), (w * (y[place] - my) ** 2).sum()
            covariance = (w * (x[place] - mx) * (y[place] - my)).sum()
            contrast = (2 * covariance + 0.03**2) / (vx + vy + 0.03**2)
            luminance = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
            yield luminance * contrast, contrast, covered


def slow_means(x, y, weight):
    found = np.array(list(slow_windows(x, y, weight)))
    return found[:, :2].T @ found[:, 2] / found[:, 2].sum()


def slow_halved(x, weight):
    height, width = x.shape[0] // 2, x.shape[1] // 2
    made, left = np.zeros((height, width)), np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            place = np.s_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            left[row, column] = weight[place].mean()
            made[row, column] = (x[place] * weight[place]).sum() / max(weight[place].sum(), 1e-9)
    return made, left


def slow_ms_ssim(x, y, weight):
    scales = max(1, sum(min(x.shape) // 2**s >= 11 for s in range(5)))
    exponents, total = np.array(EXPONENTS[:scales]), 1.0
    for scale, exponent in enumerate(exponents / exponents.sum()):
        whole, contrast = slow_means(x, y, weight)
        factor = whole if scale == scales - 1 else contrast
        total *= max(factor, SMALLEST) ** exponent
        x, _ = slow_halved(x, weight)
        y, weight = slow_halved(y, weight)
    return total


SLOW = {ssim: lambda *each: slow_means(*each)[0], ms_ssim: slow_ms_ssim}


def slow_losses(loss, target, made, observed):
    losses = []
    for x, y, seen in zip(target, made, observed, strict=True):
        lost = [
            (1 - SLOW[loss](x[..., c], y[..., c], seen[..., c])) * seen[..., c].sum()
            for c in range(x.shape[-1])
            if seen[..., c].any()
        ]
        losses.append(sum(lost) / max(seen.sum(), 1))
    return losses


def images(seed, shape, *, missing):
    """Images, reconstructions that are more or less like them, and the pixels that are there."""
    rng = np.random.default_rng(seed)
    target = rng.random(shape)
    share = rng.random((len(target), *[1] * (len(shape) - 1)))
    made = share * target + (1 - share) * rng.random(shape)
    observed = (rng.random(shape) > 0.3 if missing else np.ones(shape)).astype(float)
    return target * observed, made, observed


def called(loss, target, made, observed):
    cells = [jnp.asarray(each, jnp.float32) for each in (target, made, observed)]
    seen = None if np.all(observed == 1) else cells[2]
    batch = Batch(cells[0], cells[0], jnp.ones(len(target)), seen)
    return jax.jit(loss)(batch, Outputs(jnp.zeros((len(target), 1)), cells[1]))


@pytest.mark.parametrize("loss", SLOW)
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 999),
    n=st.integers(1, 3),
    size=st.sampled_from([(1, 1), (2, 5), (4, 9), (8, 8), (13, 12), (22, 27)]),
    channels=st.sampled_from([None, 1, 3]),
    missing=st.booleans(),
)
def test_losses(loss, seed, n, size, channels, missing):
    shape = (n, *size, *([channels] if channels else []))
    target, made, observed = images(seed, shape, missing=missing)
    with_channels = [each.reshape(n, *size, channels or 1) for each in (target, made, observed)]
    found = called(loss, target, made, observed)
    np.testing.assert_allclose(found, slow_losses(loss, *with_channels), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
def test_five_scales(missing):
    target, made, observed = images(0, (1, 176, 180, 1), missing=missing)
    found = called(ms_ssim, target, made, observed)
    expected = slow_losses(ms_ssim, target, made, observed)
    np.testing.assert_allclose(found, expected, rtol=2e-4)


@pytest.mark.parametrize("loss", SLOW)
def test_equal_images_cost_nothing_and_inverted_ones_most(loss):
    target, made, observed = images(1, (4, 24, 24), missing=True)
    np.testing.assert_allclose(called(loss, target, target, observed), 0, atol=1e-6)
    worst = called(loss, target, 1 - target, observed)
    assert (np.asarray(worst) > np.asarray(called(loss, target, made, observed))).all()


@pytest.mark.parametrize("loss", SLOW)
@pytest.mark.parametrize("other", ["inverted", "flat", "equal"])
def test_gradients_are_finite_and_missing_pixels_have_none(loss, other):
    target, _, observed = images(2, (2, 24, 24), missing=True)
    observed[1] = 0
    target = target * observed
    made = {"inverted": 1 - target, "flat": np.full_like(target, 0.5), "equal": target}[other]
    gradient = jax.grad(lambda cells: called(loss, target, cells, observed).sum())(
        jnp.asarray(made, jnp.float32)
    )
    assert np.isfinite(gradient).all()
    assert not np.asarray(gradient)[observed == 0].any()


def test_an_image_without_observed_pixels_has_a_similarity_of_1():
    cells = jnp.ones((1, 4, 4))
    np.testing.assert_array_equal(structural_similarity(0 * cells, cells, 0 * cells), [1])
