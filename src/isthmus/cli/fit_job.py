"""Shared by ``fit`` and ``demo``: train, save, evaluate, report, and list the written files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.cli import output_checks, terminal
from isthmus.cli.command_wrapper import INTERRUPTED, note
from isthmus.core import error_context, processes
from isthmus.core.catalogue import Catalogue
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.denoising import DenoisingAutoencoder
from isthmus.estimators.supervised import SupervisedAutoencoder
from isthmus.estimators.variational import VariationalAutoencoder

if TYPE_CHECKING:
    from pathlib import Path

    from isthmus.cli.row_split import RowParts
    from isthmus.estimators.base import BaseAutoencoder
    from isthmus.evaluation.comparison import Comparison


@dataclass(frozen=True)
class FitJob:
    """One training, from rows to files."""

    name: str
    """The name of the data."""
    parts: RowParts
    settings: dict[str, Any]
    """Parameters of the estimator; others have their defaults."""
    model_path: Path
    report_path: Path | None
    estimator: type[BaseAutoencoder | AnomalyDetector] = Autoencoder


KINDS: Catalogue[type[BaseAutoencoder | AnomalyDetector]] = Catalogue(
    "--kind",
    {
        "autoencoder": Autoencoder,
        "denoising": DenoisingAutoencoder,
        "supervised": SupervisedAutoencoder,
        "variational": VariationalAutoencoder,
        "detector": AnomalyDetector,
    },
)


def run(job: FitJob) -> None:
    """Train and save a model, then evaluate it and write the report.

    The model is saved before anything else is computed, so that a later failure does not lose it.
    The paths are checked already; existing files are replaced.

    Raises
    ------
    typer.Exit
        Training was interrupted. The model as trained so far is saved, evaluated and reported; the
        exit code tells scripts that training did not finish.
    KeyboardInterrupt
        The interrupt came before the first step of training, or during evaluation.
    """
    from isthmus.evaluation.comparison import compare
    from isthmus.evaluation.referee import judge
    from isthmus.training.interrupt import Interrupt

    train, held_out = job.parts.train, job.parts.held_out
    typer.echo(
        f"{job.name}: {job.parts.count:,} {job.parts.noun}s to train on, {len(held_out):,} to "
        f"evaluate on ({job.parts.origin})"
    )
    with error_context.adding(f"{job.name}, counting only the {job.parts.noun}s to train on"):
        labels = job.parts.train_labels if job.estimator is SupervisedAutoencoder else None
        model = job.estimator(**job.settings).fit(train, labels)
    with Interrupt() as interrupt:  # Ctrl-C must not prevent saving
        model.save(job.model_path)
    if not processes.leave():
        return
    interrupted = interrupt.requested or model.stop_reason_ == "interrupted"
    if interrupted:
        note(
            f"Interrupted; the model is saved in {job.model_path}. "
            "Evaluating it now; Ctrl-C skips this."
        )
    try:
        compared = train if job.parts.compared is None else job.parts.compared
        contest = compare(model, held_out, X_train=compared)
        terminal.show(judge(contest, model))
        typer.echo(f"Wrote {output_checks.path_and_size(job.model_path)}")
        if job.report_path is not None:
            _report(job, model, contest, job.report_path)
    except KeyboardInterrupt:
        note(f"The model is saved in {job.model_path}.")
        raise
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _report(job: FitJob, model: Any, contest: Comparison, path: Path) -> None:
    from isthmus.report.page import write_report

    write_report(
        model,
        job.parts.held_out,
        path,
        y=job.parts.held_out_labels,
        contest=contest,
        names=job.parts.held_out_names,
        title=job.name,
        overwrite=True,
    )
    typer.echo(f"Wrote {output_checks.path_and_size(path)}")
