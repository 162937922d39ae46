"""What ``fit`` and ``demo`` share: train, save, judge, report, and say what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.cli import error_context, output_checks, terminal
from isthmus.cli.command_wrapper import INTERRUPTED, note
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
    """What the data are called."""
    parts: RowParts
    settings: dict[str, Any]
    """Parameters of the estimator; those left out keep its defaults."""
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
    """Train; save at once; then judge and report.

    The model is on the disk before anything else is computed, so that no later failure loses it.
    Paths are taken as checked: what stands there is replaced.

    Raises
    ------
    typer.Exit
        Training was interrupted. What it had come to is saved, judged and reported all the same,
        but a script must not go on as if it had come to its end.
    KeyboardInterrupt
        There was an interrupt before the first step of training, or while judging.
    """
    from isthmus.evaluation.comparison import compare
    from isthmus.evaluation.referee import judge
    from isthmus.training.interrupt import Interrupt

    train, held_out = job.parts.train, job.parts.held_out
    typer.echo(
        f"{job.name}: {len(train):,} rows to train on, {len(held_out):,} to evaluate on "
        f"({job.parts.origin})"
    )
    with error_context.adding(f"{job.name}, counting only the rows to train on"):
        labels = job.parts.train_labels if job.estimator is SupervisedAutoencoder else None
        model = job.estimator(**job.settings).fit(train, labels)
    with Interrupt() as interrupt:  # no Ctrl-C may come between a model and its file
        model.save(job.model_path)
    interrupted = interrupt.requested or model.stop_reason_ == "interrupted"
    if interrupted:
        note(f"What was learned is saved in {job.model_path}; it is judged now, Ctrl-C skips that.")
    try:
        contest = compare(model, held_out, X_train=train)
        terminal.show(judge(contest, model))
        typer.echo(f"Wrote {output_checks.path_and_size(job.model_path)}")
        if job.report_path is not None:
            _report(job, model, contest, job.report_path)
    except KeyboardInterrupt:
        note(f"The model was saved before, in {job.model_path}.")
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
        title=job.name,
        overwrite=True,
    )
    typer.echo(f"Wrote {output_checks.path_and_size(path)}")
