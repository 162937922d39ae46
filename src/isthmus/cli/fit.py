"""``isthmus fit``: train an autoencoder on a file, judge it, save it, report on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import error_context, output_checks, series_files, setting_options
from isthmus.data.formats.catalogue import READABLE
from isthmus.estimators.parameters import AUTOENCODERS

if TYPE_CHECKING:
    from isthmus.cli.row_split import RowParts

_MODEL, _TRAINING, _FILES = "The model", "Training", "Files"
_DETECTOR = "A detector, --kind detector"


@setting_options.add
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
            help="The column of labels. --kind supervised learns them; for others they color the "
            "report, and of a detector 1 marks anomalies, by which it is judged.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace files that exist already.", rich_help_panel=_FILES),
    ] = False,
    kind: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(AUTOENCODERS)} or detector.",
            rich_help_panel=_MODEL,
        ),
    ] = "autoencoder",
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
    **given_settings: Any,
) -> None:
    """Train an autoencoder on a file, judge it, save it, report.

    It is judged on rows that training never sees, compared with PCA and the mean row; a detector,
    by its alarms on them beside the rate that it promises.
    """
    page = _report_path(output, report, no_report=no_report)
    settings = setting_options.values(given_settings, kind)
    _check_outputs(output, page, settings.get("checkpoint"), force=force)
    settings["random_state"] = seed
    if kind == "detector":
        from isthmus.cli import detector

        detector.fit(data, test, label, settings, output, page, time=time)
        return
    if time is not None:
        raise typer.BadParameter(f"does not apply to --kind {kind}", param_hint="--time")
    read_as: dict[str, Any] = {
        name: settings[name] for name in ("scale", "unknown") if name in settings
    }
    name, parts = _rows(data, test, label, read_as, seed=seed)
    if kind == "supervised" and parts.train_labels is None:
        raise typer.BadParameter("expected the column of labels", param_hint="--label")

    from isthmus.cli.fit_job import KINDS, FitJob, run

    run(FitJob(name, parts, settings, output, page, KINDS[kind]))


def _report_path(output: Path, report: Path | None, *, no_report: bool) -> Path | None:
    """Return where the report goes, None for nowhere; refuse names of another kind of file."""
    output_checks.require_ending(output, [".isthmus"], "a model file")
    if no_report and report is not None:
        raise typer.BadParameter("--report and --no-report exclude each other")
    page = None if no_report else report or output.with_name(f"{output.stem}-report.html")
    if page is not None:
        output_checks.require_ending(page, [".html", ".htm"], "a report")
    return page


def _rows(
    data: Path, test: Path | None, label: str | None, read_as: dict[str, Any], *, seed: int
) -> tuple[str, "RowParts"]:
    """Read and part the rows, and refuse here, not after training, what cannot be judged.

    All rows are looked at before some are held out, so that messages number the file's rows.
    """
    from isthmus.cli.row_split import split_rows
    from isthmus.data.reading import read
    from isthmus.data.schema import infer_schema

    dataset = read(data, label=label)
    with error_context.adding(data.name):
        schema = infer_schema(dataset.X, **read_as)
    other = None if test is None else read(test, label=label, text=schema.text_options)
    if other is not None and test is not None:
        with error_context.adding(test.name, remedy=f"make its rows like those of {data.name}"):
            schema.to_matrix(other.X)
    elif dataset.X_test is not None:
        remedy = "mend them, or judge by others: --test FILE"
        with error_context.adding(f"the test rows of {data.name}", remedy=remedy):
            schema.to_matrix(dataset.X_test)
    return dataset.name, split_rows(dataset, test=other, seed=seed)


def _check_outputs(
    output: Path, page: Path | None, checkpoint: Path | None, *, force: bool
) -> None:
    output_checks.check([output, *([page] if page else [])], force=force)
    if checkpoint is not None:
        # A checkpoint is meant to be resumed, so that one exists is no obstacle.
        output_checks.check([checkpoint], force=True)
        if checkpoint.resolve() in {path.resolve() for path in (output, page) if path}:
            raise typer.BadParameter("--checkpoint needs a file of its own")
