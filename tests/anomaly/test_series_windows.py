"""Blocks of windows from short pieces of a series."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly import series_windows
from isthmus.anomaly.series_windows import gathered


@given(
    lengths=st.lists(st.integers(1, 6), max_size=8),
    most=st.sampled_from([1, 12, 30, 1000]),
)
def test_gathered_blocks_hold_the_same_windows(lengths, most):
    random = np.random.default_rng(0)
    blocks = [
        (10 * place, random.standard_normal((length, 2, 3)).astype(np.float32))
        for place, length in enumerate(lengths)
    ]
    limit, series_windows._BLOCK_CELLS = series_windows._BLOCK_CELLS, most
    try:
        found = list(gathered(iter(blocks)))
    finally:
        series_windows._BLOCK_CELLS = limit
    windows = {start + i: window for start, block in blocks for i, window in enumerate(block)}
    assert [row for starts, _ in found for row in starts.tolist()] == list(windows)
    for starts, block in found:
        assert len(starts) == len(block)
        assert block.flags.c_contiguous
        assert block.size <= max(most, 6 * 6)
        for row, window in zip(starts.tolist(), block, strict=True):
            np.testing.assert_array_equal(window, windows[row])
