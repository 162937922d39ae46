"""Coding integers one binary decision after another, each with odds that several contexts share.

What comes next is asked of counts of what came before in like contexts, and the answers are
weighed by how well they did (Mahoney, 2005, "Adaptive weighing of context models for lossless
data compression"). Rows are cut into strands that advance side by side, so that each step works
on arrays; all strands learn together. Everything is in whole numbers, so the decoder comes to the
same odds on every machine; the arithmetic coding is constriction's.
"""

from __future__ import annotations

import functools
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

ONE = 1 << 16
"""Odds are shares of this."""
_RESOLUTION = 256
_LIMIT = 11 * _RESOLUTION
_STEPS = 4096
_CONFIDENCES = 8
_COUNT = 16
"""What one occurrence adds to a count."""
_PRIOR = 8
_MOST = 250 * _COUNT
_RATE = 4
_SETS = 64
_GOLDEN = 0x9E3779B1
_MIX = 0x2545F491


class Coin(Protocol):
    """Writes decisions, or reads them back."""

    def flip(self, odds: Integers, bits: Integers | None) -> Integers:
        """Return bits, (n,), of which each is 1 with odds out of `ONE`; given when writing."""


class CoinWriter:
    """Collects decisions and their odds."""

    def __init__(self) -> None:
        self._bits: list[Integers] = []
        self._odds: list[Integers] = []

    def flip(self, odds: Integers, bits: Integers | None) -> Integers:
        """Remember the bits; see `Coin`."""
        assert bits is not None  # noqa: S101 - for mypy
        self._bits.append(bits)
        self._odds.append(odds)
        return bits

    def finish(self) -> bytes:
        """Return all of them as bytes."""
        from constriction import stream

        coder = stream.stack.AnsCoder()
        if self._bits:
            bits = np.concatenate(self._bits).astype(np.int32)
            shares = np.concatenate(self._odds) / ONE
            coder.encode_reverse(bits, stream.model.Bernoulli(perfect=False), shares)
        words: NDArray[np.uint32] = coder.get_compressed()
        return words.astype("<u4").tobytes()


class CoinReader:
    """Reads what `CoinWriter.finish` returned."""

    def __init__(self, packed: memoryview) -> None:
        from constriction import stream

        if len(packed) % 4:
            refuse(f"{len(packed)} bytes where whole words should stand")
        words = np.frombuffer(packed, "<u4").astype(np.uint32)
        if len(words) and not words[-1]:
            refuse("a last word of zero")
        self._coder = stream.stack.AnsCoder(words)
        self._model = stream.model.Bernoulli(perfect=False)

    def flip(self, odds: Integers, bits: Integers | None) -> Integers:
        """Read as many bits as there are odds; see `Coin`."""
        del bits
        found: Integers = self._coder.decode(self._model, odds / ONE).astype(np.int64)
        return found

    def finish(self) -> None:
        """Refuse decisions that nobody has read."""
        if not self._coder.is_empty():
            refuse("decisions too many")


class Mixer:
    """Gives odds and learns from what then happens.

    Parameters
    ----------
    contexts : int
        How many there are of each decision.
    cells : int
        About how many numbers will be coded; it sets the room for counts.
    coin : Coin
        Takes or gives the decisions.
    """

    def __init__(self, contexts: int, cells: int, coin: Coin) -> None:
        self._coin = coin
        size = 1 << min(max((16 * cells).bit_length(), 14), 21)
        self._mask = size - 1
        self._counts = np.zeros(2 * size, dtype=np.int32)
        weights = np.full((_SETS * contexts, _CONFIDENCES), ONE * 13 // (10 * contexts))
        weights[:, 0] = 0  # of what was never seen
        self._weights = weights.reshape(-1)
        self._own = np.arange(contexts)[:, None]
        self._contexts = contexts

    def decide(self, contexts: Integers, node: Any, group: Any, bits: Integers | None) -> Integers:
        """Code one decision of each of n numbers.

        Parameters
        ----------
        contexts : int64 array of shape (contexts, n)
            Hashes of what is known.
        node : int, or int64 array of shape (n,)
            Which decision it is.
        group : int, or int64 array of shape (n,)
            Below 64: decisions of a group share the weights.
        bits : int64 array of shape (n,), or None
            What to write.

        Returns
        -------
        int64 array of shape (n,)
            What was written or read.
        """
        stretch, squash, confidence = _tables()
        places = ((contexts + node * _GOLDEN) * _MIX >> 7) & self._mask
        ones = self._counts[places + self._mask + 1]
        total = self._counts[places] + ones
        said = stretch[(ones + _PRIOR) * _STEPS // (total + 2 * _PRIOR)]
        used = (group * self._contexts + self._own) * _CONFIDENCES + confidence[total // _COUNT]
        mixed = (self._weights[used] * said).sum(axis=0) >> 16
        odds = squash[np.clip(mixed, -_LIMIT, _LIMIT) + _LIMIT]
        bits = self._coin.flip(odds, bits)
        self._learn(places, used, said * ((bits << 16) - odds) >> 10, bits)
        return bits

    def even(self, n: int, bits: Integers | None) -> Integers:
        """Code n decisions of which nothing is known."""
        return self._coin.flip(np.full(n, ONE // 2), bits)

    def _learn(self, places: Integers, used: Integers, slope: Integers, bits: Integers) -> None:
        n = len(bits)
        step = slope * _RATE >> 6
        np.add.at(self._weights, used, step * 8 // n if n > 8 else step)
        np.add.at(self._counts, places + bits * (self._mask + 1), _COUNT)
        total = self._counts[places] + self._counts[places + self._mask + 1]
        if int(total.max()) > _MOST:
            full = places[total > _MOST]
            self._counts[full] >>= 1
            self._counts[full + self._mask + 1] >>= 1


@functools.cache
def _tables() -> tuple[Integers, Integers, Integers]:
    """Return ln(p / (1 - p)) of odds, its inverse, and confidence by count, as whole numbers.

    Made with decimal arithmetic, which rounds alike everywhere, as floating exponentials do not.
    """
    with localcontext() as context:
        context.prec = 14
        half = [
            int(ONE / (1 + (Decimal(-place) / _RESOLUTION).exp())) for place in range(_LIMIT + 1)
        ]
    upper = np.array(half, dtype=np.int64)
    squash = np.clip(np.concatenate([ONE - upper[:0:-1], upper]), 2, ONE - 2)
    middles = np.arange(_STEPS) * (ONE // _STEPS) + ONE // _STEPS // 2
    stretch = np.searchsorted(squash, middles) - _LIMIT
    confidence = np.searchsorted([1, 2, 3, 5, 8, 16, 32], np.arange(_MOST // _COUNT + 600), "right")
    return stretch, squash, confidence
