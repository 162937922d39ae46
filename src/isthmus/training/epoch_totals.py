"""The sums of an epoch, over the parts that it is run in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from isthmus.training.epoch import Tally


@dataclass(frozen=True)
class EpochTotals:
    """The sums over the steps of an epoch.

    Attributes
    ----------
    steps : int
        Steps done.
    loss, weight : float
        The sum of the weighted losses of the rows, and of their weights.
    finite : bool
        Whether every loss was finite.
    measured : tuple of (float, float)
        The sum and the weight of each metric.
    """

    steps: int = 0
    loss: float = 0.0
    weight: float = 0.0
    finite: bool = True
    measured: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """Return the totals of one run of a program; waits for the device."""
        measured = () if tally.measured is None else tally.measured.tolist()
        return cls(
            int(tally.step),
            float(tally.loss),
            float(tally.weight),
            bool(tally.finite),
            tuple((total, weight) for total, weight in measured),
        )

    def __add__(self, other: EpochTotals) -> EpochTotals:
        if not self.steps:
            return other
        pairs = zip(self.measured, other.measured, strict=True)
        return EpochTotals(
            self.steps + other.steps,
            self.loss + other.loss,
            self.weight + other.weight,
            self.finite and other.finite,
            tuple((a + c, b + d) for (a, b), (c, d) in pairs),
        )

    def means(self, metrics: tuple[str, ...], prefix: str = "") -> dict[str, float]:
        """Return the loss, and each metric that at least one row has, by name."""
        means = {f"{prefix}loss": self.loss / self.weight}
        for name, (total, weight) in zip(metrics, self.measured, strict=True):
            if weight > 0:
                means[f"{prefix}{name}"] = total / weight
        return means

    def numbers(self) -> tuple[float, ...]:
        """Return the sums as numbers, for a checkpoint."""
        return (self.loss, self.weight, *(number for pair in self.measured for number in pair))

    @classmethod
    def from_numbers(cls, steps: int, numbers: tuple[float, ...]) -> Self:
        """Undo `numbers`."""
        loss, weight, *rest = numbers
        measured = tuple(zip(rest[::2], rest[1::2], strict=True))
        return cls(steps, loss, weight, True, measured)
