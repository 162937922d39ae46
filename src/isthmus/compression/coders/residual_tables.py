"""Static frequency tables of residuals: the coder of quantized integers for large blocks.

The residual of a value from its prediction is coded with one of a few frequency tables, chosen by
the size of recent prediction errors. The encoder counts the frequencies and stores them in the
file. They do not adapt, so many segments of the rows are coded at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.block import from_integers
from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, refuse
from isthmus.compression.coders.coder import Coder
from isthmus.compression.coders.contexts import Contexts
from isthmus.compression.coders.predictors import SCALE, candidate_predictors, read_predictor
from isthmus.compression.entropy.plain_bits import pop_bits, push_bits, shares
from isthmus.compression.entropy.rans import RansDecoder, RansEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout
    from isthmus.compression.coders.predictors import Predictor

    Integers = NDArray[np.int64]

_SPAN = 2**40
_MOST_COLUMNS = 256
_TOTAL = 1 << 14
_SCALE = (1 << 16) // _TOTAL
_ERROR_LEVELS = 32
_TABLES = 4 * _ERROR_LEVELS
_DIRECT = 16
_TOKENS = _DIRECT + 2 * 60
_UNUSED = _TOKENS
"""A token that never occurs, so that no token has the full frequency, which rANS cannot code."""


class ResidualTables(Coder):
    """Residuals coded by static frequency tables."""

    name, number = "tables of odds", 3
    sample_predicts_size = False  # in a sample, the tables take more than they save

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the encoded block; None if it has too many columns or too large integers."""
        columns = len(block.columns)
        if columns > _MOST_COLUMNS:
            return None
        matrix, quantizers = block.integers
        if int(matrix.max()) >= _SPAN or int(matrix.min()) <= -_SPAN:
            return None
        predictors = candidate_predictors(matrix)[0]
        lanes = _lanes(block.rows)
        batches: list[tuple[Integers, Integers]] = []

        def collect(table: Integers, guess: Integers, at: Integers, j: int) -> Integers:
            values: Integers = matrix[at, j]
            batches.append((table, _zigzag(values - guess)))
            return values

        _visit(matrix, predictors, lanes, collect)
        tables = np.concatenate([table for table, _ in batches])
        tokens, depths = _tokens(np.concatenate([residuals for _, residuals in batches]))
        frequencies = _frequencies(
            np.bincount(tables * (_UNUSED + 1) + tokens, minlength=_TABLES * (_UNUSED + 1))
        )
        side = b"".join(each.to_bytes() for each in predictors)
        stream = _stream(batches, tokens, depths, frequencies, lanes)
        return (
            length_prefixed(quantizers)
            + side
            + length_prefixed(_frequencies_to_bytes(frequencies))
            + stream
        )

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        columns = len(layout.dtypes)
        if columns > _MOST_COLUMNS:
            refuse(f"a block of {columns} columns")
        cursor = Cursor(packed)
        quantizers = Cursor(cursor.length_prefixed())
        predictors = [read_predictor(cursor, columns, j) for j in range(columns)]
        token_tables = _TokenTables(_frequencies_from_bytes(cursor.length_prefixed()))
        lanes = _lanes(rows)
        decoder = RansDecoder(bytes(cursor.rest()), lanes)
        matrix = np.zeros((rows, columns), dtype=np.int64)

        def read(table: Integers, guess: Integers, at: Integers, j: int) -> Integers:
            del at, j
            return guess + _unzigzag(_read(decoder, token_tables, table))

        _visit(matrix, predictors, lanes, read)
        decoder.finish()
        values = from_integers(matrix, quantizers, layout)
        quantizers.close()
        return values


