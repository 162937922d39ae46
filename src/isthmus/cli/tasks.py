"""``isthmus map``, ``search`` and ``sample``: tasks on the codes of a saved model."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import (
    carried_columns,
    image_options,
    model_files,
    output_checks,
)
from isthmus.cli.command_wrapper import note
from isthmus.core import error_context
from isthmus.core.errors import DataWarning, InvalidParameter
from isthmus.core.name_lists import name_list
from isthmus.data.formats.catalogue import ARRAYS, TABLES, WRITABLE, output_choices

if TYPE_CHECKING:
    import numpy as np

_SLOW_ROWS = 5_000

_MODEL = Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")]
_DATA = Annotated[
    Path, typer.Argument(metavar="DATA", help="Rows like those that the model was trained on.")
]
_SEED = Annotated[int, typer.Option(help="The same seed gives the same result.")]


@image_options.add
def map(  # noqa: A001 - the command's name
    model: _MODEL,
    data: _DATA,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help=f"Where the map is written: {output_choices([*TABLES, *ARRAYS])}.",
        ),
    ],
    method: Annotated[str, typer.Option(help="tsne or umap.")] = "tsne",
    seed: _SEED = 0,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Map rows to two dimensions, similar rows together.

    The result has the columns map0 and map1, or is an array. In a table, columns that the model was
    not trained on, such as labels, come before these, and the names of images in the column file.
    """
    output_checks.require_ending(output, [*TABLES, *ARRAYS], "a file of positions")
    output_checks.check([output], force=force)

    from isthmus.data import reading, writing
    from isthmus.tasks.maps import LatentMap

    estimator = model_files.autoencoder(model)
    rows, extra = _rows(data, estimator, images)
    task = LatentMap(_frozen(estimator), method=method, random_state=seed)
    if len(rows) > _SLOW_ROWS:
        note(f"Mapping {len(rows):,} rows; 10,000 take about half a minute.")
    with error_context.adding(data.name):
        places = task.fit_transform(carried_columns.without(rows, extra))
    result: Any = places
    if output.suffix.lower() in TABLES:
        import pyarrow as pa

        result = pa.table({f"map{i}": places[:, i] for i in range(2)})
        result = carried_columns.restore(rows, extra, result) if extra else result
        if (names := reading.image_names(data)) is not None:
            result = result.add_column(0, "file", [names])
    writing.write(output, result, overwrite=force)
    typer.echo(
        f"Wrote the positions of {len(result):,} rows to {output_checks.path_and_size(output)}"
    )


@image_options.add
def search(
    model: _MODEL,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The rows to search.")],
    query: Annotated[Path, typer.Option(help="The rows to find neighbours of.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help=f"Where the result is written: {output_choices(TABLES)}."
        ),
    ],
    n: Annotated[
        int, typer.Option("-n", min=1, help="Neighbours to find for each row of the query.")
    ] = 10,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="The column that identifies rows in DATA and, if present, in the query.",
            show_default="row numbers, from 0, or the file names of images",
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="euclidean or cosine.")] = "euclidean",
    method: Annotated[str, typer.Option(help="exact, or approximate, which is faster.")] = "exact",
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Find the rows whose codes are nearest to those of a query.

    The result has the columns query, rank, neighbour and distance, the nearest with rank 1.
    """
    output_checks.require_ending(output, TABLES, "a table of neighbours")
    output_checks.check([output], force=force)

    import numpy as np
    import pyarrow as pa

    from isthmus.data import reading, writing
    from isthmus.tasks.search import SimilarityIndex

    estimator = model_files.autoencoder(model)
    rows, extra = _rows(data, estimator, images, query)
    names: Any = reading.image_names(data)
    if id_column is not None:
        names = _identifiers(data, rows, id_column)
    asked, unasked = _rows(query, estimator, images, data)
    index = SimilarityIndex(_frozen(estimator), metric=metric, method=method)
    with error_context.adding(data.name):
        index.fit(carried_columns.without(rows, extra), ids=names)
    with error_context.adding(query.name):
        distances, found = index.kneighbors(carried_columns.without(asked, unasked), n)
    files = reading.image_names(query)
    queries = np.arange(len(asked)) if files is None else np.array(files)
    if id_column in getattr(asked, "column_names", []):
        queries = _identifiers(query, asked, str(id_column))
    result = pa.table(
        {
            "query": np.repeat(queries, n),
            "rank": np.tile(np.arange(1, n + 1), len(queries)),
            "neighbour": found.ravel(),
            "distance": distances.ravel(),
        }
    )
    writing.write(output, result, overwrite=force)
    typer.echo(
        f"Wrote {n:,} neighbours for each of {len(queries):,} rows to "
        f"{output_checks.path_and_size(output)}"
    )


@image_options.add
def sample(
    model: _MODEL,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help=f"Where the samples are written: {output_choices(WRITABLE)}."
        ),
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="The number of samples.")] = 100,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Rows to fit the distribution of codes on.",
            show_default="none; a variational model needs none",
        ),
    ] = None,
    seed: _SEED = 0,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Generate new rows: draw codes and decode them.

    Codes are drawn from a Gaussian mixture fitted on those of DATA; without DATA, from the prior of
    a variational model, and the cells of a table from the distribution that it predicts.
    """
    output_checks.require_ending(output, WRITABLE, "a file of rows")
    output_checks.check([output], force=force)

    from isthmus.data import writing
    from isthmus.tasks.sampling import LatentSampler

    source = model_files.autoencoder(model)
    pixels = source.schema_.pixel_type
    if data is not None:
        rows, extra = _rows(data, source, images)
        with error_context.adding(data.name):
            source = LatentSampler(_frozen(source), random_state=seed).fit(
                carried_columns.without(rows, extra)
            )
    elif not hasattr(source, "sample"):
        raise InvalidParameter(
            model.name,
            expected="a variational model, or rows with --data",
            received=f"a model of the kind {source.kind!r}, and no rows",
            remedy="add --data FILE with rows like those that it was trained on",
        )
    result = source.sample(n, random_state=seed)
    writing.write(output, result, overwrite=force, pixels=pixels)
    typer.echo(f"Wrote {n:,} samples to {output_checks.path_and_size(output)}")


def _rows(
    path: Path, estimator: Any, images: Mapping[str, Any], *others: Path
) -> tuple[Any, list[str]]:
    """Return the rows of a file, and the columns that the model was not trained on.

    Options about images may be meant for the folders of `others`.
    """
    import numpy as np

    from isthmus.data import reading

    schema = estimator.schema_
    options = image_options.chosen(images, path, *others, like=schema.image_options)
    batches = list(reading.stream(path, text=schema.text_options, images=options))
    if isinstance(batches[0], np.ndarray):
        return np.concatenate(batches), []
    import pyarrow as pa

    rows = pa.concat_tables(batches)
    extra = carried_columns.unknown(estimator, rows)
    if extra:
        warnings.warn(
            f"The model was not trained on {name_list(extra)}; not used.",
            DataWarning,
            stacklevel=2,
        )
    return rows, extra


def _identifiers(path: Path, rows: Any, column: str) -> "np.ndarray":
    """Return the column that identifies rows."""
    return carried_columns.option_column(
        path, rows, column, option="--id", purpose="identifies rows"
    )


def _frozen(estimator: Any) -> Any:
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(estimator)
