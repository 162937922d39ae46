"""Compress a signal of N bytes to M < N bytes and reconstruct it; sizes are those of files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.codec import Codec
from isthmus.core.number_format import number
from isthmus.recipes import dense_32, figures, metrics, sources
from isthmus.recipes.figure_types import Table
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

SYSTEM = dense_32.SYSTEM
_BOUNDS = (0.1, 0.05, 0.02, 0.01)
"""Error bounds of a code's numbers, as fractions of their range; the figures use `_BOUND`."""
_BOUND = 0.02


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    model, test = SYSTEM.train(digits, plan)
    train, _ = digits.shaped(SYSTEM.shape)
    known, codes = (np.asarray(model.transform(rows)) for rows in (train, test))
    before = test.size  # bytes of the images, one per pixel
    rows, chosen = [], (0, test)
    with tempfile.TemporaryDirectory() as folder:
        decoder = Path(folder) / "decoder.isthmus"
        model.save(decoder)
        weights = decoder.stat().st_size
        for bound in _BOUNDS:
            size, made = _through_a_file(Path(folder) / "codes.isz", known, codes, bound)
            rebuilt = model.inverse_transform(made)
            error = metrics.squared_error(test, rebuilt)
            rows.append((f"{bound:.0%}", f"{size:,}", number(before / size, 3), number(error, 4)))
            if bound == _BOUND:
                chosen = size, rebuilt
    size, rebuilt = chosen
    return RecipeResult(
        figures=(
            MeasuredFigure("bytes before, N", before),
            MeasuredFigure("bytes in the file, M", size, claim="M < N", high=before - 1),
            MeasuredFigure("bytes in the file and the model", size + weights),
            MeasuredFigure("N / M", before / size),
            MeasuredFigure("test squared error", metrics.squared_error(test, rebuilt)),
            MeasuredFigure(
                "test squared error, codes not compressed",
                metrics.squared_error(test, model.inverse_transform(codes)),
            ),
        ),
        pictures=(
            figures.rebuilt(digits, rebuilt),
            Table(
                "By error bound of the codes",
                ("error bound, of the range", "bytes", "N / M", "test squared error"),
                tuple(rows),
            ),
        ),
        notes=(
            f"The codes of {len(test):,} test digits were compressed to a file, with an error "
            f"bound of {_BOUND:.0%} of the range of each number, and decoded from it. The tutorial "
            "counts numbers; the recipe counts bytes of files.",
            f"The model takes {weights:,} bytes, which all images share. "
            "isthmus.Codec(max_error=0) compresses images without loss, to fewer bytes than any "
            "compressor that it is compared with.",
        ),
        estimators={"autoencoder": model},
    )


def _through_a_file(path: Path, known: Floats, codes: Floats, bound: float) -> tuple[int, Floats]:
    """Compress codes to a file; return its size and the decompressed codes."""
    codec = Codec(max_error=bound, relative=True).fit(known)
    path.write_bytes(codec.compress(codes))
    made: Floats = codec.decompress(path.read_bytes())
    return path.stat().st_size, made


RECIPE = Recipe(
    "compress",
    "a signal of N bytes, compressed to M < N bytes",
    sources.ENCODERS,
    "It compresses a signal of N bytes into another of M < N bytes, and reconstructs it.",
    epochs=50,
    make=_make,
    system=SYSTEM,
)
