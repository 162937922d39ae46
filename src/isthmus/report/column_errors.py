"""Describe tables and feature matrices, and find the columns and rows with the largest errors."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isthmus.core.number_format import count, number, percent, value
from isthmus.data.arrow_types import family
from isthmus.data.frames import is_table, to_arrow
from isthmus.data.reconstruction_error import cell_errors
from isthmus.evaluation.channel_errors import MOST_CHANNELS, channel_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.comparison import Comparison

MOST_COLUMNS = 40
"""Most columns listed. A page with thousands would not open on a phone."""
WORST_ROWS = 10
CELLS_PER_ROW = 3
_LONGEST = 40  # characters of a cell's text
_KINDS = {"numeric": "numbers", "binary": "yes or no", "categorical": "categories"}


class ColumnError(NamedTuple):
    """The reconstruction error of one column."""

    name: str
    kind: str
    explained: float
    explained_text: str
    error: str
    pca: str
    mean: str


class ColumnErrors(NamedTuple):
    """The columns, those with the lowest explained variance first, or the channels in order."""

    rows: list[ColumnError]
    note: str
    subject: str = "column"


class ColumnCell(NamedTuple):
    """A cell of a row with a large error, in the column's unit."""

    column: str
    value: str
    reconstruction: str
    share: str


class WorstRow(NamedTuple):
    """A row with a large error and the cells that contribute most to it."""

    number: str
    error: str
    cells: list[ColumnCell]


class ColumnView(NamedTuple):
    """The kind and values of one column."""

    name: str
    kind: str
    missing: str
    values: str


class ColumnData(NamedTuple):
    """A description of the held-out rows."""

    note: str
    columns: list[ColumnView]
    more: str


def column_errors(contest: Comparison, schema: Any) -> ColumnErrors:
    """Rank the columns by the fraction of their variance that the autoencoder explains."""
    own, pca, mean = (
        _column_means(cell_errors(contest.target, entry.prediction, schema.segments))
        for entry in contest.entries
    )
    with np.errstate(all="ignore"):
        explained = np.where(mean > 0, 1 - own / mean, np.nan)
    order = [int(i) for i in np.argsort(explained, kind="stable") if not np.isnan(own[i])]
    kinds = [_KINDS[s.kind] for s in schema.segments] or ["numbers"] * len(own)
    names = _learned(schema)
    rows = [
        ColumnError(
            names[i],
            kinds[i],
            float(np.nan_to_num(explained[i])),
            percent(float(explained[i])),
            *(number(float(errors[i])) for errors in (own, pca, mean)),
        )
        for i in order[:MOST_COLUMNS]
    ]
    note = (
        "Explained variance of each column by the autoencoder, lowest first. Below 0, the mean row "
        "is better."
    )
    if len(order) > MOST_COLUMNS:
        note += f" The worst {MOST_COLUMNS} of {len(order):,} columns are listed."
    return ColumnErrors(rows, note)


def errors_of_channels(contest: Comparison, schema: Any) -> ColumnErrors | None:
    """Return the errors by channel, in order; None if samples do not have several channels."""
    channels = channel_errors(contest, schema)
    if not channels:
        return None
    rows = [
        ColumnError(
            channel.cells[0],
            "numbers",
            float(channel.explained_variance or 0.0),
            *channel.cells[1:],
        )
        for channel in channels[:MOST_CHANNELS]
    ]
    note = "Explained variance of each channel by the autoencoder. Below 0, the mean row is better."
    if len(channels) > MOST_CHANNELS:
        note += f" The first {MOST_CHANNELS} of {len(channels):,} channels are listed."
    return ColumnErrors(rows, note, "channel")


def worst_rows(contest: Comparison, schema: Any, X: Any) -> list[WorstRow]:
    """Find the rows with the largest errors and the cells that contribute most to each."""
    order = np.argsort(-contest.autoencoder.errors, kind="stable")[:WORST_ROWS]
    order = order[contest.autoencoder.errors[order] > 0]
    if not len(order):
        return []
    prediction = contest.autoencoder.prediction[order]
    errors = np.nan_to_num(cell_errors(contest.target[order], prediction, schema.segments))
    values, rebuilt = _in_own_units(schema, X, contest.rows[order], prediction)
    names, listed = _learned(schema), []
    for place, row in enumerate(order):
        shares = errors[place] / errors[place].sum()
        top = [int(i) for i in np.argsort(-shares)[:CELLS_PER_ROW] if shares[i] > 0]
        cells = [
            ColumnCell(
                names[i],
                cell_text(values[i][place]),
                cell_text(rebuilt[i][place]),
                percent(float(shares[i])),
            )
            for i in top
        ]
        error = number(float(contest.autoencoder.errors[row]))
        listed.append(WorstRow(f"{int(contest.rows[row]):,}", error, cells))
    return listed


