"""``isthmus map``, ``search`` and ``sample``: tasks for the codes of a saved model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import carried_columns, error_context, model_files, output_checks
from isthmus.cli.command_wrapper import note
from isthmus.core.errors import DataWarning, InvalidParameter
from isthmus.data.formats.catalogue import ARRAYS, TABLES

if TYPE_CHECKING:
    import numpy as np

_FOLDER = ""

_MANY = 5_000

_MODEL = Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")]
_DATA = Annotated[Path, typer.Argument(metavar="DATA", help="Rows like those it was trained on.")]
_SEED = Annotated[int, typer.Option(help="The same seed gives the same result again.")]


def map(  # noqa: A001 - the command's name
    model: _MODEL,
    data: _DATA,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where the map goes: .csv, .parquet, .npy or .npz."),
    ],
    method: Annotated[str, typer.Option(help="tsne or umap.")] = "tsne",
    seed: _SEED = 0,
    force: output_checks.Force = False,
) -> None:
    """Lay rows out on a plane, alike beside alike.

    The result has the columns map0 and map1, or is an array. In a table, columns that the model was
    not trained on, such as labels, stand before the two.
    """
    output_checks.require_ending(output, [*TABLES, *ARRAYS], "a file of positions")
    output_checks.check([output], force=force)

    from isthmus.data import writing
    from isthmus.tasks.maps import LatentMap

    estimator = model_files.autoencoder(model)
    rows, extra = _rows(data, estimator)
    task = LatentMap(_frozen(estimator), method=method, random_state=seed)
    if len(rows) > _MANY:
        note(f"Laying out {len(rows):,} rows; 10,000 take about half a minute.")
    with error_context.about(data.name):
        places = task.fit_transform(carried_columns.without(rows, extra))
    result: Any = places
    if output.suffix.lower() in TABLES:
        import pyarrow as pa

        result = pa.table({f"map{i}": places[:, i] for i in range(2)})
        result = carried_columns.beside(rows, extra, result) if extra else result
    writing.write(output, result, overwrite=force)
    typer.echo(f"Wrote the places of {len(result):,} rows to {output_checks.described(output)}")


def search(
    model: _MODEL,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The rows to search.")],
    query: Annotated[Path, typer.Option(help="The rows to find the like of.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the result goes: .csv or .parquet.")
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="Neighbours for each row of the query.")] = 10,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="The column of DATA, and of the query if it has it, that names rows.",
            show_default="their numbers, from 0",
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="euclidean or cosine.")] = "euclidean",
    method: Annotated[str, typer.Option(help="exact, or approximate, which is quicker.")] = "exact",
    force: output_checks.Force = False,
) -> None:
    """Find the rows whose codes are most like those of a query.

    The result has the columns query, rank, neighbour and distance, the nearest with rank 1.
    """
    output_checks.require_ending(output, TABLES, "a table of neighbours")
    output_checks.check([output], force=force)

    import numpy as np
    import pyarrow as pa

    from isthmus.data import writing
    from isthmus.tasks.search import SimilarityIndex

    estimator = model_files.autoencoder(model)
    rows, extra = _rows(data, estimator)
    names = None if id_column is None else _names(data, rows, id_column)
    asked, unasked = _rows(query, estimator)
    index = SimilarityIndex(_frozen(estimator), metric=metric, method=method)
    with error_context.about(data.name):
        index.fit(carried_columns.without(rows, extra), ids=names)
    with error_context.about(query.name):
        distances, found = index.kneighbors(carried_columns.without(asked, unasked), n)
    queries = np.arange(len(asked))
    if id_column in getattr(asked, "column_names", []):
        queries = _names(query, asked, str(id_column))
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
        f"{output_checks.described(output)}"
    )


def sample(
    model: _MODEL,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Where samples go: .csv, .parquet, .npy, .npz or a folder."
        ),
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 100,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Rows whose codes say which codes are likely.",
            show_default="none; a variational model needs none",
        ),
    ] = None,
    seed: _SEED = 0,
    force: output_checks.Force = False,
) -> None:
    """Make new rows: draw codes and decode them.

    Codes come from a mixture of gaussians fitted on those of DATA; without it, from the prior of
    a variational model.
    """
    output_checks.require_ending(output, [*TABLES, *ARRAYS, _FOLDER], "a file of rows")
    output_checks.check([output], force=force)

    from isthmus.data import writing
    from isthmus.tasks.sampling import LatentSampler

    source = model_files.autoencoder(model)
    if data is not None:
        rows, extra = _rows(data, source)
        with error_context.about(data.name):
            source = LatentSampler(_frozen(source), random_state=seed).fit(
                carried_columns.without(rows, extra)
            )
    elif not hasattr(source, "sample"):
        raise InvalidParameter(
            model.name,
            expected="a variational model, or rows with --data",
            received=f"a model of the kind {source.kind!r}, and no rows",
            remedy="add --data FILE with rows like those it was trained on",
        )
    result = source.sample(n, random_state=seed)
    writing.write(output, result, overwrite=force)
    typer.echo(f"Wrote {n:,} samples to {output_checks.described(output)}")


def _rows(path: Path, estimator: Any) -> tuple[Any, list[str]]:
    """Read a file whole; return its rows and the names of columns that the model has not seen."""
    import numpy as np

    from isthmus.data import reading

    batches = list(reading.stream(path, types=estimator.schema_.arrow_types))
    if isinstance(batches[0], np.ndarray):
        return np.concatenate(batches), []
    import pyarrow as pa

    rows = pa.concat_tables(batches)
    extra = carried_columns.unknown(estimator, rows)
    if extra:
        warnings.warn(
            f"The model was not trained on {carried_columns.listed(extra)}; not used.",
            DataWarning,
            stacklevel=2,
        )
    return rows, extra


def _names(path: Path, rows: Any, column: str) -> "np.ndarray":
    """Return the column that names rows."""
    return carried_columns.named(path, rows, column, option="--id", purpose="identifies rows")


def _frozen(estimator: Any) -> Any:
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(estimator)
