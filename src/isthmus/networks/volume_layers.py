"""A drop-in replacement for Keras's convolution of volumes that trains fast on a CPU.

Volumes are (n, depth, height, width, channels), kernels (depth, height, width, channels in,
channels out). XLA's own convolution of three dimensions runs on one core inside a loop, as those
of two dimensions do (`isthmus.networks.convolution`, to which it is reduced here).
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import keras

from isthmus.networks.convolution import convolve

Array = jax.Array


class Conv3D(keras.layers.Conv3D):
    """`keras.layers.Conv3D`; with strides other than 1 or the window, it calls Keras's own."""

    def convolution_op(self, inputs: Array, kernel: Array) -> Any:
        """Return the convolution before bias and activation."""
        whole = self.strides in ((1, 1, 1), self.kernel_size)
        plain = self.padding == "same" and self.data_format == "channels_last"
        if not (plain and whole and self.groups == 1 and set(self.dilation_rate) == {1}):
            return super().convolution_op(inputs, kernel)
        inputs, kernel = jnp.asarray(inputs), jnp.asarray(kernel)
        if self.strides == self.kernel_size:
            return tiled(inputs, kernel)
        return by_plane(inputs, kernel)


def by_plane(volumes: Array, kernel: Array) -> Array:
    """Convolve with stride 1 and zero padding that keeps the sides.

    It is the sum over the kernel's planes of convolutions of images, the planes of all volumes.
    """
    n, depth, height, width, channels = volumes.shape
    before, *pads = [((side - 1) // 2, side // 2) for side in kernel.shape[:3]]
    volumes = jnp.pad(volumes, [(0, 0), before, (0, 0), (0, 0), (0, 0)])
    total: Any = 0.0
    for plane in range(kernel.shape[0]):
        images = volumes[:, plane : plane + depth].reshape(-1, height, width, channels)
        total = total + convolve(images, kernel[plane], (pads[0], pads[1]))
    return total.reshape(n, depth, height, width, -1)  # type: ignore[no-any-return]


def tiled(volumes: Array, kernel: Array) -> Array:
    """Convolve with strides as large as the window: one product of matrices.

    Volumes whose sides are no multiples are padded with zeros, as Keras does.
    """
    n, channels, window = len(volumes), volumes.shape[-1], kernel.shape[:3]
    grid = [-(-side // w) for side, w in zip(volumes.shape[1:4], window, strict=True)]
    missing = [g * w - s for g, w, s in zip(grid, window, volumes.shape[1:4], strict=True)]
    pads = [(more // 2, more - more // 2) for more in missing]
    volumes = jnp.pad(volumes, [(0, 0), *pads, (0, 0)])
    sides = [size for pair in zip(grid, window, strict=True) for size in pair]
    cells = volumes.reshape(n, *sides, channels).transpose(0, 1, 3, 5, 2, 4, 6, 7)
    weights = kernel.reshape(-1, kernel.shape[-1])
    return cells.reshape(n, *grid, math.prod(window) * channels) @ weights
