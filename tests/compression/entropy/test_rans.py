import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.compression.entropy.rans import RansDecoder, RansEncoder
from isthmus.core.errors import InvalidArchive


class Table:
    """Symbols with fixed shares, as both coders need them."""

    def __init__(self, widths):
        self.stops = np.cumsum(np.array(widths)).astype(np.uint32)
        self.starts = (self.stops - widths).astype(np.uint32)

    def find(self, shares, part):
        symbols = np.searchsorted(self.stops, shares, "right")
        known = np.minimum(symbols, len(self.stops) - 1)
        width = self.stops[known] - self.starts[known]
        return known, self.starts[known], np.where(symbols == known, width, 0)


def coded(table, batches, lanes):
    encoder = RansEncoder(lanes)
    for batch in batches:
        encoder.push(table.starts[batch], table.stops[batch])
    return encoder.finish()


TABLES = st.lists(st.integers(1, 13_000), min_size=2, max_size=5).map(Table)
BATCHES = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=40).map(np.array), max_size=6)


@settings(deadline=None)
@given(TABLES, BATCHES, st.integers(1, 50))
def test_batches_come_back_in_order(table, batches, lanes):
    data = coded(table, batches, lanes)
    decoder = RansDecoder(data, lanes)
    for batch in batches:
        assert np.array_equal(decoder.pop(len(batch), table.find), batch)
    decoder.finish()


def test_a_stream_takes_the_bits_that_its_symbols_are_worth():
    table = Table([60_000, 5_000, 500, 35])
    symbols = np.random.default_rng(0).choice(4, 100_000, p=np.array([0.9, 0.08, 0.015, 0.005]))
    odds = (table.stops - table.starts)[symbols] / 2**16
    ideal = -np.log2(odds).sum() / 8
    assert ideal < len(coded(table, [symbols], 4)) < 1.001 * ideal + 16


def read(data, table, count, lanes):
    decoder = RansDecoder(data, lanes)
    decoder.pop(count, table.find)
    decoder.finish()


@pytest.mark.parametrize("change", [lambda data: data[:-2], lambda data: data + b"\0\0"])
def test_a_stream_that_is_cut_or_goes_on_is_refused(change):
    table = Table([30_000, 30_000])
    data = coded(table, [np.arange(1000) % 2], 3)
    read(data, table, 1000, 3)
    with pytest.raises(InvalidArchive, match="expected an undamaged stream"):
        read(change(data), table, 1000, 3)


@pytest.mark.parametrize("data", [b"", b"\xff" * 14, b"\0" * 15, b"\xff" * 16])
def test_what_is_no_stream_is_refused(data):
    with pytest.raises(InvalidArchive):
        RansDecoder(data, 3)


def slowly_coded(table, batches, lanes):
    """Transcribe range ANS with interleaved states, one symbol at a time (Giesen, 2014)."""
    states, words = [2**24] * lanes, []
    for batch in reversed(batches):
        # Lanes of one round emit their words in rising order, so whole rounds run backwards.
        for begin in reversed(range(0, len(batch), lanes)):
            emitted = []
            for lane, symbol in enumerate(batch[begin : begin + lanes]):
                start = int(table.starts[symbol])
                frequency = int(table.stops[symbol]) - start
                if states[lane] >= frequency << 24:
                    emitted.append(states[lane] & 0xFFFF)
                    states[lane] >>= 16
                quotient, remainder = divmod(states[lane], frequency)
                states[lane] = (quotient << 16) + remainder + start
            words.insert(0, emitted)
    head = b"".join(state.to_bytes(5, "little") for state in states)
    return head + b"".join(word.to_bytes(2, "little") for part in words for word in part)


@settings(deadline=None)
@given(TABLES, BATCHES, st.integers(1, 50))
def test_streams_are_those_of_the_transcription(table, batches, lanes):
    assert coded(table, batches, lanes) == slowly_coded(table, batches, lanes)
