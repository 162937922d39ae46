"""``isthmus detect``: the alarms of a detector on a file of rows, or along a series."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import models, outputs, series

if TYPE_CHECKING:
    from isthmus.inspection.alarms import Seen

_TABLES = (".csv", ".parquet")


def detect(
    model: models.DetectorFile,
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
    time: series.Time = None,
    normal: models.Normal = None,
    force: outputs.Force = False,
) -> None:
    """Find anomalies: score, p-value and alarm of each row.

    The result has the columns row, score, p_value, alarm and top_columns, which names the columns
    that contribute most to an alarm. Columns that the detector was not fitted on stand before them.
    """
    outputs.require_ending(output, _TABLES, "a table of alarms")
    if report is not None:
        outputs.require_ending(report, [".html", ".htm"], "a report")
    if intervals is not None:
        outputs.require_ending(intervals, _TABLES, "a table of intervals")
    outputs.check([p for p in (output, report, intervals) if p is not None], force=force)

    from isthmus.cli.scan import scan, scan_series
    from isthmus.data import sinks
    from isthmus.inspection.alarms import seen_from, told
    from isthmus.inspection.figures import count

    detector = models.detector(model, normal=normal)
    most = detector.false_alarm_rate if fdr is None else fdr
    if detector.window is None:
        series.refuse({"--intervals": intervals, "--time": time})
        whole, found = None, scan(detector, data, label, most=most)
    else:
        whole = series.read(data, time=time, label=label, sensors=detector.sensors_)
        found = scan_series(detector, whole, most=most)
    seen = seen_from(detector, found.scores, found.p_values, y=found.labels, fdr=fdr)
    sinks.write(output, found.table(seen), overwrite=force)
    typer.echo(f"Wrote {count(len(seen.scores), 'row')} to {outputs.described(output)}")
    if intervals is not None and whole is not None:
        table = series.intervals(detector, whole.rows)
        sinks.write(intervals, table, overwrite=force)
        typer.echo(f"Wrote {count(len(table), 'alarm')} to {outputs.described(intervals)}")
    if report is not None:
        rows = _all_rows(detector, data) if whole is None else whole.rows
        _report(detector, rows, seen, data, report)
    for sentence in told(seen):
        typer.echo(sentence)


def _all_rows(detector: Any, data: Path) -> Any:
    from isthmus.cli import columns
    from isthmus.data import sources

    rows = sources.read(data, types=detector.schema_.arrow_types).X
    return columns.without(rows, columns.unknown(detector, rows))


def _report(detector: Any, rows: Any, seen: "Seen", data: Path, path: Path) -> None:
    from isthmus.report.anomalies import write_anomaly_report

    title = f"Anomalies in {data.name}"
    write_anomaly_report(detector, rows, path, seen=seen, title=title, overwrite=True)
    typer.echo(f"Wrote {outputs.described(path)}")
