"""784 → 32 → 784: the autoencoder at the beginning of most introductions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from isthmus.recipes import figures, metrics, sources
from isthmus.recipes.figure_types import ImageStrip
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

SYSTEM = KerasPair(
    shape=(784,),
    encoder=lambda: [keras.layers.Dense(32, activation="relu")],
    decoder=lambda: [keras.layers.Dense(784, activation="sigmoid")],
    loss="bce",
    batch_size=256,
)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    slow, _ = SYSTEM.train(digits, plan, optimizer=keras.optimizers.Adadelta())
    codes = model.transform(test)
    made = model.inverse_transform(codes)
    some = codes[digits.examples()].reshape(-1, 4, 8)
    strip = ImageStrip("code", some / (some.max() or 1.0), heat=True)
    return RecipeResult(
        figures=(
            *metrics.both_losses(test, made, first="bce"),
            MeasuredFigure("code size", codes.shape[1], claim="32", low=32, high=32),
            MeasuredFigure(
                "test cross-entropy with adadelta",
                metrics.cross_entropy(test, slow.reconstruct(test)),
            ),
        ),
        pictures=(figures.rebuilt(digits, made, strip),),
        notes=(
            "Encoder and decoder were run separately: the encoder's codes, of shape (n, 32), were "
            "passed to the decoder. In the images, a code is drawn as 4 × 8 pixels.",
            "The tutorial's other version trains with adadelta. Its default learning rate is 0.001 "
            "in today's Keras, a thousandth of what it was when such examples were written, so "
            "that the network has learned very little when training ends.",
        ),
        estimators={"adam": model, "adadelta": slow},
    )


RECIPE = Recipe(
    "dense-32",
    "one dense layer on each side of a code of 32 numbers",
    f"{sources.ENCODERS}, {sources.OUTPUTS}",
    "It learns a compressed representation from which the input can be reconstructed.",
    epochs=50,
    make=_make,
    system=SYSTEM,
)
