"""Convolutional architectures: blocks that halve a sample down to the code, and mirror them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.networks.architecture_settings import LayerStyle, are_sizes, is_style
from isthmus.networks.layer_blocks import (
    activated,
    convolution,
    dense,
    transposed,
    with_inputs,
    with_straight,
)

if TYPE_CHECKING:
    from isthmus.networks.architecture_settings import ArchitectureSettings

_DEFAULT_FILTERS = (16, 32)  # docs/adr/0004-defaults.md
_FORMAT = {"data_format": "channels_last"}
Pair = tuple[int, int]


@dataclass(frozen=True)
class _Halving(ABC):
    """Abstract: blocks that halve the sides, a dense code, and blocks that double them again.

    Odd sides are restored, so samples may have any size.

    Parameters
    ----------
    filters : tuple of int
        Filters of the encoder's blocks, from the sample towards the code.
    activation : str
        Activation of the blocks.
    normalization : {"batch", "layer", "none"}
        Normalisation before each activation.
    linear_path : bool
        Whether to add a linear path between sample and code, as in `Dense`.
    policy : str
        Keras dtype policy of the blocks.
    """

    name: ClassVar[str]
    variable_length: ClassVar[bool] = False
    samples: ClassVar[str] = "pictures, an array (n, height, width) or (n, height, width, channels)"
    """The samples that it accepts, for messages."""
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    """The numbers of dimensions that a sample may have."""
    factor: ClassVar[Pair] = (2, 2)
    """The factor by which a block divides height and width."""

    filters: tuple[int, ...]
    activation: str = "gelu"
    normalization: str = "batch"
    linear_path: bool = True
    policy: str = "float32"

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""
        if len(settings.sample_shape) not in cls.dimensions:
            raise InvalidParameter(
                f"architecture={cls.name!r}",
                expected=cls.samples,
                received=f"samples of shape {settings.sample_shape}",
                remedy="reshape the array, or use architecture='dense'",
            )
        filters = settings.some_hidden(
            _DEFAULT_FILTERS, "the filters of at least one block", cls.name
        )
        activation, normalization, policy = settings.style()
        return cls(filters, activation, normalization, settings.linear_path, policy)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return the architecture of a possibly untrusted description; None if it is invalid."""
        match config:
            case {
                "filters": filters,
                "activation": str(activation),
                "normalization": str(normalization),
                "linear_path": bool(linear_path),
                "policy": str(policy),
                **rest,
            } if not rest and are_sizes(filters) and is_style(activation, normalization, policy):
                return cls(tuple(filters), activation, normalization, linear_path, policy)
        return None

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> features (n, width)."""
        inputs = keras.Input(sample_shape, name="inputs")
        x = inputs
        if len(sample_shape) == 2:
            x = keras.layers.Reshape(self._picture(sample_shape), name="as_picture")(x)
        for index, filters in enumerate(self.filters):
            name = f"encoder_{index}"
            x = activated(self._halved(x, filters, name), name, self._style)
        x = keras.layers.Flatten(name="flatten", **_FORMAT)(x)
        if self.linear_path:
            x = with_inputs(x, inputs)
        return keras.Model(inputs, x, name="features")

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape), without output activation."""
        sides = self._sides(sample_shape)
        code = keras.Input((latent_dim,), name="code")
        smallest = (*sides[-1], self.filters[-1])
        x = dense(
            math.prod(smallest), "decoder_code", policy=self.policy, bias=not self._normalized
        )(code)
        x = keras.layers.Reshape(smallest, name="smallest")(x)
        x = activated(x, "decoder_code", self._style)
        for index in reversed(range(1, len(self.filters))):
            name = f"decoder_{index}"
            x = self._doubled(x, self.filters[index - 1], name, self.policy, not self._normalized)
            x = activated(_cropped(x, sides[index], name), name, self._style)
        channels = self._picture(sample_shape)[2]
        x = self._doubled(x, channels, "output", "float32", bias=True)
        x = _cropped(x, sides[0], "output")
        x = keras.layers.Reshape(sample_shape, name="reshape")(x)
        if self.linear_path:
            x = with_straight(x, code, sample_shape)
        return keras.Model(code, x, name="expansion")

    @abstractmethod
    def _halved(self, x: Any, filters: int, name: str) -> Any:
        """Convolve to `filters` channels; sides become half as long, rounded up."""

    @abstractmethod
    def _doubled(self, x: Any, filters: int, name: str, policy: str, bias: bool) -> Any:
        """Convolve to `filters` channels; sides become twice as long."""

    @property
    def _style(self) -> LayerStyle:
        return LayerStyle(self.activation, self.normalization, self.policy)

    @property
    def _normalized(self) -> bool:
        return self.normalization != "none"

    @staticmethod
    def _picture(sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return height, width and channels."""
        height, width, channels = (*sample_shape, 1)[:3]
        return height, width, channels

    def _sides(self, sample_shape: tuple[int, ...]) -> list[Pair]:
        """Return height and width before the first block and after each."""
        height, width, _ = self._picture(sample_shape)
        sides = [(height, width)]
        for _ in self.filters:
            height, width = (
                -(-side // by) for side, by in zip(sides[-1], self.factor, strict=True)
            )
            sides.append((height, width))
        return sides


@dataclass(frozen=True)
class Convolutional(_Halving):
    """3 x 3 convolutions with 2 x 2 pooling, mirrored by nearest-neighbour upsampling.

    An encoder block is convolution, pooling, normalisation, activation. Pooling comes early
    because a maximum commutes with an increasing activation and leaves a quarter of the cells to
    normalise and activate. A decoder block is upsampling, convolution, normalisation, activation.
    An odd side is padded with a line of zeros before it is halved, which the decoder crops. For
    the parameters see `_Halving`.
    """

    name: ClassVar[str] = "convolutional"
    window: ClassVar[Pair] = (3, 3)
    """Size of a convolution's kernel."""

    def _halved(self, x: Any, filters: int, name: str) -> Any:
        x = convolution(
            filters, name, policy=self.policy, bias=not self._normalized, window=self.window
        )(x)
        lines = [(0, -side % by) for side, by in zip(x.shape[1:3], self.factor, strict=True)]
        if any(last for _, last in lines):
            x = keras.layers.ZeroPadding2D(tuple(lines), name=f"{name}_padded", **_FORMAT)(x)
        return keras.layers.MaxPooling2D(self.factor, name=f"{name}_pooled", **_FORMAT)(x)

    def _doubled(self, x: Any, filters: int, name: str, policy: str, bias: bool) -> Any:
        x = keras.layers.UpSampling2D(self.factor, name=f"{name}_upsampled", **_FORMAT)(x)
        return convolution(filters, name, policy=policy, bias=bias, window=self.window)(x)


@dataclass(frozen=True)
class Strided(_Halving):
    """3 x 3 convolutions with stride 2, mirrored by transposed convolutions.

    A step takes less than half the time of `Convolutional` with the same filters. For the
    parameters see `_Halving`.
    """

    name: ClassVar[str] = "strided"

    def _halved(self, x: Any, filters: int, name: str) -> Any:
        bias = not self._normalized
        return convolution(filters, name, policy=self.policy, bias=bias, strides=self.factor)(x)

    def _doubled(self, x: Any, filters: int, name: str, policy: str, bias: bool) -> Any:
        return transposed(filters, name, policy=policy, bias=bias, strides=self.factor)(x)


@dataclass(frozen=True)
class Convolutional1D(Convolutional):
    """`Convolutional` for series (time, channels): convolutions over 5 steps, pooling of 2.

    Only time is convolved: internally, a series is an image with one column.
    """

    name: ClassVar[str] = "convolutional-1d"
    samples: ClassVar[str] = "series, an array (n, time, channels)"
    dimensions: ClassVar[tuple[int, ...]] = (2,)
    factor: ClassVar[Pair] = (2, 1)
    window: ClassVar[Pair] = (5, 1)

    @staticmethod
    def _picture(sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        time, channels = sample_shape
        return time, 1, channels


def _cropped(x: Any, sides: Pair, name: str) -> Any:
    """Crop the last lines of a tensor that is larger than `sides`."""
    lines = [(0, side - wanted) for side, wanted in zip(x.shape[1:3], sides, strict=True)]
    if not any(last for _, last in lines):
        return x
    return keras.layers.Cropping2D(tuple(lines), name=f"{name}_cropped", **_FORMAT)(x)
