"""``isthmus detect``: the alarms of a detector on a file of rows, or along a series."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import model_files, output_checks, series_files
from isthmus.data.formats.catalogue import TABLES

if TYPE_CHECKING:
    from isthmus.evaluation.alarm_evaluation import AlarmCounts


def detect(
    model: model_files.DetectorFile,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Rows like those it was fitted on.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the alarms go: .csv or .parquet.")
    ],
    fdr: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Raise alarms of which at most so large a share is expected to be false.",
            show_default="alarms at the rate of false alarms that 'fit' was given",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="The column that says which rows are anomalies, by 1 and 0."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where an HTML report goes.", show_default="none is written")
    ] = None,
    intervals: Annotated[
        Path | None,
        typer.Option(
            help="Of a series: where a table goes of when each alarm began and ended.",
            show_default="none is written",
        ),
    ] = None,
    time: series_files.Time = None,
    normal: model_files.Normal = None,
    force: output_checks.Force = False,
) -> None:
    """Find anomalies: score, p-value and alarm of each row.

    The result has the columns row, score, p_value, alarm and top_columns, which names the columns
    that contribute most to an alarm. Columns that the detector was not fitted on stand before them.
    """
    output_checks.require_ending(output, TABLES, "a table of alarms")
    if report is not None:
        output_checks.require_ending(report, [".html", ".htm"], "a report")
    if intervals is not None:
        output_checks.require_ending(intervals, TABLES, "a table of intervals")
    output_checks.check([p for p in (output, report, intervals) if p is not None], force=force)

    from isthmus.cli.detector_scan import scan, scan_series
    from isthmus.core.number_format import count
    from isthmus.data import writing
    from isthmus.evaluation.alarm_evaluation import seen_from, told

    detector = model_files.detector(model, normal=normal)
    most = detector.false_alarm_rate if fdr is None else fdr
    if detector.window is None:
        series_files.refuse({"--intervals": intervals, "--time": time})
        whole, found = None, scan(detector, data, label, most=most)
    else:
        whole = series_files.read(data, time=time, label=label, sensors=detector.sensors_)
        found = scan_series(detector, whole, most=most)
    seen = seen_from(detector, found.scores, found.p_values, y=found.labels, fdr=fdr)
    writing.write(output, found.table(seen), overwrite=force)
    typer.echo(f"Wrote {count(len(seen.scores), 'row')} to {output_checks.described(output)}")
    if intervals is not None and whole is not None:
        table = series_files.intervals(detector, whole.rows)
        writing.write(intervals, table, overwrite=force)
        typer.echo(f"Wrote {count(len(table), 'alarm')} to {output_checks.described(intervals)}")
    if report is not None:
        rows = _all_rows(detector, data) if whole is None else whole.rows
        _report(detector, rows, seen, data, report)
    for sentence in told(seen):
        typer.echo(sentence)


def _all_rows(detector: Any, data: Path) -> Any:
    from isthmus.cli import carried_columns
    from isthmus.data import reading

    rows = reading.read(data, types=detector.schema_.arrow_types).X
    return carried_columns.without(rows, carried_columns.unknown(detector, rows))


def _report(detector: Any, rows: Any, seen: "AlarmCounts", data: Path, path: Path) -> None:
    from isthmus.report.anomaly_page import write_anomaly_report

    title = f"Anomalies in {data.name}"
    write_anomaly_report(detector, rows, path, seen=seen, title=title, overwrite=True)
    typer.echo(f"Wrote {output_checks.described(path)}")
