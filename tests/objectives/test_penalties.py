import jax.numpy as jnp
import numpy as np

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.contraction import contraction
from isthmus.objectives.objective import Objective
from isthmus.objectives.reconstruction import mse
from isthmus.objectives.sparsity import l1

TARGET = jnp.ones((3, 4))
BATCH = Batch(TARGET, TARGET, jnp.ones(3))
OUTPUTS = Outputs(jnp.array([[1.0, -1], [2, 0], [0, 0]]), TARGET, sensitivity=jnp.arange(3.0))


def test_l1_is_the_mean_absolute_code():
    total = Objective(mse, (l1(0.5),))(BATCH, OUTPUTS, jnp.float32(0))
    np.testing.assert_allclose(total, [0.5, 0.5, 0])


def test_contraction_asks_for_the_sensitivity():
    objective = Objective(mse, (contraction(2.0),))
    assert objective.needs_sensitivity
    assert not Objective(mse, (l1(1.0),)).needs_sensitivity
    np.testing.assert_allclose(objective(BATCH, OUTPUTS, jnp.float32(0)), [0, 2, 4])
