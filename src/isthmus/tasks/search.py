"""Similarity search: the rows whose codes are nearest to that of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter, MissingExtra
from isthmus.core.randomness import resolve_seed
from isthmus.estimators import parameter_checks, parameters
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords
from isthmus.persistence.array_checks import check_arrays
from isthmus.tasks.base import Task
from isthmus.tasks.parameters import INDEX_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

    Search = Callable[[Floats, int], NDArray[np.intp]]

_LINKS = 32
"""Links of each row in the graph of approximate search; M in the paper."""
_SERIAL = 100
"""Rows added per call: faiss adds up to this many serially, more in a random order."""
_LARGEST_CHARACTER = 0x10FFFF


class SimilarityIndex(Task):
    """Index of rows that finds those most similar to a query, by the distance of their codes.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    autoencoder_ : isthmus estimator
        The fitted autoencoder.
    codes_ : array of shape (n, latent_dim)
        The codes of the rows, in float32.
    ids_ : array of shape (n,)
        The ids of the rows, int64 or str.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> index = ist.SimilarityIndex(ist.Autoencoder(10, epochs=5, random_state=0)).fit(X)
    >>> distances, ids = index.kneighbors(X[:2], n_neighbors=3)
    >>> ids.shape, ids[:, 0].tolist()
    ((2, 3), [0, 1])
    """

    kind = "similarity index"
    _parameters = INDEX_PARAMETERS

    _search: Search | None

    def __init__(
        self,
        autoencoder: Any = None,
        *,
        metric: str = "euclidean",
        method: str = "exact",
        random_state: Any = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.metric = metric
        self.method = method
        self.random_state = random_state

    @without_keywords
    def fit(self, X: Any, y: Any = None, *, ids: Any = None, **unsupported: Any) -> Self:
        """Fit the autoencoder, unless it is frozen, and index the codes of `X`.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape).
        y : array of shape (n,), optional
            For an autoencoder that learns from labels; others ignore it.
        ids : sequence of n int or str, optional
            An id for each row. None: row numbers, from 0.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, TrainingDiverged
            As in the autoencoder's `fit`; also if a setting is unknown, or if `ids` are not one for
            each row, of one type and unique.
        MissingExtra
            `method` is "approximate" and faiss is not installed.
        """
        refuse_keywords(unsupported)
        parameters.check(self, INDEX_PARAMETERS)
        if _METHODS[self.method] is _approximate:
            _faiss()
        own = None if ids is None else _checked_ids(ids)
        codes = self._fit_codes(X, y, resolve_seed(self.random_state))
        self.ids_ = np.arange(len(codes)) if own is None else _as_many(own, len(codes))
        self._own_ids = own is not None
        self._index(codes)
        return self

    def add(self, X: Any, *, ids: Any = None) -> Self:
        """Add rows to the index; the autoencoder is unchanged.

        The graph of approximate search is rebuilt at the next query.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        ids : sequence of int or str, optional
            Required if `fit` was given ids; otherwise row numbers continue.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        if (ids is not None) != self._own_ids:
            raise InvalidParameter(
                "ids",
                expected="an id for each new row"
                if self._own_ids
                else "none, because fit was given none",
                received="none" if ids is None else "some",
                remedy="give ids to both fit and add, or to neither",
            )
        codes, n = self._encode(X), len(self.ids_)
        own = (
            np.arange(n, n + len(codes)) if ids is None else _as_many(_checked_ids(ids), len(codes))
        )
        if own.dtype.kind != self.ids_.dtype.kind:
            raise _unfit_ids("of the type that fit was given", str(own.dtype))
        self.ids_ = _checked_ids(np.concatenate([self.ids_, own]))
        self._index(np.concatenate([self.codes_, codes]))
        return self

    def kneighbors(self, Q: Any, n_neighbors: int = 10) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Find the indexed rows that are most similar to each row of `Q`.

        Parameters
        ----------
        Q : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        n_neighbors : int, default=10
            Neighbours of each row, at most the number of indexed rows.

        Returns
        -------
        distances : float64 array of shape (len(Q), n_neighbors)
            Distances between codes, the nearest first.
        ids : array of shape (len(Q), n_neighbors)
            Ids of the neighbours; row numbers unless `fit` was given ids.
        """
        check_is_fitted(self)
        count = parameter_checks.count("n_neighbors", n_neighbors)
        if count > len(self.codes_):
            raise InvalidParameter(
                "n_neighbors",
                expected=f"at most {len(self.codes_)}, the number of rows in the index",
                received=str(count),
                remedy="set a smaller n_neighbors, or add rows",
            )
        codes = self._encode(Q)
        if self._search is None:
            self._search = _METHODS[self.method](self.codes_, self.metric)
        rows = self._search(codes, count)
        # Both searches round differently. Computed here, a row's distance to itself is 0.
        distances = np.empty(rows.shape)
        for query, (code, found) in enumerate(zip(codes, rows, strict=True)):
            distances[query] = _METRICS[self.metric](self.codes_[found], code)
        order = np.argsort(distances, axis=1, kind="stable")
        return (
            np.take_along_axis(distances, order, axis=1),
            self.ids_[np.take_along_axis(rows, order, axis=1)],
        )

    def _index(self, codes: Floats) -> None:
        self.codes_ = codes
        self._search = None

    def _arrays(self) -> dict[str, np.ndarray]:
        if self.ids_.dtype.kind == "U":
            # As code points, (n, longest): an archive stores only numbers.
            letters = np.ascontiguousarray(self.ids_).view(np.uint32)
            return {"codes": self.codes_, "text_ids": letters.reshape(len(self.ids_), -1)}
        return {"codes": self.codes_} | ({"ids": self.ids_} if self._own_ids else {})

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        rows = len(arrays["codes"]) if "codes" in arrays and arrays["codes"].ndim else 0
        expected: dict[str, Any] = {"codes": ("float32", (None, self.autoencoder_.latent_dim_))}
        if "text_ids" in arrays:
            expected["text_ids"] = ("uint32", (rows, None))
        elif "ids" in arrays:
            expected["ids"] = ("int64", (rows,))
        check_arrays(arrays, expected)
        self.ids_, self._own_ids = _stored_ids(arrays, rows), len(expected) > 1
        self._index(arrays["codes"])

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return {**state, "_search": None} if "_search" in state else state


SimilarityIndex.__doc__ = parameters.documented(SimilarityIndex.__doc__, "index", INDEX_PARAMETERS)


def _exact(codes: Floats, metric: str) -> Search:
    neighbours = NearestNeighbors(metric=metric, algorithm="brute").fit(codes)

    def search(queries: Floats, count: int) -> NDArray[np.intp]:
        rows: NDArray[np.intp] = neighbours.kneighbors(queries, count, return_distance=False)
        return rows

    return search


def _approximate(codes: Floats, metric: str) -> Search:
    faiss = _faiss()
    cosine = metric == "cosine"
    kind = faiss.METRIC_INNER_PRODUCT if cosine else faiss.METRIC_L2
    graph = faiss.IndexHNSWFlat(codes.shape[1], _LINKS, kind)
    points = _unit(codes) if cosine else codes
    for start in range(0, len(points), _SERIAL):
        graph.add(np.ascontiguousarray(points[start : start + _SERIAL]))
    exact = _exact(codes, metric)

    def search(queries: Floats, count: int) -> NDArray[np.intp]:
        asked = np.ascontiguousarray(_unit(queries) if cosine else queries)
        settings = faiss.SearchParametersHNSW(efSearch=max(64, 2 * count))
        rows: NDArray[np.intp] = graph.search(asked, count, params=settings)[1].astype(np.intp)
        short = (rows < 0).any(axis=1)  # the search found fewer rows than wanted
        if short.any():
            rows[short] = exact(queries[short], count)
        return rows

    return search


_METHODS: Catalogue[Callable[[Floats, str], Search]] = Catalogue(
    "method", {"exact": _exact, "approximate": _approximate}
)


def _euclidean(codes: Floats, code: Floats) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.linalg.norm(codes - code.astype(np.float64), axis=1)
    return distances


def _cosine(codes: Floats, code: Floats) -> NDArray[np.float64]:
    cosines = _unit(codes.astype(np.float64)) @ _unit(code[None].astype(np.float64))[0]
    distances: NDArray[np.float64] = np.maximum(1 - cosines, 0)
    return distances


_METRICS = Catalogue("metric", {"euclidean": _euclidean, "cosine": _cosine})


def _unit(codes: Any) -> Any:
    """Return codes scaled to length 1; codes of length 0 are unchanged."""
    lengths = np.linalg.norm(codes, axis=1, keepdims=True)
    return codes / np.where(lengths > 0, lengths, 1)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtra(
            "method='approximate'",
            expected="the package faiss-cpu",
            received=str(error),
            remedy="pip install 'isthmus[search]', or use method='exact'",
        ) from error
    return faiss


def _checked_ids(ids: Any) -> NDArray[Any]:
    """Return ids as an array of int64 or of text, (n,); raises InvalidData."""
    # NumPy would convert numbers to text if the sequence contains text.
    found = np.array(ids, dtype=object if isinstance(ids, list | tuple) else None)
    if found.dtype == object and all(isinstance(name, str) for name in found.flat):
        found = found.astype(str)
    elif found.dtype == object and all(_is_whole(name) for name in found.flat):
        found = np.array(list(found), dtype=np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iuU":
        raise _unfit_ids(
            "a sequence of 64-bit integers or of strings", f"{found.dtype}, {found.ndim}-d"
        )
    if found.dtype.kind != "U":
        found = found.astype(np.int64)
    values, counts = np.unique(found, return_counts=True)
    if len(values) < len(found):
        raise _unfit_ids("unique ids", f"{values[counts > 1][0].item()!r} more than once")
    return found


def _is_whole(name: Any) -> bool:
    whole = isinstance(name, int | np.integer) and not isinstance(name, bool)
    return whole and -(2**63) <= name < 2**63


def _as_many(ids: NDArray[Any], rows: int) -> NDArray[Any]:
    if len(ids) != rows:
        raise _unfit_ids(f"one for each of the {rows} rows", str(len(ids)))
    return ids


def _unfit_ids(expected: str, received: str) -> InvalidData:
    return InvalidData(
        "ids", expected=expected, received=received, remedy="give each row a unique id"
    )


def _stored_ids(arrays: Mapping[str, np.ndarray], rows: int) -> NDArray[Any]:
    if "ids" in arrays:
        return _checked_ids(arrays["ids"])
    if "text_ids" not in arrays:
        return np.arange(rows)
    letters = arrays["text_ids"]
    if letters.max() > _LARGEST_CHARACTER:
        raise InvalidArchive("the archive's ids", expected="text", received="no characters")
    return _checked_ids(letters.view(f"<U{letters.shape[1]}")[:, 0])
