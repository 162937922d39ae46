"""784 → 128 → 64 → 32 and back, with relu, trained on the squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from isthmus.recipes import figures, metrics, sources
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

SYSTEM = KerasPair(
    shape=(784,),
    encoder=lambda: [keras.layers.Dense(size, activation="relu") for size in (128, 64, 32)],
    decoder=lambda: [
        *(keras.layers.Dense(size, activation="relu") for size in (64, 128)),
        keras.layers.Dense(784, activation="sigmoid"),
    ],
    loss="mse",
)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    made = model.reconstruct(test)
    return RecipeResult(
        figures=metrics.both_losses(test, made, first="mse"),
        pictures=(figures.rebuilt(digits, made),),
        notes=(figures.size_note(model),),
        estimators={"autoencoder": model},
    )


RECIPE = Recipe(
    "dense-128-64-32",
    "three dense layers on each side of a code of 32 numbers",
    sources.ARCHITECTURE,
    "It learns by minimising the squared error between input and output: it is an autoencoder.",
    epochs=100,
    make=_make,
    system=SYSTEM,
)
