"""What the optimizer makes of the gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from isthmus.core.aligned_memory import device_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.training.config import TrainingConfig

# Weights up to which one vector of them all beats a program for each: those take longer to compile
# than a small table to learn. Beyond, the copies to and from it cost more than they save.
_FEW_WEIGHTS = 32_768
_NOT_FROM_ZERO = ("nadam", "adagrad")
"""The known optimizers of which some slots begin at other numbers than 0."""


class OptimizerStep:
    """A step of a recipe's optimizer as a pure function.

    Parameters
    ----------
    recipe : Recipe
        Names the optimizer. Those that it knows by name treat every weight alike, so that a small
        network's weights can go through them as one vector.
    variables : sequence of keras.Variable
        The trainable ones, in the order of a TrainState.
    """

    def __init__(self, recipe: TrainingConfig, variables: Sequence[Any]) -> None:
        self._recipe = recipe
        self._optimizer = recipe.build_optimizer()
        size = sum(math.prod(v.shape) for v in variables)
        plain = all(v.dtype == "float32" for v in variables)
        self._from_zero = recipe.scheduled and recipe.optimizer not in _NOT_FROM_ZERO
        self._as_one = recipe.scheduled and plain and 0 < size <= _FEW_WEIGHTS
        if self._as_one:
            variables = [keras.Variable(np.zeros(size, np.float32), name="weights")]
        self._build(variables)
        rate = self._optimizer.learning_rate
        places = [i for i, v in enumerate(self._optimizer.variables) if v is rate]
        self._place_of_rate = places[0] if places and recipe.scheduled else None

    def _build(self, variables: Sequence[Any]) -> None:
        if self._from_zero:
            # Slots with shapes alone: for their zeros JAX would compile a program for each shape.
            jax.eval_shape(lambda: self._optimizer.build(variables))
        else:
            self._optimizer.build(variables)

    def fresh_slots(self) -> list[jax.Array]:
        """Return the optimizer's state before the first step."""
        slots = self._optimizer.variables
        if self._from_zero:  # the learning rate too, which each step sets
            return [device_copy(np.zeros(slot.shape, slot.dtype)) for slot in slots]
        return [device_copy(slot.value) for slot in slots]

    def __call__(
        self,
        slots: list[jax.Array],
        gradients: list[jax.Array],
        trainable: list[jax.Array],
        progress: jax.Array,
    ) -> tuple[list[jax.Array], list[jax.Array]]:
        """Return the weights and slots after a step at `progress`, the fraction of steps done."""
        if self._place_of_rate is not None:
            slots = list(slots)
            slots[self._place_of_rate] = self._recipe.rate_at(progress)
        if not self._as_one:
            made, slots = self._optimizer.stateless_apply(slots, gradients, trainable)
            return made, slots
        (vector,), slots = self._optimizer.stateless_apply(
            slots, [_joined(gradients)], [_joined(trainable)]
        )
        return _parted(vector, trainable), slots

    def rate(self, slots: list[jax.Array], progress: float) -> float:
        """Return the learning rate that a step at `progress` has, or had."""
        if self._recipe.scheduled:
            return float(self._recipe.rate_at(progress))
        # An optimizer that was given may have a schedule, which reads the step from its state.
        pairs = zip(self._optimizer.variables, slots, strict=True)
        with keras.StatelessScope(state_mapping=list(pairs)):
            return float(self._optimizer.learning_rate)


def _joined(arrays: list[jax.Array]) -> jax.Array:
    return jnp.concatenate([array.ravel() for array in arrays])


def _parted(vector: jax.Array, like: list[jax.Array]) -> list[jax.Array]:
    ends = np.cumsum([array.size for array in like])
    pieces = jnp.split(vector, ends[:-1])
    return [piece.reshape(array.shape) for piece, array in zip(pieces, like, strict=True)]
