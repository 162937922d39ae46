"""Which models are autoencoders: those of the recipes, and some that only look like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import layers

from isthmus.estimators.denoising import DenoisingAutoencoder
from isthmus.estimators.supervised import SupervisedAutoencoder
from isthmus.estimators.variational import VariationalAutoencoder
from isthmus.recipes import (
    conv_transpose,
    conv_upsampling,
    deep_tanh_2,
    dense_25_elu,
    dense_32,
    dense_100_20,
    dense_128_64_32,
    linear_2,
    sources,
    supervised_2,
    variational,
)
from isthmus.recipes.figure_types import Table
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult
from isthmus.verdict.verdict import inspect

if TYPE_CHECKING:
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

_ROWS = 500  # enough for fitted estimators to inspect
_SYSTEMS = {
    "dense-32": dense_32.SYSTEM,
    "deep-tanh-2": deep_tanh_2.SYSTEM,
    "dense-100-20": dense_100_20.SYSTEM,
    "dense-128-64-32": dense_128_64_32.SYSTEM,
    "linear-2": linear_2.SYSTEM,
    "dense-25-elu": dense_25_elu.SYSTEM,
    "conv-upsampling": conv_upsampling.SYSTEM,
    "conv-transpose": conv_transpose.SYSTEM,
}
_ANSWERS = {True: "yes", False: "no", None: "cannot be decided"}


class _Case(NamedTuple):
    name: str
    model: Any
    target: Any
    """What the loss compares the output with, as `isthmus.inspect` takes it."""
    truth: bool | None


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    cases = [*_recipes(plan), *_fitted(digits, plan), *_others(plan)]
    verdicts = [inspect(case.model, target=case.target) for case in cases]
    right = [v.is_autoencoder is c.truth for v, c in zip(verdicts, cases, strict=True)]
    rows = tuple(
        (case.name, _ANSWERS[verdict.is_autoencoder], verdict.kind, verdict.reasons[0])
        for case, verdict in zip(cases, verdicts, strict=True)
    )
    return RecipeResult(
        figures=(
            MeasuredFigure("verdicts that are right", sum(right) / len(right), "%"),
            MeasuredFigure("models", len(cases)),
        ),
        pictures=(
            Table(
                "Is it an autoencoder?",
                ("model", "verdict", "kind", "first reason"),
                rows,
                words=True,
            ),
        ),
        notes=(
            "The verdict depends on what the loss compares the output with. That alone makes the "
            "same encoder and decoder an autoencoder, a translator or undecided.",
        ),
    )


def _recipes(plan: RecipePlan) -> list[_Case]:
    return [
        _Case(name, _whole(*system.pair(plan.seed)), "input", True)
        for name, system in _SYSTEMS.items()
    ]


def _fitted(digits: Digits, plan: RecipePlan) -> list[_Case]:
    rows, labels = digits.x_train[:_ROWS], digits.y_train[:_ROWS]
    deep = {**supervised_2.SYSTEM.settings(plan), "loss": "bce", **supervised_2.HEAD}
    estimators = {
        "variational": VariationalAutoencoder(
            **variational.SYSTEM.settings(plan), likelihood="mse"
        ).fit(rows[..., None]),
        "denoising": DenoisingAutoencoder(**conv_upsampling.SYSTEM.settings(plan), loss="bce").fit(
            rows[..., None]
        ),
        "supervised-2": SupervisedAutoencoder(**deep).fit(rows.reshape(-1, 784), labels),
    }
    return [_Case(name, model, None, True) for name, model in estimators.items()]


def _others(plan: RecipePlan) -> list[_Case]:
    encoder, decoder = dense_128_64_32.SYSTEM.pair(plan.seed)
    whole = _whole(encoder, decoder)
    classes = layers.Dense(10, activation="softmax", name="classes")
    inputs = keras.Input((784,))
    classifier = keras.Sequential(
        [keras.Input((784,)), layers.Dense(64, activation="relu"), layers.Dense(10, "softmax")]
    )
    return [
        _Case("the pair of dense-128-64-32, loss unknown", whole, None, None),
        _Case("the same pair, trained to turn one image into another", whole, "other", False),
        _Case("a classifier", classifier, "labels", False),
        _Case(
            "that encoder and a classifier",
            keras.Model(inputs, classes(encoder(inputs))),
            "labels",
            False,
        ),
        _Case("that encoder alone", encoder, None, False),
    ]


def _whole(encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    return keras.Model(encoder.inputs, decoder(encoder.outputs[0]))


RECIPE = Recipe(
    "verdict",
    "which models are autoencoders, and why",
    f"{sources.ARCHITECTURE}, {sources.OUTPUTS}",
    "Encoder and decoder are necessary, not sufficient: the objective decides.",
    epochs=1,
    make=_make,
)
