"""Requests that wait are answered together, and each gets its own answer."""

import asyncio
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidData
from isthmus.serve.model_thread import MOST_GATHERED, ModelThread
from isthmus.serve.operations import Results


def _doubled(rows):
    if isinstance(rows, pa.Table):
        return Results(pa.table({"y": 2 * rows.column("x").to_numpy()}))
    if (rows < 0).any():
        raise InvalidData("x", expected="numbers above 0")
    return Results(2 * rows)


def _answers(parts, key=lambda place: "double"):
    """Run a function of parts that all wait while the thread is busy."""
    batches = []

    async def run():
        thread, free = ModelThread("test", batches.append), threading.Event()
        busy = asyncio.create_task(thread.run(lambda _: free.wait(), None))
        await asyncio.sleep(0)
        waiting = [
            asyncio.create_task(thread.run(_doubled, part, key(place)))
            for place, part in enumerate(parts)
        ]
        await asyncio.sleep(0)
        free.set()
        answers = await asyncio.gather(busy, *waiting, return_exceptions=True)
        thread.close()
        return answers[1:]

    return asyncio.run(run()), batches


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=6))
def test_each_request_gets_the_results_of_its_rows(parts):
    answers, batches = _answers([np.array(part) for part in parts])
    assert [answer.values.tolist() for answer in answers] == [[2 * x for x in p] for p in parts]
    assert batches == [sum(map(len, parts))]


def test_tables_are_joined():
    answers, batches = _answers([pa.table({"x": [1.0]}), pa.table({"x": [2.0, 3.0]})])
    assert [answer.values.to_pydict() for answer in answers] == [{"y": [2.0]}, {"y": [4.0, 6.0]}]
    assert batches == [3]


def test_lists_are_joined():
    def apply(rows):
        return Results([row["x"] for row in rows])

    async def run():
        thread = ModelThread("test", lambda _: None)
        parts = ([{"x": 1}], [{"x": 2}, {"x": 3}])
        answers = await asyncio.gather(*(thread.run(apply, part, "same") for part in parts))
        thread.close()
        return [answer.values for answer in answers]

    assert asyncio.run(run()) == [[1], [2, 3]]


def test_a_faulty_request_does_not_spoil_others():
    good, bad, other = _answers([np.array([1]), np.array([-1]), np.array([2])])[0]
    assert good.values.tolist() == [2]
    assert other.values.tolist() == [4]
    assert isinstance(bad, InvalidData)


@given(st.lists(st.sampled_from([1, 1, 1, -1]), min_size=1, max_size=20))
def test_faulty_requests_are_found_among_many(values):
    answers, _ = _answers([np.array([value]) for value in values])
    assert [isinstance(answer, InvalidData) for answer in answers] == [v < 0 for v in values]


def test_different_operations_are_not_joined_and_keep_their_order():
    parts = [np.array([x]) for x in range(4)]
    answers, batches = _answers(parts, key=lambda place: place % 2)
    assert [answer.values.tolist() for answer in answers] == [[0], [2], [4], [6]]
    assert batches == [2, 2]


def test_batches_are_limited():
    parts = [np.ones(MOST_GATHERED) for _ in range(3)]
    _, batches = _answers(parts)
    assert sum(batches) == 3 * MOST_GATHERED
    assert len(batches) > 1


def test_a_request_that_was_given_up_is_skipped():
    async def run():
        seen, free = [], threading.Event()
        thread = ModelThread("test", lambda _: None)
        busy = asyncio.create_task(thread.run(lambda _: free.wait(), None))
        gone = asyncio.create_task(thread.run(seen.append, 1))
        last = asyncio.create_task(thread.run(seen.append, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(busy, last)
        with pytest.raises(asyncio.CancelledError):
            await gone
        thread.close()
        return seen

    assert asyncio.run(run()) == [2]
