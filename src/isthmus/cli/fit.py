"""``isthmus fit``: train an autoencoder on a file, judge it, save it, report on it."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import error_context, output_checks, series_files
from isthmus.data.formats.catalogue import READABLE

if TYPE_CHECKING:
    from isthmus.cli.row_split import RowParts

_MODEL, _TRAINING, _FILES = "The model", "Training", "Files"
_DETECTOR = "A detector, --kind detector"


def fit(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help=f"{READABLE}.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the model goes.", rich_help_panel=_FILES)
    ] = Path("model.isthmus"),
    report: Annotated[
        Path | None,
        typer.Option(
            help="Where the report goes.",
            show_default="beside the model, MODEL-report.html",
            rich_help_panel=_FILES,
        ),
    ] = None,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write no report.", rich_help_panel=_FILES)
    ] = False,
    test: Annotated[
        Path | None,
        typer.Option(
            help="A file of rows to judge the model by.",
            show_default="the test rows that DATA has, else a random tenth of its rows",
            rich_help_panel=_FILES,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column that holds labels: not trained on, it colours the report. Of a "
            "detector, 1 marks anomalies, which it is judged by.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Keep a checkpoint here; when there is one, training resumes from it.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    checkpoint_every: Annotated[
        int, typer.Option(metavar="EPOCHS", min=1, help="How often.", rich_help_panel=_FILES)
    ] = 1,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace files that exist already.", rich_help_panel=_FILES),
    ] = False,
    latent_dim: Annotated[
        int | None,
        typer.Option(help="Size of the code.", show_default="by the data", rich_help_panel=_MODEL),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="autoencoder, denoising, variational or detector.", rich_help_panel=_MODEL
        ),
    ] = "autoencoder",
    architecture: Annotated[
        str | None,
        typer.Option(
            help="dense, convolutional, strided, convolutional-1d, recurrent, gru, linear or auto.",
            show_default="dense",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="Sizes of the encoder's hidden layers, or filters of its convolutions, as "
            "512,256; the decoder mirrors them.",
            show_default="by the data",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="mse, mae, huber or bce.", show_default="by the data", rich_help_panel=_MODEL
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="How numbers are scaled: range, robust or none.",
            show_default="by the data",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="At most so many passes over the rows.",
            show_default="by the data",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Rows per step.", show_default="by the data", rich_help_panel=_TRAINING),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="The highest of the schedule.",
            show_default="0.005",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="EPOCHS",
            help="Stop when so many epochs brought nothing better.",
            show_default="by the data",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of normal rows, at most so large a share raises an alarm.",
            show_default="0.01",
            rich_help_panel=_DETECTOR,
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="novelty, where DATA are normal rows; outlier, where some may be anomalies.",
            show_default="novelty",
            rich_help_panel=_DETECTOR,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="ROWS",
            help="DATA is a series, seen through windows of so many rows.",
            show_default="each row stands by itself",
            rich_help_panel=_DETECTOR,
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help=series_files.TIME_HELP,
            show_default=series_files.TIME_DEFAULT,
            rich_help_panel=_DETECTOR,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="The same seed gives the same model again.", rich_help_panel=_TRAINING),
    ] = 0,
) -> None:
    """Train an autoencoder on a file, judge it, save it, report.

    It is judged on rows that training never sees, compared with PCA and the mean row; a detector,
    by its alarms on them beside the rate that it promises.
    """
    output_checks.require_ending(output, [".isthmus"], "a model file")
    if no_report and report is not None:
        raise typer.BadParameter("--report and --no-report exclude each other")
    page = None if no_report else report or output.with_name(f"{output.stem}-report.html")
    if page is not None:
        output_checks.require_ending(page, [".html", ".htm"], "a report")
    _check_outputs(output, page, checkpoint, force=force)

    settings: dict[str, Any] = {
        "latent_dim": latent_dim,
        "architecture": architecture,
        "hidden": None if hidden is None else _sizes(hidden),
        "loss": loss,
        "scale": scale,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
        "checkpoint": checkpoint,
        "checkpoint_every": checkpoint_every,
        "false_alarm_rate": false_alarm_rate,
        "mode": mode,
        "window": window,
        "random_state": seed,
    }
    given = {name: value for name, value in settings.items() if value is not None}

    if kind == "detector":
        from isthmus.cli import detector

        detector.fit(data, test, label, given, output, page, time=time)
        return
    if time is not None:
        raise typer.BadParameter(f"does not apply to --kind {kind}", param_hint="--time")

    name, parts = _rows(data, test, label, scale=given.get("scale", "auto"), seed=seed)

    from isthmus.cli.fit_job import KINDS, FitJob, run

    estimator = KINDS[kind]
    for option in given:
        if option not in inspect.signature(estimator).parameters:
            hint = f"--{option.replace('_', '-')}"
            raise typer.BadParameter(f"does not apply to --kind {kind}", param_hint=hint)
    run(FitJob(name, parts, given, output, page, estimator))


def _rows(
    data: Path, test: Path | None, label: str | None, *, scale: str, seed: int
) -> tuple[str, "RowParts"]:
    """Read and part the rows, and refuse here, not after training, what cannot be judged.

    All rows are looked at before some are held out, so that messages number the file's rows.
    """
    from isthmus.cli.row_split import part
    from isthmus.data.reading import read
    from isthmus.data.schema import infer_schema

    dataset = read(data, label=label)
    with error_context.about(data.name):
        schema = infer_schema(dataset.X, scale=scale)
    other = None if test is None else read(test, label=label, types=schema.arrow_types)
    if other is not None and test is not None:
        with error_context.about(test.name, remedy=f"make its rows like those of {data.name}"):
            schema.to_matrix(other.X)
    elif dataset.X_test is not None:
        remedy = "mend them, or judge by others: --test FILE"
        with error_context.about(f"the test rows of {data.name}", remedy=remedy):
            schema.to_matrix(dataset.X_test)
    return dataset.name, part(dataset, test=other, seed=seed)


def _check_outputs(
    output: Path, page: Path | None, checkpoint: Path | None, *, force: bool
) -> None:
    output_checks.check([output, *([page] if page else [])], force=force)
    if checkpoint is not None:
        # A checkpoint is meant to be resumed, so that one exists is no obstacle.
        output_checks.check([checkpoint], force=True)
        if checkpoint.resolve() in {path.resolve() for path in (output, page) if path}:
            raise typer.BadParameter("--checkpoint needs a file of its own")


def _sizes(text: str) -> tuple[int, ...]:
    """Read ``512,256``; an empty text means no hidden layer."""
    try:
        return tuple(int(size) for size in text.split(",") if size.strip())
    except ValueError:
        raise typer.BadParameter(
            f"expected sizes such as 512,256, received {text!r}", param_hint="--hidden"
        ) from None
