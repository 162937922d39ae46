"""``isthmus inspect``: what is in a model file, and whether that is an autoencoder."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isthmus.cli import model_files

_VALUES = {"unit": "as fractions of a range", "real": "standardised", "mixed": "by column"}


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus or .keras file.")],
    target: Annotated[
        Literal["input", "labels", "other"] | None,
        typer.Option(help="What a .keras model's loss compares its output with, where you know."),
    ] = None,
) -> None:
    """Show what a model file holds, and judge it.

    Verdict with reasons, parameters by layer; of .isthmus files kind, versions, data, training.
    """
    from isthmus.verdict.archives import is_archive
    from isthmus.verdict.verdict import inspect as judge

    if not is_archive(model):
        typer.echo(
            f"{model}: a Keras model, of which nothing was run\n\n{judge(model, target=target)}"
        )
        return
    if target is not None:
        raise typer.BadParameter(
            "it is for .keras files; an isthmus model is known to be trained on its input",
            param_hint="--target",
        )
    _show_archive(model)


def _show_archive(model: Path) -> None:
    from isthmus.persistence import artifact
    from isthmus.verdict.verdict import inspect as judge

    archive = artifact.read(model)
    estimator = model_files.autoencoder(model, of_rows=False)
    versions = ", ".join(f"{name} {version}" for name, version in archive.versions.items())
    typer.echo(f"{model}: {archive.kind}, written by {versions}")
    typer.echo(f"data      {_data(estimator.schema_)}")
    typer.echo(f"training  {_training(estimator)}")
    typer.echo(f"\n{judge(estimator)}")


def _data(schema: Any) -> str:
    if schema.segments:
        kinds: Counter[str] = Counter(segment.kind for segment in schema.segments)
        # Constants are put back, identifiers passed by.
        kinds["not learned"] = schema.n_columns - len(schema.segments)
        listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        return f"a table of {schema.n_columns:,} columns: {listed}"
    shape = " × ".join(map(str, schema.sample_shape))
    noun = "pictures" if schema.is_image else "rows"
    return f"{noun} of {shape} numbers, {_VALUES[schema.values]}"


def _training(estimator: Any) -> str:
    epochs = len(estimator.history_["epoch"])
    done = "not one whole epoch" if not epochs else f"{epochs:,} epoch{'s' if epochs > 1 else ''}"
    return (
        f"{estimator.n_samples_:,} rows, {done} in {estimator.fit_seconds_:.3g} s, "
        f"{estimator.stop_reason_}; {_kept(estimator)} ({estimator.loss_})"
    )


def _kept(estimator: Any) -> str:
    """Say which weights the model has, and their losses."""
    history, best = estimator.history_, estimator.best_epoch_
    if best not in history["epoch"]:
        return "weights of its first steps"
    place = history["epoch"].index(best)
    losses = ", ".join(
        f"{name} {history[key][place]:.4g}"
        for key, name in (("loss", "loss"), ("val_loss", "validation loss"))
        if key in history
    )
    return f"best epoch {best}: {losses}"
