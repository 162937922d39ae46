"""The state of optimizers before the first step."""

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
    slots = OptimizerStep(recipe, variables).fresh_slots()
    assert len(slots) == len(own.variables)
    for slot, variable in zip(slots, own.variables, strict=True):
        assert slot.dtype == variable.dtype
        if variable is not own.learning_rate:  # which each step sets
            np.testing.assert_array_equal(slot, variable.value)
