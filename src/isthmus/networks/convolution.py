"""Convolutions in forms that XLA runs fast on a CPU.

XLA's own gradient of a convolution is a convolution in dimension orders that its CPU libraries do
not support; inside a loop it then runs on one core, about 25 times slower. Here every convolution
of a step uses the one order that they support, or matrix products where those measured faster, as
they do for every gradient with respect to a kernel (docs/adr/0006-speed-on-the-cpu.md).

Strided and transposed convolutions, and convolutions of an upsampled image, are reduced to
convolutions of stride 1 at the lower resolution, one for each phase of the finer grid. After
upsampling, a 3 x 3 kernel thus needs 4 products per output cell instead of 9.

Images are (n, height, width, channels), kernels (height, width, channels in, channels out).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = jax.Array
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
"""Zeros before and after the image, by axis; negative numbers crop."""

_ORDER = ("NHWC", "HWIO", "NHWC")
# Measured: up to this many columns, copying one side's shifts for a single product pays off.
_WIDEST_PATCH = 160
_FEW_CHANNELS = 4
# Measured: kernels with so many cells on grids of up to this size are faster as a convolution.
_MANY_CELLS, _SMALL_GRID = 9, 16


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(images: Array, kernel: Array, pads: Pads) -> Array:
    """Convolve with stride 1: (n, h, w, i), (a, b, i, o) -> (n, h', w', o).

    As usual in deep learning this is a cross-correlation: the kernel is not flipped.
    """
    return _forward(images, kernel, pads)


def _convolve_forward(
    images: Array, kernel: Array, pads: Pads
) -> tuple[Array, tuple[Array, Array]]:
    return _forward(images, kernel, pads), (images, kernel)


def _convolve_backward(
    pads: Pads, saved: tuple[Array, Array], change: Array
) -> tuple[Array, Array]:
    images, kernel = saved
    height, width = kernel.shape[:2]
    size = (height, width)
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return (
        _forward(change, turned, _reversed(size, pads)),
        _kernel_gradient(images, change, size, pads),
    )


convolve.defvjp(_convolve_forward, _convolve_backward)


def strided(images: Array, kernel: Array, strides: Pair, pads: Pads) -> Array:
    """Convolve with strides: each stride x stride block of cells becomes channels of one cell."""
    size = kernel.shape[:2]
    blocks = tuple(-(-k // s) for k, s in zip(size, strides, strict=True))
    cells = [
        (n + sum(pad) - k) // s + b
        for n, pad, k, s, b in zip(images.shape[1:3], pads, size, strides, blocks, strict=True)
    ]
    after = [
        c * s - n - pad[0]
        for c, s, n, pad in zip(cells, strides, images.shape[1:3], pads, strict=True)
    ]
    images = _padded(images, ((pads[0][0], after[0]), (pads[1][0], after[1])))
    rows, columns = strides
    n, channels = images.shape[0], images.shape[-1]
    images = images.reshape(n, cells[0], rows, cells[1], columns, channels)
    images = images.transpose(0, 1, 3, 2, 4, 5).reshape(n, *cells, rows * columns * channels)
    missing = [(0, b * s - k) for b, s, k in zip(blocks, strides, size, strict=True)]
    kernel = jnp.pad(kernel, (*missing, (0, 0), (0, 0)))
    kernel = kernel.reshape(blocks[0], rows, blocks[1], columns, channels, -1)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(*blocks, rows * columns * channels, -1)
    return convolve(images, kernel, ((0, 0), (0, 0)))


def upsampled(images: Array, kernel: Array, factors: Pair, pads: Pads) -> Array:
    """Repeat every cell `factors` times along both axes, then convolve with stride 1.

    `pads` are those of the fine grid and must keep its size: (n, h, w, i) -> (n, fh, gw, o).
    """
    axes = [
        _phases([[((a - pad[0] + t) // f, t) for t in range(k)] for a in range(f)], k)
        for f, k, pad in zip(factors, kernel.shape[:2], pads, strict=True)
    ]
    return _by_phase(images, kernel, axes[0], axes[1])


def transposed(images: Array, kernel: Array, strides: Pair, before: Pair) -> Array:
    """Apply a transposed convolution: (n, h, w, i), (a, b, i, o) -> (n, stride * h, stride * w, o).

    It is the gradient with respect to its input of a strided convolution that padded the input
    with `before` zeros in front.
    """
    axes = [
        _phases(
            [
                [((a + lead - t) // s, t) for t in range(k) if (a + lead - t) % s == 0]
                for a in range(s)
            ],
            k,
        )
        for s, k, lead in zip(strides, kernel.shape[:2], before, strict=True)
    ]
    return _by_phase(images, kernel, axes[0], axes[1])


class _Phases(NamedTuple):
    """One axis of a finer grid: which coarse cells each of its phases uses."""

    choice: NDArray[np.float32]
    """(phases, taps, kernel size): 1 where a tap of a phase uses a cell of the kernel."""
    starts: tuple[int, ...]
    """By phase, the offset of the coarse cell at its first tap from the phase's own cell."""


def _phases(offsets: list[list[Pair]], size: int) -> _Phases:
    """Collect, for each phase, (coarse offset, kernel cell) pairs into windows of one length."""
    starts = tuple(min((o for o, _ in pairs), default=0) for pairs in offsets)
    taps = max(
        (o - start for start, pairs in zip(starts, offsets, strict=True) for o, _ in pairs),
        default=0,
    )
    choice = np.zeros((len(offsets), taps + 1, size), dtype=np.float32)
    for phase, pairs in enumerate(offsets):
        for offset, cell in pairs:
            choice[phase, offset - starts[phase], cell] = 1.0
    return _Phases(choice, starts)


