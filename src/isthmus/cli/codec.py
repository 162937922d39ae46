"""``isthmus compress`` and ``isthmus decompress``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli import image_options, output_checks
from isthmus.core import error_context
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.data.formats.catalogue import ARRAYS, READABLE, TABLES, output_choices
from isthmus.data.formats.image_options import ImageOptions

if TYPE_CHECKING:
    from isthmus.compression.codec import Codec

_ENDING = (".isz",)
_MEMORY, _MOST_PER_BYTE = 2**30, 1000

_MODEL_HELP = "A codec saved from Python; its model is not embedded in the file."


@image_options.add
def compress(
    data: Annotated[Path, typer.Argument(metavar="DATA", help=f"{READABLE}.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The compressed file: .isz.")],
    max_error: Annotated[
        float, typer.Option(min=0, help="The largest error of a number; 0 is lossless.")
    ] = 0.0,
    relative: Annotated[
        bool, typer.Option("--relative", help="The error is a fraction of each column's range.")
    ] = False,
    quality: Annotated[
        float | None,
        typer.Option(help="Minimum PSNR in decibels, instead of --max-error.", show_default="none"),
    ] = None,
    bits: Annotated[
        float | None,
        typer.Option(help="Maximum bits per number, instead of --max-error.", show_default="none"),
    ] = None,
    model: Annotated[Path | None, typer.Option(help=_MODEL_HELP, show_default="none")] = None,
    force: output_checks.Force = False,
    **images: Any,
) -> None:
    """Compress a file, lossless or within an error bound.

    Every chunk is decoded and compared before it is written. With --quality or --bits, a model is
    trained on the rows and embedded in the file. --model uses a codec that was fitted in Python,
    with its own settings, for example to make lossless files of images smaller.
    """
    output_checks.require_ending(output, _ENDING, "a compressed file")
    output_checks.check([output], force=force)

    from isthmus.compression.row_batches import of_path

    options = image_options.chosen(images, data)
    if model is None:
        codec = _settled(max_error, relative, quality, bits)
        with error_context.adding(data.name), _progress("read") as done:
            learns = codec.relative or codec.max_error is None
            codec.fit(_watched(data, options, done) if learns else iter(()))
    elif max_error or relative or (quality, bits) != (None, None):
        raise InvalidParameter(
            "--model",
            expected="no --max-error, --relative, --quality or --bits, which the codec has itself",
            received="both",
            remedy="leave one out",
        )
    else:
        codec = _codec(model)
    with error_context.adding(data.name), _progress("compressed") as done:
        rows = of_path(data, options)
        summary = codec.compress_to(rows, output, embed=model is None, progress=done)
    if model is not None and codec.coder_:
        size = model.stat().st_size
        whole = summary.raw_bytes / (summary.packed_bytes + size)
        typer.echo(f"Including the model's {size:,} bytes, {whole:.2f} to 1.")
    typer.echo(f"{data.name}: {summary}.")
    typer.echo(f"Wrote {output_checks.path_and_size(output)}")


def _settled(
    max_error: float, relative: bool, quality: float | None, bits: float | None
) -> "Codec":
    from isthmus.compression.codec import Codec

    if (quality, bits) == (None, None):
        return Codec(max_error=max_error, relative=relative and max_error > 0)
    if max_error or relative:
        raise InvalidParameter(
            "--max-error",
            expected="no --max-error or --relative together with --quality or --bits",
            received="both",
            remedy="leave one out",
        )
    return Codec(max_error=None, quality=quality, bits=bits, random_state=0)


def decompress(
    data: Annotated[Path, typer.Argument(metavar="FILE", help="A .isz file.")],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help=f"The file of rows: {output_choices([*ARRAYS, *TABLES])}."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="The codec that compressed the file.", show_default="most files need none"
        ),
    ] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Skip the rows of damaged chunks.")
    ] = False,
    force: output_checks.Force = False,
) -> None:
    """Decompress a file to its rows."""
    output_checks.require_ending(output, [*ARRAYS, *TABLES], "a file of rows")
    output_checks.check([output], force=force)

    from isthmus.compression.codec import Codec

    codec = Codec() if model is None else _codec(model)
    rows = _decompress(codec, data, output, skip_damaged=skip_damaged)
    typer.echo(f"Wrote {rows:,} rows to {output_checks.path_and_size(output)}")


def _decompress(codec: "Codec", data: Path, output: Path, *, skip_damaged: bool) -> int:
    """Write the rows of a compressed file to another file, and return their number.

    Writing .npy takes constant memory.
    """
    import numpy as np
    import pyarrow as pa

    from isthmus.core.atomic_files import atomic_write
    from isthmus.data import frames, writing

    size = codec.size_of(data)
    if size.raw_bytes > max(_MEMORY, _MOST_PER_BYTE * size.packed_bytes):
        raise InvalidArchive(
            str(data),
            expected=f"at most {_MOST_PER_BYTE} times its own size, or 1 GiB",
            received=f"{size.raw_bytes:,} bytes once decompressed",
            remedy="read it chunk by chunk from Python: Codec().decompress_from(path)",
        )
    parts = codec.decompress_from(data, skip_damaged=skip_damaged)
    first = next(parts)
    with _progress("decompressed") as done:
        if isinstance(first, np.ndarray) and output.suffix.lower() == ".npy" and not skip_damaged:
            shape = (size.rows, *first.shape[1:])
            head = {"descr": first.dtype.str, "fortran_order": False, "shape": shape}

            def write(file: Any) -> None:
                np.lib.format.write_array_header_1_0(file, head)
                count = 0
                for part in _with(first, parts):
                    file.write(np.ascontiguousarray(part).tobytes())
                    count += len(part)
                    done(count)

            atomic_write(output, write)
            return size.rows
        every = list(_with(first, parts))
        if frames.is_table(first):
            whole = pa.concat_tables([frames.to_arrow(each) for each in every])
        else:
            whole = np.concatenate(every)
    writing.write(output, whole, overwrite=True)
    return len(whole)


def _with(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _watched(path: Path, images: ImageOptions, done: Callable[[int], object]) -> Any:
    from isthmus.compression.row_batches import of_path

    rows = of_path(path, images)
    if not hasattr(rows, "__next__"):
        return rows

    def each() -> Iterator[Any]:
        count = 0
        for batch in rows:
            yield batch
            count += len(batch)
            done(count)

    return each()


def _codec(path: Path) -> "Codec":
    from isthmus.compression.codec import Codec
    from isthmus.persistence.loading import load

    codec = load(path)
    if not isinstance(codec, Codec):
        raise InvalidParameter(
            "--model",
            expected="a codec that Codec.save wrote",
            received=f"a model of the kind {getattr(codec, 'kind', '?')!r}",
            remedy="fit and save an isthmus.Codec, or leave --model out",
        )
    return codec


@contextmanager
def _progress(word: str) -> Iterator[Callable[[int], object]]:
    """Show the number of rows done, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _rows: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(word)
        yield lambda rows: bar.update(task, description=f"{word} {rows:,} rows")
