"""The gradient difference loss, against loops over neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.gradient_difference import gradient_difference


def slow_loss(t, x, seen):
    """The mean over the pairs of neighbours of one image (h, w, channels) that are both there."""
    found = []
    for row, column, channel in np.ndindex(t.shape):
        here = (row, column, channel)
        before = ((row - 1, column, channel), (row, column - 1, channel))
        found += [
            abs(abs(x[here] - x[there]) - abs(t[here] - t[there]))
            for there in before
            if min(there) >= 0 and seen[here] and seen[there]
        ]
    return sum(found) / max(len(found), 1)


def called(target, made, observed):
    cells = [jnp.asarray(each, jnp.float32) for each in (target, made, observed)]
    seen = None if np.all(observed == 1) else cells[2]
    batch = Batch(cells[0], cells[0], jnp.ones(len(target)), seen)
    return jax.jit(gradient_difference)(batch, Outputs(jnp.zeros((len(target), 1)), cells[1]))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 999),
    n=st.integers(1, 3),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    channels=st.sampled_from([None, 1, 3]),
    missing=st.booleans(),
)
def test_loss(seed, n, size, channels, missing):
    rng = np.random.default_rng(seed)
    shape = (n, *size, *([channels] if channels else []))
    observed = (rng.random(shape) > 0.3 if missing else np.ones(shape)).astype(float)
    target, made = rng.normal(size=shape) * observed, rng.normal(size=shape)
    rows = [each.reshape(n, *size, channels or 1) for each in (target, made, observed)]
    expected = [slow_loss(*each) for each in zip(*rows, strict=True)]
    np.testing.assert_allclose(called(target, made, observed), expected, rtol=2e-5, atol=1e-6)


def test_the_level_does_not_matter():
    target = np.random.default_rng(0).random((2, 5, 5))
    np.testing.assert_allclose(called(target, target + 3, np.ones_like(target)), 0, atol=1e-6)
