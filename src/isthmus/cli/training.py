"""What ``fit`` and ``demo`` share: train, save, judge, report, and say what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from isthmus.cli import outputs, screen, where
from isthmus.cli.guard import INTERRUPTED, note
from isthmus.core.catalogue import Catalogue
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.denoising import DenoisingAutoencoder
from isthmus.estimators.variational import VariationalAutoencoder
from isthmus.tasks.anomaly.detector import AnomalyDetector

if TYPE_CHECKING:
    from pathlib import Path

    from isthmus.cli.rows import Parts
    from isthmus.estimators._base import BaseAutoencoder
    from isthmus.inspection.contest import Contest


@dataclass(frozen=True)
class Job:
    """One training, from rows to files."""

    name: str
    """What the data are called."""
    parts: Parts
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
        "variational": VariationalAutoencoder,
        "detector": AnomalyDetector,
    },
)


def run(job: Job) -> None:
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
    from isthmus.inspection.contest import hold
    from isthmus.inspection.referee import judge
    from isthmus.training.interrupt import Interrupt

    train, held_out = job.parts.train, job.parts.held_out
    typer.echo(
        f"{job.name}: {len(train):,} rows to train on, {len(held_out):,} to judge by "
        f"({job.parts.origin})"
    )
    with where.about(f"{job.name}, counting only the rows to train on"):
        model = job.estimator(**job.settings).fit(train)
    with Interrupt() as interrupt:  # no Ctrl-C may come between a model and its file
        model.save(job.model_path)
    interrupted = interrupt.requested or model.stop_reason_ == "interrupted"
    if interrupted:
        note(f"What was learned is saved in {job.model_path}; it is judged now, Ctrl-C skips that.")
    try:
        contest = hold(model, held_out, X_train=train)
        screen.show(judge(contest, model))
        typer.echo(f"Wrote {outputs.described(job.model_path)}")
        if job.report_path is not None:
            _report(job, model, contest, job.report_path)
    except KeyboardInterrupt:
        note(f"The model was saved before, in {job.model_path}.")
        raise
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _report(job: Job, model: Any, contest: Contest, path: Path) -> None:
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
    typer.echo(f"Wrote {outputs.described(path)}")
