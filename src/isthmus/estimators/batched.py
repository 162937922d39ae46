"""Applies methods to data that are larger than memory, a batch of rows at a time."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, TypeVar

from isthmus.data.sources.source import BatchSource, joined
from isthmus.estimators import input_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Method = TypeVar("Method", bound="Callable[..., Any]")

_ROWS = 1 << 16
_CELLS = 1 << 22


def in_batches(method: Method) -> Method:
    """Let a method of rows take a source of batches; its results are joined.

    The method takes an estimator and rows, and returns an array or a table with one row for each.
    Those of a series depend on each other: it is not split.
    """

    @functools.wraps(method)
    def over_batches(estimator: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        rows = input_checks.opened(X, getattr(estimator, "schema_", None))
        if not isinstance(rows, BatchSource) or getattr(estimator, "is_series", False):
            return method(estimator, rows, *args, **kwargs)
        return joined([method(estimator, batch, *args, **kwargs) for batch in batches_of(rows)])

    return over_batches  # type: ignore[return-value]


def batches_of(source: BatchSource) -> Iterator[Any]:
    """Yield the rows of a source in batches that use memory well."""
    cells = math.prod(source.form.sample_shape)
    return source.stream(max(1, min(_ROWS, _CELLS // cells)))
