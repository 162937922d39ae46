"""Two-dimensional maps of codes, for plots."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import MissingExtra
from isthmus.core.finite_outputs import require_finite
from isthmus.core.randomness import derive_seed, generator_for, resolve_seed
from isthmus.estimators import parameters
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords
from isthmus.persistence.array_checks import check_arrays
from isthmus.tasks.base import Task
from isthmus.tasks.parameters import MAP_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isthmus.core.types import Floats

_PERPLEXITY = 30
_ITERATIONS = (150, 350)
"""Iterations of t-SNE, with and without exaggeration: enough from principal components."""
_UMAP_NEIGHBOURS = 15
_FEWEST = 8
"""Codes that t-SNE and UMAP need; fewer are mapped by their principal components alone."""
_PLACED_BY = 3
"""Nearest codes of the map that place a new code."""
_WEISZFELD_STEPS = 20


class LatentMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Task):
    """Map of the codes of an autoencoder to two dimensions that preserves neighbours.

    The map is made by t-SNE (van der Maaten and Hinton, 2008, "Visualizing data using t-SNE"; here
    with openTSNE) or UMAP (McInnes et al., 2018), initialized with the principal components of the
    codes. Mapping codes instead of samples removes noise and takes less time.

    A new row is placed at the geometric median of the positions of its three nearest codes,
    weighted by inverse distance. A training row has the position from `fit`. On such maps, the
    distances between far groups and the sizes of groups mean little.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    autoencoder_ : isthmus estimator
        The fitted autoencoder.
    codes_ : array of shape (m, latent_dim)
        The distinct codes of the training rows, in float32.
    embedding_ : array of shape (m, 2)
        The positions of these codes on the map, in float32.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> ist.LatentMap(ist.Autoencoder(10, epochs=10), random_state=0).fit_transform(X).shape
    (1797, 2)
    """

    kind = "latent map"
    _parameters = MAP_PARAMETERS

    def __init__(
        self, autoencoder: Any = None, *, method: str = "auto", random_state: Any = None
    ) -> None:
        self.autoencoder = autoencoder
        self.method = method
        self.random_state = random_state

    @without_keywords
    def fit(self, X: Any, y: Any = None, **unsupported: Any) -> Self:
        """Make a map of the codes of `X`.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape).
        y : array of shape (n,), optional
            For an autoencoder that learns from labels; others ignore it.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, TrainingDiverged
            As in the autoencoder's `fit`; also if `method` is unknown.
        MissingExtra
            The method's library is not installed.
        """
        refuse_keywords(unsupported)
        self._fit(X, y)
        return self

    @without_keywords
    def fit_transform(self, X: Any, y: Any = None, **unsupported: Any) -> Floats:
        """Make a map, and return the positions of the rows of `X`, (n, 2); see `fit`."""
        refuse_keywords(unsupported)
        places = self._fit(X, y)
        positions: Floats = self.embedding_[places]
        return positions

    def transform(self, X: Any) -> Floats:
        """Return the positions of the rows of `X` on the map, (n, 2), in float32.

        The position of a row does not depend on the other rows.
        """
        check_is_fitted(self)
        places = _place(self._encode(X), self.codes_, self.embedding_)
        require_finite(places, "the place on the map")
        return places

    def _fit(self, X: Any, y: Any) -> np.ndarray:
        """Fit, and return the index of each row's code among the distinct codes."""
        parameters.check(self, MAP_PARAMETERS)
        layout = _METHODS[self.method]
        _library(layout)
        seed = resolve_seed(self.random_state)
        codes = self._fit_codes(X, y, seed)
        # Equal codes would get different positions, and a new row with that code another one.
        self.codes_, places = np.unique(codes, axis=0, return_inverse=True)
        self.embedding_ = _laid_out(self.codes_, layout, seed)
        return places

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"codes": self.codes_, "embedding": self.embedding_}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        codes = ("float32", (None, self.autoencoder_.latent_dim_))
        check_arrays(arrays, {"codes": codes, "embedding": ("float32", (None, 2))})
        rows = arrays["codes"].shape[0]
        check_arrays(arrays, {"codes": codes, "embedding": ("float32", (rows, 2))})
        self.codes_, self.embedding_ = arrays["codes"], arrays["embedding"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return 2


LatentMap.__doc__ = parameters.documented(LatentMap.__doc__, "map", MAP_PARAMETERS)


def _laid_out(codes: Floats, layout: Callable[..., np.ndarray], seed: int) -> Floats:
    start = _principal_plane(codes, seed)
    if len(codes) >= _FEWEST:
        start = layout(codes, start, derive_seed(seed, "map"))
    return np.ascontiguousarray(start, dtype=np.float32)


def _principal_plane(codes: Floats, seed: int) -> np.ndarray:
    """Return the first two principal components of codes, (n, 2), scaled by the first's deviation.

    Maps initialized with them preserve more of the arrangement of groups (Kobak and Berens, 2019,
    "The art of using t-SNE for single-cell transcriptomics").
    """
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane = np.zeros((len(codes), 2))
    found = centred @ axes[:, ::-1][:, :2]
    # The sign of an eigenvector is arbitrary; make it the same on every machine.
    plane[:, : found.shape[1]] = found * np.where(found.sum(axis=0) < 0, -1, 1)
    plane /= plane[:, 0].std() or 1
    # If codes have only one dimension, the noise lets the map leave the line.
    return plane + 1e-3 * generator_for(seed, "map").standard_normal(plane.shape)


def _tsne(codes: Floats, start: np.ndarray, seed: int) -> np.ndarray:
    tsne = _library(_tsne).TSNE(
        perplexity=min(_PERPLEXITY, (len(codes) - 1) / 3),
        early_exaggeration_iter=_ITERATIONS[0],
        n_iter=_ITERATIONS[1],
        initialization=1e-4 * start,
        negative_gradient_method="fft" if len(codes) > 1000 else "bh",
        random_state=seed,
    )
    return np.asarray(tsne.fit(codes))


def _umap(codes: Floats, start: np.ndarray, seed: int) -> np.ndarray:
    umap = _library(_umap).UMAP(
        n_neighbors=min(_UMAP_NEIGHBOURS, len(codes) - 1),
        init=start.astype(np.float32),
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(umap.fit_transform(codes))


_METHODS = Catalogue("method", {"auto": _tsne, "tsne": _tsne, "umap": _umap})
_LIBRARIES = {_tsne: "openTSNE", _umap: "umap"}


def _library(layout: Callable[..., np.ndarray]) -> Any:
    """Return the module that a layout needs; raises MissingExtra."""
    name = _LIBRARIES[layout]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(
            "a map",
            expected=f"the package {name.replace('umap', 'umap-learn')}",
            received=str(error),
            remedy="pip install 'isthmus[maps]'",
        ) from error


def _place(codes: Floats, known: Floats, positions: Floats) -> Floats:
    """Return the positions of codes on a map of `known` codes, (n, 2).

    If the neighbours are from two groups, the geometric median stays within one, while the mean
    would be between them. It is computed by Weiszfeld's iteration (1937).
    """
    count = min(_PLACED_BY, len(known))
    distances, nearest = (
        NearestNeighbors(n_neighbors=count, algorithm="brute").fit(known).kneighbors(codes)
    )
    around = positions[nearest].astype(np.float64)
    weights = 1 / np.maximum(distances, 1e-12)
    median = _weighted_mean(around, weights)
    for _ in range(_WEISZFELD_STEPS):
        away = np.linalg.norm(around - median[:, None], axis=2)
        median = _weighted_mean(around, weights / np.maximum(away, 1e-6))
    placed = median.astype(np.float32)
    same = (known[nearest] == codes[:, None]).all(axis=2)
    there = same.any(axis=1)
    placed[there] = positions[nearest[there, same[there].argmax(axis=1)]]
    return placed


def _weighted_mean(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean: np.ndarray = (points * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1)[:, None]
    return mean
