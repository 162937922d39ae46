"""The autoencoder of dense-32 with a custom loss function."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from isthmus.recipes import dense_32, figures, metrics, sources
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan


def custom_loss(y_true: Any, y_pred: Any) -> Any:
    """Return the mean squared difference: the tutorial's loss, with today's ``keras.ops``."""
    return keras.ops.mean(keras.ops.square(y_true - y_pred))


SYSTEM = replace(dense_32.SYSTEM, loss=custom_loss)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    own, test = SYSTEM.train(digits, plan)
    built_in, _ = SYSTEM.train(digits, plan, loss="mse")
    made = own.reconstruct(test)
    apart = np.abs(made - built_in.reconstruct(test)).max()
    return RecipeResult(
        figures=(
            *metrics.both_losses(test, made, first="mse"),
            MeasuredFigure(
                "largest difference of a pixel to a run with the built-in mse", float(apart)
            ),
        ),
        pictures=(figures.rebuilt(digits, made),),
        notes=(
            "The function takes (y_true, y_pred) and may return one number or an array. It is "
            "called for one image at a time, inside the compiled step. A saved model stores only "
            "its name, so that loading does not need the function.",
        ),
        estimators={"own loss": own, "mse": built_in},
    )


RECIPE = Recipe(
    "custom-loss",
    "dense-32 with a custom loss function",
    sources.OUTPUTS,
    "With a custom loss function the focus is still on reconstructing the input.",
    epochs=50,
    make=_make,
    system=SYSTEM,
)
