"""``isthmus fit --kind detector``: fit a detector, judge it by its promise, save it, report."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import typer

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.cli import error_context, output_checks, series_files
from isthmus.cli.command_wrapper import INTERRUPTED, note
from isthmus.cli.row_split import RowParts, part
from isthmus.core.number_format import percent
from isthmus.data import reading
from isthmus.data.schema import infer_schema
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.evaluation import alarm_evaluation
from isthmus.report.anomaly_page import write_anomaly_report
from isthmus.training.interrupt import Interrupt

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.anomaly.blind_spots import BlindSpots

_NOT_APPLYING = ("checkpoint", "checkpoint_every")
_LAST = 10
"""The last tenth of a series is judged by."""
_SPIKE = 3.0
"""Standard deviations, of the fault that stands for others."""


def fit(
    data: Path,
    test: Path | None,
    label: str | None,
    given: dict[str, Any],
    output: Path,
    page: Path | None,
    *,
    time: str | None,
) -> None:
    """Fit; save at once; then judge and report.

    Parameters
    ----------
    data, test : Path
        Rows to fit on, and to judge by; None: some of `data`.
    label, time : str or None
        The columns of labels, 1 for an anomaly, and of times.
    given : dict
        The settings that were given, of the detector and of its autoencoder.
    output, page : Path
        Where the detector goes, and its report; paths are taken as checked.
    """
    if "checkpoint" in given:
        raise typer.BadParameter("does not apply to --kind detector", param_hint="--checkpoint")
    window = given.get("window")
    if window is None:
        series_files.refuse({"--time": time})
        parts = _rows(data, test, label, mode=given.get("mode"), seed=given["random_state"])
    else:
        parts = _series(data, test, label, window, time)
    typer.echo(
        f"{data.name}: {len(parts.train):,} rows to fit on, {len(parts.held_out):,} to judge by "
        f"({parts.origin})"
    )
    with error_context.about(f"{data.name}, counting only the rows to fit on"):
        detector = _made(given).fit(parts.train)
    with Interrupt() as interrupt:  # no Ctrl-C may come between a model and its file
        detector.save(output)
    interrupted = interrupt.requested or detector.autoencoder_.stop_reason_ == "interrupted"
    if interrupted:
        note(f"What was learned is saved in {output}; it is judged now, Ctrl-C skips that.")
    try:
        _judge(detector, parts, data.name, output, page)
    except KeyboardInterrupt:
        note(f"The detector was saved before, in {output}.")
        raise
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _judge(
    detector: AnomalyDetector, parts: RowParts, name: str, output: Path, page: Path | None
) -> None:
    seen = alarm_evaluation.look(detector, parts.held_out, y=parts.held_out_labels)
    blind = None if detector.window is not None else detector.blind_spots()
    _tell(seen, blind)
    typer.echo(f"Wrote {output_checks.described(output)}")
    if page is not None:
        write_anomaly_report(
            detector, parts.held_out, page, seen=seen, blind=blind, title=name, overwrite=True
        )
        typer.echo(f"Wrote {output_checks.described(page)}")


def _made(given: dict[str, Any]) -> AnomalyDetector:
    """Return the detector that was asked for, with an autoencoder of its own or one described."""
    own = inspect.signature(AnomalyDetector).parameters
    settings = {name: value for name, value in given.items() if name in own}
    inner = {
        name: value
        for name, value in given.items()
        if name not in own and name not in _NOT_APPLYING
    }
    if inner:
        settings["autoencoder"] = Autoencoder(**inner, random_state=given["random_state"])
    return AnomalyDetector(**settings)


def _rows(
    data: Path, test: Path | None, label: str | None, *, mode: str | None, seed: int
) -> RowParts:
    """Read and part rows; those labelled as anomalies are judged by, unless they may be fitted."""
    dataset = reading.read(data, label=label)
    with error_context.about(data.name):
        schema = infer_schema(dataset.X)
    other = None if test is None else reading.read(test, label=label, types=schema.arrow_types)
    if other is not None and test is not None:
        with error_context.about(test.name, remedy=f"make its rows like those of {data.name}"):
            schema.to_matrix(other.X)
    if label is None:
        parts = part(dataset, test=other, seed=seed)
        return replace(parts, held_out_labels=None)  # a file's own labels may be of anything
    with error_context.about(data.name):
        anomalous = alarm_evaluation.is_anomaly(dataset.y, len(dataset.X))
    if other is not None and test is not None:
        with error_context.about(test.name):
            alarm_evaluation.is_anomaly(other.y, len(other.X))
    if mode == "outlier" or not anomalous.any():
        return part(dataset, test=other, seed=seed)
    normal = reading.Dataset(dataset.name, _where(dataset.X, ~anomalous))
    parts = part(normal, test=other, seed=seed)
    if other is not None:
        return parts
    held_out, worse = parts.held_out, _where(dataset.X, anomalous)
    return RowParts(
        parts.train,
        _joined(held_out, worse),
        np.repeat([False, True], [len(held_out), len(worse)]),
        f"{parts.origin}, and {len(worse):,} labelled as anomalies",
    )


def _series(
    data: Path, test: Path | None, label: str | None, window: int, time: str | None
) -> RowParts:
    """Read a series and set its end aside."""
    whole = series_files.read(data, time=time, label=label)
    if test is not None:
        other = series_files.read(test, time=time, label=label)
        return RowParts(whole.rows, other.rows, other.labels, f"the rows of {test.name}")
    rows = len(whole.rows)
    first = rows - min(max(rows // _LAST, 2 * window), rows // 2)
    labels = None if whole.labels is None else whole.labels[first:]
    return RowParts(whole.rows[:first], whole.rows[first:], labels, "the end of the series")


def _tell(seen: alarm_evaluation.AlarmCounts, blind: BlindSpots | None) -> None:
    """Say what came of the promise, how often a fault of middling size is found, and where not."""
    typer.echo()
    for sentence in alarm_evaluation.told(seen):
        typer.echo(sentence)
    spots = [] if blind is None else blind.spots
    powers = {s.column: s.power for s in spots if s.kind == "spike" and s.size == _SPIKE}
    if powers:
        worst = min(powers, key=powers.__getitem__)
        mean = float(np.mean(list(powers.values())))
        typer.echo(
            f"A spike of {_SPIKE:g} standard deviations in one column raises an alarm in "
            f"{percent(mean)} of rows; least in {worst!r}, {percent(powers[worst])}."
        )
    for finding in () if blind is None else blind.findings:
        typer.echo(finding)
    typer.echo()


def _where(rows: Any, chosen: NDArray[np.bool_]) -> Any:
    return rows[chosen] if isinstance(rows, np.ndarray) else rows.filter(pa.array(chosen))


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    return pa.concat_tables([first, second])
