"""``isthmus explain``: the cells that make rows anomalous, and their expected values."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from isthmus.cli import error_context, model_files, output_checks, series_files
from isthmus.core.errors import InvalidParameter
from isthmus.data.formats.catalogue import TABLES, output_choices

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


def explain(
    model: model_files.DetectorFile,
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Rows like those that the detector was fitted on."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help=f"Where the reasons are written: {output_choices(TABLES)}."
        ),
    ],
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Row numbers, such as 3,17; the first row is 0.",
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
) -> None:
    """Show which cells make rows anomalous.

    The result has a line for each row and column, with unit (if the detector has units), row,
    column, value, expected, contribution and share; the largest contribution of a row comes first.
    Contributions sum to the row's score.
    """
    output_checks.require_ending(output, TABLES, "a table of reasons")
    output_checks.check([output], force=force)
    if rows is not None and top is not None:
        raise typer.BadParameter("--rows and --top exclude each other")
    wanted = None if rows is None else _parse_row_numbers(rows)

    from isthmus.core.number_format import count
    from isthmus.data import writing

    detector = model_files.detector(model, normal=normal)
    if detector.is_series:
        explained = _explain_series(detector, data, wanted, top, time)
    else:
        series_files.refuse_options({"--time": time})
        explained = _explain_rows(detector, data, wanted, top)
    if not explained:
        typer.echo(
            "No row raises an alarm; nothing was written. --top 10 explains the highest scores."
        )
        return
    writing.write(output, _table(explained), overwrite=force)
    many = count(len(explained), "row")
    typer.echo(f"Wrote the reasons of {many} to {output_checks.path_and_size(output)}")


def _explain_rows(
    detector: Any, data: Path, wanted: "NDArray[np.intp] | None", top: int | None
) -> list[_ExplainedRow]:
    from isthmus.cli import carried_columns
    from isthmus.cli.detector_scan import batches

    explained, end = [], 0
    for start, whole in batches(detector, data):
        rows, end = (
            carried_columns.without(whole, carried_columns.unknown(detector, whole)),
            start + len(whole),
        )
        with error_context.adding(error_context.batch_name(data.name, start, len(rows))):
            inside = None if wanted is None else wanted - start
            explained += _explain_batch(detector, rows, inside, top, start)
    _check_row_numbers(wanted, end, data)
    return explained if top is None else sorted(explained, key=lambda row: -row.score)[:top]


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


def _parse_row_numbers(text: str) -> "NDArray[np.intp]":
    """Return the numbers in a text such as ``3,17``."""
    import numpy as np

    try:
        found = np.array([int(each) for each in text.split(",") if each.strip()], dtype=np.intp)
    except (ValueError, OverflowError):
        found = np.empty(0, dtype=np.intp)
    if not len(found) or found.min() < 0:
        raise typer.BadParameter(
            f"expected numbers from 0, such as 3,17, received {text!r}", param_hint="--rows"
        )
    return found
