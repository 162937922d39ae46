"""``isthmus fit --kind detector``: fit a detector, save it, evaluate it, report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import typer

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.anomaly.parameters import DETECTOR_PARAMETERS
from isthmus.anomaly.sampled_rows import MOST_ROWS, described
from isthmus.cli import output_checks, series_files
from isthmus.cli.command_wrapper import INTERRUPTED, note
from isthmus.cli.large_data import large_source, sample_dataset
from isthmus.cli.row_split import RowParts, split_rows
from isthmus.core import error_context, processes
from isthmus.core.number_format import percent
from isthmus.data import reading
from isthmus.data.fleet import as_fleet
from isthmus.data.schema import infer_schema
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.evaluation import alarm_evaluation
from isthmus.evaluation.series_evaluation import evaluate_series
from isthmus.report.anomaly_page import write_anomaly_report
from isthmus.training.interrupt import Interrupt

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.anomaly.blind_spots import BlindSpots
    from isthmus.cli.column_options import ColumnOptions
    from isthmus.data.fleet import Fleet
    from isthmus.evaluation.series_figures import AlarmEvaluation

_HELD_OUT_PARTS = 10
"""The last tenth of a series is held out."""
_SPIKE_SIZE = 3.0
"""The size, in standard deviations, of the fault whose detection rate is printed."""


def fit(
    data: Path,
    test: Path | None,
    label: str | None,
    given: dict[str, Any],
    output: Path,
    page: Path | None,
    *,
    time: str | None,
    files: ColumnOptions,
) -> None:
    """Fit and save a detector, then evaluate it and write the report.

    Parameters
    ----------
    data, test : Path
        Rows to fit on, and rows to evaluate on; without `test`, some rows of `data`.
    label, time : str or None
        The columns of labels, 1 for an anomaly, and of times.
    given : dict
        The given settings of the detector and of its autoencoder.
    files : ColumnOptions
        What the user said about the columns of the files.
    output, page : Path
        Where the detector and its report are written. The paths are checked already.
    """
    detector = _build(given)
    if detector.is_series:
        parts = _split_series(data, test, label, detector, time, files)
    else:
        series_files.refuse_options({"--time": time})
        parts = _split_file(data, test, label, given, files)
    typer.echo(
        f"{data.name}: {len(parts.train):,} {parts.noun}s to fit on, {len(parts.held_out):,} to "
        f"evaluate on ({parts.origin})"
    )
    with error_context.adding(f"{data.name}, counting only the {parts.noun}s to fit on"):
        detector.fit(parts.train)
    with Interrupt() as interrupt:  # Ctrl-C must not prevent saving
        detector.save(output)
    if not processes.leave():
        return
    interrupted = interrupt.requested or detector.autoencoder_.stop_reason_ == "interrupted"
    if interrupted:
        note(
            f"Interrupted; the detector is saved in {output}. Evaluating it now; Ctrl-C skips this."
        )
    try:
        _judge(detector, parts, data.name, output, page)
    except KeyboardInterrupt:
        note(f"The detector is saved in {output}.")
        raise
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _judge(
    detector: AnomalyDetector, parts: RowParts, name: str, output: Path, page: Path | None
) -> None:
    seen = alarm_evaluation.look(detector, parts.held_out, y=parts.held_out_labels)
    blind = detector.blind_spots() if hasattr(detector, "blind_spots") else None
    evaluation = None
    if detector.is_series and seen.anomalous is not None:
        alarms = detector.intervals(parts.held_out)
        evaluation = evaluate_series(detector, parts.held_out, seen, alarms)
    _print_results(seen, evaluation, blind)
    typer.echo(f"Wrote {output_checks.path_and_size(output)}")
    if page is not None:
        write_anomaly_report(
            detector,
            parts.held_out,
            page,
            seen=seen,
            blind=blind,
            names=parts.held_out_names,
            title=name,
            overwrite=True,
        )
        typer.echo(f"Wrote {output_checks.path_and_size(page)}")


def _build(given: dict[str, Any]) -> AnomalyDetector:
    """Return the detector with these settings, some of which may be its autoencoder's."""
    own = {each.name for each in DETECTOR_PARAMETERS}
    settings = {name: value for name, value in given.items() if name in own}
    inner = {name: value for name, value in given.items() if name not in own}
    if inner:
        settings["autoencoder"] = Autoencoder(**inner, random_state=given["random_state"])
    return AnomalyDetector(**settings)


