"""The order of rows in an epoch: complete, without held-out rows, and the same from any chunk."""

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.core.errors import InvalidData
from isthmus.data.sources.shuffled_rows import ShuffledRows
from isthmus.data.sources.source import BatchSource, Part
from isthmus.data.sources.summary import summarise


def source_of(sizes, cells=1 << 15):
    """A source whose rows have their number in all cells; so wide that blocks have 16 rows."""
    ends = np.cumsum([0, *sizes])
    X = np.arange(ends[-1], dtype=np.float32)

    def part(place):
        return lambda: iter([np.repeat(X[ends[place] : ends[place + 1], None], cells, 1)])

    return BatchSource("s", tuple(Part(f"p{i}", part(i)) for i in range(len(sizes))))


def chunks_of(rows, epoch=1, first=0):
    return [chunk.matrix[: len(chunk.owners), 0] for chunk in rows.chunks(epoch, first)]


def shuffled(sizes, held_out=(), chunk_rows=50, seed=0, group=(0, 1)):
    found = summarise(source_of(sizes))
    schema = found.schema(scale="none", unknown="warn", series=False)
    held = np.array(held_out, dtype=int)
    return ShuffledRows(found, schema, held, seed=seed, chunk_rows=chunk_rows, group=group)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any),
    st.integers(1, 50),
    st.data(),
)
@pytest.mark.filterwarnings("ignore:There are no rows")
def test_each_row_comes_once(sizes, chunk_rows, data):
    held_out = data.draw(st.sets(st.integers(0, sum(sizes) - 1), max_size=sum(sizes) - 1))
    rows = shuffled(sizes, sorted(held_out), chunk_rows)
    chunks = chunks_of(rows)
    assert [len(chunk) for chunk in chunks[:-1]] == [chunk_rows] * (len(chunks) - 1)
    expected = [row for row in range(sum(sizes)) if row not in held_out]
    assert sorted(np.concatenate(chunks)) == expected
    assert rows.rows == len(expected)
    first = data.draw(st.integers(0, len(chunks)))
    again = chunks_of(rows, first=first)
    assert [chunk.tolist() for chunk in again] == [chunk.tolist() for chunk in chunks[first:]]


def test_epochs_and_seeds_have_orders_of_their_own():
    rows = shuffled([40] * 10, chunk_rows=400)
    (one,), (again,), (two,) = (chunks_of(rows, epoch) for epoch in (1, 1, 2))
    assert (one == again).all()
    assert (one != two).any()
    (other,) = chunks_of(shuffled([40] * 10, chunk_rows=400, seed=1))
    assert (one != other).any()
    assert len(np.unique(one[:128] // 40)) == 8  # parts are read in turn


def test_tables_are_scaled_as_in_memory():
    table = pa.table({"x": np.arange(100.0), "kind": ["a", "b"] * 50, "gap": [None, 1.5] * 50})
    found = summarise(BatchSource("s", (Part("p", lambda: table.to_batches(max_chunksize=7)),)))
    schema = found.schema(scale="auto", unknown="warn", series=False)
    assert found.missing
    rows = ShuffledRows(found, schema, np.array([3, 99]), seed=0, chunk_rows=200)
    (chunk,) = rows.chunks(1)
    kept = np.delete(np.arange(100), [3, 99])
    np.testing.assert_array_equal(chunk.matrix[: len(chunk.owners)], schema.to_matrix(table)[kept])


def test_a_source_that_changes_is_refused():
    calls = iter([50, 50, 40, 50, 60])
    part = Part("the part", lambda: iter([np.ones((next(calls), 3)) * np.arange(3)]))
    found = summarise(BatchSource("s", (part,)))
    schema = found.schema(scale="none", unknown="warn", series=False)
    rows = ShuffledRows(found, schema, np.array([], int), seed=0, chunk_rows=20)
    for epoch in (1, 3):
        with pytest.raises(InvalidData, match="the part: expected 50 rows, as when it was first"):
            list(rows.chunks(epoch))
        if epoch == 1:
            list(rows.chunks(2))


def test_an_abandoned_epoch_leaves_no_thread():
    rows = shuffled([200] * 3)
    before = threading.active_count()
    chunks = rows.chunks(1)
    next(chunks)
    chunks.close()
    assert threading.active_count() == before


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(any), st.integers(2, 10))
@pytest.mark.filterwarnings("ignore:There are no rows")
def test_processes_have_the_rows_of_one(sizes, processes):
    whole = [chunk.matrix[:, 0] for chunk in shuffled(sizes).chunks(1)]
    members = [shuffled(sizes, group=(index, processes)) for index in range(processes)]
    assert len({each.share for each in members}) == 1
    if members[0].share == 1 or processes > 8:
        return
    for number, together in enumerate(zip(*(each.chunks(1) for each in members), strict=True)):
        owners = together[0].owners
        for index, chunk in enumerate(together):
            own = np.flatnonzero(owners == index)
            assert (chunk.owners == owners).all()
            assert (chunk.matrix[: len(own), 0] == whole[number][own]).all()


def test_even_parts_are_shared():
    assert shuffled([40] * 10, chunk_rows=200, group=(0, 2)).share < 0.6
    assert shuffled([400], group=(0, 2)).share == 1
    assert shuffled([400, 20], group=(0, 2)).share == 1


def test_many_processes_have_rows_in_each_chunk():
    sizes = [70] * 40
    members = [shuffled(sizes, chunk_rows=1400, group=(index, 10)) for index in range(10)]
    assert members[0].share < 0.25
    rows = []
    for together in zip(*(each.chunks(1) for each in members), strict=True):
        counts = np.bincount(together[0].owners, minlength=10)
        assert counts.min() > 0
        rows += [chunk.matrix[:n, 0] for chunk, n in zip(together, counts, strict=True)]
    assert sorted(np.concatenate(rows)) == list(range(2800))