def describe(X: Any, schema: Any, noun: SampleNoun = "row") -> ColumnData:
    """Describe the held-out rows: their number, and each column's kind, missing cells and range."""
    if is_table(X):
        return _describe_table(to_arrow(X), schema)
    array = np.asarray(X)
    shape = " × ".join(map(str, array.shape[1:]))
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    missing = float(np.isnan(array.astype(np.float64)).mean()) if array.dtype.kind == "f" else 0.0
    note = (
        f"{count(len(array), f'held-out {noun}')} of {shape} cells ({array.dtype}), values "
        f"{value(low)} to {value(high)}, {percent(missing)} missing. "
    )
    if array.ndim != 2 or schema.is_image:
        return ColumnData(note, [], "")
    numbers = array.astype(np.float64)
    columns = [
        ColumnView(name, "numbers", percent(float(np.isnan(column).mean())), _range(column))
        for name, column in zip(schema.columns[:MOST_COLUMNS], numbers.T, strict=False)
    ]
    return ColumnData(note, columns, _more(schema.n_columns))


def _describe_table(table: pa.Table, schema: Any) -> ColumnData:
    note = f"{count(table.num_rows, 'held-out row')} in {count(schema.n_columns, 'column')}."
    columns = [_describe_column(name, table.column(name)) for name in schema.columns[:MOST_COLUMNS]]
    return ColumnData(note, columns, _more(schema.n_columns))


def _describe_column(name: str, column: pa.ChunkedArray) -> ColumnView:
    missing = column.null_count
    if pa.types.is_floating(column.type):
        missing += pc.sum(pc.is_nan(column)).as_py() or 0
        column = pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = family(column.type) or str(column.type)
    share = percent(missing / len(column))
    if missing == len(column):
        return ColumnView(name, kind, share, "none")
    if kind in ("text", "booleans"):
        return ColumnView(name, kind, share, _commonest(column))
    ends = pc.min_max(column).as_py()
    return ColumnView(name, kind, share, f"{cell_text(ends['min'])} to {cell_text(ends['max'])}")


def _commonest(column: pa.ChunkedArray, most: int = 4) -> str:
    counts = pc.value_counts(column.drop_null()).to_pylist()
    counts.sort(key=lambda entry: -entry["counts"])
    names = ", ".join(cell_text(entry["values"]) for entry in counts[:most])
    if len(counts) <= most:
        return names
    return f"{len(counts):,} different, most often {names}"


def _learned(schema: Any) -> list[str]:
    """Return the names of the columns that have an error: a table may have others."""
    return [segment.name for segment in schema.segments] or list(schema.columns)


def _in_own_units(
    schema: Any, X: Any, rows: NDArray[np.intp], prediction: NDArray[np.float32]
) -> tuple[list[Any], list[Any]]:
    """Return values and reconstructions of some rows, by column."""
    if is_table(X):
        some = to_arrow(X).take(pa.array(rows))
        rebuilt = schema.from_matrix(prediction, like=some)
        return (
            [some.column(name).to_pylist() for name in _learned(schema)],
            [rebuilt.column(name).to_pylist() for name in _learned(schema)],
        )
    some = np.asarray(X)[rows]
    rebuilt = np.asarray(schema.from_matrix(prediction))
    return list(some.reshape(len(rows), -1).T), list(rebuilt.reshape(len(rows), -1).T)


def _column_means(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    observed = (~np.isnan(errors)).sum(axis=0)
    with np.errstate(all="ignore"):
        return np.asarray(np.nansum(errors, axis=0) / observed)


def _range(values: NDArray[np.float64]) -> str:
    if np.isnan(values).all():
        return "none"
    return f"{value(float(np.nanmin(values)))} to {value(float(np.nanmax(values)))}"


def _more(columns: int) -> str:
    if columns <= MOST_COLUMNS:
        return ""
    return f"The first {MOST_COLUMNS} of {columns:,} columns are listed."


def cell_text(cell: Any) -> str:
    """Format a cell for display."""
    if cell is None or (isinstance(cell, (float, np.floating)) and np.isnan(cell)):
        return "missing"
    if isinstance(cell, (bool, np.bool_)):
        return "yes" if cell else "no"
    if isinstance(cell, (float, np.floating)):
        return value(float(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        cell = cell.date()
    text = str(cell)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
