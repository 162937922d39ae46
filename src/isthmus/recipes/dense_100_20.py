"""784 → 100 → 20 → 100 → 784, and its number of parameters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import keras

from isthmus.recipes import deep_tanh_2, figures, metrics, sources
from isthmus.recipes.figure_types import Table
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult
from isthmus.verdict.parameter_table import ParameterTable, parameter_table

if TYPE_CHECKING:
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

_SIZES = (784, 100, 20, 100, 784)
_TOTAL = 161_804
SYSTEM = KerasPair(
    shape=(784,),
    encoder=lambda: deep_tanh_2.tanh_layers((100, 20)),
    decoder=lambda: [
        *deep_tanh_2.tanh_layers((100,)),
        keras.layers.Dense(784, activation="sigmoid"),
    ],
    loss="bce",
    batch_size=128,
)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    table = parameter_table(model)
    made = model.reconstruct(test)
    return RecipeResult(
        figures=(
            MeasuredFigure("parameters", table.total, claim=f"{_TOTAL:,}", low=_TOTAL, high=_TOTAL),
            *metrics.both_losses(test, made, first="bce"),
        ),
        pictures=(_counted(table), figures.rebuilt(digits, made)),
        notes=(
            figures.size_note(model),
            "The tutorial only counts parameters. Activations, loss and batch size are those of "
            "its other dense autoencoder; the recipe has 10 epochs. The optimizer is adam: with "
            "the other's RMSprop, this network learns only the mean digit (cross-entropy 0.221 on "
            "MNIST), in plain Keras too.",
        ),
        estimators={"autoencoder": model},
    )


def _counted(table: ParameterTable) -> Table:
    names = [f"{a} → {b}" for a, b in pairwise(_SIZES)]
    rows = [
        (name, *(f"{count:,}" for count in (row.weights, row.biases, row.total)))
        for name, row in zip(names, table.rows, strict=True)
    ]
    sums = (sum(getattr(row, part) for row in table.rows) for part in ("weights", "biases"))
    rows.append(("total", *(f"{count:,}" for count in sums), f"{table.total:,}"))
    return Table("Parameters by layer", ("layer", "weights", "biases", "total"), tuple(rows))


RECIPE = Recipe(
    "dense-100-20",
    "a dense autoencoder and its number of parameters",
    sources.NOTES,
    "The layers have 78,500, 2,020, 2,100 and 79,184 parameters, 161,804 in all.",
    epochs=10,
    make=_make,
    system=SYSTEM,
)
