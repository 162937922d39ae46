"""The schema that one pass learns, compared with that of all rows in memory."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from isthmus.core.errors import InvalidData
from isthmus.data.schema import infer_schema
from isthmus.data.sources.row_sample import RowSample, row_hashes
from isthmus.data.sources.source import BatchSource, Part
from isthmus.data.sources.summary import summarise

RNG = np.random.default_rng(0)
MANY = 200_000


def source_of(rows, sizes):
    starts = np.cumsum([0, *sizes])
    parts = [rows[a:b] for a, b in zip(starts, [*starts[1:], len(rows)], strict=True)]
    return BatchSource(
        "s", tuple(Part(f"p{i}", lambda p=p: iter([p])) for i, p in enumerate(parts))
    )


def learned(rows, sizes=(), scale="auto"):
    found = summarise(source_of(rows, sizes))
    assert found.rows == len(rows)
    return found.schema(scale=scale, unknown="warn", series=False)


def table(n):
    day = dt.date(2020, 1, 1)
    return pa.table(
        {
            "x": RNG.normal(size=n),
            "count": RNG.poisson(3, n),
            "code": pa.array(RNG.choice(["a", "b", "c"], n)).dictionary_encode(),
            "yes": RNG.integers(0, 2, n).astype(bool),
            "day": pa.array([day + dt.timedelta(days=int(d)) for d in RNG.integers(0, 900, n)]),
            "row": np.arange(n),
            "zeros": np.maximum(RNG.normal(size=n), 0),
        }
    )


@pytest.mark.parametrize("scale", ["auto", "range"])
def test_few_rows_give_the_schema_of_all_rows(scale):
    for rows in (table(300), RNG.normal(size=(300, 4)), RNG.integers(0, 256, (50, 8, 8), "uint8")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            expected = infer_schema(rows, scale=scale).to_config()
            assert learned(rows, (7, 100), scale).to_config() == expected


@pytest.mark.filterwarnings("ignore:The integers of 'row'")
def test_many_rows_give_nearly_the_schema_of_all_rows():
    rows = table(MANY)
    codes = pa.array(["b"] * 3 + ["rare"] + ["a"] * (MANY - 4)).dictionary_encode()
    x = np.concatenate([RNG.normal(size=MANY - 2), [-1e9, 1e9]])
    rows = rows.set_column(2, "code", codes).set_column(0, "x", pa.array(x))
    whole = infer_schema(rows)
    found = learned(rows, (50_000, 17, 90_000))
    assert [f.kind for f in found.fields] == [f.kind for f in whole.fields]
    for one, other in zip(found.fields, whole.fields, strict=True):
        assert set(one.categories) == set(other.categories)
        if one.domain is not None:
            assert (one.domain.low, one.domain.high) == (other.domain.low, other.domain.high)
            assert one.domain.parts == other.domain.parts
            assert one.domain.atom == other.domain.atom
    spread = whole.scaling.scale
    np.testing.assert_allclose(found.scaling.scale, spread, rtol=0.02)
    np.testing.assert_array_less(np.abs(found.scaling.center - whole.scaling.center), 0.02 * spread)


def test_many_rows_of_arrays():
    rows = RNG.normal(size=(MANY, 3)).astype(np.float32)
    rows[17] = [-50, 60, np.nan]
    exact = learned(rows, (1000,), "range")
    assert exact.to_config() == infer_schema(rows, scale="range").to_config()
    np.testing.assert_allclose(learned(rows).scaling.scale, infer_schema(rows).scaling.scale, 0.02)


@pytest.mark.parametrize("make", [lambda x: x, lambda x: pa.table({"x": x[:, 0]})])
def test_infinity_is_named_by_part_and_row(make):
    rows = np.zeros((30, 1))
    rows[25] = np.inf
    with pytest.raises(InvalidData, match=r"p1: column '?.?x0?'?.*, row 15"):
        summarise(source_of(make(rows), (10,)))


def test_the_sample_is_uniform_and_does_not_depend_on_batches():
    rows = np.arange(100_000).reshape(-1, 1)
    samples = []
    for size in (997, 50_000):
        sample = RowSample(1000)
        for start in range(0, len(rows), size):
            sample.add(rows[start : start + size], start)
        found, numbers = sample.result()
        assert (found[:, 0] == numbers).all()
        samples.append(numbers)
    assert samples[0].tolist() == samples[1].tolist()
    assert len(samples[0]) == 1000
    counts = np.histogram(samples[0], 10, (0, 100_000))[0]
    assert ((counts - 100) ** 2 / 100).sum() < 27.9  # chi-squared, 9 degrees of freedom, p = 0.001
    assert len(np.unique(row_hashes(np.arange(100_000)))) == 100_000
