"""Context mixing of binary decisions, in integer arithmetic.

Each context predicts a bit from counts of the bits that followed it before. A gated logistic mixer
combines the predictions, and its weights adapt to how good they were (Mahoney, 2005, "Adaptive
weighing of context models for lossless data compression"). The rows are cut into segments that are
coded in parallel, so that each step works on arrays; all segments share the counts and weights.
The arithmetic is integer, so the decoder computes the same probabilities on every machine. The
entropy coder is constriction's.
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
"""Probabilities are fractions of this."""
_RESOLUTION = 256
_LIMIT = 11 * _RESOLUTION
_STEPS = 4096
_CONFIDENCES = 8
_COUNT = 16
"""One occurrence adds this to a count."""
_PRIOR = 8
_MOST_COUNT = 250 * _COUNT
_RATE = 4
_SETS = 64
_GOLDEN = 0x9E3779B1
_MIX = 0x2545F491


class BitCoder(Protocol):
    """Encodes bits, or decodes them."""

    def code(self, probabilities: Integers, bits: Integers | None) -> Integers:
        """Encode n bits, or decode n bits if `bits` is None, given the probabilities of a 1."""


class BitEncoder:
    """Collects bits and their probabilities, and encodes them."""

    def __init__(self) -> None:
        self._bits: list[Integers] = []
        self._probabilities: list[Integers] = []

    def code(self, probabilities: Integers, bits: Integers | None) -> Integers:
        """Add bits; see `BitCoder`."""
        assert bits is not None  # noqa: S101 - for mypy
        self._bits.append(bits)
        self._probabilities.append(probabilities)
        return bits

    def finish(self) -> bytes:
        """Return the encoded bits."""
        from constriction import stream

        coder = stream.stack.AnsCoder()
        if self._bits:
            bits = np.concatenate(self._bits).astype(np.int32)
            probabilities = np.concatenate(self._probabilities) / ONE
            coder.encode_reverse(bits, stream.model.Bernoulli(perfect=False), probabilities)
        words: NDArray[np.uint32] = coder.get_compressed()
        return words.astype("<u4").tobytes()


class BitDecoder:
    """Decodes what `BitEncoder.finish` returned."""

    def __init__(self, packed: memoryview) -> None:
        from constriction import stream

        if len(packed) % 4:
            refuse(f"{len(packed)} bytes, which are not whole 4-byte words")
        words = np.frombuffer(packed, "<u4").astype(np.uint32)
        if len(words) and not words[-1]:
            refuse("a last word that is zero")
        self._coder = stream.stack.AnsCoder(words)
        self._model = stream.model.Bernoulli(perfect=False)

    def code(self, probabilities: Integers, bits: Integers | None) -> Integers:
        """Decode bits; see `BitCoder`."""
        del bits
        found: Integers = self._coder.decode(self._model, probabilities / ONE).astype(np.int64)
        return found

    def finish(self) -> None:
        """Refuse bits that were not decoded."""
        if not self._coder.is_empty():
            refuse("more coded bits than the rows need")


class Mixer:
    """Predicts bits from their contexts, and adapts to the bits that follow.

    Parameters
    ----------
    contexts : int
        The number of contexts of each bit.
    cells : int
        The approximate number of values to code, which sets the size of the hash table.
    coder : BitCoder
    """

    def __init__(self, contexts: int, cells: int, coder: BitCoder) -> None:
        self._coder = coder
        size = 1 << min(max((16 * cells).bit_length(), 14), 21)
        self._mask = size - 1
        self._counts = np.zeros(2 * size, dtype=np.int32)
        weights = np.full((_SETS * contexts, _CONFIDENCES), ONE * 13 // (10 * contexts))
        weights[:, 0] = 0  # contexts that were never seen
        self._weights = weights.reshape(-1)
        self._offsets = np.arange(contexts)[:, None]
        self._contexts = contexts

    def decide(self, contexts: Integers, node: Any, group: Any, bits: Integers | None) -> Integers:
        """Code one bit of each of n values.

        Parameters
        ----------
        contexts : int64 array of shape (contexts, n)
            Hashes of the contexts.
        node : int, or int64 array of shape (n,)
            Identifies the bit within its value.
        group : int, or int64 array of shape (n,)
            Below 64: bits of one group share their weights.
        bits : int64 array of shape (n,), or None
            The bits to encode; None to decode them.

        Returns
        -------
        int64 array of shape (n,)
            The bits.
        """
        stretch, squash, confidence = _logistic_tables()
        slots = ((contexts + node * _GOLDEN) * _MIX >> 7) & self._mask
        ones = self._counts[slots + self._mask + 1]
        total = self._counts[slots] + ones
        stretched = stretch[(ones + _PRIOR) * _STEPS // (total + 2 * _PRIOR)]
        selected = (group * self._contexts + self._offsets) * _CONFIDENCES + confidence[
            total // _COUNT
        ]
        mixed = (self._weights[selected] * stretched).sum(axis=0) >> 16
        probabilities = squash[np.clip(mixed, -_LIMIT, _LIMIT) + _LIMIT]
        bits = self._coder.code(probabilities, bits)
        self._learn(slots, selected, stretched * ((bits << 16) - probabilities) >> 10, bits)
        return bits

    def code_uniform(self, n: int, bits: Integers | None) -> Integers:
        """Code n bits that are 0 or 1 with equal probability."""
        return self._coder.code(np.full(n, ONE // 2), bits)

    def _learn(self, slots: Integers, selected: Integers, slope: Integers, bits: Integers) -> None:
        n = len(bits)
        step = slope * _RATE >> 6
        np.add.at(self._weights, selected, step * 8 // n if n > 8 else step)
        np.add.at(self._counts, slots + bits * (self._mask + 1), _COUNT)
        total = self._counts[slots] + self._counts[slots + self._mask + 1]
        if int(total.max()) > _MOST_COUNT:
            full = slots[total > _MOST_COUNT]
            self._counts[full] >>= 1
            self._counts[full + self._mask + 1] >>= 1


@functools.cache
def _logistic_tables() -> tuple[Integers, Integers, Integers]:
    """Return integer tables of logit, its inverse, and the confidence by count.

    They are computed in decimal arithmetic, which rounds the same on every machine, unlike the exp
    of floats.
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
    confidence = np.searchsorted(
        [1, 2, 3, 5, 8, 16, 32], np.arange(_MOST_COUNT // _COUNT + 600), "right"
    )
    return stretch, squash, confidence
