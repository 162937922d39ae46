"""Arrays of a part of a model among those of the whole: their names begin with a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]


def with_prefix(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays with the prefix before their names, as `without_prefix` takes it off."""
    return {prefix + name: array for name, array in arrays.items()}


def without_prefix(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with the prefix, without it."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def outside_prefixes(arrays: Arrays, *prefixes: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with none of the prefixes."""
    return {name: array for name, array in arrays.items() if not name.startswith(prefixes)}