def _by_phase(images: Array, kernel: Array, rows: _Phases, columns: _Phases) -> Array:
    n, height, width, channels = images.shape
    made = kernel.shape[-1]
    choices = (jnp.asarray(axis.choice, kernel.dtype) for axis in (rows, columns))
    kernels = jnp.einsum("apk,bql,klio->pqiabo", *choices, kernel)
    taps = kernels.shape[:2]
    kernels = kernels.reshape(*taps, channels, -1)
    pads = tuple(
        (-min(axis.starts), max(axis.starts) + tap - 1)
        for axis, tap in zip((rows, columns), taps, strict=True)
    )
    maps = convolve(images, kernels, (pads[0], pads[1]))
    # Split before slicing: a split's gradient concatenates, whereas slices would add up by phase.
    phases = iter(jnp.split(maps, len(rows.starts) * len(columns.starts), axis=-1))
    fine = [
        jnp.stack(
            [next(phases)[:, r : r + height, c : c + width] for c in _from_first(columns)], axis=3
        )
        for r in _from_first(rows)
    ]
    return jnp.stack(fine, axis=2).reshape(
        n, height * len(rows.starts), width * len(columns.starts), made
    )


def _from_first(axis: _Phases) -> list[int]:
    return [start - min(axis.starts) for start in axis.starts]


def _forward(images: Array, kernel: Array, pads: Pads) -> Array:
    *size, channels, made = kernel.shape
    if made <= _FEW_CHANNELS or size[0] * size[1] * made <= channels:
        return _as_maps(images, kernel, pads)
    return _in_order(images, kernel, pads)


def _in_order(images: Array, kernel: Array, pads: Pads) -> Array:
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), pads, dimension_numbers=_ORDER)


def _as_maps(images: Array, kernel: Array, pads: Pads) -> Array:
    """Compute one map per kernel cell in a single product, and add the shifted maps."""
    height, width, channels, made = kernel.shape
    columns = kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
    maps = (images.reshape(-1, channels) @ columns).reshape(*images.shape[:3], -1)
    shifted = _shifts(maps, (height, width), pads)
    return sum(piece[..., i * made : (i + 1) * made] for i, piece in enumerate(shifted))  # type: ignore[return-value]


def _kernel_gradient(images: Array, change: Array, size: Pair, pads: Pads) -> Array:
    """Return the gradient for the kernel, (a, b, i, o), computed in the fastest form."""
    channels, made = images.shape[-1], change.shape[-1]
    cells = size[0] * size[1]
    if cells * min(channels, made) > _WIDEST_PATCH:
        if cells >= _MANY_CELLS and max(change.shape[1:3]) <= _SMALL_GRID:
            return _kernel_gradient_of_small_grids(images, change, pads)
        return _kernel_gradient_by_cell(images, change, size, pads)
    if made < channels:
        patches = jnp.concatenate(_shifts(change, size, _reversed(size, pads)), axis=-1)
        product = images.reshape(-1, channels).T @ patches.reshape(-1, cells * made)
        gradient = product.reshape(channels, *size, made)[:, ::-1, ::-1]
        return gradient.transpose(1, 2, 0, 3)
    patches = jnp.concatenate(_shifts(images, size, pads), axis=-1).reshape(-1, cells * channels)
    change = change.reshape(-1, made)
    if patches.shape[1] <= _WIDEST_PATCH // 2:
        return (patches.T @ change).reshape(*size, channels, made)
    return (change.T @ patches).reshape(made, *size, channels).transpose(1, 2, 3, 0)


def _kernel_gradient_by_cell(images: Array, change: Array, size: Pair, pads: Pads) -> Array:
    """Use one product for each kernel cell, so that a side with many channels is not copied."""
    channels, made = images.shape[-1], change.shape[-1]
    change = change.reshape(-1, made)
    cells = [piece.reshape(-1, channels).T @ change for piece in _shifts(images, size, pads)]
    return jnp.stack(cells).reshape(*size, channels, made)


def _kernel_gradient_of_small_grids(images: Array, change: Array, pads: Pads) -> Array:
    """Use a convolution whose samples are the channels, and whose kernel is the change."""
    images = images.transpose(3, 1, 2, 0)
    return _in_order(images, change.transpose(1, 2, 0, 3), pads).transpose(1, 2, 0, 3)


def _reversed(size: Pair, pads: Pads) -> Pads:
    """Return the pads of the reversed convolution, from the output back to the input."""
    rows, columns = (
        (k - 1 - before, k - 1 - after) for k, (before, after) in zip(size, pads, strict=True)
    )
    return rows, columns


def _shifts(images: Array, size: Pair, pads: Pads) -> list[Array]:
    """Return, for each kernel cell in order, the part of the image that it is applied to."""
    images = _padded(images, pads)
    height, width = images.shape[1] - size[0] + 1, images.shape[2] - size[1] + 1
    return [
        images[:, i : i + height, j : j + width] for i in range(size[0]) for j in range(size[1])
    ]


def _padded(images: Array, pads: Pads) -> Array:
    if not any(map(any, pads)):
        return images
    no_value = jnp.zeros((), images.dtype)
    return jax.lax.pad(images, no_value, [(0, 0, 0), *((*pad, 0) for pad in pads), (0, 0, 0)])
