"""Write the explorer of a model's codes as one self-contained HTML page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import InvalidParameter
from isthmus.core.number_format import count
from isthmus.core.sample_words import about
from isthmus.data import frames
from isthmus.data.arrow_types import family
from isthmus.data.sparse_rows import without_sparsity
from isthmus.data.table_schema import TableSchema
from isthmus.estimators.input_checks import in_memory
from isthmus.estimators.resolved_settings import sample_noun
from isthmus.evaluation import alarm_evaluation
from isthmus.explorer.alarm_entries import alarm_entries, highest_alarms
from isthmus.explorer.chosen_rows import chosen_rows, taken
from isthmus.explorer.code_model import code_model
from isthmus.explorer.columns import (
    MOST_COLUMNS,
    ExplorerColumn,
    columns_of_array,
    columns_of_table,
    label_column,
    number_column,
)
from isthmus.explorer.decoded_grid import decoded_grid
from isthmus.explorer.decoded_outputs import picture_form, row_outputs
from isthmus.explorer.decoder_program import decoder_program
from isthmus.explorer.packing import packed, packed_codes
from isthmus.explorer.picture_tiles import most_tiles, picture_tiles
from isthmus.explorer.plane import plane_of, plane_of_map
from isthmus.report.code_views import check_labels
from isthmus.report.template import colophon, filled, free_path, inlined
from isthmus.tasks.maps import LatentMap

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.alarm_evaluation import AlarmCounts
    from isthmus.explorer.code_model import CodeModel
    from isthmus.explorer.decoded_outputs import PictureForm
    from isthmus.explorer.plane import CodePlane

_HERE = "isthmus.explorer"
_SCRIPTS = (
    *(
        "arrays.js",
        "dom.js",
        "numbers.js",
        "columns.js",
        "palette.js",
        "operators.js",
        "decoder.js",
    ),
    *("plane.js", "nearest.js", "viewport.js", "webgl_points.js", "canvas_points.js"),
    *("gestures.js", "map.js", "tiles.js", "legend.js", "decoded_panel.js", "sliders.js"),
    *("row_panel.js", "selection_panel.js", "alarm_panel.js", "explorer.js"),
)
"""In an order in which each uses only what is before it; together they are one module."""
_STYLES = ("explorer.css",)
_LONGEST_NAME = 200


class _ShownRows(NamedTuple):
    """The rows of the page."""

    data: Any
    chosen: NDArray[np.intp]
    """Their numbers among all rows."""
    codes: NDArray[np.float32]
    labels: NDArray[Any] | None
    seen: AlarmCounts | None
    """For a detector, the scores of these rows."""


def write_explorer(
    model: Any,
    X: Any,
    path: str | os.PathLike[str],
    *,
    y: Any = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    most_rows: int = 100_000,
    overwrite: bool = False,
) -> Path:
    """Write a page on which the codes of rows are explored.

    The page has a map of the codes that pans and zooms, coloured by a column or by labels. A row
    is selected with its reconstruction and its nearest neighbours, a region with a lasso for
    statistics and a CSV file, and a place of the plane to see what it is decoded to. Sliders
    change each number of a code. The alarms of a detector are listed with their reasons.

    The page is one file and loads nothing: data, weights and scripts are in it, and its policy
    forbids requests. So it shows the data to everyone who has the file.

    Parameters
    ----------
    model : fitted autoencoder, AnomalyDetector or LatentMap
        A detector of rows or of pictures. The codes of a map are drawn where the map has them;
        others with two numbers on their own plane, and longer ones on that of their first two
        principal components.
    X : array or table of n rows
        In the form that the model was fitted on.
    path : path
        The file to write, such as ``"explorer.html"``.
    y : array of shape (n,), optional
        Labels, by which points are coloured at first.
    names : sequence of n str, optional
        The names of the rows, such as the files of images; by default, what a column of text
        that identifies rows has, or their numbers.
    title : str, optional
        The page's heading.
    most_rows : int
        The most rows that are shown: of more, a random sample. It is smaller if codes and columns
        would take more than about 20 MB. The alarms that are listed are always shown.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    CannotWrite
        The file exists, or the folder is not writable. Nothing is changed.
    InvalidParameter
        The model is not fitted, or a detector of series; or `most_rows` is not positive.
    InvalidData
        The rows differ in form from those of `fit`, or there is not one label per row.
    """
    if not isinstance(most_rows, int) or most_rows < 1:
        raise InvalidParameter("most_rows", expected="a positive integer", received=repr(most_rows))
    target = free_path(path, overwrite=overwrite)
    page = render(model, X, y=y, names=names, title=title, most_rows=most_rows)
    atomic_write(target, page.encode())
    return target


def render(
    model: Any,
    X: Any,
    *,
    y: Any = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    most_rows: int = 100_000,
) -> str:
    """Return the page that `write_explorer` writes."""
    codes = code_model(model)
    schema = _schema(model)
    X = _as_table(without_sparsity(in_memory(X, schema)), schema)
    if y is not None:
        check_labels(y, len(X))
    noun = sample_noun(_autoencoder(model), schema)
    rows = _chosen(model, codes, schema, X, y, most_rows)
    matrix = schema.to_matrix(rows.data)
    picture = picture_form(schema, matrix)
    columns = list(_columns(model, schema, rows, has_picture=picture is not None))
    plane = _plane(model, rows, columns)
    data = {
        "noun": noun,
        "rows": len(rows.chosen),
        "numbers": None if len(rows.chosen) == len(X) else packed(rows.chosen, "u32"),
        "names": _names(names, schema, rows),
        "codes": packed_codes(rows.codes),
        "plane": plane.to_config(),
        "columns": [column.to_config() for column in columns],
        "outputs": [] if picture else row_outputs(schema),
        "picture": picture._asdict() if picture else None,
        "decoder": decoder_program(codes, matrix[0].size)
        or decoded_grid(codes, plane, rows.codes, matrix[0].size, picture),
        "thumbnails": _thumbnails(picture, matrix, rows) if picture else None,
        "alarms": _alarms(model, rows),
    }
    return _filled(data, title or "Explorer", noun, plane, len(X), rows.seen)


def _names(names: Sequence[str] | None, schema: Any, rows: _ShownRows) -> list[str] | None:
    """Return the rows' names: those that are given, or a column of text that identifies rows."""
    if names is not None:
        return [str(names[row])[:_LONGEST_NAME] for row in rows.chosen]
    own = [
        field.name
        for field in getattr(schema, "fields", ())
        if field.kind == "identifier" and family(field.type) == "text"
    ]
    if not own:
        return None
    cells = frames.to_arrow(rows.data).column(own[0]).to_pylist()
    return [
        f"row {row:,}" if cell is None else str(cell)[:_LONGEST_NAME]
        for row, cell in zip(rows.chosen, cells, strict=True)
    ]


