"""Converts labels to numbers that a head can learn, and back; missing ones are NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.data.array_schema import without_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_REQUIRED = "SupervisedAutoencoder requires y to be passed, but the target y is None"
_KINDS = "biufU"
_DTYPES: dict[str, Callable[[Any], bool]] = {
    "bool": lambda v: type(v) is bool,
    "str": lambda v: isinstance(v, str),
    "object": lambda v: isinstance(v, str),
    **{
        f"{sign}int{bits}": lambda v: type(v) is int
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    **{f"float{bits}": lambda v: type(v) is float for bits in (16, 32, 64)},
}


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes of a fit.

    Parameters
    ----------
    values : ndarray of shape (classes,)
        The distinct classes, sorted.
    """

    values: NDArray[Any]
    classifies: ClassVar[bool] = True

    @property
    def outputs(self) -> int:
        """Number of outputs of a head."""
        return len(self.values)

    @classmethod
    def of(cls, y: Any, n: int) -> tuple[Classes, Floats]:
        """Return the classes of the labels of `n` rows, and the class number of each row."""
        values, missing = _known(class_vector(y, n))
        if not len(values):
            raise InvalidData(
                "y",
                expected="a label for at least one row",
                received="only missing labels",
                remedy="use Autoencoder, which needs no labels",
            )
        _check_classes(values)
        classes, numbers = np.unique(values, return_inverse=True)
        encoded = np.full(n, np.nan, np.float32)
        encoded[~missing] = numbers
        return cls(classes), encoded

    def known(self, y: Any, n: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the observed labels of `n` rows, and a mask of the rows that have one."""
        values, missing = _known(class_vector(y, n), classes=self.values)
        return values, ~missing

    def encode(self, y: Any, n: int) -> Floats:
        """Return the class number of each of `n` rows, NaN without a label.

        Raises
        ------
        InvalidData
            A label is not one of the classes.
        """
        values, rows = self.known(y, n)
        numbers = {value: number for number, value in enumerate(self.values.tolist())}
        given = values.tolist()
        others = sorted({repr(value) for value in given if value not in numbers})
        if others:
            raise InvalidData(
                "y",
                expected=f"the classes of the earlier fit, {', '.join(map(repr, numbers))}"[:200],
                received=", ".join(others)[:200],
                remedy="call fit with warm_start=False to learn other classes; the first call of "
                "partial_fit takes all of them as classes",
            )
        encoded = np.full(n, np.nan, np.float32)
        encoded[rows] = [numbers[value] for value in given]
        return encoded

    def decode(self, probabilities: Floats) -> NDArray[Any]:
        """Return the most likely class of each row."""
        most_likely: NDArray[Any] = self.values[probabilities.argmax(axis=1)]
        return most_likely

    def to_config(self) -> dict[str, Any]:
        """Return the input of `labelling_from_config`."""
        name = "str" if self.values.dtype.kind == "U" else self.values.dtype.name
        return {"classes": self.values.tolist(), "dtype": name}


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of a regression, with their means and standard deviations.

    Parameters
    ----------
    mean, scale : ndarray of shape (targets,)
        Means and standard deviations in the units of y.
    flat : bool
        Whether y has one dimension.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    flat: bool
    classifies: ClassVar[bool] = False

    @property
    def outputs(self) -> int:
        """Number of outputs of a head."""
        return len(self.mean)

    @classmethod
    def of(cls, y: Any, n: int) -> tuple[Targets, Floats]:
        """Return a description of the targets of `n` rows, and them standardised, (n, targets)."""
        numbers, flat = target_numbers(y, n)
        if np.isnan(numbers).all(axis=0).any():
            raise InvalidData(
                "y",
                expected="each target for at least one row",
                received="one that is missing in every row",
                remedy="leave that target out",
            )
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
        if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
            raise InvalidData(
                "y",
                expected="numbers whose mean and variance float64 can hold",
                received=f"numbers up to {np.nanmax(np.abs(numbers)):.3g}",
                remedy="give y in other units",
            )
        made = cls(mean, np.where(scale > 0, scale, 1.0), flat)
        return made, ((numbers - made.mean) / made.scale).astype(np.float32)

    def known(self, y: Any, n: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the targets of rows that have all of them, and a mask of these rows."""
        numbers, flat = target_numbers(y, n)
        complete = np.asarray(~np.isnan(numbers).any(axis=1))
        return numbers[complete, 0] if flat else numbers[complete], complete

    def encode(self, y: Any, n: int) -> Floats:
        """Return the targets of `n` rows standardised as in the earlier fit, (n, targets).

        Raises
        ------
        InvalidData
            There is another number of targets.
        """
        numbers, _ = target_numbers(y, n)
        if numbers.shape[1] != self.outputs:
            raise InvalidData(
                "y",
                expected=f"{self.outputs} targets, as in the earlier fit",
                received=str(numbers.shape[1]),
                remedy="call fit with warm_start=False to learn other targets",
            )
        return ((numbers - self.mean) / self.scale).astype(np.float32)

    def decode(self, response: Floats) -> NDArray[Any]:
        """Return targets in the units of y."""
        numbers = response.astype(np.float64) * self.scale + self.mean
        return numbers[:, 0] if self.flat else numbers

    def to_config(self) -> dict[str, Any]:
        """Return the input of `labelling_from_config`."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist(), "flat": self.flat}


Labelling = Classes | Targets


def labelling_from_config(config: Any) -> Labelling:
    """Rebuild from the result of `to_config`, which may be untrusted; raises InvalidArchive."""
    match config:
        case {"classes": list(values), "dtype": str(dtype), **rest} if not rest and values:
            if dtype in _DTYPES and all(map(_DTYPES[dtype], values)):
                made = _array(values, dtype)
                if made.tolist() == values and values == sorted(set(values)):
                    return Classes(made)
        case {"mean": list(mean), "scale": list(scale), "flat": bool(flat), **rest} if not rest:
            numbers = [*mean, *scale]
            if (
                len(mean) == len(scale) > 0
                and (len(mean) == 1 or not flat)
                and all(type(v) is float and np.isfinite(v) for v in numbers)
                and min(scale) > 0
            ):
                return Targets(np.array(mean), np.array(scale), flat)
    raise InvalidArchive(
        "the archive's labels", expected="classes, or means and scales", received=repr(config)[:200]
    )


def _array(values: list[Any], dtype: str) -> NDArray[Any]:
    try:
        return np.array(values, dtype=dtype)
    except OverflowError:
        return np.array([])


def _raw(y: Any, n: int) -> NDArray[Any]:
    """Return labels as an array, with NaN or None where they are masked."""
    if y is None:
        raise InvalidData(
            _REQUIRED, remedy="pass one label per row, or use Autoencoder, which needs no labels"
        )
    try:
        # As objects: NumPy would turn a NaN among texts into text.
        array = np.asarray(without_mask(y), dtype=object if isinstance(y, (list, tuple)) else None)
    except ValueError as error:
        raise InvalidData(f"y: {error}") from error
    if array.ndim == 0 or array.ndim > 2 or len(array) != n:
        raise InvalidData(
            "y",
            expected=f"one label for each of the {n} rows of X",
            received=f"{len(array)} labels" if array.ndim in (1, 2) else type(y).__name__,
            remedy="pass y of the same length",
        )
    return array


def class_vector(y: Any, n: int) -> NDArray[Any]:
    """Return the labels of `n` rows as an array (n,); raises InvalidData."""
    array = _raw(y, n)
    if array.dtype.kind not in _KINDS + "O":
        raise _unknown("unknown", array)
    if array.ndim == 2 and array.shape[1] != 1:
        raise InvalidData(
            "y",
            expected="one class per row",
            received=f"an array of shape {array.shape}",
            remedy="pass one-hot classes as y.argmax(axis=1); for several numbers per row "
            "use task='regression'",
        )
    vector: NDArray[Any] = column_or_1d(array, warn=True)
    return vector


def _known(
    vector: NDArray[Any], classes: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the observed labels, in their own type, and a mask of the rows without one.

    Parameters
    ----------
    vector : ndarray of shape (n,)
        Labels.
    classes : ndarray, optional
        The classes of a fit: then -1 is a label if it is one of them.
    """
    missing = is_missing(vector)
    values = vector[~missing]
    if values.dtype == object and not any(isinstance(value, str) for value in values):
        values = _typed(values)
    if values.dtype.kind != "i":
        return values, missing
    if classes is None:
        is_label = values.min(initial=0) < -1 or set(values.tolist()) == {-1, 1}
    else:
        is_label = -1 in classes.tolist()
    if is_label:
        return values, missing
    missing[~missing] = values == -1
    return values[values != -1], missing


def _typed(objects: NDArray[Any]) -> NDArray[Any]:
    """Return objects in the type that NumPy infers; unchanged if the result is not a vector."""
    try:
        made = np.array(objects.tolist())
    except ValueError:
        return objects
    return made if made.ndim == 1 else objects


def is_missing(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are None or NaN, in the shape of the array."""
    if array.dtype.kind == "f":
        missing: NDArray[np.bool_] = np.isnan(array)
        return missing
    if array.dtype != object:
        return np.zeros(array.shape, bool)
    # Comparing pandas' NA with itself gives neither True nor False.
    flat = [v is None or type(v).__name__ == "NAType" or v != v for v in array.ravel()]
    return np.array(flat, bool).reshape(array.shape)


def _check_classes(values: NDArray[Any]) -> None:
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise _unknown("infinite", values[np.isinf(values)])
    text = values.dtype == object and all(isinstance(value, str) for value in values)
    kind = type_of_target(values) if text or values.dtype.kind in _KINDS else "unknown"
    if kind not in ("binary", "multiclass"):
        raise _unknown(kind, values)


def _unknown(kind: str, values: NDArray[Any]) -> InvalidData:
    return InvalidData(
        f"y: Unknown label type: {kind}",
        expected="classes: text, integers or booleans",
        received=f"{values.dtype} such as {str(values.flat[0])[:50]}",
        remedy="use task='regression' to predict numbers; otherwise pass y.astype(str)",
    )


def target_numbers(y: Any, n: int) -> tuple[NDArray[np.float64], bool]:
    """Return targets as (n, targets), NaN where missing, and whether y had one dimension."""
    array = _raw(y, n)
    missing = is_missing(array)
    cause: Exception | None = None
    numbers = np.empty((n, 0))
    try:
        if array.dtype.kind in "biufO":
            numbers = np.where(missing, np.nan, np.where(missing, 0, array).astype(np.float64))
    except (TypeError, ValueError) as error:
        cause = error
    if numbers.size == 0:
        raise InvalidData(
            "y",
            expected="numbers, for task='regression'",
            received=f"{cause or array.dtype}, of shape {array.shape}",
            remedy="for classes use task='classification'",
        ) from cause
    if np.isinf(numbers).any():
        raise InvalidData(
            "y",
            expected="finite numbers",
            received="infinity",
            remedy="replace it with NaN, which marks a missing target",
        )
    return numbers.reshape(n, -1), numbers.ndim == 1
