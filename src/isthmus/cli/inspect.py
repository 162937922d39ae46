"""``isthmus inspect``: the content of a model file, and whether it is an autoencoder."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isthmus.cli import model_files

_VALUES = {"unit": "as fractions of a range", "real": "standardised", "mixed": "by column"}


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus, .keras or .h5 file.")],
    target: Annotated[
        Literal["input", "labels", "other"] | None,
        typer.Option(help="What the loss of a Keras model compares the output with, if you know."),
    ] = None,
) -> None:
    """Show the content of a model file, and its verdict.

    The verdict tells whether the model is an autoencoder, with reasons and the parameters of each
    layer. For .isthmus files, the kind, versions, data and training are shown too.
    """
    from isthmus.verdict.archives import is_archive
    from isthmus.verdict.verdict import inspect as judge

    if not is_archive(model):
        typer.echo(
            f"{model}: a Keras model; none of its code was run\n\n{judge(model, target=target)}"
        )
        return
    if target is not None:
        raise typer.BadParameter(
            "it is for files of Keras; the target of an isthmus model is known",
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
        listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        left = f"; not learned: {schema.not_learned}" if schema.not_learned else ""
        return f"a table of {schema.n_columns:,} columns: {listed}{left}"
    shape = " × ".join(map(str, schema.sample_shape))
    noun = "images" if schema.is_image else "rows"
    return f"{noun} of {shape} numbers, {_VALUES[schema.values]}"


def _training(estimator: Any) -> str:
    epochs = len(estimator.history_["epoch"])
    done = "less than one epoch" if not epochs else f"{epochs:,} epoch{'s' if epochs > 1 else ''}"
    return (
        f"{estimator.n_samples_:,} rows, {done} in {estimator.fit_seconds_:.3g} s, "
        f"{estimator.stop_reason_}; {_weights(estimator)} ({estimator.loss_})"
    )


def _weights(estimator: Any) -> str:
    """Return which weights the model has, and their losses."""
    history, best = estimator.history_, estimator.best_epoch_
    if best not in history["epoch"]:
        return "initial weights" if history["epoch"] else "weights from its first steps"
    place = history["epoch"].index(best)
    losses = ", ".join(
        f"{name} {history[key][place]:.4g}"
        for key, name in (("loss", "loss"), ("val_loss", "validation loss"))
        if key in history
    )
    return f"best epoch {best}: {losses}"
