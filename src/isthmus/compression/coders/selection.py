"""Choice of a coder for each block: several encode it, and the smallest result is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.catalogue import decode, untrained_coders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock
    from isthmus.compression.coders.coder import Coder

SAMPLE_CELLS = 1 << 14
"""Values in the sample of a large block on which all coders are tried first."""
MARGIN = 1.03
"""A coder whose result on the sample is larger than the best by more than this is ruled out."""
WIDE_MARGIN = 1.1
"""The margin for blocks of up to `MEDIUM` bytes, on which more coders can be tried."""
MEDIUM = 1 << 21
BLOCKS_PER_SAMPLE = 8
"""Coders are tried on a new sample after this many large blocks."""


class CoderSelection:
    """Encodes each block of a file with the coder that makes it smallest.

    On a large block, only the coders that do well on a sample are tried.

    Parameters
    ----------
    fitted : sequence of Coder
        Learned coders, fitted to data like these.
    """

    def __init__(self, fitted: Sequence[Coder] = ()) -> None:
        self._coders = [*untrained_coders(), *fitted]
        self._fitted = fitted
        self._promising: list[Coder] = []
        self._blocks = 0

    def encode(self, block: ColumnBlock) -> tuple[bytes, float]:
        """Return the smallest encoding of a block that decodes correctly, and its largest error.

        Parameters
        ----------
        block : ColumnBlock
            At least one row and one column.
        """
        results = [(each, each.encode(block)) for each in self._candidates(block)]
        packed = [bytes([each.number]) + found for each, found in results if found is not None]
        for candidate in sorted(packed, key=len):
            back = decode(memoryview(candidate), block.rows, block.layout, self._fitted)
            errors = [
                largest_error(*each) for each in zip(block.columns, back, block.bounds, strict=True)
            ]
            if None not in errors:
                return candidate, max(error or 0.0 for error in errors)
        raise RuntimeError("no coder decoded the block correctly")  # pragma: no cover

    def _candidates(self, block: ColumnBlock) -> list[Coder]:
        cells = block.rows * len(block.columns)
        if not self._blocks and cells <= 2 * SAMPLE_CELLS:
            return self._coders
        # Slow coders that do not take large blocks are not worth their time on the short last one.
        self._coders = [
            each for each in self._coders if each.max_cells is None or cells <= each.max_cells
        ]
        if self._blocks % BLOCKS_PER_SAMPLE == 0:
            sample = block.sample(SAMPLE_CELLS)
            factor = block.rows / sample.rows
            coders = [each.at_scale(factor) for each in self._coders]
            thorough = block.rows * block.layout.row_bytes <= MEDIUM
            self._promising = _promising(coders, sample, thorough=thorough)
        self._blocks += 1
        return self._promising


def largest_error(values: NDArray[Any], decoded: NDArray[Any], bound: float) -> float | None:
    """Return the largest error of decoded values, or None if it is above `bound`."""
    same = values == decoded
    if values.dtype.kind == "f":
        bits = f"u{values.dtype.itemsize}"
        identical = values.view(bits) == decoded.view(bits)
        same = identical if bound == 0 else identical | same
    if same.all():
        return 0.0
    if bound == 0:
        return None
    larger, smaller = np.maximum(values, decoded)[~same], np.minimum(values, decoded)[~same]
    # Python integers, because the difference of two 64-bit integers may need 65 bits.
    wide = np.float64 if values.dtype.kind == "f" else object
    worst = float((larger.astype(wide) - smaller.astype(wide)).max())
    return worst if worst <= bound else None


def _promising(coders: Sequence[Coder], sample: ColumnBlock, *, thorough: bool) -> list[Coder]:
    """Return coders whose result on a sample is near the best, restricted to their choices."""
    results = [(each, each.encode(sample)) for each in coders]
    encoded = [(each, packed) for each, packed in results if packed is not None]
    margin = WIDE_MARGIN if thorough else MARGIN
    limit = min(len(packed) for _, packed in encoded) * margin + 16
    return [
        each.narrowed(packed, thorough=thorough)
        for each, packed in encoded
        if len(packed) <= limit or not each.sample_predicts_size
    ]
