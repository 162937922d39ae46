"""The arrays of a lossy model, checked when they are read from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from isthmus.persistence import array_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

    Arrays = Mapping[str, NDArray[Any]]

_MODEL = "a lossy model"
_LARGEST = 2**28
"""The largest size of an array: 1 GiB of float32."""


def checked_array(
    arrays: Arrays, name: str, dtype: Any, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return an array of finite numbers, of this type and shape; raises InvalidArchive.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    name : str
    dtype : dtype
    shape : tuple of int or None
        None allows any size from 1.
    """
    array = array_checks.array_of(arrays, name, dtype, shape, model=_MODEL, longest=_LARGEST)
    if array.size > _LARGEST:
        refuse_model(name, f"at most {_LARGEST} numbers", f"{array.size}")
    if not array_checks.is_finite(array):
        refuse_model(name, "finite numbers", "NaN or infinity")
    return array


def stored_dtype(name: str) -> Any:
    """Return the stored type of weights: two bytes, except for the few biases and gains."""
    return np.float32 if "bias" in name or "gain" in name else np.float16


def as_stored(weights: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return weights rounded as files store them, as float32."""
    largest = float(np.finfo(np.float16).max)
    return {
        name: np.clip(value, -largest, largest).astype(stored_dtype(name)).astype(np.float32)
        for name, value in weights.items()
    }


def to_stored(weights: Mapping[str, Floats]) -> dict[str, NDArray[Any]]:
    """Return weights that `as_stored` rounded in the types that files store."""
    return {name: value.astype(stored_dtype(name)) for name, value in weights.items()}


def require_names(arrays: Arrays, names: set[str]) -> None:
    """Raise InvalidArchive unless the arrays have exactly these names."""
    if set(arrays) != names:
        refuse_model("names", f"{sorted(names)}", f"{sorted(map(str, arrays))}")


def refuse_model(name: str, expected: str, received: str) -> NoReturn:
    """Raise InvalidArchive for a model."""
    raise array_checks.unfit(_MODEL, name, expected, received)


def refuse_samples(received: str) -> NoReturn:
    """Raise InvalidArchive for bytes that a model cannot have written."""
    raise array_checks.damaged("lossily coded samples", received)
