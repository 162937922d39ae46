"""Context mixing: the coder of quantized integers for all but large blocks."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.binary_mixing import BitDecoder, BitEncoder, Mixer
from isthmus.compression.coders.block import from_integers
from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, refuse
from isthmus.compression.coders.coder import Coder
from isthmus.compression.coders.contexts import CONTEXTS, Contexts
from isthmus.compression.coders.predictors import (
    SCALE,
    Predictor,
    candidate_predictors,
    read_predictor,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.binary_mixing import BitCoder
    from isthmus.compression.coders.block import ColumnBlock, Layout

    Integers = NDArray[np.int64]

MOST_CELLS = 1 << 19
"""Larger blocks would take too long."""
MOST_COLUMNS = 64
_SPAN = 2**40
_MOST_SEGMENTS = 512
_CHECK = 2
_TRIAL_CELLS = 1 << 14
"""Values of the block on which the candidate predictors are compared."""
_MODELLED = 3
"""Bits after the leading one that are predicted; lower bits are close to random."""


class ContextMixing(Coder):
    """Integers coded bit by bit, with predictions by context mixing; see ``binary_mixing``."""

    name, number = "context mixing", 1
    max_cells = MOST_CELLS

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the encoded block; None if it or its integers are too large."""
        cells = block.rows * len(block.columns)
        if cells > MOST_CELLS or len(block.columns) > MOST_COLUMNS:
            return None
        matrix, quantizers = block.integers
        if int(matrix.max()) >= _SPAN or int(matrix.min()) <= -_SPAN:
            return None
        part = matrix[: max(1, _TRIAL_CELLS // matrix.shape[1])]
        plans = candidate_predictors(matrix)
        chosen = min(plans, key=lambda each: len(_encoded(part, each)))
        side = b"".join(each.to_bytes() for each in chosen)
        return length_prefixed(quantizers) + side + _check(matrix) + _encoded(matrix, chosen)

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        columns = len(layout.dtypes)
        if rows * columns > MOST_CELLS or columns > MOST_COLUMNS:
            refuse(f"a block of {rows} rows, expected at most {MOST_CELLS} values")
        cursor = Cursor(packed)
        quantizers = Cursor(cursor.length_prefixed())
        predictors = [read_predictor(cursor, columns, j) for j in range(columns)]
        check = bytes(cursor.read(_CHECK))
        coder = BitDecoder(cursor.rest())
        matrix = np.zeros((rows, columns), dtype=np.int64)
        _run(matrix, predictors, coder, reading=True)
        coder.finish()
        if check != _check(matrix):
            refuse("values that do not match their checksum")
        values = from_integers(matrix, quantizers, layout)
        quantizers.close()
        return values


def _check(matrix: Integers) -> bytes:
    """Return a checksum, which detects a library version that decodes other values."""
    return zlib.crc32(matrix.astype("<i8").tobytes()).to_bytes(4, "little")[:_CHECK]


def _encoded(matrix: Integers, predictors: list[Predictor]) -> bytes:
    coder = BitEncoder()
    _run(matrix.copy(), predictors, coder)
    return coder.finish()


def segment_count(cells: int) -> int:
    """Return the number of segments of a block that are coded in parallel."""
    return min(max(cells // 1024, 8), _MOST_SEGMENTS)


def _run(
    matrix: Integers, predictors: list[Predictor], coder: BitCoder, *, reading: bool = False
) -> None:
    """Encode all values of a matrix, or decode them into it."""
    rows, columns = matrix.shape
    count = segment_count(rows * columns)
    length = -(-rows // count)
    model = Contexts(matrix)
    mixer = Mixer(CONTEXTS, rows * columns, coder)
    starts = np.arange(count) * length
    for step in range(length):
        at = starts[starts + step < rows] + step
        for j, predictor in enumerate(predictors):
            prediction = model.predict(predictor, at, step)
            guess = prediction + SCALE // 2 >> 8 if predictor.residual else predictor.centre >> 8
            contexts = model.contexts(predictor, prediction, at, step, j)
            wanted = None if reading else matrix[at, j] - guess
            found = _code_values(mixer, contexts, wanted, len(at))
            matrix[at, j] = guess + found
            model.update(prediction, at, j)


def _code_values(mixer: Mixer, contexts: Integers, wanted: Integers | None, n: int) -> Integers:
    """Code integers: zero or not, sign, exponent of 2, and the bits below the leading one."""
    found = np.zeros(n, dtype=np.int64)
    zero = mixer.decide(contexts, 1, 0, None if wanted is None else (wanted == 0).astype(np.int64))
    rest = np.flatnonzero(zero == 0)
    if not len(rest):
        return found
    contexts = contexts[:, rest]
    size = None if wanted is None else np.abs(wanted[rest])
    sign = mixer.decide(
        contexts, 2, 1, None if wanted is None else (wanted[rest] > 0).astype(np.int64)
    )
    exponents = _code_exponents(mixer, contexts, sign, size)
    whole = np.ones(len(rest), dtype=np.int64)
    for level in range(1, int(exponents.max()) + 1):
        deep = np.flatnonzero(exponents >= level)
        bits = None if size is None else size[deep] >> exponents[deep] - level & 1
        if level <= _MODELLED:
            node = 100 + 2 * (whole[deep] + (exponents[deep] << 8)) + sign[deep]
            group = 20 + level * 8 + np.minimum(exponents[deep], 7)
            bits = mixer.decide(contexts[:, deep], node, group, bits)
        else:
            bits = mixer.code_uniform(len(deep), bits)
        whole[deep] = 2 * whole[deep] + bits
    found[rest] = np.where(sign == 1, whole, -whole)
    return found


def _code_exponents(
    mixer: Mixer, contexts: Integers, sign: Integers, size: Integers | None
) -> Integers:
    """Code the number of bits after the leading one, in unary."""
    exponents = np.zeros(len(sign), dtype=np.int64)
    wanted = None if size is None else np.frexp(size.astype(np.float64))[1] - 1
    going = np.arange(len(sign))
    for place in range(_SPAN.bit_length() + 10):
        bits = None if wanted is None else (wanted[going] > place).astype(np.int64)
        bits = mixer.decide(
            contexts[:, going], 4 + 2 * place + sign[going], 2 + min(place, 12), bits
        )
        going = going[bits == 1]
        exponents[going] += 1
        if not len(going):
            return exponents
    return refuse("an integer of too many bits")
