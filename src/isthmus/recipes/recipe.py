"""What a recipe is, and what comes of one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import InvalidParameter
from isthmus.core.number_format import number, percent
from isthmus.core.randomness import resolve_seed
from isthmus.recipes.plan import RecipePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.recipes.digits import Digits
    from isthmus.recipes.figure_types import Picture
    from isthmus.recipes.keras_pair import KerasPair


@dataclass(frozen=True)
class MeasuredFigure:
    """A measured number, beside what the tutorial claims.

    Parameters
    ----------
    name : str
        What was measured, such as ``"test cross-entropy"``.
    value : float
        The number; a fraction for the unit ``"%"``.
    unit : str
        ``"%"``, ``"dB"``, ``"nats"``; empty for plain numbers.
    claim : str
        The tutorial's words about it; empty where it names no number.
    low, high : float, optional
        The bounds of the claim, in the unit of `value`.
    """

    name: str
    value: float
    unit: str = ""
    claim: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """The number as it is displayed."""
        if self.unit == "%":
            return percent(self.value)
        whole = float(self.value).is_integer() and abs(self.value) < 1e9
        text = f"{self.value:,.0f}" if whole else number(self.value, 4)
        return f"{text} {self.unit}".rstrip()

    @property
    def holds(self) -> bool | None:
        """Whether the number is within the claim's bounds; None where it has none."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or self.value >= self.low) and (
            self.high is None or self.value <= self.high
        )


@dataclass(frozen=True, eq=False)
class RecipeResult:
    """What came of a recipe.

    Attributes
    ----------
    figures : tuple of Figure
        The first is the one that the system is judged by.
    notes : tuple of str
        What the user should know, in sentences.
    pictures : tuple of Picture
        The first is the one to show alone.
    estimators : dict of str to estimator
        What was fitted, by name.
    data : str
        What it was run on, where that is not the digits that it was given.
    epochs, seconds
        How long, and how long that took; filled in by `Recipe.run`.
    """

    figures: tuple[MeasuredFigure, ...]
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()
    estimators: dict[str, Any] | None = None
    data: str = ""
    epochs: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """An autoencoder that a tutorial describes, to the layer.

    Parameters
    ----------
    name : str
        As `isthmus recipe run` takes it.
    title : str
        The system in a few words.
    source : str
        The tutorial; see `isthmus.recipes.sources`.
    claim : str
        What the tutorial says of it, in one sentence.
    epochs : int
        As the tutorial has them; where it names none, the result's notes say so.
    make : callable
        Trains and measures it: digits and a plan to a result.
    system : System, optional
        Encoder, decoder and how they are trained, where the recipe is about one such pair.
    """

    name: str
    title: str
    source: str
    claim: str
    epochs: int
    make: Callable[[Digits, RecipePlan], RecipeResult]
    system: KerasPair | None = None

    def run(self, digits: Digits, *, epochs: int | None = None, seed: int = 0) -> RecipeResult:
        """Train and measure.

        Parameters
        ----------
        digits : Digits
            What to run it on.
        epochs : int, optional
            Instead of those of the tutorial.
        seed : int
            The same one gives the same figures again on the same machine.

        Raises
        ------
        InvalidParameter
            `epochs` is no number of at least 1.
        """
        wanted = self.epochs if epochs is None else epochs
        if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
            raise InvalidParameter(
                "epochs", expected="an integer of at least 1", received=repr(epochs)
            )
        began = time.perf_counter()
        result = self.make(digits, RecipePlan(wanted, resolve_seed(seed)))
        return replace(
            result,
            notes=result.notes if result.data else (*digits.notes, *result.notes),
            data=result.data or str(digits),
            epochs=wanted,
            seconds=time.perf_counter() - began,
        )
