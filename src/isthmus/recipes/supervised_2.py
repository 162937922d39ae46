"""The deep network to 2 numbers, with a classifier that pulls the digits apart."""

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
                "test accuracy of the network's own head", model.score(test, digits.y_test), "%"
            ),
        ),
        pictures=(
            figures.codes(
                digits.y_test,
                test_codes,
                title="Test digits in two dimensions",
                caption="Colours are the digits; the network has seen those of the training rows.",
            ),
            figures.rebuilt(digits, made),
        ),
        notes=(
            figures.size_note(model),
            "From the code go Dense 64 and 128 in tanh, dropout 0.5 after each, and a softmax over "
            "10; its cross-entropy counts a tenth. The tutorial names no number of epochs; 20 are "
            "taken, as for deep-tanh-2.",
        ),
        estimators={"supervised autoencoder": model},
    )


RECIPE = Recipe(
    "supervised-2",
    "the same deep network with a classifier off the code",
    sources.NOTES,
    "A classifier on the 2-d codes achieves more than 90 % test accuracy.",
    epochs=20,
    make=_make,
    system=SYSTEM,
)
