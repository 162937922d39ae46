"""Range asymmetric numeral systems (rANS): an entropy coder in integers, with parallel lanes.

Duda, 2013, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with
compression rate of arithmetic coding"; the range variant with interleaved states of Giesen, 2014,
"Interleaved entropy coders". The state of each lane is an integer in [2**24, 2**40). Symbol i of a
batch goes to lane i modulo the number of lanes. All lanes share one stream of 16-bit words::

    lanes x 5 bytes     initial states of the decoder, little endian
    words x 2 bytes     in the order in which the decoder reads them, little endian
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from isthmus.compression.entropy.integer_networks import TOTAL_BITS
from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Shares = NDArray[np.uint32]
    Find = Callable[[Shares, slice], tuple[NDArray[np.intp], Shares, Shares]]

_LOWEST = 1 << 24
"""2**8 times the number of slots: with lower states, rounding would cost bits."""
_FULL_BITS = np.uint64(24)
"""A state this many bits longer than a symbol's frequency has no room for the symbol."""
_BITS = np.uint64(TOTAL_BITS)
_MASK = np.uint64(2**TOTAL_BITS - 1)
_STATE, _WORD = np.dtype("<u8"), np.dtype("<u2")
_STATE_BYTES = 5


class RansEncoder:
    """Collects symbols in the decoder's order, and encodes them in reverse at the end.

    Parameters
    ----------
    lanes : int
        At least 1.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._batches: list[tuple[NDArray[np.uint16], NDArray[np.uint16]]] = []

    def push(self, starts: Shares, stops: Shares) -> None:
        """Add a batch of symbols by their ranges of 2**16 slots: shape (m,) each."""
        self._batches.append((starts.astype(np.uint16), (stops - starts).astype(np.uint16)))

    def finish(self) -> bytes:
        """Return the stream. The last symbol encoded is decoded first, so encoding is backwards."""
        states = np.full(self._lanes, _LOWEST, np.uint64)
        words: list[NDArray[np.uint64]] = []
        for starts, widths in reversed(self._batches):
            last = (len(starts) - 1) // self._lanes * self._lanes
            for begin in range(last, -1, -self._lanes):
                width = widths[begin : begin + self._lanes].astype(np.uint64)
                state = states[: len(width)]
                full = state >= width << _FULL_BITS
                words.append(state[full] & _MASK)
                state[full] >>= _BITS
                quotient, remainder = np.divmod(state, width)
                state[:] = (quotient << _BITS) + remainder + starts[begin : begin + self._lanes]
        words.reverse()
        flat = np.concatenate(words) if words else np.empty(0, np.uint64)
        head = states.astype(_STATE).view(np.uint8).reshape(-1, _STATE.itemsize)[:, :_STATE_BYTES]
        return head.tobytes() + flat.astype(_WORD).tobytes()


class RansDecoder:
    """Decodes the stream of a `RansEncoder` with the same number of lanes and batch sizes.

    Parameters
    ----------
    data : bytes
        The stream.
    lanes : int
        At least 1.

    Raises
    ------
    InvalidArchive
        The stream is truncated or damaged. The methods raise this, too.
    """

    def __init__(self, data: bytes, lanes: int) -> None:
        head = lanes * _STATE_BYTES
        if len(data) < head or (len(data) - head) % _WORD.itemsize:
            _damaged(f"{len(data)} bytes")
        states = np.zeros((lanes, _STATE.itemsize), np.uint8)
        states[:, :_STATE_BYTES] = np.frombuffer(data, np.uint8, head).reshape(lanes, -1)
        self._states = states.view(_STATE)[:, 0].astype(np.uint64)
        self._words = np.frombuffer(data, _WORD, offset=head)
        self._place = 0
        if (self._states < _LOWEST).any():
            _damaged("a state out of range")

    def pop(self, count: int, find: Find) -> NDArray[np.intp]:
        """Decode a batch.

        Parameters
        ----------
        count : int
            The number of symbols in the batch.
        find : callable
            Takes slots (w,) and their part of the batch; returns the symbol at each slot, its
            first slot, and its frequency, which is 0 if no symbol has the slot.

        Returns
        -------
        ndarray of intp, shape (count,)
        """
        symbols = np.empty(count, np.intp)
        for begin in range(0, count, len(self._states)):
            part = slice(begin, min(begin + len(self._states), count))
            state = self._states[: part.stop - begin]
            share = (state & _MASK).astype(np.uint32)
            symbols[part], starts, widths = find(share, part)
            if not widths.all():
                _damaged("a slot that no symbol has")
            state[:] = (state >> _BITS) * widths + (share - starts)
            self._refill(state)
        return symbols

    def _refill(self, state: NDArray[np.uint64]) -> None:
        low = np.flatnonzero(state < _LOWEST)
        taken = self._words[self._place : self._place + len(low)]
        if len(taken) < len(low):
            _damaged("too few bytes")
        self._place += len(low)
        state[low] = (state[low] << _BITS) | taken

    def finish(self) -> None:
        """Check that the stream ends here, in the states that the encoder began with."""
        if self._place != len(self._words) or (self._states != _LOWEST).any():
            _damaged("a stream that does not end in its initial state")


def _damaged(received: str) -> NoReturn:
    raise InvalidArchive(
        "a stream of coded symbols",
        expected="an undamaged stream",
        received=received,
        remedy="read it from an undamaged copy, with the model that wrote it",
    )
