"""``isthmus detect``: the alarms of a detector in a file of rows or a series."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import image_options, model_files, output_checks, part_options, series_files
from isthmus.data.formats.catalogue import TABLES, output_choices

if TYPE_CHECKING:
    from isthmus.data.formats.image_options import ImageOptions
    from isthmus.evaluation.alarm_evaluation import AlarmCounts


@image_options.add
def detect(
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
            help=f"Where the alarms are written: {output_choices(TABLES)}, or with --engine a "
            "folder.",
        ),
    ],
    fdr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Raise alarms of which at most this fraction is expected to be false.",
            show_default="the false-alarm rate that 'fit' was given",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="The column that is 1 for anomalies and 0 for other rows."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where an HTML report is written.", show_default="none")
    ] = None,
    intervals: Annotated[
        Path | None,
        typer.Option(
            help="For a series: where a table of the unit, start and end of each alarm is written.",
            show_default="none",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            help="For pictures: the folder where a heat map of each alarm is written.",
            show_default="none",
        ),
    ] = None,
    time: series_files.Time = None,
    normal: model_files.Normal = None,
    force: output_checks.Force = False,
    engine: part_options.Engine = None,
    workers: part_options.Workers = None,
    **images: Any,
) -> None:
    """Find anomalies: score, p-value and alarm of each row.

    The result has the columns row, score, p_value, alarm and top_columns, which names the columns
    that contribute most to an alarm. Columns that the detector was not fitted on come before them,
    and the file names of images.
    """
    single = {
        "--fdr": fdr,
        "--label": label,
        "--report": report,
        "--intervals": intervals,
        "--maps": maps,
        "--time": time,
        "--normal": normal,
        **{f"--{name.replace('_', '-')}": value for name, value in images.items()},
    }
    if engine is not None or workers is not None:
        part_options.refuse_other_options(engine, single)
        part_options.run("detect", model, data, output, str(engine), workers, force=force)
        return
    _check_outputs(output, report, intervals, maps, force=force)

    detector, options = model_files.detector_and_images(model, data, normal, images)
    if not detector.is_series:
        series_files.refuse_options({"--intervals": intervals, "--time": time})
    if maps is not None:
        from isthmus.cli import heat_maps

        heat_maps.require_pictures(detector)
    if detector.is_series or any(each is not None for each in (fdr, label, report, maps)):
        wanted = _Wanted(fdr, label, report, intervals, maps, time)
        _detect_whole(detector, data, output, options, wanted, force=force)
    else:
        _detect_in_batches(detector, data, output, options, force=force)


@dataclass(frozen=True)
class _Wanted:
    """Options for which all rows, or all scores, are needed at once."""

    fdr: float | None
    label: str | None
    report: Path | None
    intervals: Path | None
    maps: Path | None
    time: str | None


def _detect_whole(
    detector: Any,
    data: Path,
    output: Path,
    images: "ImageOptions",
    wanted: _Wanted,
    *,
    force: bool,
) -> None:
    """Write the alarms of a file once all its rows are scored, and what else is wanted."""
    from isthmus.cli.detector_scan import scan, scan_series, shift
    from isthmus.core.number_format import count
    from isthmus.data import writing
    from isthmus.evaluation.alarm_evaluation import seen_from, told
    from isthmus.evaluation.series_evaluation import evaluate_series

    max_p_value = detector.false_alarm_rate if wanted.fdr is None else wanted.fdr
    whole = None
    if detector.is_series:
        whole = series_files.read(
            data,
            time=wanted.time,
            label=wanted.label,
            group=detector.group,
            sensors=detector.sensors_,
        )
        found = scan_series(detector, whole, max_p_value=max_p_value)
    else:
        found = scan(detector, data, wanted.label, max_p_value=max_p_value, images=images)
    seen = seen_from(detector, *found.scored, y=found.labels, fdr=wanted.fdr)
    writing.write(output, found.table(seen), overwrite=force)
    typer.echo(f"Wrote {count(len(seen.scores), 'row')} to {output_checks.path_and_size(output)}")
    evaluation = None
    if whole is not None and (wanted.intervals is not None or wanted.label is not None):
        alarms = detector.intervals(whole.rows)
        evaluation = evaluate_series(detector, whole.rows, seen, alarms)
        if wanted.intervals is not None:
            _intervals(alarms, wanted.intervals, force=force)
    rows = cache(lambda: _all_rows(detector, data, images) if whole is None else whole.rows)
    if wanted.maps is not None:
        _maps(detector, rows(), seen, data, wanted.maps, force=force)
    if wanted.report is not None:
        _report(detector, rows(), seen, data, wanted.report)
    for sentence in (*told(seen, evaluation), *filter(None, [shift(found.drifts)])):
        typer.echo(sentence)


def _intervals(alarms: Any, path: Path, *, force: bool) -> None:
    from isthmus.core.number_format import count
    from isthmus.data import writing

    writing.write(path, series_files.intervals_table(alarms), overwrite=force)
    typer.echo(f"Wrote {count(len(alarms), 'alarm')} to {output_checks.path_and_size(path)}")


def _detect_in_batches(
    detector: Any, data: Path, output: Path, images: "ImageOptions", *, force: bool
) -> None:
    """Write the alarms of each batch before the next is read."""
    from isthmus.cli.detector_scan import BatchAlarms
    from isthmus.core.number_format import count
    from isthmus.data import writing

    alarms = BatchAlarms(detector, data, images)
    rows = writing.write_parts(output, alarms.tables(), overwrite=force)
    typer.echo(f"Wrote {count(rows, 'row')} to {output_checks.path_and_size(output)}")
    for sentence in alarms.told():
        typer.echo(sentence)


def _check_outputs(
    output: Path, report: Path | None, intervals: Path | None, maps: Path | None, *, force: bool
) -> None:
    output_checks.require_ending(output, TABLES, "a table of alarms")
    if report is not None:
        output_checks.require_ending(report, [".html", ".htm"], "a report")
    if intervals is not None:
        output_checks.require_ending(intervals, TABLES, "a table of intervals")
    outputs = (output, report, intervals, maps)
    output_checks.check([path for path in outputs if path is not None], force=force)


def _all_rows(detector: Any, data: Path, images: "ImageOptions") -> Any:
    from isthmus.cli import carried_columns
    from isthmus.data import reading

    rows = reading.read(data, text=detector.schema_.text_options, images=images).X
    return carried_columns.without(rows, carried_columns.unknown(detector, rows))


def _maps(
    detector: Any, rows: Any, seen: "AlarmCounts", data: Path, folder: Path, *, force: bool
) -> None:
    from isthmus.cli import heat_maps
    from isthmus.core.number_format import count
    from isthmus.data.reading import image_names

    written = heat_maps.write(
        detector, rows, seen.raised, image_names(data), folder, overwrite=force
    )
    typer.echo(f"Wrote {count(written, 'heat map')} to {folder}" if written else "No heat maps.")


def _report(detector: Any, rows: Any, seen: "AlarmCounts", data: Path, path: Path) -> None:
    from isthmus.data.reading import image_names
    from isthmus.report.anomaly_page import write_anomaly_report

    write_anomaly_report(
        detector,
        rows,
        path,
        seen=seen,
        names=image_names(data),
        title=f"Anomalies in {data.name}",
        overwrite=True,
    )
    typer.echo(f"Wrote {output_checks.path_and_size(path)}")
