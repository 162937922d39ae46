"""An objective: one reconstruction term and weighted penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax

from isthmus.core.types import Batch, Outputs

if TYPE_CHECKING:
    from isthmus.objectives.importance import ImportanceWeighting

PerSample = Callable[[Batch, Outputs], jax.Array]
"""Maps a batch and the network's outputs to one number per sample, (n,)."""


@dataclass(frozen=True)
class Term:
    """A named penalty.

    Parameters
    ----------
    name : str
        Its name in the history.
    value : PerSample
        The penalty of each sample, unweighted.
    weight : callable
        The weight as a function of training progress, 0 to 1.
    needs_sensitivity : bool
        Whether `value` reads ``Outputs.sensitivity``, which costs a forward derivative.
    """

    name: str
    value: PerSample
    weight: Callable[[jax.Array], jax.Array | float]
    needs_sensitivity: bool = False


@dataclass(frozen=True)
class Metric:
    """A named quantity that the history records in addition to the loss.

    Parameters
    ----------
    name : str
        Its name in the history.
    value : PerSample
        The value of each sample; the history has the mean of those that are not NaN.
    """

    name: str
    value: PerSample


@dataclass(frozen=True)
class Objective:
    """A reconstruction term plus penalties; calling it gives their weighted sum, (n,)."""

    reconstruction: PerSample
    penalties: tuple[Term, ...] = ()
    metrics: tuple[Metric, ...] = ()
    """Metrics of labels; they are recorded, not minimised."""
    weighting: ImportanceWeighting | None = None
    """Combines the sums of several codes that are drawn for each sample; None: one is drawn."""

    @property
    def codes(self) -> int:
        """Codes that are drawn for each sample."""
        return 1 if self.weighting is None else self.weighting.samples

    @property
    def needs_sensitivity(self) -> bool:
        """Whether any penalty reads ``Outputs.sensitivity``."""
        return any(term.needs_sensitivity for term in self.penalties)

    def __call__(self, batch: Batch, outputs: Outputs, progress: jax.Array) -> jax.Array:
        """Return the objective of each sample, (n,), at `progress` in 0..1.

        With several codes, batch and outputs have ``codes * n`` rows: all samples with one code of
        each, then with the next.
        """
        total = self.reconstruction(batch, outputs)
        for term in self.penalties:
            total = total + term.weight(progress) * term.value(batch, outputs)
        return total if self.weighting is None else self.weighting(total)
