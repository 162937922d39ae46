"""``isthmus explain``: the cells that make rows anomalous, and their expected values."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from isthmus.cli import image_options, model_files, output_checks, series_files
from isthmus.cli.command_wrapper import note
from isthmus.core import error_context
from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter
from isthmus.data.formats.catalogue import TABLES, output_choices
from isthmus.data.formats.image_options import ImageOptions

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from isthmus.evaluation.alarm_reasons import Reasons


class _ExplainedRow(NamedTuple):
    """A row whose score is explained."""

    number: int
    """Its number in the file."""
    score: float
    why: "Reasons"
    place: int
    """Its index in `why`."""
    unit: str | int | None = None
    """Its unit in a fleet."""
    file: str | None = None
    """Its file in a folder of images."""

    @property
    def score_of_cells(self) -> float:
        """The sum of the contributions of its cells."""
        return float(self.why.contributions[self.place].sum())


_ENDINGS = (*TABLES, ".png")
_MOST_DRAWN = 50
"""Images in one picture."""


@image_options.add
def explain(
    model: model_files.DetectorFile,
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Rows like those that the detector was fitted on."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help=f"Where the reasons are written: {output_choices(TABLES)}; "
            "for images also a picture, .png.",
        ),
    ],
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Row numbers, such as 3,17; the first row is 0. For a folder of images also file "
            "names, such as a.png,b.png.",
            show_default="those that raise an alarm",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Explain the N rows with the highest scores.",
            show_default="none",
        ),
    ] = None,
    time: series_files.Time = None,
    normal: model_files.Normal = None,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Show which cells make rows anomalous.

    The result has a line for each row and column, with unit (if the detector has units), row,
    column, value, expected, contribution and share; the largest contribution of a row comes first.
    Contributions sum to the row's score. For images, the column file comes first, and the columns
    pixel_row, pixel_column and channel say where a cell is; a .png shows the images, what was
    expected, and where the contributions are.
    """
    output_checks.require_ending(output, _ENDINGS, "a table of reasons, or a picture")
    output_checks.check([output], force=force)
    if rows is not None and top is not None:
        raise typer.BadParameter("--rows and --top exclude each other")

    from isthmus.core.number_format import count
    from isthmus.data.reading import image_names

    names = image_names(data)
    wanted = None if rows is None else _parse_row_numbers(rows, names)
    detector, options = model_files.detector_and_images(model, data, normal, images)
    if output.suffix.lower() == ".png":
        _require_images(detector, output)
    if detector.is_series:
        explained = _explain_series(detector, data, wanted, top, time)
    else:
        series_files.refuse_options({"--time": time})
        explained = _explain_rows(detector, data, wanted, top, options)
    if not explained:
        typer.echo(
            "No row raises an alarm; nothing was written. --top 10 explains the highest scores."
        )
        return
    if names is not None:
        explained = [each._replace(file=names[each.number]) for each in explained]
    if output.suffix.lower() == ".png":
        explained = _draw(detector, explained, output)
    else:
        _write_table(detector, explained, output, force=force)
    many = count(len(explained), "row")
    typer.echo(f"Wrote the reasons of {many} to {output_checks.path_and_size(output)}")


def _require_images(detector: Any, output: Path) -> None:
    from isthmus.report.image_samples import image_shape

    if detector.is_series or image_shape(detector.schema_) is None:
        raise InvalidParameter(
            output.name,
            expected=f"a table of reasons: {output_choices(TABLES)}",
            received="a picture, for a detector that was not fitted on images",
            remedy=f"name it {output.with_suffix('.csv').name!r}",
        )


def _draw(detector: Any, explained: list[_ExplainedRow], output: Path) -> list[_ExplainedRow]:
    """Write a picture of the images with the highest scores, and return these."""
    import numpy as np

    from isthmus.core.atomic_files import atomic_write
    from isthmus.report.explained_images import ExplainedImage, explained_png
    from isthmus.report.image_samples import image_shape

    drawn = sorted(explained, key=lambda row: -row.score)[:_MOST_DRAWN]
    if len(drawn) < len(explained):
        note(f"The picture shows the {_MOST_DRAWN} images with the highest scores.")
    shape, schema = image_shape(detector.schema_), detector.schema_

    def image(cells: Any) -> Any:
        return np.asarray(cells, dtype=np.float32).reshape(shape)

    pictures = [
        ExplainedImage(
            row.file or f"row {row.number}",
            row.score,
            image(row.why.values[:, row.place]),  # type: ignore[call-overload]
            image(row.why.expected[:, row.place]),  # type: ignore[call-overload]
            image(row.why.contributions[row.place]),
        )
        for row in drawn
    ]
    limits = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}.get(str(schema.pixel_type))
    atomic_write(output, explained_png(pictures, limits))
    return drawn


def _explain_rows(
    detector: Any,
    data: Path,
    wanted: "NDArray[np.intp] | None",
    top: int | None,
    images: ImageOptions,
) -> list[_ExplainedRow]:
    from isthmus.cli import carried_columns
    from isthmus.cli.detector_scan import batches

    explained, end = [], 0
    for start, whole in batches(detector, data, images):
        rows, end = (
            carried_columns.without(whole, carried_columns.unknown(detector, whole)),
            start + len(whole),
        )
        with error_context.adding(error_context.batch_name(data.name, start, len(rows))):
            inside = None if wanted is None else wanted - start
            explained += _explain_batch(detector, rows, inside, top, start)
        if top is not None:  # the cells of others are not kept
            explained = sorted(explained, key=lambda row: -row.score)[:top]
    _check_row_numbers(wanted, end, data)
    return explained


