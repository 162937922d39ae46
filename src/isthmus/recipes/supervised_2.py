"""The network of deep-tanh-2 with a classifier on the code, which separates the digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.estimators.supervised import SupervisedAutoencoder
from isthmus.recipes import deep_tanh_2, figures, metrics, sources
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

SYSTEM = deep_tanh_2.SYSTEM
HEAD = {
    "classification_weight": 0.1,
    "head_hidden": (64, 128),
    "head_activation": "tanh",
    "head_dropout": 0.5,
}


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    train, test = digits.shaped(SYSTEM.shape)
    settings = {**SYSTEM.settings(plan), "loss": SYSTEM.loss, **HEAD}
    model = SupervisedAutoencoder(**settings).fit(train, digits.y_train)
    codes, test_codes = model.transform(train), model.transform(test)
    made = model.inverse_transform(test_codes)
    neighbours = deep_tanh_2.NEIGHBOURS
    return RecipeResult(
        figures=(
            *metrics.both_losses(test, made, first="bce"),
            MeasuredFigure(
                f"accuracy of {neighbours} nearest neighbours, 2 numbers",
                metrics.neighbours_accuracy(codes, test_codes, digits, neighbours=neighbours),
                "%",
                "> 90 %",
                low=0.9,
            ),
            MeasuredFigure(
                "test accuracy of the network's classifier", model.score(test, digits.y_test), "%"
            ),
        ),
        pictures=(
            figures.codes(
                digits.y_test,
                test_codes,
                title="Test digits in two dimensions",
                caption="Coloured by digit; the network was trained on labelled digits.",
            ),
            figures.rebuilt(digits, made),
        ),
        notes=(
            figures.size_note(model),
            "The classifier has dense layers of 64 and 128 units with tanh, dropout of 0.5 after "
            "each, and a softmax over 10 classes. The weight of its cross-entropy is 0.1. The "
            "tutorial gives no number of epochs; the recipe has 20, like deep-tanh-2.",
        ),
        estimators={"supervised autoencoder": model},
    )


RECIPE = Recipe(
    "supervised-2",
    "deep-tanh-2 with a classifier on the code",
    sources.NOTES,
    "A classifier on the 2-d codes achieves more than 90 % test accuracy.",
    epochs=20,
    make=_make,
    system=SYSTEM,
)
