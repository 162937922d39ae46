"""The types of a table's cells: their families, and conversion of values to text and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus.core.errors import InvalidArchive
from isthmus.persistence.config_checks import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

Family = Literal[
    "numbers", "booleans", "text", "dates", "dates with a time zone", "times of day", "durations"
]

_UNITS = ("s", "ms", "us", "ns")
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86_400
_YEAR_1, _YEAR_10000 = -719_162 * DAY, 2_932_897 * DAY
"""In seconds since 1970: the range of dates of Python's datetime."""

_SIMPLE = {
    str(kind): kind
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
        *(pa.null(), pa.bool_(), pa.string(), pa.large_string(), pa.date32(), pa.date64()),
        *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
        *(pa.timestamp(unit) for unit in _UNITS),
        *(pa.duration(unit) for unit in _UNITS),
    )
}
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([A-Za-z0-9_+:/-]{1,64})\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d{1,2}), (-?\d{1,2})\)")
_DICTIONARY = re.compile(r"dictionary<values=(.{1,100}), indices=(u?int\d{1,2}), ordered=([01])>")


def family(kind: pa.DataType) -> Family | None:
    """Return the family of a cell type, for a dictionary that of its values; None if unknown."""
    tests: dict[Family, tuple[Any, ...]] = {
        "numbers": (pt.is_integer, pt.is_floating, pt.is_decimal),
        "booleans": (pt.is_boolean,),
        "text": (pt.is_string, pt.is_large_string),
        "dates": (pt.is_date, lambda k: pt.is_timestamp(k) and k.tz is None),
        "dates with a time zone": (pt.is_timestamp,),
        "times of day": (pt.is_time,),
        "durations": (pt.is_duration,),
    }
    kind = value_type(kind)
    return next((name for name, any_of in tests.items() if any(t(kind) for t in any_of)), None)


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values; other types unchanged."""
    return kind.value_type if pt.is_dictionary(kind) else kind


def type_to_read(kind: pa.DataType) -> pa.DataType:
    """Return the type with which to read a CSV column that was of type `kind` in fit.

    Numbers are read as float64 even if all were integers, and dates with a time in microseconds, so
    that a file with more digits is still accepted. Categories are read as their values.
    """
    if pt.is_dictionary(kind):
        return value_type(kind)
    if family(kind) == "numbers":
        return pa.float64()
    if pt.is_timestamp(kind) and kind.unit in ("s", "ms"):
        return pa.timestamp("us", tz=kind.tz)
    return kind


def type_from_text(text: str) -> pa.DataType:
    """Return the type whose ``str`` is `text`, which may come from an untrusted file.

    Raises
    ------
    InvalidArchive
        There is no such type, or its family is unknown.
    """
    if text in _SIMPLE:
        return _SIMPLE[text]
    try:
        kind = _compound(text)
        if kind is not None and pt.is_timestamp(kind):
            pa.scalar(0, kind).as_py()  # fails for an unknown time zone
    except InvalidArchive:
        raise
    except Exception:
        kind = None
    if kind is None:
        refuse("column type", "one of a table's cell types", text)
    return kind


def _compound(text: str) -> pa.DataType | None:
    if match := _ZONED.fullmatch(text):
        return pa.timestamp(match[1], tz=match[2])
    if match := _DECIMAL.fullmatch(text):
        return getattr(pa, f"decimal{match[1]}")(int(match[2]), int(match[3]))
    if match := _DICTIONARY.fullmatch(text):
        inner = type_from_text(match[1])
        if not pt.is_dictionary(inner):
            return pa.dictionary(_SIMPLE[match[2]], inner, ordered=match[3] == "1")
    return None


def to_text(values: pa.Array | pa.ChunkedArray) -> Any:
    """Return values as text, without loss: `from_text` restores them."""
    kind = values.type
    if pt.is_temporal(kind):
        values = values.cast(storage(kind))
    elif pt.is_float16(kind):
        values = values.cast(pa.float32())
    return values.cast(pa.large_string())


def from_text(texts: Sequence[str], kind: pa.DataType) -> pa.Array:
    """Return the values of type `kind` that `to_text` wrote.

    Raises
    ------
    pyarrow.ArrowInvalid
        A text is not a value of that type.
    """
    array = pa.array(texts, pa.large_string())
    if pt.is_temporal(kind):
        return array.cast(storage(kind)).cast(kind)
    if pt.is_float16(kind):
        return array.cast(pa.float32()).cast(kind)
    return array.cast(kind)


def storage(kind: pa.DataType) -> pa.DataType:
    """Return the integer type in which a date, time or duration is stored."""
    return pa.int32() if kind.bit_width == 32 else pa.int64()


def per_second(kind: pa.DataType) -> int:
    """Return the number of units of a temporal type in a second; 0 for days."""
    if pt.is_date32(kind):
        return 0
    return PER_SECOND["ms" if pt.is_date64(kind) else kind.unit]


def precision(kind: pa.DataType) -> float | None:
    """Return the relative precision of cells of type `kind` as float64; None if all are whole."""
    kind = value_type(kind)
    if pt.is_decimal(kind):
        return float(np.finfo(np.float64).eps)
    return float(np.finfo(kind.to_pandas_dtype()).eps) if pt.is_floating(kind) else None


def limits(kind: pa.DataType) -> tuple[float, float]:
    """Return the smallest and largest number, as float64, that a cell of type `kind` can hold."""
    kind = value_type(kind)
    if pt.is_floating(kind):
        most = float(np.finfo(kind.to_pandas_dtype()).max)
        return -most, most
    if pt.is_decimal(kind):
        most = 10.0 ** (kind.precision - kind.scale) * (1 - max(10.0**-kind.precision, 1e-12))
        return -most, most
    if pt.is_integer(kind):
        bounds = np.iinfo(kind.to_pandas_dtype())
        return _inside(bounds.min), _inside(bounds.max)
    if pt.is_date32(kind):
        return _YEAR_1 / DAY, _YEAR_10000 / DAY - 1
    units = per_second(kind)
    if pt.is_time(kind):
        return 0.0, float(DAY * units - 1)
    if pt.is_duration(kind):
        return _inside(1 - 2**63), _inside(2**63 - 1)
    return _inside(max(_YEAR_1 * units, 1 - 2**63)), _inside(
        min(_YEAR_10000 * units, 2**63) - units
    )


def _inside(bound: int) -> float:
    """Return the float64 nearest to `bound` that is not farther from 0."""
    number = float(bound)
    return float(np.nextafter(number, 0.0)) if abs(int(number)) > abs(bound) else number
