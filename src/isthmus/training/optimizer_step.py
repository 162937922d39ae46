"""A step of the optimizer as a pure function."""

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

    from numpy.typing import NDArray

    from isthmus.training.config import TrainingConfig

# Up to this many weights, all are updated as one vector: separate updates take longer to compile
# than a small table takes to train. Beyond, copying to and from the vector costs more than that.
_FEW_WEIGHTS = 32_768
_NOT_FROM_ZERO = ("nadam", "adagrad")
"""The known optimizers with slots that do not start at 0."""


class OptimizerStep:
    """A step of the configured optimizer as a pure function.

    Parameters
    ----------
    recipe : TrainingConfig
        Specifies the optimizer. Optimizers given by name treat every weight alike, so the weights
        of a small network can be updated as one vector.
    variables : sequence of keras.Variable
        The trainable variables, in the order of a TrainState.
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
        self._place_of_rate = places[0] if places else None

    @property
    def has_settable_rate(self) -> bool:
        """Whether the learning rate can be set; not if a given optimizer has its own schedule."""
        return self._place_of_rate is not None

    def _build(self, variables: Sequence[Any]) -> None:
        if self._from_zero:
            # Only the shapes of slots: JAX would compile a program per shape to create zeros.
            jax.eval_shape(lambda: self._optimizer.build(variables))
        else:
            self._optimizer.build(variables)

    def first_slots(self, earlier: Sequence[NDArray[Any]] = ()) -> list[jax.Array]:
        """Return the optimizer's state before the first step.

        Parameters
        ----------
        earlier : sequence of ndarray
            The state after an earlier run, to go on from. If it is that of another optimizer, or of
            another network, it is not used.
        """
        slots = self._optimizer.variables
        shapes = [(tuple(slot.shape), str(slot.dtype)) for slot in slots]
        if shapes == [(array.shape, str(array.dtype)) for array in earlier]:
            return [device_copy(array) for array in earlier]
        if self._from_zero:  # including the learning rate, which each step sets
            return [device_copy(np.zeros(slot.shape, slot.dtype)) for slot in slots]
        return [device_copy(slot.value) for slot in slots]

    def __call__(
        self,
        slots: list[jax.Array],
        gradients: list[jax.Array],
        trainable: list[jax.Array],
        progress: jax.Array,
        rate: jax.Array | np.float32 | None = None,
    ) -> tuple[list[jax.Array], list[jax.Array]]:
        """Return the weights and slots after a step at `progress`, the fraction of steps done.

        A `rate` that is not NaN replaces the learning rate of the schedule.
        """
        place = self._place_of_rate
        if place is not None and (self._recipe.scheduled or rate is not None):
            slots = list(slots)
            own = self._recipe.rate_at(progress) if self._recipe.scheduled else slots[place]
            slots[place] = own if rate is None else jnp.where(jnp.isnan(rate), own, rate)
        if not self._as_one:
            made, slots = self._optimizer.stateless_apply(slots, gradients, trainable)
            return made, slots
        (vector,), slots = self._optimizer.stateless_apply(
            slots, [_joined(gradients)], [_joined(trainable)]
        )
        return _parted(vector, trainable), slots

    def rate(self, slots: list[jax.Array], progress: float) -> float:
        """Return the learning rate of a step at `progress`."""
        if self._recipe.scheduled:
            return float(self._recipe.rate_at(progress))
        # A given optimizer may have its own schedule, which reads the step from its state.
        pairs = zip(self._optimizer.variables, slots, strict=True)
        with keras.StatelessScope(state_mapping=list(pairs)):
            return float(self._optimizer.learning_rate)


def _joined(arrays: list[jax.Array]) -> jax.Array:
    return jnp.concatenate([array.ravel() for array in arrays])


def _parted(vector: jax.Array, like: list[jax.Array]) -> list[jax.Array]:
    ends = np.cumsum([array.size for array in like])
    pieces = jnp.split(vector, ends[:-1])
    return [piece.reshape(array.shape) for piece, array in zip(pieces, like, strict=True)]
