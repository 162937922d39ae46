"""The constructor parameters of the map, the sampler and the index, each declared once.

They have the format of `isthmus.estimators.parameters`. This module imports nothing heavy.
"""

from __future__ import annotations

from isthmus.estimators.constraints import Integer, Model, OneOf, Seed
from isthmus.estimators.parameters import Parameter

_MOST_COMPONENTS = 2**16
"""More than the rows that the sampler's mixture is fitted to."""

_AUTOENCODER = Parameter(
    "autoencoder",
    "isthmus estimator",
    None,
    Model(),
    "Makes the codes; None means an `Autoencoder` with its defaults. It is cloned and fitted, "
    "unless it is a fitted one in scikit-learn's ``FrozenEstimator``, which is used unchanged.",
    kinds=("map", "sampler", "index"),
)
_SEED = Parameter(
    "random_state",
    "None, int, RandomState or Generator",
    None,
    Seed(),
    "Seeds the default autoencoder. A given autoencoder has its own `random_state`.",
    kinds=("map", "sampler", "index"),
    help_by_kind={
        "map": "An integer gives the same map on the same machine with the same versions. A given "
        "autoencoder has its own `random_state`.",
        "sampler": "Seeds the mixture's initialization and the default autoencoder. A given "
        "autoencoder has its own `random_state`.",
    },
)

MAP_PARAMETERS = (
    _AUTOENCODER,
    Parameter(
        "method",
        '{"auto", "tsne", "umap"}',
        "auto",
        OneOf(auto=True, names=("tsne", "umap")),
        '"auto" is t-SNE.',
        kinds=("map",),
    ),
    _SEED,
)
"""Of `LatentMap`, in the order of the signature."""

SAMPLER_PARAMETERS = (
    _AUTOENCODER,
    Parameter(
        "n_components",
        'int or "auto"',
        "auto",
        Integer(auto=True, at_most=_MOST_COMPONENTS),
        'Number of Gaussians. "auto" chooses 1 to 32 by the Bayesian information criterion.',
        kinds=("sampler",),
    ),
    _SEED,
)
"""Of `LatentSampler`, in the order of the signature."""

INDEX_PARAMETERS = (
    _AUTOENCODER,
    Parameter(
        "metric",
        '{"euclidean", "cosine"}',
        "euclidean",
        OneOf(names=("euclidean", "cosine")),
        'Distance between codes. "cosine" is 1 minus the cosine of the angle between them.',
        kinds=("index",),
    ),
    Parameter(
        "method",
        '{"exact", "approximate"}',
        "exact",
        OneOf(names=("exact", "approximate")),
        '"exact" compares with all rows. "approximate" searches a graph of the rows (Malkov and '
        'Yashunin, 2018, "Efficient and robust approximate nearest neighbor search using '
        'hierarchical navigable small world graphs"). It is much faster from about 100,000 rows '
        "on, but may miss a few neighbours.",
        kinds=("index",),
    ),
    _SEED,
)
"""Of `SimilarityIndex`, in the order of the signature."""