def _filled(
    data: dict[str, Any],
    title: str,
    noun: SampleNoun,
    plane: CodePlane,
    total: int,
    seen: AlarmCounts | None,
) -> str:
    shown = data["rows"]
    sampled = f"{shown:,} of {count(total, noun)} are shown, a random sample. "
    if seen is not None:
        sampled += "The alarms of the list are among them in any case. "
    parts = {
        "title": title,
        "noun": noun,
        "subtitle": about(noun, f"{count(shown, 'row')}. {plane.note}"),
        "sampled": sampled if shown < total else "",
        "detector": seen is not None,
        "pictures": data["picture"] is not None,
        "live": data["decoder"]["kind"] == "program",
        "data": _as_json(data),
        "script": inlined(*_SCRIPTS, module=_HERE),
        "styles": [inlined("style.css"), inlined(*_STYLES, module=_HERE)],
        "colophon": colophon(),
    }
    return filled("explorer.html.j2", parts, module=_HERE)


def _as_json(data: Any) -> Markup:
    """Return JSON for a script element, which ends at the first ``</script``, so without any."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON without "<" cannot end it


def _schema(model: Any) -> Any:
    return getattr(model, "schema_", None) or model.autoencoder_.schema_


def _as_table(X: Any, schema: Any) -> Any:
    """Return an array as the table whose columns a model was fitted on, if it was."""
    if not isinstance(schema, TableSchema) or frames.is_table(X):
        return X
    array = np.asarray(X)
    if array.dtype.kind not in "biuf" or array.shape[1:] != (schema.n_columns,):
        return array  # encoding it says what is wrong
    values = array.astype(np.float64)
    return pa.table(dict(zip(schema.columns, values.T, strict=True)))


def _chosen(
    model: Any, codes: CodeModel, schema: Any, X: Any, y: Any, most_rows: int
) -> _ShownRows:
    seen, kept = None, np.empty(0, np.intp)
    if isinstance(model, AnomalyDetector):
        seen = alarm_evaluation.look(model, X)
        kept = highest_alarms(seen)
    width = codes.encode(taken(X, np.arange(1))).shape[1]
    size = 2 * width + 4 * min(schema.n_columns, MOST_COLUMNS) * (schema.kind == "table")
    chosen = chosen_rows(len(X), most_rows, size + 16, kept)
    data = X if len(chosen) == len(X) else taken(X, chosen)
    labels = None if y is None else np.asarray(y)[chosen]
    own = None if seen is None else seen.reordered(chosen)
    return _ShownRows(data, chosen, codes.encode(data), labels, own)


def _columns(
    model: Any, schema: Any, rows: _ShownRows, *, has_picture: bool
) -> Iterator[ExplorerColumn]:
    if rows.labels is not None:
        yield label_column("label", rows.labels)
    if rows.seen is not None:
        seen = rows.seen
        names = ["no alarm", "alarm"]
        form = {"kind": "category", "names": names}
        yield ExplorerColumn("alarm", "model", form, seen.raised.astype(np.float64))
        yield number_column("anomaly score", "model", seen.scores)
        yield number_column("p-value", "model", seen.p_values)
    else:
        error = _autoencoder(model).reconstruction_error(rows.data)
        yield number_column("reconstruction error", "model", error)
    if not has_picture:
        made = (
            columns_of_table(schema, rows.data)
            if isinstance(schema, TableSchema)
            else columns_of_array(schema, rows.data)
        )
        yield from list(made)[:MOST_COLUMNS]


def _autoencoder(model: Any) -> Any:
    return getattr(model, "autoencoder_", model)


def _plane(model: Any, rows: _ShownRows, columns: Sequence[ExplorerColumn]) -> CodePlane:
    if isinstance(model, LatentMap):
        return plane_of_map(model.transform(rows.data), model.method)
    beside = next(
        column for column in columns if column.name in ("reconstruction error", "anomaly score")
    )
    return plane_of(rows.codes, beside.values, beside.name)


def _thumbnails(picture: PictureForm, matrix: Any, rows: _ShownRows) -> dict[str, Any]:
    """Return small pictures of all rows, or of the alarms and some others."""
    most = most_tiles(picture.height, picture.width)
    kept = () if rows.seen is None else highest_alarms(rows.seen)[:most]
    places = chosen_rows(len(matrix), most, 0, kept)
    images = picture.images(matrix[places])
    every = len(places) == len(matrix)
    return {**picture_tiles(images), "rows": None if every else packed(places, "u32")}


def _alarms(model: Any, rows: _ShownRows) -> dict[str, Any] | None:
    if rows.seen is None:
        return None
    listed = highest_alarms(rows.seen)
    return {
        "count": int(rows.seen.raised.sum()),
        "rows": listed.tolist(),
        "entries": alarm_entries(model, rows.data, rows.seen, listed),
    }
