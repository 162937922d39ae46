"""The coder of integers for large blocks: fixed odds of a residual, by how far off guesses were.

What a number differs by from its foreseen value is coded with one of a few tables of odds, chosen
by how far guesses were off of late. Tables are counted by the encoder and kept in the file, so
that whole rows of strands are coded at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.block import from_integers
from isthmus.compression.coders.byte_cursor import Cursor, piece, refuse
from isthmus.compression.coders.coder import Coder
from isthmus.compression.coders.contexts import Contexts
from isthmus.compression.coders.predictors import FINE, plan, read_foresight
from isthmus.compression.entropy.rans import RansDecoder, RansEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout
    from isthmus.compression.coders.predictors import Predictors

    Integers = NDArray[np.int64]

_SPAN = 2**40
_MOST_COLUMNS = 256
_SHARES = 1 << 14
_SCALE = (1 << 16) // _SHARES
_SPREADS = 32
_TABLES = 4 * _SPREADS
_DIRECT = 16
_TOKENS = _DIRECT + 2 * 60
_UNUSED = _TOKENS
"""A token that never comes: odds of 1 have no place in the coder."""
_WORD = 15
"""Bits below a token's leading two are coded so many at once."""


class ResidualTables(Coder):
    """Residuals by tables of odds; see `tables`."""

    name, number = "tables of odds", 3
    sample_predicts_size = False  # a sample is too small for its tables to pay

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the block as bytes; None if its integers are too large."""
        columns = len(block.columns)
        if columns > _MOST_COLUMNS:
            return None
        matrix, kept = block.integers
        if int(matrix.max()) >= _SPAN or int(matrix.min()) <= -_SPAN:
            return None
        foresights = plan(matrix)[0]
        lanes = _lanes(block.rows)
        batches: list[tuple[Integers, Integers]] = []

        def see(table: Integers, guess: Integers, at: Integers, j: int) -> Integers:
            values: Integers = matrix[at, j]
            batches.append((table, _zigzag(values - guess)))
            return values

        _walk(matrix, foresights, lanes, see)
        tables = np.concatenate([table for table, _ in batches])
        tokens, depths = _tokens(np.concatenate([whole for _, whole in batches]))
        widths = _widths(
            np.bincount(tables * (_UNUSED + 1) + tokens, minlength=_TABLES * (_UNUSED + 1))
        )
        side = b"".join(each.to_bytes() for each in foresights)
        stream = _stream(batches, tokens, depths, widths, lanes)
        return piece(kept) + side + piece(_widths_to_bytes(widths)) + stream

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        columns = len(layout.dtypes)
        if columns > _MOST_COLUMNS:
            refuse(f"a block of {columns} columns")
        cursor = Cursor(packed)
        kept = Cursor(cursor.piece())
        foresights = [read_foresight(cursor, columns, j) for j in range(columns)]
        odds = _ResidualOdds(_widths_from_bytes(cursor.piece()))
        lanes = _lanes(rows)
        decoder = RansDecoder(bytes(cursor.rest()), lanes)
        matrix = np.zeros((rows, columns), dtype=np.int64)

        def read(table: Integers, guess: Integers, at: Integers, j: int) -> Integers:
            del at, j
            return guess + _unzigzag(_read(decoder, odds, table))

        _walk(matrix, foresights, lanes, read)
        decoder.finish()
        values = from_integers(matrix, kept, layout)
        kept.close()
        return values


def _lanes(rows: int) -> int:
    return min(max(rows // 64, 1), 4096)


def _walk(matrix: Integers, foresights: list[Predictors], lanes: int, visit: Any) -> None:
    """Go through all numbers, a row of strands at a time; `visit` says what they are."""
    rows = len(matrix)
    length = -(-rows // lanes)
    known = Contexts(matrix)
    starts = np.arange(lanes) * length
    for step in range(length):
        at = starts[starts + step < rows] + step
        for j, foresight in enumerate(foresights):
            fine = known.foreseen(foresight, at, step)
            guess = fine + FINE // 2 >> 8
            quarter = (fine + FINE // 2 & FINE - 1) >> 6
            spread = np.minimum(known.spread(at, step, j), _SPREADS - 1)
            matrix[at, j] = visit(4 * spread + quarter, guess, at, j)
            known.learn(fine, at, j)


def _zigzag(q: Integers) -> Integers:
    return (q << 1) ^ (q >> 63)


def _unzigzag(whole: Integers) -> Integers:
    return (whole >> 1) ^ -(whole & 1)


def _tokens(whole: Integers) -> tuple[Integers, Integers]:
    """Return the token of each number from 0, and how many bits follow it."""
    octave = np.frexp(np.maximum(whole, 1).astype(np.float64))[1].astype(np.int64) - 1
    depths = np.where(whole >= _DIRECT, octave - 1, 0)
    tokens = np.where(whole >= _DIRECT, _DIRECT + 2 * (octave - 4) + (whole >> depths & 1), whole)
    return tokens, depths


def _widths(counts: Integers) -> Integers:
    """Return shares of `_SHARES` by table and token, none 0 that occurs."""
    counts = counts.reshape(_TABLES, _UNUSED + 1)
    counts[:, _UNUSED] = 0
    occurs = counts > 0
    occurs[:, _UNUSED] = True
    free = _SHARES - occurs.sum(axis=1, keepdims=True)
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    widths: Integers = occurs + counts * free // totals
    # What rounding left over goes to the token that occurs most, or to none in an empty table.
    widths[np.arange(_TABLES), counts.argmax(axis=1)] += _SHARES - widths.sum(axis=1)
    widths[counts.sum(axis=1) == 0] = 0
    return widths


def _widths_to_bytes(widths: Integers) -> bytes:
    content = widths.astype("<u2").T.copy().view(np.uint8).reshape(-1, 2).T.tobytes()
    number, packed = general_compressors.smallest(content)
    return bytes([number]) + packed


def _widths_from_bytes(packed: memoryview) -> Integers:
    cursor = Cursor(packed)
    number = cursor.take(1)[0]
    content = general_compressors.unpack(number, cursor.rest(), 2 * _TABLES * (_UNUSED + 1))
    planes = np.frombuffer(content, np.uint8).reshape(2, -1).T.copy().view("<u2")
    widths = planes.reshape(_UNUSED + 1, _TABLES).T.astype(np.int64)
    used = widths.any(axis=1)
    if (widths[used].sum(axis=1) != _SHARES).any() or not (widths[used, _UNUSED] > 0).all():
        refuse("tables of odds that do not add up to 1")
    return widths


def _stream(
    batches: list[tuple[Integers, Integers]],
    tokens: Integers,
    depths: Integers,
    widths: Integers,
    lanes: int,
) -> bytes:
    encoder = RansEncoder(lanes)
    stops = np.cumsum(widths, axis=1) * _SCALE
    starts = stops - widths * _SCALE
    begin = 0
    for table, whole in batches:
        part = slice(begin, begin + len(whole))
        begin = part.stop
        own = tokens[part]
        encoder.push(_shares(starts[table, own]), _shares(stops[table, own]))
        left, values = depths[part], whole
        while (deep := np.flatnonzero(left > 0)).size:
            left, values = left[deep], values[deep]
            bits = np.minimum(left, _WORD)
            left = left - bits
            first = ((values >> left) & ((1 << bits) - 1)) << (16 - bits)
            encoder.push(_shares(first), _shares(first + (1 << (16 - bits))))
    return encoder.finish()


def _shares(values: Integers) -> NDArray[np.uint32]:
    return values.astype(np.uint32)


class _ResidualOdds:
    """Finds tokens by their shares."""

    def __init__(self, widths: Integers) -> None:
        self.widths = widths * _SCALE
        self.starts = np.cumsum(self.widths, axis=1) - self.widths
        self.tokens = np.full((_TABLES, _SHARES), _UNUSED, dtype=np.uint8)
        every = np.arange(_UNUSED + 1)
        for table in np.flatnonzero(widths.any(axis=1)):
            self.tokens[table] = np.repeat(every, widths[table])


def _read(decoder: RansDecoder, odds: _ResidualOdds, table: Integers) -> Integers:
    """Return a number from 0 for each table."""

    def find(shares: Any, part: slice) -> Any:
        own = table[part]
        found = odds.tokens[own, shares // _SCALE].astype(np.intp)
        width = np.where(found == _UNUSED, 0, odds.widths[own, found])
        return found, odds.starts[own, found].astype(np.uint32), width.astype(np.uint32)

    tokens = decoder.pop(len(table), find)
    whole = tokens.astype(np.int64)
    rest = np.flatnonzero(tokens >= _DIRECT)
    if not len(rest):
        return whole
    left = (tokens[rest] - _DIRECT) // 2 + 3
    values = 2 + (tokens[rest] & 1)
    going = np.arange(len(rest))
    while len(going):
        bits = np.minimum(left[going], _WORD)
        values[going] = values[going] << bits | _even(decoder, bits)
        left[going] -= bits
        going = going[left[going] > 0]
    whole[rest] = values
    return whole


def _even(decoder: RansDecoder, bits: Integers) -> Integers:
    """Return so many bits each of numbers about which nothing is known."""

    def find(shares: Any, part: slice) -> Any:
        unused = 16 - bits[part]
        found = shares.astype(np.int64) >> unused
        return found, (found << unused).astype(np.uint32), (1 << unused).astype(np.uint32)

    return decoder.pop(len(bits), find).astype(np.int64)
