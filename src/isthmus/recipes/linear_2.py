"""784 → 2 → 784 without activations: two features, plotted, clustered and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from isthmus.recipes import figures, metrics, sources
from isthmus.recipes.figure_types import ImageStrip, ImageStrips
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan


def cross_entropy_of_logits(y_true: Any, y_pred: Any) -> Any:
    """Return the cross-entropy of pixels, given their logits."""
    return keras.ops.binary_crossentropy(y_true, y_pred, from_logits=True)


SYSTEM = KerasPair(
    shape=(784,),
    encoder=lambda: [keras.layers.Dense(2)],
    decoder=lambda: [keras.layers.Dense(784)],
    loss=cross_entropy_of_logits,
)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    printed, _ = SYSTEM.train(digits, plan, loss="bce")
    codes = model.transform(test)
    made = 1 / (1 + np.exp(-model.inverse_transform(codes)))
    clusters = KMeans(10, n_init=3, random_state=plan.seed).fit_predict(codes)
    letters = np.array(list("ABCDEFGHIJ"))[clusters]
    outside = printed.reconstruct(test)
    return RecipeResult(
        figures=(
            *metrics.both_losses(test, made, first="bce"),
            MeasuredFigure("test cross-entropy, as printed", metrics.cross_entropy(test, outside)),
            MeasuredFigure(
                "pixels outside [0, 1], as printed",
                float(((outside < 0) | (outside > 1)).mean()),
                "%",
            ),
            MeasuredFigure(
                "agreement of ten clusters with the digits (adjusted Rand index)",
                float(adjusted_rand_score(digits.y_test, clusters)),
            ),
        ),
        pictures=(
            figures.codes(
                digits.y_test,
                codes,
                title="The two features of the test digits",
                caption="Coloured by digit; the network was trained without labels.",
            ),
            figures.codes(letters, codes, title="The same codes, in ten clusters by k-means"),
            _nearest(digits, codes),
            figures.rebuilt(digits, made.astype(np.float32)),
        ),
        notes=(
            "In the printed code, the cross-entropy gets raw outputs instead of probabilities; "
            "outside [0, 1] its logarithm is undefined. Keras clips the outputs, so that those "
            "pixels have no gradient; without clipping, the same line gives NaN. The recipe treats "
            "the outputs as logits, which changes no layer.",
        ),
        estimators={"autoencoder": model, "as printed": printed},
    )


def _nearest(digits: Digits, codes: NDArray[Any]) -> ImageStrips:
    """Show, for each of five test digits, the nine with the nearest codes."""
    queries = digits.examples()[::2]
    index = NearestNeighbors(n_neighbors=min(10, len(codes))).fit(codes)
    found = index.kneighbors(codes[queries], return_distance=False)
    return ImageStrips(
        "Nearest digits",
        tuple(
            ImageStrip(f"to a {digits.y_test[query]}", digits.x_test[near])
            for query, near in zip(queries, found, strict=True)
        ),
        "The first in each row is the digit itself; the others have the nearest codes.",
    )


RECIPE = Recipe(
    "linear-2",
    "a code of 2 numbers, without activations",
    sources.INTUITIVE,
    "The two features characterise the digits, for visualisation, clustering or other purposes.",
    epochs=5,
    make=_make,
    system=SYSTEM,
)
