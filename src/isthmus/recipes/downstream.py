"""Codes as features: an encoder before scikit-learn's logistic regression, in one pipeline."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from isthmus.core.number_format import percent
from isthmus.recipes import dense_32, figures, sources
from isthmus.recipes.figure_types import Table
from isthmus.recipes.plan import RecipePlan
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits

_SEARCH_ROWS, _SEARCH_EPOCHS, _FOLDS = 3000, 5, 2
_STRENGTHS = (0.1, 1.0, 10.0)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    train, test = digits.shaped((784,))
    raw = LogisticRegression()
    pipeline = _pipeline(plan)
    with warnings.catch_warnings():
        # A hundred iterations are scikit-learn's default and the tutorial's choice.
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(train, digits.y_train)
        raw.fit(train, digits.y_train)
        search = _search(train, digits, plan)
    encoder = pipeline["codes"]
    accuracies = search.cv_results_["mean_test_score"]
    return RecipeResult(
        figures=(
            MeasuredFigure(
                "test accuracy from 32 numbers", float(pipeline.score(test, digits.y_test)), "%"
            ),
            MeasuredFigure(
                "test accuracy from the 784 pixels", float(raw.score(test, digits.y_test)), "%"
            ),
        ),
        pictures=(
            Table(
                "A grid search through the pipeline",
                ("classifier__C", "accuracy"),
                tuple(
                    (f"{C:g}", percent(float(score)))
                    for C, score in zip(_STRENGTHS, accuracies, strict=True)
                ),
                f"Mean over {_FOLDS} folds of the first {min(_SEARCH_ROWS, len(train)):,} rows.",
            ),
            figures.rebuilt(digits, encoder.reconstruct(test)),
        ),
        notes=(
            "The encoder is trained without labels. The tutorial classifies its training rows, "
            "with random labels; the recipe classifies the test digits, with their true labels.",
        ),
        estimators={"autoencoder": encoder},
    )


def _pipeline(plan: RecipePlan) -> Any:
    return Pipeline(
        [("codes", dense_32.SYSTEM.autoencoder(plan)), ("classifier", LogisticRegression())]
    )


def _search(train: Floats, digits: Digits, plan: RecipePlan) -> Any:
    short = RecipePlan(min(plan.epochs, _SEARCH_EPOCHS), plan.seed)
    search = GridSearchCV(_pipeline(short), {"classifier__C": _STRENGTHS}, cv=_FOLDS, refit=False)
    some = slice(None, _SEARCH_ROWS)
    return search.fit(train[some], digits.y_train[some])


RECIPE = Recipe(
    "downstream",
    "codes as features for a logistic regression",
    sources.OUTPUTS,
    "The codes serve as input features of a classifier; the autoencoder has no labels.",
    epochs=50,
    make=_make,
    system=dense_32.SYSTEM,
)