def _split_file(
    data: Path,
    test: Path | None,
    label: str | None,
    given: dict[str, Any],
    files: ColumnOptions,
) -> RowParts:
    """Read and split rows; in novelty mode, those labelled as anomalies are held out."""
    seed = given["random_state"]
    dataset = _read(data, label, files)
    with error_context.adding(data.name):
        schema = infer_schema(dataset.X, unknown=given.get("unknown", "warn"))
    files.check_learned(data, dataset.X, schema)
    other = None if test is None else files.read(test, label=label, like=schema)
    if other is not None and test is not None:
        with error_context.adding(test.name, remedy=f"make its rows like those of {data.name}"):
            schema.to_matrix(other.X)
    if label is None:
        parts = split_rows(dataset, test=other, seed=seed)
        return replace(parts, held_out_labels=None)  # a file's own labels need not mark anomalies
    with error_context.adding(data.name):
        anomalous = alarm_evaluation.is_anomaly(dataset.y, len(dataset.X))
    if other is not None and test is not None:
        with error_context.adding(test.name):
            alarm_evaluation.is_anomaly(other.y, len(other.X))
    if given.get("mode") == "outlier" or not anomalous.any():
        return split_rows(dataset, test=other, seed=seed)
    normal = reading.Dataset(dataset.name, _select(dataset.X, ~anomalous))
    parts = split_rows(normal, test=other, seed=seed)
    if other is not None:
        return parts
    held_out, anomalies = parts.held_out, _select(dataset.X, anomalous)
    return RowParts(
        parts.train,
        _concatenate(held_out, anomalies),
        np.repeat([False, True], [len(held_out), len(anomalies)]),
        f"{parts.origin}, and {len(anomalies):,} labelled as anomalies",
    )


def _read(data: Path, label: str | None, files: ColumnOptions) -> reading.Dataset:
    """Read the rows of a file, or a random sample of them if they do not fit in memory."""
    source = large_source(data, files)
    if source is None:
        return files.read(data, label=label)
    dataset, found = sample_dataset(source, data, label, files, MOST_ROWS)
    note(f"{data.name}: fitting to {described(found)}.")
    return dataset


def _split_series(
    data: Path,
    test: Path | None,
    label: str | None,
    detector: AnomalyDetector,
    time: str | None,
    files: ColumnOptions,
) -> RowParts:
    """Read a series, or those of several units, and hold out the end of each."""
    window, group = detector.window, detector.group
    whole = series_files.read(data, time=time, label=label, group=group, files=files)
    if test is not None:
        other = series_files.read(test, time=time, label=label, group=group, files=files)
        return RowParts(whole.rows, other.rows, other.labels, f"the rows of {test.name}")
    if group is not None:
        with error_context.adding(data.name):
            late = _ends(as_fleet(whole.rows, group), window)
        labels = None if whole.labels is None else whole.labels[late]
        train, held_out = _select(whole.rows, ~late), _select(whole.rows, late)
        return RowParts(train, held_out, labels, "the end of each unit")
    rows = len(whole.rows)
    first = rows - int(_held_out_rows(np.array(rows), window))
    labels = None if whole.labels is None else whole.labels[first:]
    return RowParts(whole.rows[:first], whole.rows[first:], labels, "the end of the series")


def _held_out_rows(rows: NDArray[Any], window: Any) -> NDArray[Any]:
    """Return how many of the rows of each series are held out."""
    fewest = 0 if isinstance(window, str) else 2 * window  # "auto" is not known yet
    return np.asarray(np.minimum(np.maximum(rows // _HELD_OUT_PARTS, fewest), rows // 2))


def _ends(fleet: Fleet, window: Any) -> NDArray[np.bool_]:
    """Return which of the user's rows are held out, the last ones of each unit."""
    first = fleet.bounds[1:] - _held_out_rows(fleet.counts, window)
    return fleet.in_user_order(np.arange(len(fleet)) >= first[fleet.unit_of_rows])


def _print_results(
    seen: alarm_evaluation.AlarmCounts,
    evaluation: AlarmEvaluation | None,
    blind: BlindSpots | None,
) -> None:
    """Print the false-alarm rate, how often a spike is detected, and what is not detected."""
    typer.echo()
    for sentence in alarm_evaluation.told(seen, evaluation):
        typer.echo(sentence)
    spots = [] if blind is None else blind.spots
    powers = {s.column: s.power for s in spots if s.kind == "spike" and s.size == _SPIKE_SIZE}
    if powers:
        worst = min(powers, key=powers.__getitem__)
        mean = float(np.mean(list(powers.values())))
        typer.echo(
            f"A spike of {_SPIKE_SIZE:g} standard deviations in one column raises an alarm in "
            f"{percent(mean)} of rows; least often in {worst!r}, {percent(powers[worst])}."
        )
    for finding in () if blind is None else blind.findings:
        typer.echo(finding)
    typer.echo()


def _select(rows: Any, chosen: NDArray[np.bool_]) -> Any:
    return rows[chosen] if isinstance(rows, np.ndarray) else rows.filter(pa.array(chosen))


def _concatenate(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    return pa.concat_tables([first, second])
