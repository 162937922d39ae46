"""The coder of integers for all but large blocks: what is known of a number, and its decisions."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.binary_mixing import CoinReader, CoinWriter, Mixer
from isthmus.compression.coders.block import from_integers
from isthmus.compression.coders.byte_cursor import Cursor, piece, refuse
from isthmus.compression.coders.coder import Coder
from isthmus.compression.coders.contexts import CONTEXTS, Contexts
from isthmus.compression.coders.predictors import FINE, Predictors, plan, read_foresight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.binary_mixing import Coin
    from isthmus.compression.coders.block import ColumnBlock, Layout

    Integers = NDArray[np.int64]

MOST_CELLS = 1 << 19
"""Larger blocks would take too long."""
MOST_COLUMNS = 64
_SPAN = 2**40
_MOST_STRANDS = 512
_CHECK = 2
_TRIED = 1 << 14
"""On so many numbers is tried which way of foreseeing does better."""
_MODELLED = 3
"""Bits after the leading one that are decided with odds; those below are as good as chance."""


class ContextMixing(Coder):
    """Numbers decided bit by bit, with odds mixed from contexts; see `mixing`."""

    name, number = "context mixing", 1
    max_cells = MOST_CELLS

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the block as bytes; None if it is too large or its integers are."""
        cells = block.rows * len(block.columns)
        if cells > MOST_CELLS or len(block.columns) > MOST_COLUMNS:
            return None
        matrix, kept = block.integers
        if int(matrix.max()) >= _SPAN or int(matrix.min()) <= -_SPAN:
            return None
        part = matrix[: max(1, _TRIED // matrix.shape[1])]
        plans = plan(matrix)
        chosen = min(plans, key=lambda each: len(_written(part, each)))
        side = b"".join(each.to_bytes() for each in chosen)
        return piece(kept) + side + _check(matrix) + _written(matrix, chosen)

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        columns = len(layout.dtypes)
        if rows * columns > MOST_CELLS or columns > MOST_COLUMNS:
            refuse(f"a block of {rows} rows, where at most {MOST_CELLS} numbers are mixed")
        cursor = Cursor(packed)
        kept = Cursor(cursor.piece())
        foresights = [read_foresight(cursor, columns, j) for j in range(columns)]
        check = bytes(cursor.take(_CHECK))
        coin = CoinReader(cursor.rest())
        matrix = np.zeros((rows, columns), dtype=np.int64)
        _run(matrix, foresights, coin, reading=True)
        coin.finish()
        if check != _check(matrix):
            refuse("other numbers than were written")
        values = from_integers(matrix, kept, layout)
        kept.close()
        return values


def _check(matrix: Integers) -> bytes:
    """Return a checksum of what must come out, whatever versions of libraries are installed."""
    return zlib.crc32(matrix.astype("<i8").tobytes()).to_bytes(4, "little")[:_CHECK]


def _written(matrix: Integers, foresights: list[Predictors]) -> bytes:
    coin = CoinWriter()
    _run(matrix.copy(), foresights, coin)
    return coin.finish()


def strands(cells: int) -> int:
    """Return how many strands a block of so many numbers is cut into."""
    return min(max(cells // 1024, 8), _MOST_STRANDS)


def _run(
    matrix: Integers, foresights: list[Predictors], coin: Coin, *, reading: bool = False
) -> None:
    """Write all numbers of a matrix with a coin, or read them into it."""
    rows, columns = matrix.shape
    count = strands(rows * columns)
    length = -(-rows // count)
    known = Contexts(matrix)
    mixer = Mixer(CONTEXTS, rows * columns, coin)
    starts = np.arange(count) * length
    for step in range(length):
        at = starts[starts + step < rows] + step
        for j, foresight in enumerate(foresights):
            fine = known.foreseen(foresight, at, step)
            guess = fine + FINE // 2 >> 8 if foresight.residual else foresight.centre >> 8
            contexts = known.contexts(foresight, fine, at, step, j)
            wanted = None if reading else matrix[at, j] - guess
            found = _value(mixer, contexts, wanted, len(at))
            matrix[at, j] = guess + found
            known.learn(fine, at, j)


def _value(mixer: Mixer, contexts: Integers, wanted: Integers | None, n: int) -> Integers:
    """Code whole numbers: is it 0, its sign, its leading bit's place, the bits that follow."""
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
    places = _places(mixer, contexts, sign, size)
    whole = np.ones(len(rest), dtype=np.int64)
    for level in range(1, int(places.max()) + 1):
        deep = np.flatnonzero(places >= level)
        bits = None if size is None else size[deep] >> places[deep] - level & 1
        if level <= _MODELLED:
            node = 100 + 2 * (whole[deep] + (places[deep] << 8)) + sign[deep]
            group = 20 + level * 8 + np.minimum(places[deep], 7)
            bits = mixer.decide(contexts[:, deep], node, group, bits)
        else:
            bits = mixer.even(len(deep), bits)
        whole[deep] = 2 * whole[deep] + bits
    found[rest] = np.where(sign == 1, whole, -whole)
    return found


def _places(mixer: Mixer, contexts: Integers, sign: Integers, size: Integers | None) -> Integers:
    """Code how many bits follow the leading one."""
    places = np.zeros(len(sign), dtype=np.int64)
    wanted = None if size is None else np.frexp(size.astype(np.float64))[1] - 1
    going = np.arange(len(sign))
    for place in range(_SPAN.bit_length() + 10):
        bits = None if wanted is None else (wanted[going] > place).astype(np.int64)
        bits = mixer.decide(
            contexts[:, going], 4 + 2 * place + sign[going], 2 + min(place, 12), bits
        )
        going = going[bits == 1]
        places[going] += 1
        if not len(going):
            return places
    return refuse("a number of too many bits")
