"""Convolutions and pooling to 7 × 7 × 16, then convolutions and upsampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import layers

from isthmus.recipes import figures, metrics, sources
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    import keras

    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan


def pooled() -> list[keras.Layer]:
    """Return the layers of an encoder: two convolutions with pooling, then Flatten."""
    return [
        layers.Conv2D(32, (3, 3), activation="relu", padding="same"),
        layers.MaxPooling2D((2, 2), padding="same"),
        layers.Conv2D(16, (3, 3), activation="relu", padding="same"),
        layers.MaxPooling2D((2, 2), padding="same"),
        layers.Flatten(),
    ]


def _upsampled() -> list[keras.Layer]:
    return [
        layers.Reshape((7, 7, 16)),
        layers.Conv2D(16, (3, 3), activation="relu", padding="same"),
        layers.UpSampling2D((2, 2)),
        layers.Conv2D(32, (3, 3), activation="relu", padding="same"),
        layers.UpSampling2D((2, 2)),
        layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same"),
    ]


SYSTEM = KerasPair(
    shape=(28, 28, 1), encoder=pooled, decoder=_upsampled, loss="bce", batch_size=256
)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    made = model.reconstruct(test)
    return RecipeResult(
        figures=(
            *metrics.both_losses(test, made, first="bce"),
            MeasuredFigure("code size", model.latent_dim_, claim="7 × 7 × 16", low=784, high=784),
        ),
        pictures=(figures.rebuilt(digits, made),),
        notes=(
            figures.size_note(model),
            "The tutorial gives no number of epochs. The recipe has 10, with a batch size of 256 "
            "as in the tutorial's denoising autoencoder.",
        ),
        estimators={"autoencoder": model},
    )


RECIPE = Recipe(
    "conv-upsampling",
    "convolutions with pooling and upsampling",
    sources.NOTES,
    "Convolutional layers instead of dense ones yield better spatial features of images.",
    epochs=10,
    make=_make,
    system=SYSTEM,
)
