"""``isthmus encode``, ``decode`` and ``reconstruct``: apply a saved model to a file."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import (
    carried_columns,
    image_options,
    model_files,
    output_checks,
)
from isthmus.core import error_context
from isthmus.core.errors import DataWarning
from isthmus.core.name_lists import name_list
from isthmus.data.formats.catalogue import ARRAYS, TABLES, WRITABLE, output_choices
from isthmus.data.formats.text_options import TextOptions

_Step = Callable[[Any, Any], Any]

_MODEL = Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")]
_DATA = Annotated[
    Path, typer.Argument(metavar="DATA", help="Rows like those that the model was trained on.")
]
_CODES = Annotated[Path, typer.Argument(metavar="CODES", help="A file that 'encode' wrote.")]
_OUTPUT = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help=f"Where the result is written: {output_choices(WRITABLE)}."
    ),
]
_CODES_OUTPUT = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help=f"Where the codes are written: {output_choices([*TABLES, *ARRAYS])}."
    ),
]


@image_options.add
def encode(
    model: _MODEL,
    data: _DATA,
    output: _CODES_OUTPUT,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Encode rows: the result has columns code0, code1, ... or is an array.

    In a table, columns that the model was not trained on come before the codes, and the names of
    images in the column file.
    """
    output_checks.require_ending(output, [*TABLES, *ARRAYS], "a file of codes")
    tabular = output.suffix.lower() in TABLES

    def codes(estimator: Any, rows: Any) -> Any:
        import numpy as np

        from isthmus.engines.codes import code_table

        matrix = np.asarray(estimator.transform(rows))
        return code_table(matrix) if tabular else matrix

    _run_on_samples(model, data, output, codes, images, force=force)


def decode(
    model: _MODEL, codes: _CODES, output: _OUTPUT, force: output_checks.Force = False
) -> None:
    """Decode codes to rows, in the original columns and units.

    Columns that the model did not learn, such as row names, are empty or left out. Images get the
    names in the column file, if there is one.
    """

    def rows(estimator: Any, batch: Any) -> Any:
        from isthmus.engines.codes import codes_in

        _warn_of_columns_outside_codes(estimator, batch)
        return estimator.inverse_transform(codes_in(batch, estimator.latent_dim_))

    def text(estimator: Any) -> TextOptions:
        import pyarrow as pa

        from isthmus.engines.codes import code_names

        return TextOptions(dict.fromkeys(code_names(estimator.latent_dim_), pa.float64()))

    _run_in_batches(model, codes, output, rows, text, {}, force=force)


@image_options.add
def reconstruct(
    model: _MODEL,
    data: _DATA,
    output: _OUTPUT,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Reconstruct rows; missing cells are filled in.

    The result has the same columns, names and types. Columns that the model was not trained on are
    unchanged. Images keep their file names and the number of their bits.
    """

    def rebuilt(estimator: Any, rows: Any) -> Any:
        return estimator.reconstruct(rows)

    _run_on_samples(model, data, output, rebuilt, images, force=force)


def _run_on_samples(
    model: Path, data: Path, output: Path, step: _Step, images: Mapping[str, Any], *, force: bool
) -> None:
    """Apply a model to a file of samples; columns that it was not trained on bypass it."""

    def known_columns(estimator: Any, rows: Any) -> Any:
        names = carried_columns.unknown(estimator, rows)
        result = step(estimator, carried_columns.without(rows, names))
        if not names:
            return result
        tabular = hasattr(result, "column_names")
        fate = "passed on unchanged" if tabular else "left out"
        warnings.warn(
            f"The model was not trained on {name_list(names)}; {fate}.",
            DataWarning,
            stacklevel=2,
        )
        return carried_columns.restore(rows, names, result) if tabular else result

    _run_in_batches(
        model,
        data,
        output,
        known_columns,
        lambda estimator: estimator.schema_.text_options,
        images,
        force=force,
    )


def _run_in_batches(
    model: Path,
    data: Path,
    output: Path,
    step: _Step,
    text: Callable[[Any], TextOptions],
    images: Mapping[str, Any],
    *,
    force: bool,
) -> None:
    """Apply a model to a file, a batch of rows at a time.

    A CSV file does not store the types of its columns, and one batch may suggest another type than
    the whole file. `text` returns how to read it.
    """
    output_checks.require_ending(output, WRITABLE, "a file of rows")
    output_checks.check([output], force=force)

    from isthmus.data import reading, writing

    estimator = model_files.autoencoder(model)
    schema = estimator.schema_
    options = image_options.chosen(images, data, like=schema.image_options)
    batches = reading.stream(data, text=text(estimator), images=options)
    names = reading.image_names(data)

    def results() -> Iterator[Any]:
        start = 0
        for rows in batches:
            with error_context.adding(error_context.batch_name(data.name, start, len(rows))):
                result = step(estimator, rows)
            if names is not None and hasattr(result, "add_column"):
                result = result.add_column(0, "file", [names[start : start + len(rows)]])
            yield result
            start += len(rows)

    written = writing.write_parts(
        output,
        results(),
        overwrite=force,
        pixels=schema.pixel_type,
        names=_names_in_codes(data) if names is None and not output.suffix else names,
    )
    typer.echo(f"Wrote {written:,} rows to {output_checks.path_and_size(output)}")


def _names_in_codes(path: Path) -> list[str] | None:
    """Return the column file of a table of codes, or None."""
    from isthmus.data import reading

    rows: Any = reading.read(path).X
    named = "file" in getattr(rows, "column_names", [])
    return [str(name) for name in rows["file"].to_pylist()] if named else None


def _warn_of_columns_outside_codes(estimator: Any, batch: Any) -> None:
    """Warn of columns that will be empty, and of columns of the codes file that are left out."""
    from isthmus.engines.codes import code_names

    if estimator.schema_.kind != "table":
        return
    empty = [field.name for field in estimator.schema_.fields if field.kind == "identifier"]
    names = code_names(estimator.latent_dim_)
    carried = [name for name in getattr(batch, "column_names", []) if name not in names]
    parts = [f"{name_list(empty)} stay{'s' if len(empty) == 1 else ''} empty"] if empty else []
    if carried and len(carried) + len(names) == len(batch.column_names):
        parts.append(f"{name_list(carried)} {'is' if len(carried) == 1 else 'are'} left out")
    if parts:
        warnings.warn(
            f"Codes contain only what the model learned: {' and '.join(parts)}.",
            DataWarning,
            stacklevel=2,
        )
