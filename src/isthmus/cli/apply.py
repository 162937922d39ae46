"""``isthmus encode``, ``decode`` and ``reconstruct``: a saved model at work on files."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import carried_columns, error_context, model_files, output_checks
from isthmus.core.errors import DataWarning, InvalidData, SchemaMismatch
from isthmus.data.formats.catalogue import ARRAYS, TABLES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_Step = Callable[[Any, Any], Any]
_FOLDER = ""

_MODEL = Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")]
_DATA = Annotated[Path, typer.Argument(metavar="DATA", help="Rows like those it was trained on.")]
_CODES = Annotated[Path, typer.Argument(metavar="CODES", help="A file that 'encode' wrote.")]
_OUTPUT = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Where the result goes: .csv, .parquet, .npy, .npz or a folder."
    ),
]


def encode(model: _MODEL, data: _DATA, output: _OUTPUT, force: output_checks.Force = False) -> None:
    """Turn rows into codes: columns code0, code1, ... or an array.

    In a table, columns that the model was not trained on stand before the codes.
    """
    output_checks.require_ending(output, [*TABLES, *ARRAYS], "a file of codes")
    tabular = output.suffix.lower() in TABLES

    def codes(estimator: Any, rows: Any) -> Any:
        import numpy as np

        matrix = np.asarray(estimator.transform(rows))
        return _as_table(matrix) if tabular else matrix

    _apply(model, data, output, codes, force=force)


def decode(
    model: _MODEL, codes: _CODES, output: _OUTPUT, force: output_checks.Force = False
) -> None:
    """Turn codes back into rows, in the original columns and units.

    Columns that codes cannot hold, as names and numbers of rows, stay empty or are left out.
    """

    def rows(estimator: Any, batch: Any) -> Any:
        _note_what_codes_lack(estimator, batch)
        return estimator.inverse_transform(_as_codes(batch, estimator.latent_dim_))

    def types(estimator: Any) -> Any:
        import pyarrow as pa

        return dict.fromkeys(_code_names(estimator.latent_dim_), pa.float64())

    _run(model, codes, output, rows, types, force=force)


def reconstruct(
    model: _MODEL, data: _DATA, output: _OUTPUT, force: output_checks.Force = False
) -> None:
    """Pass rows through a model; missing cells are filled in.

    The same columns, names and types come out. Columns that the model was not trained on come out
    as they were.
    """
    _apply(model, data, output, lambda estimator, rows: estimator.reconstruct(rows), force=force)


def _apply(model: Path, data: Path, output: Path, step: _Step, *, force: bool) -> None:
    """Send a file of samples through a model, past which unknown columns are carried."""

    def past(estimator: Any, rows: Any) -> Any:
        names = carried_columns.unknown(estimator, rows)
        result = step(estimator, carried_columns.without(rows, names))
        if not names:
            return result
        tabular = hasattr(result, "column_names")
        fate = "passed on unchanged" if tabular else "left out"
        warnings.warn(
            f"The model was not trained on {carried_columns.listed(names)}; {fate}.",
            DataWarning,
            stacklevel=2,
        )
        return carried_columns.beside(rows, names, result) if tabular else result

    _run(model, data, output, past, lambda estimator: estimator.schema_.arrow_types, force=force)


def _run(
    model: Path,
    data: Path,
    output: Path,
    step: _Step,
    types: Callable[[Any], Any],
    *,
    force: bool,
) -> None:
    """Send a file through a model, a batch of rows at a time.

    A CSV file does not say what its columns hold, and a part of one may look like something else
    than the whole: `types` says, by column, what the model expects.
    """
    output_checks.require_ending(output, [*TABLES, *ARRAYS, _FOLDER], "a file of rows")
    output_checks.check([output], force=force)

    from isthmus.data import reading, writing

    estimator = model_files.autoencoder(model)
    results, start = [], 0
    for rows in reading.stream(data, types=types(estimator)):
        with error_context.about(error_context.batch(data.name, start, len(rows))):
            results.append(step(estimator, rows))
        start += len(rows)
    result = _joined(results)
    writing.write(output, result, overwrite=force)
    typer.echo(f"Wrote {len(result):,} rows to {output_checks.described(output)}")


def _joined(batches: list[Any]) -> Any:
    import numpy as np

    if isinstance(batches[0], np.ndarray):
        return np.concatenate(batches)
    import pyarrow as pa

    return pa.concat_tables(batches)


def _as_table(codes: "np.ndarray") -> "pa.Table":
    import pyarrow as pa

    return pa.table(dict(zip(_code_names(codes.shape[1]), codes.T, strict=True)))


def _code_names(size: int) -> list[str]:
    return [f"code{i}" for i in range(size)]


def _note_what_codes_lack(estimator: Any, batch: Any) -> None:
    """Warn of columns that come back empty, and of those beside the codes that do not come back."""
    if estimator.schema_.kind != "table":
        return
    empty = [field.name for field in estimator.schema_.fields if field.kind == "identifier"]
    names = _code_names(estimator.latent_dim_)
    carried = [name for name in getattr(batch, "column_names", []) if name not in names]
    parts = (
        [f"{carried_columns.listed(empty)} stay{'s' if len(empty) == 1 else ''} empty"]
        if empty
        else []
    )
    if carried and len(carried) + len(names) == len(batch.column_names):
        parts.append(
            f"{carried_columns.listed(carried)} {'is' if len(carried) == 1 else 'are'} left out"
        )
    if parts:
        warnings.warn(
            f"Codes hold only what the model learned: {' and '.join(parts)}.",
            DataWarning,
            stacklevel=2,
        )


def _as_codes(batch: Any, size: int) -> "np.ndarray":
    """Return a batch of a codes file as an array of shape (n, size)."""
    import numpy as np

    if not isinstance(batch, np.ndarray):
        names = _code_names(size)
        if set(names) <= set(batch.column_names):
            batch = batch.select(names)
        batch = np.column_stack([column.to_numpy() for column in batch.columns])
    codes: np.ndarray = batch
    if codes.ndim != 2 or codes.shape[1] != size:
        raise SchemaMismatch(
            "codes",
            expected=f"{size} numbers per row, in columns code0 to code{size - 1}",
            received=f"an array of shape {codes.shape}",
            remedy="pass a file that 'isthmus encode' wrote with the same model",
        )
    if codes.dtype.kind not in "fiu" or not np.isfinite(codes).all():
        raise InvalidData(
            "codes",
            expected="numbers in every cell",
            received="text" if codes.dtype.kind not in "fiu" else "an empty or infinite cell",
            remedy="pass a file that 'isthmus encode' wrote, as it was",
        )
    return codes
