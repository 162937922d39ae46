"""Drop-in replacements for Keras's image layers that train fast on a CPU.

Each takes the settings of the layer that it is named after and computes the same values and
gradients. For settings that the fast form does not cover, it calls Keras's own.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import ops

from isthmus.networks.convolution import Pads, convolve, strided, transposed, upsampled
from isthmus.networks.gelu import gelu
from isthmus.networks.pooling import average_pool, max_pool, upsample

Array = jax.Array
Pair = tuple[int, int]


class _Upsampled(keras.layers.Layer):
    """Mixin for a layer that repeats the cells of its input image first."""

    def __init__(self, *args: Any, factors: Pair = (1, 1), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.factors = _pair(factors)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return (n, height, width, filters)."""
        return super().compute_output_shape(_finer(input_shape, self.factors))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "factors": self.factors}


class Conv2D(_Upsampled, keras.layers.Conv2D):
    """`keras.layers.Conv2D`, optionally on an image that is upsampled first.

    Parameters
    ----------
    factors : pair of int
        How often each cell of the input is repeated along height and width beforehand.
    **settings
        Those of `keras.layers.Conv2D`.
    """

    def convolution_op(self, inputs: Array, kernel: Array) -> Any:
        """Return the convolution before bias and activation."""
        if not is_plain_convolution(self):
            return super().convolution_op(_repeated(inputs, self.factors), kernel)
        inputs, kernel = jnp.asarray(inputs), jnp.asarray(kernel)
        fine = tuple(n * f for n, f in zip(inputs.shape[1:3], self.factors, strict=True))
        pads = _pads(fine, kernel.shape[:2], self.strides, self.padding)
        if self.strides != (1, 1):
            return strided(_repeated(inputs, self.factors), kernel, self.strides, pads)
        if self.factors == (1, 1):
            return convolve(inputs, kernel, pads)
        if self.padding == "same":
            return upsampled(inputs, kernel, self.factors, pads)
        return convolve(_repeated(inputs, self.factors), kernel, pads)


class Conv2DTranspose(_Upsampled, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`, optionally on an image that is upsampled first.

    Parameters
    ----------
    factors : pair of int
        How often each cell of the input is repeated along height and width beforehand.
    **settings
        Those of `keras.layers.Conv2DTranspose`.
    """

    def call(self, inputs: Array) -> Any:
        """Return the transposed convolution with bias and activation."""
        plain = self.padding == "same" and self.output_padding is None
        if not (plain and is_plain_convolution(self)):
            return super().call(_repeated(inputs, self.factors))
        inputs, kernel = jnp.asarray(inputs), jnp.asarray(self.kernel).transpose(0, 1, 3, 2)
        # The padding before the image of the convolution that this one transposes.
        before = [max(k - s, 0) // 2 for k, s in zip(self.kernel_size, self.strides, strict=True)]
        if self.strides == (1, 1):
            rows, columns = (
                (k - 1 - lead, lead) for k, lead in zip(self.kernel_size, before, strict=True)
            )
            outputs = upsampled(inputs, kernel[::-1, ::-1], self.factors, (rows, columns))
        else:
            inputs = _repeated(inputs, self.factors)
            outputs = transposed(inputs, kernel, self.strides, (before[0], before[1]))
        if self.use_bias:
            outputs = outputs + jnp.asarray(self.bias)
        return outputs if self.activation is None else self.activation(outputs)


class MaxPooling2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D`."""

    def call(self, inputs: Array) -> Any:
        """Return the largest value of each window."""
        if not _is_tiling(self):
            return super().call(inputs)
        return max_pool(_fitted(jnp.asarray(inputs), self, -jnp.inf), self.pool_size)


class AveragePooling2D(keras.layers.AveragePooling2D):
    """`keras.layers.AveragePooling2D`."""

    def call(self, inputs: Array) -> Any:
        """Return the mean of each window."""
        sides = zip(inputs.shape[1:3], self.pool_size, strict=True)
        fits = self.padding == "valid" or all(side % size == 0 for side, size in sides)
        if not (_is_tiling(self) and fits):
            return super().call(inputs)
        return average_pool(_fitted(jnp.asarray(inputs), self, 0.0), self.pool_size)


class UpSampling2D(keras.layers.UpSampling2D):
    """`keras.layers.UpSampling2D`."""

    def call(self, inputs: Array) -> Any:
        """Return the image with every cell repeated."""
        if not is_repeat(self):
            return super().call(inputs)
        return upsample(jnp.asarray(inputs), self.size)


class Activation(keras.layers.Activation):
    """`keras.layers.Activation`."""

    def call(self, inputs: Array) -> Any:
        """Return the activations."""
        if self.activation is keras.activations.gelu:
            return gelu(jnp.asarray(inputs))
        return super().call(inputs)


def is_plain_convolution(layer: Any) -> bool:
    """Return whether a convolution has channels last, one group and no dilation."""
    return (
        layer.data_format == "channels_last"
        and getattr(layer, "groups", 1) == 1
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.padding in ("same", "valid")
    )


def is_repeat(layer: Any) -> bool:
    """Return whether an upsampling repeats cells, with channels last."""
    return bool(layer.data_format == "channels_last" and layer.interpolation == "nearest")


def _is_tiling(layer: Any) -> bool:
    """Whether a pooling's windows neither overlap nor leave gaps."""
    return bool(layer.data_format == "channels_last" and layer.strides == layer.pool_size)


def _fitted(images: Array, layer: Any, filling: float) -> Array:
    """Pad or crop an image to complete windows, depending on the layer's padding."""
    excess = [side % size for side, size in zip(images.shape[1:3], layer.pool_size, strict=True)]
    if not any(excess):
        return images
    if layer.padding == "valid":
        height, width = (side - over for side, over in zip(images.shape[1:3], excess, strict=True))
        return images[:, :height, :width]
    missing = [-side % size for side, size in zip(images.shape[1:3], layer.pool_size, strict=True)]
    around = [(0, 0, 0), *((m // 2, m - m // 2, 0) for m in missing), (0, 0, 0)]
    return jax.lax.pad(images, jnp.asarray(filling, images.dtype), around)


def _pads(sides: Any, sizes: Any, strides: Any, padding: str) -> Pads:
    """Return the zeros that Keras puts around an image."""
    if padding == "valid":
        return (0, 0), (0, 0)
    missing = [
        max((-(-side // step) - 1) * step + size - side, 0)
        for side, size, step in zip(sides, sizes, strides, strict=True)
    ]
    rows, columns = ((m // 2, m - m // 2) for m in missing)
    return rows, columns


def _pair(factors: Any) -> Pair:
    rows, columns = factors
    return rows, columns


def _finer(shape: tuple[int | None, ...], factors: Pair) -> tuple[int | None, ...]:
    sides = (
        None if side is None else side * factor
        for side, factor in zip(shape[1:3], factors, strict=True)
    )
    return (shape[0], *sides, shape[3])


def _repeated(images: Any, factors: Pair) -> Any:
    return images if factors == (1, 1) else upsample(ops.convert_to_tensor(images), factors)
