"""The user's units in Keras' operations: scaling in float32, and its inverse.

`isthmus.data.scaling` computes in float64. Here a center is subtracted in two parts, so that the
difference of a float32 number and its center is as exact as float32 allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.types as pt
from keras import ops

from isthmus.core.errors import InvalidParameter
from isthmus.data import arrow_types
from isthmus.data.array_schema import ArraySchema
from isthmus.data.scaling import KNEE
from isthmus.data.table_schema import TableSchema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isthmus.core.types import Floats
    from isthmus.data.table_columns import TableColumn

_LARGEST = float(np.finfo(np.float32).max)
_LARGEST_EXPONENT = 80.0
_FINEST = 1e-3
"""Of a column's scale: what float32 must tell apart at its center."""


class _Units(NamedTuple):
    """The scaling of cells as arrays that broadcast against samples."""

    method: str
    center: Any
    scale: Any

    def scaled(self, x: Any) -> Any:
        if self.method == "none":
            return x
        high, low = _split(self.center)
        z = ops.divide(ops.subtract(ops.subtract(x, high), low), _float32(self.scale))
        return _compressed(z) if self.method == "robust" else z

    def unscaled(self, z: Any) -> Any:
        if self.method == "none":
            return z
        high, low = _split(self.center)
        x = _expanded(z) if self.method == "robust" else z
        return ops.add(ops.add(ops.multiply(x, _float32(self.scale)), low), high)


def scaled(schema: ArraySchema | TableSchema, x: Any) -> Any:
    """Return what a network receives for samples (n, *sample_shape), with 0 for missing cells.

    Raises
    ------
    InvalidParameter
        A column of a table is neither a number nor a truth value.
    """
    z = _units(schema).scaled(x)
    absent = _absent(schema)
    missing = ops.isnan(z) if absent is None else ops.logical_or(ops.isnan(z), absent)
    return ops.where(missing, 0.0, z)


def unscaled(schema: ArraySchema | TableSchema, z: Any) -> Any:
    """Return what a network makes in original units, as `from_matrix` does.

    Truth values are 0 and 1.
    """
    x = _units(schema).unscaled(z)
    if isinstance(schema, TableSchema):
        return _nearest(schema.learned, z, x)
    x = ops.clip(x, -_LARGEST, _LARGEST)
    absent = _absent(schema)
    return x if absent is None else ops.where(absent, np.float32(np.nan), x)


def _units(schema: ArraySchema | TableSchema) -> _Units:
    scaling = schema.scaling
    center, scale = scaling.center, scaling.scale
    coarse = np.spacing(_float32(np.abs(center))) > _FINEST * scale
    if scaling.method != "none" and coarse.any():
        place = int(np.argmax(coarse))
        raise InvalidParameter(
            "export to Keras",
            expected="columns whose values float32 can tell apart",
            received=f"one of about {center[place]:.6g}, with differences of {scale[place]:.3g}",
            remedy="export(..., to='onnx'), which scales in float64",
        )
    if isinstance(schema, TableSchema):
        numbers = np.array([_is_number(field) for field in schema.learned])
        cells = np.zeros(len(numbers)), np.ones(len(numbers))
        for cell, part in zip(cells, (center, scale), strict=True):
            cell[numbers] = part
        return _Units(scaling.method, *cells)
    if center.size not in (1, schema.sample_shape[-1]):
        center, scale = (part.reshape(schema.sample_shape) for part in (center, scale))
    return _Units(scaling.method, center, scale)


def _is_number(field: TableColumn) -> bool:
    """Return whether a column has numbers; raises InvalidParameter for other than truth values."""
    plain = arrow_types.family(field.type) == "numbers" and not pt.is_dictionary(field.type)
    if field.kind == "boolean" or (field.kind == "number" and plain):
        return field.kind == "number"
    raise InvalidParameter(
        f"export, column {field.name!r}",
        expected="numbers and truth values, which Keras models of one matrix can have",
        received=f"a {field.kind} ({field.type})",
        remedy="export(..., to='onnx'), which has an input for each column",
    )


def _nearest(fields: Iterable[TableColumn], z: Any, x: Any) -> Any:
    """Return the values that the columns can have: in their range, on their grid, whole."""
    rules = [_rule(field) for field in fields]
    low, high, parts, atom, margin = (_float32(part) for part in zip(*rules, strict=True))
    inside = found = ops.minimum(ops.maximum(x, low), high)
    if parts.any():
        steps = np.where(parts > 0, parts, np.float32(1))
        rounded = ops.divide(ops.round(ops.multiply(inside, steps)), steps)
        rounded = ops.minimum(ops.maximum(rounded, low), high)
        found = ops.where(parts > 0, rounded, inside)
    if (margin >= 0).any():
        away = ops.absolute(ops.subtract(inside, atom))
        found = ops.where(ops.less_equal(away, margin), atom, found)
    truth = np.array([field.kind == "boolean" for field in fields])
    if truth.any():
        found = ops.where(truth, ops.cast(ops.greater(z, 0.5), "float32"), found)
    return found


def _rule(field: TableColumn) -> tuple[float, float, float, float, float]:
    """Return low, high, parts, atom and margin of a column; a margin below 0 for no atom."""
    domain = field.domain
    kind = arrow_types.value_type(field.type)
    low, high = (-_LARGEST, _LARGEST)
    whole = pt.is_integer(kind)
    if whole:
        low, high = arrow_types.limits(kind)
    if domain is None:
        return low, high, float(whole), 0.0, -1.0
    low, high = max(low, domain.low), min(high, domain.high)
    parts = 1.0 if whole else float(domain.parts)
    if domain.atom is None:
        return low, high, parts, 0.0, -1.0
    return low, high, parts, domain.atom.value, domain.atom.margin


def _absent(schema: ArraySchema | TableSchema) -> Any:
    """Return the cells that are always missing, or None."""
    if isinstance(schema, ArraySchema) and schema.absent is not None:
        return schema.absent.reshape(schema.sample_shape)
    return None


def _split(center: Any) -> tuple[Floats, Floats]:
    """Return two float32 arrays whose sum is the center."""
    high = _float32(center)
    return high, _float32(center - high.astype(np.float64))


def _float32(values: Any) -> Any:
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


def _compressed(z: Any) -> Any:
    """Make values beyond the knee logarithmic, as `isthmus.data.scaling.compress_tails` does."""
    size = ops.absolute(z)
    far = ops.multiply(ops.add(ops.log(ops.maximum(ops.divide(size, KNEE), 1.0)), 1.0), KNEE)
    return ops.where(ops.greater(size, KNEE), ops.multiply(ops.sign(z), far), z)


def _expanded(z: Any) -> Any:
    """Undo `_compressed`."""
    size = ops.absolute(z)
    exponent = ops.minimum(ops.subtract(ops.divide(size, KNEE), 1.0), _LARGEST_EXPONENT)
    far = ops.multiply(ops.exp(exponent), KNEE)
    return ops.where(ops.greater(size, KNEE), ops.multiply(ops.sign(z), far), z)
