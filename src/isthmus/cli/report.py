"""``isthmus report``: an HTML report on a saved model and some data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import (
    carried_columns,
    image_options,
    model_files,
    output_checks,
)
from isthmus.cli.command_wrapper import note
from isthmus.core import error_context
from isthmus.core.name_lists import name_list


@image_options.add
def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Rows to evaluate the model on, preferably not its training rows."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the report is written.")
    ] = Path("report.html"),
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column of labels; they colour the codes."),
    ] = None,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Write an HTML report on a model and some data.

    The report has a verdict, a comparison with PCA, training curves, reconstructions and codes.
    PCA and the mean row are fitted on the training rows in DATA, or else on half of its rows.
    """
    output_checks.require_ending(output, [".html", ".htm"], "a report")
    output_checks.check([output], force=force)

    from isthmus.data.reading import read
    from isthmus.report.page import write_report

    estimator = model_files.autoencoder(model)
    text = estimator.schema_.text_options
    options = image_options.chosen(images, data, like=estimator.schema_.image_options)
    dataset = read(data, label=label, text=text, images=options)
    # If the model was trained on the column of labels, it colours the codes and stays a column.
    rows = read(data, text=text) if label in estimator.schema_.columns else dataset
    if extra := carried_columns.unknown(estimator, rows.X):
        note(f"The model was not trained on {name_list(extra)}; left out.")
    has_test = rows.X_test is not None
    with error_context.adding(data.name):
        write_report(
            estimator,
            rows.X_test if has_test else carried_columns.without(rows.X, extra),
            output,
            y=dataset.y_test if has_test else dataset.y,
            X_train=rows.X if has_test else None,
            names=rows.names,
            title=dataset.name,
            overwrite=True,
        )
    typer.echo(f"Wrote {output_checks.path_and_size(output)}")
