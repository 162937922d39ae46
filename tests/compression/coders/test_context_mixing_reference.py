"""The context mixer and the Bernoulli coder beside a slow transcription of their arithmetic."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from isthmus.compression.coders.binary_mixing import BitDecoder, BitEncoder, Mixer


def clipped(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def squash(x: int) -> int:
    """Return the probability of 1, out of 65536, of a logit in units of 1 / 256."""
    if x < 0:
        return clipped(65536 - squash_of_positive(-x), 2, 65534)
    return clipped(squash_of_positive(x), 2, 65534)


def squash_of_positive(x: int) -> int:
    with localcontext() as context:
        context.prec = 14
        return int(65536 / (1 + (Decimal(-x) / 256).exp()))


SQUASH = [squash(x) for x in range(-2816, 2817)]


def stretch(step: int) -> int:
    """Return the first logit whose probability is at least the middle of a step of 16."""
    middle = 16 * step + 8
    return next(i for i, value in enumerate(SQUASH) if value >= middle) - 2816


def confidence(total: int) -> int:
    return sum(total >= limit for limit in (1, 2, 3, 5, 8, 16, 32))


class SlowMixer:
    """Codes bits one by one, as `Mixer` does for one value at a time."""

    def __init__(self, contexts: int, cells: int) -> None:
        size = 2 ** min(max((16 * cells).bit_length(), 14), 21)
        self.size, self.contexts = size, contexts
        self.counts = {}
        first = 65536 * 13 // (10 * contexts)
        self.weights = {
            (group, context, level): first if level else 0
            for group in range(64)
            for context in range(contexts)
            for level in range(8)
        }

    def probability(self, hashes: list[int], node: int, group: int) -> int:
        self.slots, self.used, self.said = [], [], []
        total_said = 0
        for context, value in enumerate(hashes):
            slot = (wrapped((value + node * 0x9E3779B1) * 0x2545F491) >> 7) % self.size
            zeros, ones = self.counts.get(slot, (0, 0))
            said = stretch((ones + 8) * 4096 // (zeros + ones + 16))
            used = (group, context, confidence((zeros + ones) // 16))
            total_said += self.weights[used] * said
            self.slots.append(slot)
            self.used.append(used)
            self.said.append(said)
        self.p = SQUASH[clipped(total_said >> 16, -2816, 2816) + 2816]
        return self.p

    def update(self, bit: int) -> None:
        for used, said in zip(self.used, self.said, strict=True):
            self.weights[used] += (said * ((bit << 16) - self.p) >> 10) * 4 >> 6
        for slot in self.slots:
            pair = list(self.counts.get(slot, (0, 0)))
            pair[bit] += 16
            self.counts[slot] = tuple(pair)
        for slot in {slot for slot in self.slots if sum(self.counts[slot]) > 4000}:
            self.counts[slot] = tuple(count >> 1 for count in self.counts[slot])


def wrapped(value: int) -> int:
    """Return an integer as int64 arithmetic wraps it."""
    return (value + 2**63) % 2**64 - 2**63


class Recorder:
    """A bit coder that remembers probabilities."""

    def __init__(self) -> None:
        self.probabilities: list[int] = []

    def code(self, probabilities: np.ndarray, bits: np.ndarray) -> np.ndarray:
        self.probabilities += probabilities.tolist()
        return bits


@pytest.mark.parametrize("ones", [0.5, 0.95, 0.02])
def test_probabilities_are_those_of_the_transcription(ones: float) -> None:
    rng = np.random.default_rng(0)
    recorder, slow = Recorder(), SlowMixer(3, 100)
    mixer, expected = Mixer(3, 100, recorder), []
    for _ in range(500):
        # Distinct hashes: two contexts in one slot would be counted twice.
        hashes = rng.integers(0, 6, 3) * 7919 + np.arange(3) * 1_000_003
        node, group = int(rng.integers(1, 4)), int(rng.integers(0, 3))
        bit = int(rng.random() < ones)
        expected.append(slow.probability(hashes.tolist(), node, group))
        slow.update(bit)
        mixer.decide(hashes[:, None], node, group, np.array([bit]))
    assert recorder.probabilities == expected


def test_counts_are_halved_when_they_are_full() -> None:
    recorder, slow = Recorder(), SlowMixer(1, 10)
    mixer, expected = Mixer(1, 10, recorder), []
    for i in range(600):
        expected.append(slow.probability([5], 1, 0))
        slow.update(int(i % 7 == 0))
        mixer.decide(np.array([[5]]), 1, 0, np.array([int(i % 7 == 0)]))
    assert recorder.probabilities == expected


def test_logits_are_those_of_the_logistic_function() -> None:
    for x in range(-2816, 2817, 64):
        exact = 65536 / (1 + math.exp(-x / 256))
        assert abs(SQUASH[x + 2816] - exact) <= 2


def test_bits_take_the_size_that_their_probabilities_say() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.integers(2, 65534, 5000)
    bits = (rng.random(5000) * 65536 < probabilities).astype(np.int64)
    encoder = BitEncoder()
    encoder.code(probabilities, bits)
    packed = encoder.finish()
    p = probabilities / 65536
    ideal = -np.log2(np.where(bits == 1, p, 1 - p)).sum() / 8
    assert ideal - 8 <= len(packed) <= 1.001 * ideal + 12
    decoder = BitDecoder(memoryview(packed))
    np.testing.assert_array_equal(decoder.code(probabilities, None), bits)
    decoder.finish()
