"""Types of a table's cells."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest

from isthmus.core.errors import InvalidArchive
from isthmus.data import arrow_types

TYPES = {
    pa.int8(): "numbers",
    pa.uint64(): "numbers",
    pa.float16(): "numbers",
    pa.float64(): "numbers",
    pa.decimal128(10, 2): "numbers",
    pa.decimal256(50, 3): "numbers",
    pa.bool_(): "booleans",
    pa.string(): "text",
    pa.large_string(): "text",
    pa.date32(): "dates",
    pa.date64(): "dates",
    pa.timestamp("ns"): "dates",
    pa.timestamp("us", tz="Europe/Berlin"): "dates with a time zone",
    pa.timestamp("s", tz="+02:00"): "dates with a time zone",
    pa.time32("ms"): "times of day",
    pa.time64("ns"): "times of day",
    pa.duration("s"): "durations",
    pa.dictionary(pa.int8(), pa.string(), ordered=True): "text",
    pa.dictionary(pa.uint32(), pa.int64()): "numbers",
    pa.dictionary(pa.int32(), pa.timestamp("s", tz="UTC")): "dates with a time zone",
}


@pytest.mark.parametrize(("kind", "family"), TYPES.items(), ids=map(str, TYPES))
def test_types_have_a_family_and_are_described_by_their_text(kind, family):
    assert arrow_types.family(kind) == family
    assert arrow_types.type_from_text(str(kind)) == kind


@pytest.mark.parametrize("kind", [pa.binary(), pa.list_(pa.int8()), pa.month_day_nano_interval()])
def test_other_types_have_none(kind):
    assert arrow_types.family(kind) is None
    with pytest.raises(InvalidArchive):
        arrow_types.type_from_text(str(kind))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0.1, 1e22, -0.0, 5e-324, 1.7976931348623157e308]),
        pa.array(np.array([0.1, 3e38], np.float32)),
        pa.array(np.array([0.1, 6e4], np.float16)),
        pa.array([2**64 - 1, 0], pa.uint64()),
        pa.array([True, False]),
        pa.array(["", "a,b", "ü"]),
        pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
        pa.array([dt.time(1, 2, 3, 4)]),
        pa.array([-(2**63) + 1, 2**63 - 1], pa.timestamp("ns", tz="UTC")),
        pa.array([1, -5], pa.duration("us")),
        pa.array([decimal.Decimal("1.23"), decimal.Decimal("-99.99")]),
    ],
    ids=lambda values: str(values.type),
)
def test_values_as_text_are_exact(values):
    assert arrow_types.from_text(arrow_types.to_text(values).to_pylist(), values.type).equals(
        values
    )


@pytest.mark.parametrize(
    "kind", [k for k in TYPES if arrow_types.family(k) not in ("text", "booleans")]
)
def test_limits_are_within_the_type(kind):
    low, high = arrow_types.limits(kind)
    assert np.isfinite([low, high]).all()
    assert low < high
    if pa.types.is_integer(kind):
        bounds = np.iinfo(kind.to_pandas_dtype())
        assert bounds.min <= int(low) <= int(high) <= bounds.max
