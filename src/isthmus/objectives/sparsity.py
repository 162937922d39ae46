"""The L1 penalty, which makes codes sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from isthmus.objectives.objective import Term

if TYPE_CHECKING:
    from isthmus.core.types import Batch, Outputs


def l1(weight: float) -> Term:
    """Return the penalty ``weight * mean |code|`` of each sample."""
    return Term("l1", _mean_absolute_code, lambda _progress: weight)


def _mean_absolute_code(_batch: Batch, outputs: Outputs) -> jax.Array:
    return jnp.abs(outputs.code).mean(axis=-1)
