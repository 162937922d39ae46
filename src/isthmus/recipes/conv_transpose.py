"""Convolutions and pooling, then a dense layer and transposed convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import layers

from isthmus.recipes import figures, metrics, sources
from isthmus.recipes.conv_upsampling import pooled
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    import keras

    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan


def _transposed() -> list[keras.Layer]:
    return [
        layers.Dense(7 * 7 * 16, activation="relu"),
        layers.Reshape((7, 7, 16)),
        layers.Conv2DTranspose(16, (3, 3), activation="relu", padding="same"),
        layers.UpSampling2D((2, 2)),
        layers.Conv2DTranspose(32, (3, 3), activation="relu", padding="same"),
        layers.UpSampling2D((2, 2)),
        layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same"),
    ]


SYSTEM = KerasPair(shape=(28, 28, 1), encoder=pooled, decoder=_transposed, loss="mse")


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    made = model.reconstruct(test)
    return RecipeResult(
        figures=(
            *metrics.both_losses(test, made, first="mse"),
            MeasuredFigure("code size", model.latent_dim_, claim="7 · 7 · 16", low=784, high=784),
        ),
        pictures=(figures.rebuilt(digits, made),),
        notes=(figures.size_note(model),),
        estimators={"autoencoder": model},
    )


RECIPE = Recipe(
    "conv-transpose",
    "convolutions with transposed convolutions",
    sources.ARCHITECTURE,
    "It uses convolutions for better performance on images; the objective, mse, is the same.",
    epochs=100,
    make=_make,
    system=SYSTEM,
)
