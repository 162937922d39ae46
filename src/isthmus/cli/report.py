"""``isthmus report``: one HTML file about a saved model and some data."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import columns, models, outputs, where
from isthmus.cli.guard import note


def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Rows to judge it by; best ones it never saw.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the report goes.")] = Path(
        "report.html"
    ),
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column that holds labels; they colour the codes."),
    ] = None,
    force: outputs.Force = False,
) -> None:
    """Write an HTML report on a model and some data.

    Verdict, comparison with PCA, training curves, reconstructions and codes. PCA and the mean
    row are fitted on the training rows that DATA has, else on one half of its rows.
    """
    outputs.require_ending(output, [".html", ".htm"], "a report")
    outputs.check([output], force=force)

    from isthmus.data.sources import read
    from isthmus.report.page import write_report

    estimator = models.autoencoder(model)
    types = estimator.schema_.arrow_types
    dataset = read(data, label=label, types=types)
    # A label that the model was trained on as a column colours the codes and stays a column.
    rows = read(data, types=types) if label in estimator.schema_.columns else dataset
    if extra := columns.unknown(estimator, rows.X):
        note(f"The model was not trained on {columns.listed(extra)}; left out.")
    has_test = rows.X_test is not None
    with where.about(data.name):
        write_report(
            estimator,
            rows.X_test if has_test else columns.without(rows.X, extra),
            output,
            y=dataset.y_test if has_test else dataset.y,
            X_train=rows.X if has_test else None,
            title=dataset.name,
            overwrite=True,
        )
    typer.echo(f"Wrote {outputs.described(output)}")
