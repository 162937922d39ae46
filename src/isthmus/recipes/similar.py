"""The ten images most similar to a given one, by their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from isthmus.core.number_format import percent
from isthmus.recipes import dense_32, figures, sources
from isthmus.recipes.figure_types import ImageStrip, ImageStrips, Table
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult
from isthmus.tasks.search import SimilarityIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

SYSTEM = dense_32.SYSTEM
_NEAREST, _QUERIES = 10, 2000


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    train, _ = digits.shaped(SYSTEM.shape)
    queries, truth = test[:_QUERIES], digits.y_test[:_QUERIES]
    index = SimilarityIndex(FrozenEstimator(model)).fit(train)
    _, found = index.kneighbors(queries, n_neighbors=_NEAREST)
    by_pixels = NearestNeighbors(n_neighbors=_NEAREST).fit(train)
    _, pixels_found = by_pixels.kneighbors(queries)
    right, pixels_right = (digits.y_train[f] == truth[:, None] for f in (found, pixels_found))
    return RecipeResult(
        figures=(
            MeasuredFigure(
                "fraction of the ten nearest that show the same digit", float(right.mean()), "%"
            ),
            MeasuredFigure("the same by 784 pixels", float(pixels_right.mean()), "%"),
        ),
        pictures=(
            _shown(digits, index),
            Table(
                "By digit",
                ("digit", "32 numbers", "784 pixels"),
                tuple(
                    (
                        str(digit),
                        *(percent(float(r[truth == digit].mean())) for r in (right, pixels_right)),
                    )
                    for digit in np.unique(truth)
                ),
                f"Of the first {len(queries):,} test digits, each searched for among the "
                f"{len(train):,} training digits.",
            ),
        ),
        notes=(
            figures.size_note(model),
            "The search is exact, by Euclidean distance. The tutorial compares codes of two "
            "numbers; the recipe uses the network of dense-32, with codes of 32 numbers.",
        ),
        estimators={"autoencoder": model},
    )


def _shown(digits: Digits, index: Any) -> ImageStrips:
    queries: NDArray[np.intp] = digits.examples()[::2]
    pictures = digits.x_test[queries].reshape(-1, *SYSTEM.shape)
    _, found = index.kneighbors(pictures, n_neighbors=_NEAREST)
    return ImageStrips(
        "The most similar training digits",
        tuple(
            ImageStrip(f"query {digits.y_test[query]}", np.concatenate([query_picture, near]))
            for query, query_picture, near in zip(
                queries, digits.x_test[queries][:, None], digits.x_train[found], strict=True
            )
        ),
        "The first in each row is the query, a test digit.",
    )


RECIPE = Recipe(
    "similar",
    "the ten most similar images by their codes",
    sources.INTUITIVE,
    "With such features we could compare two faces and find similar ones.",
    epochs=20,
    make=_make,
    system=SYSTEM,
)
