"""Converts the state of a run to named arrays and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from isthmus.core.errors import InvalidArchive
from isthmus.core.types import TrainState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import jax
    from numpy.typing import NDArray

Weights = tuple[list[Any], list[Any]]
"""Trainable and other weights, in the order of a network's variables."""

_ROLES = ("trainable", "non_trainable", "optimizer", "best", "best_fixed")


def pack(state: TrainState, best: Weights) -> dict[str, NDArray[np.generic]]:
    """Copy a state and the best weights to the host, by role and position."""
    return {
        f"{role}/{index}": np.array(value)
        for role, values in zip(_ROLES, (*state, *best), strict=True)
        for index, value in enumerate(values)
    }


def unpack(
    arrays: Mapping[str, NDArray[np.generic]], like: TrainState
) -> tuple[TrainState, Weights]:
    """Undo `pack`; shapes and types are those of `like`, the state of a fresh run.

    Raises
    ------
    InvalidArchive
        An array is missing, or has another shape or type.
    """
    models = (*like, like.trainable, like.non_trainable)
    values = [_values(arrays, role, model) for role, model in zip(_ROLES, models, strict=True)]
    return TrainState(*values[:3]), (values[3], values[4])


def _values(
    arrays: Mapping[str, NDArray[np.generic]], role: str, models: Sequence[jax.Array]
) -> list[jax.Array]:
    values = []
    for index, model in enumerate(models):
        array = arrays.get(f"{role}/{index}")
        if array is None or array.shape != model.shape or array.dtype != model.dtype:
            raise InvalidArchive(
                f"the checkpoint's array {role}/{index}",
                expected=f"{model.dtype} of shape {model.shape}",
                received="none" if array is None else f"{array.dtype} of shape {array.shape}",
                remedy="delete the file to train from the start",
            )
        values.append(jnp.array(array))
    return values
