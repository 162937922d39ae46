"""``isthmus explore``: a page on which the codes of a saved model are explored."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import (
    carried_columns,
    image_options,
    output_checks,
)
from isthmus.cli.command_wrapper import note
from isthmus.core import error_context
from isthmus.core.name_lists import name_list


@image_options.add
def explore(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A .isthmus file: an autoencoder, detector or map."),
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The rows to show.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the page is written.")
    ] = Path("explorer.html"),
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column of labels; they colour the points."),
    ] = None,
    rows: Annotated[
        int, typer.Option(metavar="N", help="Show at most this many rows, a random sample.", min=1)
    ] = 100_000,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Write a page on which to explore the codes of rows.

    It has a map of the codes, what its places are decoded to, nearest neighbours, statistics of
    regions, and the alarms of a detector. The page includes the data, and loads nothing.
    """
    output_checks.require_ending(output, [".html", ".htm"], "a page")
    output_checks.check([output], force=force)

    from isthmus.data.reading import read
    from isthmus.explorer.code_model import code_model
    from isthmus.explorer.page import write_explorer
    from isthmus.persistence.loading import load

    saved = load(model)
    code_model(saved)  # refuses what has no codes, before data are read
    fitted = saved if getattr(saved, "schema_", None) is not None else saved.autoencoder_
    schema = fitted.schema_
    options = image_options.chosen(images, data, like=schema.image_options)
    text = schema.text_options
    dataset = read(data, label=label, text=text, images=options)
    # If the model was trained on the column of labels, it colours the points and stays a column.
    own = read(data, text=text) if label in schema.columns else dataset
    extra = carried_columns.unknown(fitted, own.X)
    if extra:
        note(f"The model was not trained on {name_list(extra)}; left out.")
    with error_context.adding(data.name):
        write_explorer(
            saved,
            carried_columns.without(own.X, extra),
            output,
            y=dataset.y,
            names=own.names,
            title=dataset.name,
            most_rows=rows,
            overwrite=True,
        )
    typer.echo(f"Wrote {output_checks.path_and_size(output)}")
