"""Parts data into the rows that train a model and the rows that judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from isthmus.data.sources import Dataset

MAX_HELD_OUT = 10_000


@dataclass(frozen=True)
class Parts:
    """Rows that train, rows that judge, and how they came apart."""

    train: Any
    held_out: Any
    held_out_labels: Any
    origin: str
    """Where the judging rows came from, as a part of a sentence."""


def part(dataset: Dataset, *, test: Dataset | None, seed: int) -> Parts:
    """Choose the rows that training must not see.

    They are those of `test`, else the file's own test rows, else a random tenth of its rows
    (at most 10,000), the same ones for the same `seed`.

    Raises
    ------
    InvalidData
        There are not two rows to part.
    """
    if test is not None:
        return Parts(dataset.X, test.X, test.y, f"the rows of {test.name}")
    if dataset.X_test is not None:
        return Parts(dataset.X, dataset.X_test, dataset.y_test, "the file's own test rows")
    rows = len(dataset.X)
    if rows < 2:
        raise InvalidData(
            dataset.name,
            expected="at least 2 rows, one to train on and one to judge by",
            received=f"{rows} row{'' if rows == 1 else 's'}",
            remedy="bring more rows, or pass others with --test",
        )
    order = generator_for(seed, "held-out rows").permutation(rows)
    count = min(max(1, rows // 10), MAX_HELD_OUT)
    # In their old order, so that reading them from a memory-mapped file goes one way.
    held_out, train = np.sort(order[:count]), np.sort(order[count:])
    return Parts(
        _take(dataset.X, train),
        _take(dataset.X, held_out),
        None if dataset.y is None else dataset.y[held_out],
        "chosen at random, never trained on",
    )


def _take(rows: Any, chosen: Any) -> Any:
    return rows[chosen] if isinstance(rows, np.ndarray) else rows.take(chosen)
