"""Memory that JAX shares instead of copying."""

import jax
import numpy as np
import pytest

from isthmus.core.aligned_memory import ALIGNMENT, aligned_empty


@pytest.mark.parametrize("shape", [(3,), (1000, 7), (5, 28, 28), (1 << 18, 3)])
def test_arrays_are_whole_writable_and_aligned(shape):
    array = aligned_empty(shape)
    assert array.shape == shape
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.ctypes.data % ALIGNMENT == 0


def test_jax_shares_the_memory_on_the_cpu():
    array = aligned_empty((1000, 33))
    array[:] = 1
    shared = jax.device_put(array, jax.devices("cpu")[0])
    assert shared.unsafe_buffer_pointer() == array.ctypes.data
