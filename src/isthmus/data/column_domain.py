"""The values that a numeric column had in fit: its range, its decimal grid, and its atom.

An atom is one value that many cells have exactly while the others vary, such as the zeros of a
zero-inflated column. A network that outputs one number per cell rarely outputs exactly this value.
`isthmus.data.table_outputs` learns from the outputs for training rows which ones stand for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from isthmus.persistence.config_checks import entries, finite_numbers, integer, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float64s = NDArray[np.float64]

_PARTS = (1, 2, 4, 10, 20, 100, 200, *(10**digits for digits in range(3, 7)))
"""Grids that are tried: steps of 1, 0.5, 0.25, 0.1, 0.05, 0.01, 0.005, 0.001, ... 0.000001."""
_FEW = 64
"""Values that are tried before all of them, because most columns lie on no grid."""
_ROUNDINGS = 4
"""Values on a grid are this close to it, in units of their precision: 0.1 + 0.2 counts as 0.3."""
_ATOM_RATES = (0.1, 0.9)
_FEWEST_OTHERS = 20
"""Fewest distinct values besides the atom. A column with fewer has a few levels."""
_ROUNDING = 1e-9
"""As a fraction of the range: values this close differ only by rounding."""


class Atom(NamedTuple):
    """A value that many cells of a column have exactly."""

    value: float
    margin: float = 0.0
    """Outputs at most this far from the value become the value."""
    intercept: float = 0.0
    slope: float = 0.0
    """Log odds of the value, for a distance 0 of the output from it and per scaled unit."""


@dataclass(frozen=True)
class Domain:
    """The range, the grid and the atom of a column's values.

    Parameters
    ----------
    low, high : float
        The smallest and the largest value.
    parts : int
        All values are multiples of ``1 / parts``; 0 if they lie on no grid.
    atom : Atom, optional
        The minimum or 0, if 10 % to 90 % of the cells have this value, and the others have at least
        20 distinct values.
    """

    low: float
    high: float
    parts: int = 0
    atom: Atom | None = None

    @classmethod
    def of(cls, values: Float64s, precision: float | None, *, atom: bool) -> Self:
        """Learn the domain of values, of which at least one is not NaN.

        Parameters
        ----------
        values : float64 array of shape (n,)
            NaN marks a missing cell.
        precision : float, optional
            Relative precision of the column's type; None for whole numbers, which need no grid.
        atom : bool
            Whether to look for an atom.
        """
        values = values[~np.isnan(values)]
        parts = 0 if precision is None else _parts(values, _ROUNDINGS * precision)
        found = _atom(values) if atom else None
        return cls(float(values.min()), float(values.max()), parts, found)

    def including(self, values: Float64s, precision: float | None) -> Self:
        """Return the domain that also has other values; parameters as for `of`.

        An atom stays the same. A grid on which some of the values do not lie is dropped.
        """
        values = values[~np.isnan(values)]
        if not len(values):
            return self
        tolerance = _ROUNDINGS * (precision or 0.0)
        parts = self.parts if self.parts and _on_grid(values, self.parts, tolerance) else 0
        low, high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        return replace(self, low=low, high=high, parts=parts)

    def nearest(self, values: Float64s) -> Float64s:
        """Return the nearest values of the domain, for finite values of shape (n,)."""
        inside = np.clip(values, self.low, self.high)
        found = inside
        if self.parts:
            found = np.clip(np.rint(inside * self.parts) / self.parts, self.low, self.high)
        if self.atom is not None:
            is_atom = np.abs(inside - self.atom.value) <= self.atom.margin
            found = np.where(is_atom, self.atom.value, found)
        return found

    def with_margin(self, outputs: Float64s, rate: float) -> Self:
        """Return the domain with the margin at which a fraction `rate` of outputs is the atom."""
        if self.atom is None:
            return self
        away = np.abs(np.clip(outputs, self.low, self.high) - self.atom.value)
        margin = float(np.quantile(away, rate, method="lower"))
        return replace(self, atom=self.atom._replace(margin=margin))

    def with_odds(self, intercept: float, slope: float) -> Self:
        """Return the domain with the log odds of the atom."""
        if self.atom is None:
            return self
        return replace(self, atom=self.atom._replace(intercept=intercept, slope=slope))

    def exact(self) -> Self:
        """Return the domain for values that are the atom only if they are equal to it."""
        if self.atom is None:
            return self
        margin = _ROUNDING * (self.high - self.low)
        return replace(self, atom=self.atom._replace(margin=margin))

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        atom = None if self.atom is None else list(self.atom)
        return {"low": self.low, "high": self.high, "parts": self.parts, "atom": atom}

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Rebuild from the result of `to_config`, which may be untrusted; raises InvalidArchive."""
        entries(config, ("low", "high", "parts", "atom"), "domain of a column")
        numbers = [config["low"], config["high"]]
        low, high = finite_numbers({"range of a column": numbers}, "range of a column").tolist()
        parts = integer(config, "parts", 0, _PARTS[-1])
        atom = None
        if config["atom"] is not None:
            four = finite_numbers(config, "atom").tolist()
            if len(four) != len(Atom._fields) or four[1] < 0 or not low <= four[0] <= high:
                refuse("atom of a column", "a value in the range, a margin and log odds", four)
            atom = Atom(*four)
        if low > high or parts not in (0, *_PARTS):
            refuse("domain of a column", "a range from low to high and a decimal grid", config)
        return cls(low, high, parts, atom)


def _parts(values: Float64s, tolerance: float) -> int:
    """Return the number of steps per unit of the coarsest grid that has all values, or 0."""
    largest = max(float(np.abs(values).max()), 1.0)
    parts: int
    for parts in _PARTS:
        if largest * parts * tolerance > 0.1:
            return 0  # such steps cannot be told from rounding
        if all(_on_grid(some, parts, tolerance) for some in (values[:_FEW], values)):
            return parts
    return 0


def _on_grid(values: Float64s, parts: int, tolerance: float) -> bool:
    away = np.abs(values - np.rint(values * parts) / parts)
    return bool((away <= tolerance * np.abs(values)).all())


def _atom(values: Float64s) -> Atom | None:
    """Return the minimum or 0, whichever more cells have, if it is an atom."""
    counts = {value: int((values == value).sum()) for value in (float(values.min()), 0.0)}
    value = max(counts, key=counts.__getitem__)
    least, most = _ATOM_RATES
    if not least <= counts[value] / len(values) <= most:
        return None
    others = np.unique(values[values != value])
    return Atom(value) if len(others) >= _FEWEST_OTHERS else None
