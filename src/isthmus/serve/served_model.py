"""A model in service: its file, what it can do, and the thread in which it runs."""

from __future__ import annotations

import copy
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.engines import open_models
from isthmus.persistence.loading import load
from isthmus.serve.model_thread import ModelThread
from isthmus.serve.operations import Operation, Results, operations_of
from isthmus.serve.recent_rows import RecentRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from isthmus.serve.limits import Limits
    from isthmus.serve.metrics import Metrics

_WARM = (1, 2, 65)
"""Batches that make all programs of the networks compile: for one row, for few, and for many."""


class ServedModel:
    """A model that was loaded from a file.

    Parameters
    ----------
    name : str
        Its name in addresses.
    path : Path
        Its file.
    limits : Limits
    metrics : Metrics

    Raises
    ------
    InvalidArchive
        The file is missing or no model.
    InvalidParameter
        A service is not for this kind of model.
    """

    def __init__(self, name: str, path: Path, limits: Limits, metrics: Metrics) -> None:
        self.name, self.path = name, path
        self.digest = open_models.checksum(str(path))
        self._saved: Any = load(path)
        self.kind: str = self._saved.kind
        self.operations = operations_of(self._saved, path.name, limits.rows)
        self._metrics = metrics
        self._recent = RecentRows() if hasattr(self._saved, "drift") else None
        self._users, self._retired = 0, False
        self._warm_up()
        self.thread = ModelThread(f"model {name}", metrics.batches.labels(name).observe)

    @property
    def is_stream(self) -> bool:
        """Whether it takes the rows of a series one at a time."""
        return hasattr(self._saved, "update")

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors of a detector of series."""
        return tuple(getattr(self._saved, "sensors_", ()))

    def new_stream(self) -> Any:
        """Return a detector of series that shares what was learned, at the start of a stream."""
        own = copy.copy(self._saved)
        own.reset()
        return own

    async def answer(
        self,
        operation: Operation,
        rows: Any,
        choices: dict[str, int],
        *,
        takes_json: bool,
        gives_json: bool,
    ) -> Results:
        """Return the results of an operation, computed together with those of other requests.

        Parameters
        ----------
        operation : Operation
        rows : table, array or list
            What a format of `bodies` has read. None if the operation takes no rows.
        choices : mapping of str to int
            The client's choices, one for each of the operation.
        takes_json, gives_json : bool
            Whether the rows are values of JSON, and the results should be.
        """

        def compute(given: Any) -> Results:
            if operation.rows is None:
                results = operation.apply(**choices)
            else:
                X = operation.rows.from_json(given) if takes_json else given
                results = operation.apply(X, **choices)
                self._observe(operation, X, results)
            return results.plain() if gives_json else results

        key = None
        if operation.rows is not None:
            key = (operation.name, takes_json, gives_json, *choices.items())
        found: Results = await self.thread.run(compute, rows, key)
        return found

    def drift(self, rows: Any) -> Any:
        """Return how recent rows differ from held-out ones."""
        return self._saved.drift(rows)

    def recent_rows(self) -> Any:
        """Return rows to test for drift, None if there are too few new ones."""
        return None if self._recent is None else self._recent.taken()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep the thread while a request needs it, even if the model is replaced meanwhile."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._close_if_unused()

    def retire(self) -> None:
        """Close the model when its last request is answered."""
        self._retired = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._retired and not self._users:
            self.thread.close()

    def _observe(self, operation: Operation, rows: Any, results: Results) -> None:
        if operation.name == "detect":
            table: pa.Table = results.values
            scores = table.column("score").to_numpy() / self._saved.threshold_
            self._metrics.scores.observe(self.name, scores)
            self._metrics.alarms.labels(self.name).inc(
                int(np.sum(table.column("alarm").to_numpy()))
            )
            if self._recent is not None:
                self._recent.add(rows)
        elif operation.name == "score":
            self._metrics.errors.observe(self.name, results.values.column(0).to_numpy())

    def _warm_up(self) -> None:
        """Compile the programs, so that no request waits for that."""
        for operation in self.operations.values():
            chosen = {name: choice.default for name, choice in operation.choices.items()}
            if operation.rows is None:
                operation.apply(**chosen)
                continue
            row = operation.rows.example()
            for count in _WARM:
                operation.apply(operation.rows.from_json([row] * count), **chosen)
        if self.is_stream:
            stream = self.new_stream()
            for _ in range(math.ceil(1.5 * stream.window_)):
                stream.update(np.zeros(stream.n_features_in_))