def _explain_series(
    detector: Any,
    data: Path,
    wanted: "NDArray[np.intp] | None",
    top: int | None,
    time: str | None,
) -> list[_ExplainedRow]:
    from isthmus.data.fleet import unit_column

    whole = series_files.read(
        data, time=time, label=None, group=detector.group, sensors=detector.sensors_
    )
    _check_row_numbers(wanted, len(whole.rows), data)
    with error_context.adding(data.name):
        explained = _explain_batch(detector, whole.rows, wanted, top, 0)
        if detector.group is None:
            return explained
        units = unit_column(whole.rows, detector.group)
    return [each._replace(unit=units[each.number].as_py()) for each in explained]


def _explain_batch(
    detector: Any, rows: Any, wanted: "NDArray[np.intp] | None", top: int | None, start: int
) -> list[_ExplainedRow]:
    """Explain the wanted rows of a batch, those with the highest scores, or those with alarms."""
    import numpy as np

    from isthmus.evaluation.alarm_reasons import reasons

    scores = np.asarray(detector.anomaly_score(rows), dtype=np.float64)
    if wanted is not None:
        chosen = wanted[(wanted >= 0) & (wanted < len(rows))]
    elif top is not None:
        chosen = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:top]
    else:
        limits = detector.thresholds_of(scores, rows)
        chosen = np.flatnonzero(np.nan_to_num(scores, nan=-np.inf) > limits)
    if not len(chosen):
        return []
    why = reasons(detector, rows, chosen)
    return [
        _ExplainedRow(int(row) + start, float(scores[row]), why, place)
        for place, row in enumerate(chosen)
    ]


def _check_row_numbers(wanted: "NDArray[np.intp] | None", rows: int, data: Path) -> None:
    if wanted is not None and wanted.max() >= rows:
        raise InvalidParameter(
            "--rows",
            expected=f"numbers from 0 to {rows - 1:,}, because {data.name} has {rows:,} rows",
            received=str(wanted.max()),
            remedy="count rows from 0, without the header",
        )


def _write_table(
    detector: Any, explained: list[_ExplainedRow], output: Path, *, force: bool
) -> None:
    from isthmus.data import writing

    arrays = not detector.is_series and detector.schema_.kind == "array"
    table = _array_table(explained, detector.schema_) if arrays else _table(explained)
    writing.write(output, table, overwrite=force)


def _array_table(explained: list[_ExplainedRow], schema: Any) -> "pa.Table":
    """Return what `_table` does for rows of arrays, which may have very many cells."""
    import numpy as np
    import pyarrow as pa

    from isthmus.data.cell_names import cell_places

    cells = schema.n_columns
    orders = [(-row.why.contributions[row.place]).argsort(kind="stable") for row in explained]
    order = np.concatenate(orders)
    files = [row.file for row in explained if row.file is not None]
    table: dict[str, Any] = {
        **({"file": np.repeat(files, cells)} if files else {}),
        "row": np.repeat([row.number for row in explained], cells),
        "column": pa.array(explained[0].why.columns).take(pa.array(order)),
    }
    if len(schema.sample_shape) > 1:
        places = cell_places(schema.sample_shape)
        table |= {name: place[order] for name, place in places.items()}
    for name, of_row in (
        ("value", lambda row: np.asarray(row.why.values)[:, row.place]),
        ("expected", lambda row: np.asarray(row.why.expected)[:, row.place]),
        ("contribution", lambda row: row.why.contributions[row.place]),
        ("share", lambda row: row.why.contributions[row.place] / (row.score_of_cells or 1.0)),
    ):
        parts = [of_row(row)[own] for row, own in zip(explained, orders, strict=True)]
        table[name] = pa.array(np.concatenate(parts).astype(np.float64), from_pandas=True)
    return pa.table(table)


def _table(explained: list[_ExplainedRow]) -> "pa.Table":
    """Return one line for each row and column, a row's largest contribution first."""
    import pyarrow as pa

    lines = [
        {
            **({} if row.unit is None else {"unit": row.unit}),
            "row": row.number,
            "column": row.why.columns[i],
            "value": row.why.values[i][row.place],
            "expected": row.why.expected[i][row.place],
            "contribution": float(row.why.contributions[row.place, i]),
            "share": float(row.why.shares[row.place, i]),
        }
        for row in explained
        for i in (-row.why.contributions[row.place]).argsort(kind="stable")
    ]
    made = {name: [line[name] for line in lines] for name in lines[0]}
    for name in ("value", "expected"):
        # A column of the result has one type; the explained columns may differ in type.
        if any(isinstance(cell, (str, bool, datetime.date, datetime.time)) for cell in made[name]):
            made[name] = [_text(cell) for cell in made[name]]
        else:
            made[name] = pa.array(made[name], pa.float64(), from_pandas=True)
    return pa.table(made)


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, bool):
        return None if cell is None else str(cell).lower()
    return str(cell)


def _parse_row_numbers(text: str, names: list[str] | None) -> "NDArray[np.intp]":
    """Return the numbers in a text such as ``3,17``, or of the images ``a.png,b.png``."""
    import numpy as np

    places = {name: place for place, name in enumerate(names or [])}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if names is not None:
        unknown = [part for part in parts if part not in places and not part.isdecimal()]
        if unknown:
            raise InvalidParameter(
                "--rows",
                expected="numbers, or names of images in the folder",
                received=repr(unknown[0]),
                remedy=nearest(unknown[0], names) or f"--rows {names[0]}",
            )
    try:
        found = np.array(
            [places[part] if part in places else int(part) for part in parts], dtype=np.intp
        )
    except (ValueError, OverflowError):
        found = np.empty(0, dtype=np.intp)
    if not len(found) or found.min() < 0:
        raise typer.BadParameter(
            f"expected numbers from 0, such as 3,17, received {text!r}", param_hint="--rows"
        )
    return found
