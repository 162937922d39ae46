from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from isthmus.networks.convolution import convolve, strided, transposed, upsampled

ORDER = ("NHWC", "HWIO", "NHWC")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def reference(images, kernel, strides, pads):
    return lax.conv_general_dilated(images, kernel, strides, pads, dimension_numbers=ORDER)


def assert_same(ours, theirs, images, kernel):
    """Compare the values, and the gradients with respect to both arguments."""

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def all_of(images, kernel):
        made, backward = zip(*(jax.vjp(f, images, kernel) for f in (ours, theirs)), strict=True)
        weights = jnp.cos(jnp.arange(made[1].size, dtype=jnp.float32)).reshape(made[1].shape)
        return [(value, *back(weights)) for value, back in zip(made, backward, strict=True)]

    for got, expected in zip(*all_of(images, kernel), strict=True):
        assert got.shape == expected.shape
        largest = float(jnp.abs(expected).max())
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * largest)


# Few and many columns on either side, to cover each form of the forward and backward pass.
CHANNELS = [(1, 1), (1, 6), (6, 1), (3, 5), (40, 2), (24, 40), (40, 24)]


@pytest.mark.parametrize("channels", CHANNELS, ids=lambda pair: f"{pair[0]}to{pair[1]}")
def test_convolve_at_3x3(channels):
    pads = ((1, 1), (1, 1))
    assert_same(
        lambda x, k: convolve(x, k, pads),
        lambda x, k: reference(x, k, (1, 1), pads),
        normal(2, 6, 7, channels[0]),
        normal(3, 3, *channels, seed=1),
    )


def test_convolve_on_a_large_grid():
    """The gradient of a kernel with many channels has another form from 17 cells on."""
    pads = ((1, 1), (1, 1))
    assert_same(
        lambda x, k: convolve(x, k, pads),
        lambda x, k: reference(x, k, (1, 1), pads),
        normal(2, 17, 5, 24),
        normal(3, 3, 24, 40, seed=1),
    )


@pytest.mark.parametrize(
    ("size", "channels", "pads"),
    [
        ((1, 1), (3, 6), ((0, 0), (0, 0))),
        ((1, 1), (9, 2), ((-1, 0), (2, -2))),
        ((2, 3), (3, 6), ((0, 1), (-1, 2))),
        ((5, 4), (6, 3), ((4, 0), (1, 2))),
        ((5, 4), (12, 14), ((0, -1), (-2, 3))),
        ((2, 3), (2, 8), ((3, 4), (5, 3))),  # more padding than the kernel's length
    ],
)
def test_convolve_with_any_kernel_and_pads(size, channels, pads):
    assert_same(
        lambda x, k: convolve(x, k, pads),
        lambda x, k: reference(x, k, (1, 1), pads),
        normal(2, 8, 9, channels[0]),
        normal(*size, *channels, seed=1),
    )


@pytest.mark.parametrize(
    ("size", "strides", "pads"),
    [
        ((3, 3), (2, 2), ((0, 1), (1, 1))),
        ((5, 4), (3, 2), ((1, 2), (0, 0))),
        ((1, 1), (2, 3), ((0, 0), (0, 0))),
        ((2, 3), (3, 2), ((-1, 0), (1, -1))),
    ],
)
def test_strided(size, strides, pads):
    assert_same(
        lambda x, k: strided(x, k, strides, pads),
        lambda x, k: reference(x, k, strides, pads),
        normal(2, 9, 8, 3),
        normal(*size, 3, 5, seed=1),
    )


@pytest.mark.parametrize(
    ("size", "factors", "pads"),
    [
        ((3, 3), (2, 2), ((1, 1), (1, 1))),
        ((5, 4), (2, 3), ((2, 2), (1, 2))),
        ((1, 1), (2, 3), ((0, 0), (0, 0))),
        ((2, 3), (1, 2), ((1, 0), (0, 2))),
    ],
)
def test_upsampled(size, factors, pads):
    def plain(images, kernel):
        fine = images.repeat(factors[0], axis=1).repeat(factors[1], axis=2)
        return reference(fine, kernel, (1, 1), pads)

    assert_same(
        lambda x, k: upsampled(x, k, factors, pads),
        plain,
        normal(2, 4, 5, 3),
        normal(*size, 3, 4, seed=1),
    )


@pytest.mark.parametrize(
    ("size", "strides"),
    [((3, 3), (2, 2)), ((5, 4), (3, 2)), ((2, 3), (2, 3)), ((1, 1), (2, 2)), ((4, 2), (1, 3))],
)
def test_transposed(size, strides):
    before = [max(k - s, 0) // 2 for k, s in zip(size, strides, strict=True)]

    def plain(images, kernel):
        pads = [
            (k - 1 - lead, s - 1 + lead) for k, s, lead in zip(size, strides, before, strict=True)
        ]
        return lax.conv_transpose(
            images,
            kernel[::-1, ::-1],
            strides,
            pads,
            dimension_numbers=ORDER,
        )

    assert_same(
        lambda x, k: transposed(x, k, strides, tuple(before)),
        plain,
        normal(2, 4, 3, 3),
        normal(*size, 3, 4, seed=1),
    )


def test_bfloat16_stays_bfloat16():
    images = jnp.asarray(normal(2, 4, 4, 3), jnp.bfloat16)
    kernel = jnp.asarray(normal(3, 3, 3, 4, seed=1), jnp.bfloat16)
    ones = ((1, 1), (1, 1))
    for function in (
        lambda: convolve(images, kernel, ones),
        lambda: strided(images, kernel, (2, 2), ones),
        lambda: upsampled(images, kernel, (2, 2), ones),
        lambda: transposed(images, kernel, (2, 2), (0, 0)),
    ):
        assert jax.eval_shape(function).dtype == jnp.bfloat16
