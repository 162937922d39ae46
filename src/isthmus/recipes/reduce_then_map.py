"""784 → 20 by an autoencoder, 20 → 2 by t-SNE, compared with either alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors

from isthmus.core.number_format import number, percent, seconds
from isthmus.recipes import deep_tanh_2, dense_100_20, figures, sources
from isthmus.recipes.figure_types import Scatter, Table
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult
from isthmus.tasks.maps import LatentMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

SYSTEM = dense_100_20.SYSTEM
_PERPLEXITY = 30


class _Map(NamedTuple):
    name: str
    points: NDArray[Any]
    seconds: float
    accuracy: float
    trust: float


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    _, test = digits.shaped((784,))
    began = time.perf_counter()
    reducer, _ = SYSTEM.train(digits, plan)
    map_ = LatentMap(FrozenEstimator(reducer), random_state=plan.seed)
    both = _judged("784 → 20 → t-SNE", map_.fit_transform(test), began, digits, test)
    began = time.perf_counter()
    direct, _ = deep_tanh_2.SYSTEM.train(digits, plan)
    code = _judged("784 → 2, the code itself", direct.transform(test), began, digits, test)
    began = time.perf_counter()
    perplexity = min(_PERPLEXITY, (len(test) - 1) // 3)
    tsne = TSNE(n_components=2, perplexity=perplexity, random_state=plan.seed)
    alone = _judged("784 → t-SNE", tsne.fit_transform(test), began, digits, test)
    maps = (both, code, alone)
    return RecipeResult(
        figures=(
            MeasuredFigure("1-NN accuracy, 784 → 20 → t-SNE", both.accuracy, "%"),
            MeasuredFigure("1-NN accuracy, 784 → 2", code.accuracy, "%"),
            MeasuredFigure("1-NN accuracy, t-SNE alone", alone.accuracy, "%"),
            MeasuredFigure("time, relative to t-SNE alone", both.seconds / alone.seconds, "%"),
        ),
        pictures=(
            _drawn(both, digits),
            Table(
                "Comparison of the maps",
                ("method", "time", "1-NN accuracy", "trustworthiness"),
                tuple(
                    (m.name, seconds(m.seconds), percent(m.accuracy), number(m.trust, 4))
                    for m in maps
                ),
                "Times include training. 1-NN accuracy is the fraction of test images whose "
                "nearest neighbour on the map has the same label. Trustworthiness (Venna and "
                "Kaski, 2001), of 5 neighbours, is 1 if neighbours on the map are neighbours "
                "among the images.",
            ),
            _drawn(code, digits),
            _drawn(alone, digits),
        ),
        notes=(
            figures.size_note(reducer),
            "t-SNE of the codes uses openTSNE; t-SNE of the pixels uses scikit-learn, as in the "
            "tutorial. The network is that of dense-100-20; the recipe has 10 epochs.",
        ),
        estimators={"784 → 20": reducer, "784 → 2": direct},
    )


def _judged(name: str, points: NDArray[Any], began: float, digits: Digits, test: Floats) -> _Map:
    took = time.perf_counter() - began
    index = NearestNeighbors(n_neighbors=2).fit(points)
    nearest = index.kneighbors(points, return_distance=False)[:, 1]
    accuracy = float((digits.y_test[nearest] == digits.y_test).mean())
    return _Map(name, points, took, accuracy, float(trustworthiness(test, points)))


def _drawn(made: _Map, digits: Digits) -> Scatter:
    drawn = figures.codes(digits.y_test, made.points, title=f"Test digits, {made.name}")
    if "t-SNE" not in made.name:
        return drawn
    return Scatter(drawn.title, drawn.points, drawn.labels, ("map, across", "map, up"))


RECIPE = Recipe(
    "reduce-then-map",
    "an autoencoder to 20 numbers, then t-SNE",
    sources.NOTES,
    "It is better than a 2-d code, and far faster than t-SNE of the pixels.",
    epochs=10,
    make=_make,
    system=SYSTEM,
)
