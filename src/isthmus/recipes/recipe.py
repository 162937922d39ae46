"""Recipes and their results."""

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
    """A measured number, and the tutorial's claim about it.

    Parameters
    ----------
    name : str
        What was measured, such as ``"test cross-entropy"``.
    value : float
        The number; a fraction for the unit ``"%"``.
    unit : str
        ``"%"``, ``"dB"``, ``"nats"``; empty for plain numbers.
    claim : str
        The tutorial's claim; empty if it gives no number.
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
        """Whether the number is within the claim's bounds; None if it has no bounds."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or self.value >= self.low) and (
            self.high is None or self.value <= self.high
        )


@dataclass(frozen=True, eq=False)
class RecipeResult:
    """The result of a recipe.

    Attributes
    ----------
    figures : tuple of MeasuredFigure
        The first is the main one.
    notes : tuple of str
        Notes on the figures and the recipe, in sentences.
    pictures : tuple of Picture
        The first is shown if there is room for one only.
    estimators : dict of str to estimator
        The fitted estimators by name.
    data : str
        The data of the run, if they are not the digits that it was given.
    epochs, seconds
        The number of epochs and the duration of the run; set by `Recipe.run`.
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
    """An autoencoder from a tutorial, with the same layers.

    Parameters
    ----------
    name : str
        The name that `isthmus recipe run` accepts.
    title : str
        The autoencoder in a few words.
    source : str
        The tutorial; see `isthmus.recipes.sources`.
    claim : str
        The tutorial's claim, in one sentence.
    epochs : int
        The tutorial's number of epochs. If it gives none, the result's notes say so.
    make : callable
        Trains and measures: takes digits and a plan, returns a `RecipeResult`.
    system : KerasPair, optional
        Encoder, decoder and training settings, if the recipe is about one such pair.
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
            The images.
        epochs : int, optional
            Replaces the tutorial's number.
        seed : int
            The same seed gives the same figures on the same machine.

        Raises
        ------
        InvalidParameter
            `epochs` is not an integer of at least 1.
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