def _lanes(rows: int) -> int:
    return min(max(rows // 64, 1), 4096)


def _visit(matrix: Integers, predictors: list[Predictor], lanes: int, visit: Any) -> None:
    """Visit all values, one of each segment at a time; `visit` returns the values."""
    rows = len(matrix)
    length = -(-rows // lanes)
    contexts = Contexts(matrix)
    starts = np.arange(lanes) * length
    for step in range(length):
        at = starts[starts + step < rows] + step
        for j, predictor in enumerate(predictors):
            prediction = contexts.predict(predictor, at, step)
            guess = prediction + SCALE // 2 >> 8
            quarter = (prediction + SCALE // 2 & SCALE - 1) >> 6
            recent_error = np.minimum(contexts.recent_error(at, step, j), _ERROR_LEVELS - 1)
            matrix[at, j] = visit(4 * recent_error + quarter, guess, at, j)
            contexts.update(prediction, at, j)


def _zigzag(q: Integers) -> Integers:
    return (q << 1) ^ (q >> 63)


def _unzigzag(residuals: Integers) -> Integers:
    return (residuals >> 1) ^ -(residuals & 1)


def _tokens(residuals: Integers) -> tuple[Integers, Integers]:
    """Return the token of each non-negative integer, and the number of bits that follow it."""
    octave = np.frexp(np.maximum(residuals, 1).astype(np.float64))[1].astype(np.int64) - 1
    depths = np.where(residuals >= _DIRECT, octave - 1, 0)
    tokens = np.where(
        residuals >= _DIRECT, _DIRECT + 2 * (octave - 4) + (residuals >> depths & 1), residuals
    )
    return tokens, depths


def _frequencies(counts: Integers) -> Integers:
    """Return the token frequencies out of `_TOTAL` per table, at least 1 for tokens that occur."""
    counts = counts.reshape(_TABLES, _UNUSED + 1)
    counts[:, _UNUSED] = 0
    occurs = counts > 0
    occurs[:, _UNUSED] = True
    free = _TOTAL - occurs.sum(axis=1, keepdims=True)
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    frequencies: Integers = occurs + counts * free // totals
    # The remainder of the rounding goes to the most frequent token; empty tables stay empty.
    frequencies[np.arange(_TABLES), counts.argmax(axis=1)] += _TOTAL - frequencies.sum(axis=1)
    frequencies[counts.sum(axis=1) == 0] = 0
    return frequencies


def _frequencies_to_bytes(frequencies: Integers) -> bytes:
    content = frequencies.astype("<u2").T.copy().view(np.uint8).reshape(-1, 2).T.tobytes()
    number, packed = general_compressors.smallest(content)
    return bytes([number]) + packed


def _frequencies_from_bytes(packed: memoryview) -> Integers:
    cursor = Cursor(packed)
    number = cursor.read(1)[0]
    content = general_compressors.unpack(number, cursor.rest(), 2 * _TABLES * (_UNUSED + 1))
    planes = np.frombuffer(content, np.uint8).reshape(2, -1).T.copy().view("<u2")
    frequencies = planes.reshape(_UNUSED + 1, _TABLES).T.astype(np.int64)
    used = frequencies.any(axis=1)
    if (frequencies[used].sum(axis=1) != _TOTAL).any() or not (
        frequencies[used, _UNUSED] > 0
    ).all():
        refuse("frequency tables that do not add up")
    return frequencies


def _stream(
    batches: list[tuple[Integers, Integers]],
    tokens: Integers,
    depths: Integers,
    frequencies: Integers,
    lanes: int,
) -> bytes:
    encoder = RansEncoder(lanes)
    stops = np.cumsum(frequencies, axis=1) * _SCALE
    starts = stops - frequencies * _SCALE
    begin = 0
    for table, residuals in batches:
        part = slice(begin, begin + len(residuals))
        begin = part.stop
        own = tokens[part]
        encoder.push(shares(starts[table, own]), shares(stops[table, own]))
        push_bits(encoder, residuals, depths[part])
    return encoder.finish()


class _TokenTables:
    """Finds tokens by their slots."""

    def __init__(self, frequencies: Integers) -> None:
        self.frequencies = frequencies * _SCALE
        self.starts = np.cumsum(self.frequencies, axis=1) - self.frequencies
        self.tokens = np.full((_TABLES, _TOTAL), _UNUSED, dtype=np.uint8)
        every = np.arange(_UNUSED + 1)
        for table in np.flatnonzero(frequencies.any(axis=1)):
            self.tokens[table] = np.repeat(every, frequencies[table])


def _read(decoder: RansDecoder, token_tables: _TokenTables, table: Integers) -> Integers:
    """Decode a non-negative integer with each table."""

    def find(shares: Any, part: slice) -> Any:
        own = table[part]
        found = token_tables.tokens[own, shares // _SCALE].astype(np.intp)
        width = np.where(found == _UNUSED, 0, token_tables.frequencies[own, found])
        return found, token_tables.starts[own, found].astype(np.uint32), width.astype(np.uint32)

    tokens = decoder.pop(len(table), find)
    residuals = tokens.astype(np.int64)
    rest = np.flatnonzero(tokens >= _DIRECT)
    if not len(rest):
        return residuals
    left = (tokens[rest] - _DIRECT) // 2 + 3
    residuals[rest] = (2 + (tokens[rest] & 1) << left) | pop_bits(decoder, left)
    return residuals
