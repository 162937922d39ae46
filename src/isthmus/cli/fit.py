"""``isthmus fit``: train an autoencoder on a file, evaluate it, save it, and write a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import (
    column_options,
    image_options,
    output_checks,
    process_group,
    series_files,
    setting_options,
)
from isthmus.cli.column_options import ColumnOptions
from isthmus.core import error_context
from isthmus.data.formats.catalogue import READABLE
from isthmus.estimators.parameters import AUTOENCODERS

if TYPE_CHECKING:
    from isthmus.cli.row_split import RowParts

_MODEL, _TRAINING, _FILES = "The model", "Training", "Files"
_DETECTOR = "A detector, --kind detector"


@image_options.add
@column_options.add
@setting_options.add
def fit(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help=f"{READABLE}; or a folder of data files, a pattern such as 'lake/*.parquet', or "
            "an address such as s3://bucket/lake. They may be larger than memory.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where the model is written.", rich_help_panel=_FILES),
    ] = Path("model.isthmus"),
    report: Annotated[
        Path | None,
        typer.Option(
            help="Where the report is written.",
            show_default="MODEL-report.html, next to the model",
            rich_help_panel=_FILES,
        ),
    ] = None,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write no report.", rich_help_panel=_FILES)
    ] = False,
    test: Annotated[
        Path | None,
        typer.Option(
            help="A file of rows to evaluate the model on.",
            show_default="the test rows in DATA, or a random tenth of its rows",
            rich_help_panel=_FILES,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column of labels. --kind supervised learns to predict them. A detector is "
            "evaluated with them; 1 marks an anomaly. For other kinds, they colour the report.",
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
        typer.Option(help="The same seed gives the same model.", rich_help_panel=_TRAINING),
    ] = 0,
    processes: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="Train in as many processes of this machine, which share its cores, or in those "
            "that SLURM, Open MPI or Kubernetes started: auto.",
            show_default="this one",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    **given: Any,
) -> None:
    """Train a model on a file, save it, write a report.

    An autoencoder is compared with PCA and the mean row on held-out rows. For a detector, the
    fraction of held-out rows that raise an alarm is compared with the chosen false-alarm rate.
    """
    page = _report_path(output, report, no_report=no_report)
    settings = setting_options.values(given, kind)
    files = ColumnOptions.from_options(given, data, test)
    _check_outputs(output, page, settings.get("checkpoint"), force=force)
    settings["random_state"] = seed
    if kind != "detector" and time is not None:
        raise typer.BadParameter(f"does not apply to --kind {kind}", param_hint="--time")
    arguments = (data, test, label, settings, output, page, kind, time, files)
    count = _process_count(processes)
    if count > 1:
        process_group.run(count, _train, *arguments)
    else:
        _train(*arguments)


def _process_count(processes: str | None) -> int:
    """Return the number of processes to start; join those that are started already."""
    if processes is None:
        return 1
    if processes == process_group.AUTO:
        process_group.join_cluster()
        return 1
    if not processes.isdecimal() or int(processes) == 0:
        raise typer.BadParameter(
            f"expected a number of processes or {process_group.AUTO}, received {processes!r}",
            param_hint="--processes",
        )
    return int(processes)


def _train(
    data: Path,
    test: Path | None,
    label: str | None,
    settings: dict[str, Any],
    output: Path,
    page: Path | None,
    kind: str,
    time: str | None,
    files: ColumnOptions,
) -> None:
    if kind == "detector":
        from isthmus.cli import detector

        detector.fit(data, test, label, settings, output, page, time=time, files=files)
        return
    read_as: dict[str, Any] = {
        name: settings[name] for name in ("scale", "unknown") if name in settings
    }
    supervised, seed = kind == "supervised", settings["random_state"]
    name, parts = _rows(data, test, label, files, read_as, seed=seed, supervised=supervised)
    if supervised and parts.train_labels is None:
        raise _no_labels()

    from isthmus.cli.fit_job import KINDS, FitJob, run

    run(FitJob(name, parts, settings, output, page, KINDS[kind]))


def _no_labels() -> typer.BadParameter:
    return typer.BadParameter("expected the column of labels", param_hint="--label")


def _report_path(output: Path, report: Path | None, *, no_report: bool) -> Path | None:
    """Return the path of the report, or None; check the endings of both paths."""
    output_checks.require_ending(output, [".isthmus"], "a model file")
    if no_report and report is not None:
        raise typer.BadParameter("--report and --no-report exclude each other")
    page = None if no_report else report or output.with_name(f"{output.stem}-report.html")
    if page is not None:
        output_checks.require_ending(page, [".html", ".htm"], "a report")
    return page


def _rows(
    data: Path,
    test: Path | None,
    label: str | None,
    files: ColumnOptions,
    read_as: dict[str, Any],
    *,
    seed: int,
    supervised: bool,
) -> tuple[str, "RowParts"]:
    """Read and split the rows; refuse before training those that cannot be evaluated.

    All rows are checked before some are held out, so that messages number the rows of the file.
    """
    from isthmus.cli.large_data import large_source, split_source
    from isthmus.cli.row_split import split_rows
    from isthmus.data.schema import infer_schema

    source = large_source(data, files)
    if source is not None:
        if supervised and label is None:
            raise _no_labels()
        other = None if test is None else files.read(test, label=label)
        parts = split_source(
            source, data, label, files, test=other, seed=seed, supervised=supervised
        )
        with error_context.adding(data.name):
            schema = infer_schema(parts.compared, **read_as)
        files.check_learned(data, parts.compared, schema)
        return data.name, parts
    dataset = files.read(data, label=label)
    with error_context.adding(data.name):
        schema = infer_schema(dataset.X, **read_as)
    files.check_learned(data, dataset.X, schema)
    other = None if test is None else files.read(test, label=label, like=schema)
    if other is not None and test is not None:
        with error_context.adding(test.name, remedy=f"make its rows like those of {data.name}"):
            schema.to_matrix(other.X)
    elif dataset.X_test is not None:
        remedy = "correct them, or pass other test rows with --test FILE"
        with error_context.adding(f"the test rows of {data.name}", remedy=remedy):
            schema.to_matrix(dataset.X_test)
    return dataset.name, split_rows(dataset, test=other, seed=seed)


def _check_outputs(
    output: Path, page: Path | None, checkpoint: Path | None, *, force: bool
) -> None:
    output_checks.check([output, *([page] if page else [])], force=force)
    if checkpoint is not None:
        # The checkpoint may exist: training resumes from it.
        output_checks.check([checkpoint], force=True)
        if checkpoint.resolve() in {path.resolve() for path in (output, page) if path}:
            raise typer.BadParameter("--checkpoint needs a file of its own")
