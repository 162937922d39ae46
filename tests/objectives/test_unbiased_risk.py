import jax.numpy as jnp
import numpy as np
import pytest

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.unbiased_risk import unbiased_risk


@pytest.mark.parametrize("missing", [False, True])
def test_it_is_the_error_to_clean_samples_on_average(missing):
    rng = np.random.default_rng(0)
    clean, noise, z = rng.uniform(size=(400, 900)), *rng.normal(0, 0.2, (2, 400, 900))
    inputs = np.concatenate([clean + noise + 0.3 * z, clean + noise - 0.3 * z])
    target = np.concatenate([clean + noise - z / 0.3, clean + noise + z / 0.3])
    guess = 0.6 * inputs + 0.1
    observed = (rng.random(inputs.shape) < 0.5) * 1.0 if missing else np.ones_like(inputs)
    batch = Batch(
        jnp.asarray(inputs * observed),
        jnp.asarray(target),
        jnp.ones(800),
        jnp.asarray(observed) if missing else None,
    )
    outputs = Outputs(jnp.zeros((800, 1)), jnp.asarray(guess))
    found = np.asarray(unbiased_risk(0.2**2, 0.3)(batch, outputs))
    assert found.shape == (800,)
    squares = np.square(guess - np.concatenate([clean, clean])) * observed
    assert found.mean() == pytest.approx(squares.sum() / observed.sum(), rel=0.05)
