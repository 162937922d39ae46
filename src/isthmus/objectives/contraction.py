"""The contraction penalty: the code should change little when the input does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.objectives.objective import Term

if TYPE_CHECKING:
    import jax

    from isthmus.core.types import Batch, Outputs


def contraction(weight: float) -> Term:
    """Return the penalty ``weight * ||d code / d input||_F^2`` of each sample.

    Rifai et al., 2011, "Contractive auto-encoders", equation 3. An unbiased estimate from one
    random direction (Hutchinson, 1989) replaces the squared Frobenius norm, so the cost does not
    grow with the size of the code.
    """
    return Term("contraction", _sensitivity, lambda _progress: weight, needs_sensitivity=True)


def _sensitivity(_batch: Batch, outputs: Outputs) -> jax.Array:
    if outputs.sensitivity is None:
        raise AssertionError("an objective that needs the sensitivity was called without it")
    return outputs.sensitivity
