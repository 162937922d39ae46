"""The thread in which a model runs, so that the event loop never waits for it.

While the model is busy, further requests wait in a queue, and those for the same operation are then
answered together. Nobody waits for a batch to fill: a lone request is run at once, and batches grow
with the load. The networks pad batches to a few sizes, so that no size compiles anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from isthmus.serve.operations import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

MOST_GATHERED = 1024
"""Rows after which a batch is not extended."""


@dataclass(eq=False)
class _Job:
    function: Callable[[Any], Any]
    rows: Any
    key: Hashable
    answer: asyncio.Future[Any]


class ModelThread:
    """Runs functions of a model one after another, and those of rows in batches.

    Parameters
    ----------
    name : str
        The name of the thread.
    observe : callable
        Called in the thread with the number of rows of each batch.
    """

    def __init__(self, name: str, observe: Callable[[int], None]) -> None:
        self._observe = observe
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    async def run(self, function: Callable[[Any], Any], rows: Any, key: Hashable = None) -> Any:
        """Return the result of a function; its errors are raised here.

        Parameters
        ----------
        function : callable
            Takes rows. If there is a `key`, it returns `Results` with one for each row.
        rows : table, array, list, or anything else if there is no `key`
        key : hashable, optional
            Rows of the same key may be joined, and given to one of their functions.
        """
        answer = asyncio.get_running_loop().create_future()
        with self._changed:
            self._waiting.append(_Job(function, rows, key, answer))
            self._changed.notify()
        return await answer

    def close(self) -> None:
        """End the thread after what waits for it."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        # A row is a small problem: several threads would wait for each other, and for the loop.
        with threadpool_limits(limits=1):
            while batch := self._next():
                answers = _answers(batch)
                if batch[0].key is not None:
                    self._observe(sum(len(job.rows) for job in batch))
                _deliver(batch, answers)

    def _next(self) -> list[_Job]:
        """Wait for a job, and return it with others of its key; none if the thread should end."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return []
                self._changed.wait()
            batch, rows, others = [self._waiting.popleft()], 0, []
            while batch[0].key is not None and self._waiting and rows < MOST_GATHERED:
                job = self._waiting.popleft()
                if job.key == batch[0].key:
                    batch.append(job)
                    rows += len(job.rows)
                else:
                    others.append(job)
            self._waiting.extendleft(reversed(others))
        return batch


def _answers(batch: list[_Job]) -> list[Any]:
    """Return a result or an error for each job; for one that was given up, any."""
    wanted = [job for job in batch if not job.answer.cancelled()]
    answers = dict(zip(wanted, _results(wanted), strict=True))
    return [answers.get(job) for job in batch]


def _results(jobs: list[_Job]) -> list[Any]:
    """Return a result or an error for each job.

    If they cannot be computed together, they are halved, so that one faulty request among many
    neither spoils the others nor makes each of them run by itself.
    """
    if not jobs:
        return []
    if len(jobs) == 1:
        try:
            return [jobs[0].function(jobs[0].rows)]
        except Exception as error:
            return [error]
    try:
        joined = jobs[0].function(_joined([job.rows for job in jobs]))
    except Exception:
        half = len(jobs) // 2
        return _results(jobs[:half]) + _results(jobs[half:])
    return list(_split(joined, [len(job.rows) for job in jobs]))


def _joined(rows: Sequence[Any]) -> Any:
    if isinstance(rows[0], list):
        return [row for part in rows for row in part]
    return np.concatenate(rows) if isinstance(rows[0], np.ndarray) else pa.concat_tables(rows)


def _split(results: Results, counts: Sequence[int]) -> Iterator[Results]:
    start = 0
    for count in counts:
        piece = results.values[start : start + count]
        if isinstance(results.values, pa.Table):
            piece = results.values.slice(start, count)
        yield Results(piece, results.columns)
        start += count


def _deliver(batch: list[_Job], answers: list[Any]) -> None:
    """Hand the answers to the event loop, which wakes up once for the batch."""

    def set_all() -> None:
        for job, answer in zip(batch, answers, strict=True):
            if job.answer.done():
                continue
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)

    loop = batch[0].answer.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(set_all)
