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

    NumPy begins a large array 16 bytes after a page, so that JAX would copy it and a data set
    would lie in memory twice. An array that has been given to JAX must not be written to again.

    Parameters
    ----------
    shape : tuple of int
        Of the array.

    Returns
    -------
    ndarray of float32, C-contiguous, shape `shape`
        Begins at a multiple of `ALIGNMENT` bytes.
    """
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


def device_copy(values: Any) -> jax.Array:
    """Return an array on the device that shares its memory with nothing else.

    ``jax.numpy.array(values, copy=True)`` would compile a program for each shape, which for the
    weights of a small model takes longer than all else of loading it.

    Parameters
    ----------
    values : array
        NumPy's or JAX', of any shape and dtype.
    """
    import jax

    if not isinstance(values, jax.Array):
        values = np.array(values)  # JAX would take over the memory of an aligned one
    copy: jax.Array = jax.device_put(values, may_alias=False)
    return copy
