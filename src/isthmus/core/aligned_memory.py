"""Arrays laid out in memory so that JAX can use them without a copy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import jax

    from isthmus.core.types import Floats

ALIGNMENT = 64
"""Bytes: on the CPU, JAX shares a NumPy array's memory only if it begins at a multiple of this."""


def aligned_empty(shape: tuple[int, ...]) -> Floats:
    """Return an uninitialised float32 array that ``jax.device_put`` can alias on the CPU.

    NumPy starts a large array 16 bytes after a page boundary, so JAX would copy it and hold a data
    set in memory twice. An array that has been passed to JAX must not be written to again.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.

    Returns
    -------
    ndarray of float32, C-contiguous, shape `shape`
        Its address is a multiple of `ALIGNMENT` bytes.
    """
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


def device_copy(values: Any) -> jax.Array:
    """Return an array on the device that shares its memory with nothing else.

    ``jax.numpy.array(values, copy=True)`` would compile a program for each shape, which for a
    small model takes longer than the rest of loading it.

    Parameters
    ----------
    values : array
        A NumPy or JAX array of any shape and dtype.
    """
    import jax

    if not isinstance(values, jax.Array):
        values = np.array(values)  # JAX would take over the memory of an aligned one
    copy: jax.Array = jax.device_put(values, may_alias=False)
    return copy
