"""Steps of the optimizers, and their state before the first, against Keras' own."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from isthmus.training.config import OPTIMIZERS, TrainingConfig
from isthmus.training.optimizer_step import OptimizerStep

LARGE = 200  # its square is more weights than are updated as one vector


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_slots_begin_as_keras_has_them(name):
    recipe = TrainingConfig(epochs=1, batch_size=32, optimizer=name)
    variables = [keras.Variable(np.ones(shape, np.float32)) for shape in ((LARGE, LARGE), (LARGE,))]
    own = recipe.build_optimizer()
    own.build(variables)
    slots = OptimizerStep(recipe, variables).first_slots()
    assert len(slots) == len(own.variables)
    for slot, variable in zip(slots, own.variables, strict=True):
        assert slot.dtype == variable.dtype
        if variable is not own.learning_rate:  # which each step sets
            np.testing.assert_array_equal(slot, variable.value)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", [3, LARGE], ids=["as one vector", "by variable"])
def test_steps_are_those_of_keras(name, size):
    """Keras' optimizer goes beside on copies of the weights, its learning rate set by hand."""
    recipe = TrainingConfig(epochs=1, batch_size=32, optimizer=name, learning_rate=0.05)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((size, size), (size,))]
    variables, own = [keras.Variable(w) for w in weights], recipe.build_optimizer()
    own.build(variables)
    update = OptimizerStep(recipe, [keras.Variable(w) for w in weights])
    trainable, slots = [jnp.asarray(w) for w in weights], update.first_slots()
    for progress in (0.02, 0.1, 0.5, 0.9):
        gradients = [jnp.asarray(rng.normal(size=w.shape), jnp.float32) for w in weights]
        trainable, slots = update(slots, gradients, trainable, jnp.float32(progress))
        own.learning_rate = float(recipe.rate_at(progress))
        own.apply(gradients)
        assert update.rate(slots, progress) == pytest.approx(float(own.learning_rate))
        for made, variable in zip(trainable, variables, strict=True):
            np.testing.assert_allclose(made, variable.value, rtol=1e-5, atol=1e-6)
    assert all((made != w).mean() > 0.9 for made, w in zip(trainable, weights, strict=True))
