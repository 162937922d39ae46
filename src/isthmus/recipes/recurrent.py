"""An LSTM for sequences of any length, on sines of different lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.randomness import generator_for
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.recipes import sources
from isthmus.recipes.figure_types import Lines
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

_CODE, _SHOWN = 6, 3
_STEPS, _SHORTEST = 40, 20
_TRAIN, _TEST = 2000, 500


def sines(n: int, seed: int) -> Floats:
    """Return noisy sines (n, 40, 1) of 20 to 40 steps, NaN after their end."""
    rng = generator_for(seed, "sines")
    period, phase, height = (
        rng.uniform(low, high, (n, 1)) for low, high in ((10, 40), (0, 2 * np.pi), (0.3, 1))
    )
    steps = np.arange(_STEPS)
    values = height * np.sin(2 * np.pi * steps / period + phase) + rng.normal(
        scale=0.02, size=(n, _STEPS)
    )
    values[steps >= rng.integers(_SHORTEST, _STEPS + 1, (n, 1))] = np.nan
    return values[..., None].astype(np.float32)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:  # noqa: ARG001 - not sequences
    train, test = sines(_TRAIN, plan.seed), sines(_TEST, plan.seed + 1)
    model = Autoencoder(
        _CODE, architecture="recurrent", epochs=plan.epochs, random_state=plan.seed
    ).fit(train)
    made = model.reconstruct(test)
    error = float(np.nanmean(np.square(made - test, dtype=np.float64)))
    lengths = np.isfinite(test[..., 0]).sum(axis=1)
    short = lengths < (_SHORTEST + _STEPS) // 2
    squares = np.nanmean(np.square(made - test, dtype=np.float64), axis=(1, 2))
    return RecipeResult(
        figures=(
            MeasuredFigure("variance explained", 1 - error / float(np.nanvar(test)), "%"),
            MeasuredFigure("test squared error", error),
            MeasuredFigure("test squared error, fewer than 30 steps", float(squares[short].mean())),
            MeasuredFigure("test squared error, 30 steps or more", float(squares[~short].mean())),
        ),
        pictures=tuple(_rebuilt(test[i], made[i], i + 1) for i in range(_SHOWN)),
        notes=(
            "The tutorial mentions recurrent layers but shows none; this is isthmus' own LSTM with "
            f"its defaults. Sequences of {_SHORTEST} to {_STEPS} steps become {_CODE} numbers. "
            "Steps after the end of a sequence are neither learned nor counted in errors.",
        ),
        estimators={"recurrent autoencoder": model},
        data=f"Noisy sines: {_TRAIN:,} training, {_TEST:,} test sequences",
    )


def _rebuilt(original: Floats, made: Floats, number: int) -> Lines:
    steps = np.arange(_STEPS, dtype=np.float64)
    return Lines(
        f"A sine of {int(np.isfinite(original).sum())} steps ({number})",
        {"original": (steps, original[:, 0]), "rebuilt": (steps, made[:, 0])},
        ("step", "value"),
    )


RECIPE = Recipe(
    "recurrent",
    "an LSTM for sequences of any length",
    sources.ARCHITECTURE,
    "Recurrent layers merely influence the type of autoencoder and the data that suit it.",
    epochs=60,
    make=_make,
)
