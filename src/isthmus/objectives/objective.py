"""An objective: one reconstruction term and weighted penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax

from isthmus.core.types import Batch, Outputs

PerSample = Callable[[Batch, Outputs], jax.Array]
"""Maps a batch and the network's outputs to one number per sample, (n,)."""


@dataclass(frozen=True)
class Term:
    """A named penalty.

    Parameters
    ----------
    name : str
        As the history calls it.
    value : PerSample
        The penalty of each sample, unweighted.
    weight : callable
        The weight as a function of the fraction of training that is done, 0 to 1.
    needs_sensitivity : bool
        Whether `value` reads ``Outputs.sensitivity``, which costs a forward derivative.
    """

    name: str
    value: PerSample
    weight: Callable[[jax.Array], jax.Array | float]
    needs_sensitivity: bool = False


@dataclass(frozen=True)
class Metric:
    """A named figure that the history has beside the loss.

    Parameters
    ----------
    name : str
        As the history calls it.
    value : PerSample
        The figure of each sample, averaged over those where it is not NaN.
    """

    name: str
    value: PerSample


@dataclass(frozen=True)
class Objective:
    """A reconstruction term plus penalties; calling it gives their weighted sum, (n,)."""

    reconstruction: PerSample
    penalties: tuple[Term, ...] = ()
    metrics: tuple[Metric, ...] = ()
    """Of rows' labels, which minimise nothing."""

    @property
    def needs_sensitivity(self) -> bool:
        """Whether some penalty reads ``Outputs.sensitivity``."""
        return any(term.needs_sensitivity for term in self.penalties)

    def __call__(self, batch: Batch, outputs: Outputs, progress: jax.Array) -> jax.Array:
        """Return the objective of each sample, (n,), at `progress` in 0..1."""
        total = self.reconstruction(batch, outputs)
        for term in self.penalties:
            total = total + term.weight(progress) * term.value(batch, outputs)
        return total
