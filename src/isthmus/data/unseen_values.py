"""The values of a table that `fit` did not see: refused, or counted for one warning."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from isthmus.core.errors import DataWarning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from isthmus.data.table_columns import TableColumn

Unknown = Literal["warn", "error"]
_SHOWN = 10


class UnseenValues:
    """Counts values that `fit` did not see, over the blocks of a table.

    Parameters
    ----------
    fields : sequence of TableColumn
        All columns of the table.
    unknown : "warn" or "error"
        Whether they are counted or refused. In a column that was empty in `fit` they are counted.
    """

    def __init__(self, fields: Sequence[TableColumn], unknown: Unknown) -> None:
        self._fields = fields
        self._unknown = unknown
        self._counts: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def add(self, table: pa.Table, unseen: Mapping[str, NDArray[np.bool_]], first_row: int) -> None:
        """Add a block of rows.

        Parameters
        ----------
        table : pyarrow.Table
            The rows.
        unseen : mapping of str to bool array of shape (n,)
            For each column that holds such values, which rows do.
        first_row : int
            The number of the block's first row, for messages.

        Raises
        ------
        SchemaMismatch
            They are refused; the message names column, row and value.
        """
        for field in self._fields:
            if field.name not in unseen:
                continue
            rows = np.flatnonzero(unseen[field.name])
            cell = str(table.column(field.name)[int(rows[0])].as_py())
            if self._unknown == "error" and field.kind != "empty":
                raise field.unseen_error(first_row + int(rows[0]), cell)
            self._counts[field.name] = self._counts.get(field.name, 0) + len(rows)
            self._examples.setdefault(field.name, cell)

    def warn(self, consequence: str) -> None:
        """Warn once of all that were counted, if any.

        Parameters
        ----------
        consequence : str
            What becomes of them: the end of the sentence.
        """
        parts = []
        for field in self._fields:
            if count := self._counts.get(field.name):
                rows = "1 row" if count == 1 else f"{count:,} rows"
                example = self._examples[field.name][:80]
                parts.append(f"{field.name!r} in {rows} (such as {example!r})")
        if not parts:
            return
        more = f" and {len(parts) - _SHOWN} more columns" if len(parts) > _SHOWN else ""
        warnings.warn(
            f"Values that fit did not see: {', '.join(parts[:_SHOWN])}{more}; {consequence}.",
            DataWarning,
            stacklevel=5,
        )
