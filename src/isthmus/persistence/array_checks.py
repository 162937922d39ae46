"""Checks of arrays that come from a file, and errors for invalid ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def array_of(
    arrays: Mapping[str, NDArray[Any]],
    name: str,
    dtype: Any,
    shape: tuple[int | None, ...],
    *,
    model: str,
    longest: int,
) -> NDArray[Any]:
    """Return an array of a model after checking its type and shape.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The arrays of the model.
    name : str
        The name of the array.
    dtype : dtype
        The expected type.
    shape : tuple of int or None
        The expected shape; None allows any length from 1.
    model : str
        The model's name in messages, such as ``"a lossy model"``.
    longest : int
        The largest length allowed for any dimension.

    Raises
    ------
    InvalidArchive
        The array is missing, or has another type or shape.
    """
    array = arrays.get(name)
    if array is None:
        raise unfit(model, name, f"{np.dtype(dtype)} of shape {shape}", "none")
    if not _fits(array, dtype, shape) or max(array.shape, default=0) > longest:
        raise unfit(model, name, f"{np.dtype(dtype)} of shape {shape}", _described(array))
    return array


def unfit(model: str, name: str, expected: str, received: str) -> InvalidArchive:
    """Return the error for an array that no model can have."""
    return InvalidArchive(
        f"{model}, {name}",
        expected=expected,
        received=received[:300],
        remedy="use the file as it was written",
    )


def damaged(what: str, received: str) -> InvalidArchive:
    """Return the error for encoded bytes that a model cannot have written."""
    return InvalidArchive(
        what,
        expected="bytes as they were written",
        received=received,
        remedy="read them from an undamaged copy, with the model that wrote them",
    )


def check_arrays(
    arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, tuple[str, tuple[int | None, ...]]]
) -> None:
    """Check all arrays of an archive.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        What the archive holds.
    expected : mapping of str to (dtype, shape)
        Exactly the arrays that it must hold; None in a shape allows any length from 1.

    Raises
    ------
    InvalidArchive
        An array is missing or unknown, has another dtype or shape, or contains a non-finite number.
    """
    if set(arrays) != set(expected):
        raise InvalidArchive(
            "the archive's arrays", expected=", ".join(expected), received=str(sorted(arrays))[:200]
        )
    for name, (dtype, shape) in expected.items():
        array = arrays[name]
        if not (_fits(array, dtype, shape) and is_finite(array)):
            raise InvalidArchive(
                f"the archive's array {name!r}",
                expected=f"finite {dtype} of shape {shape}",
                received=_described(array),
            )


def is_finite(array: NDArray[Any]) -> bool:
    """Return whether every number of an array is finite; integers always are."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _fits(array: NDArray[Any], dtype: Any, shape: tuple[int | None, ...]) -> bool:
    return (
        array.dtype == dtype
        and array.ndim == len(shape)
        and all(
            actual >= 1 if size is None else actual == size
            for actual, size in zip(array.shape, shape, strict=True)
        )
    )


def _described(array: NDArray[Any]) -> str:
    content = "" if is_finite(array) else ", with NaN or infinity"
    return f"{array.dtype} of shape {array.shape}{content}"
