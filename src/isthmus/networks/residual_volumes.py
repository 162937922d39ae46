"""The convolutional architecture for volumes: that for pictures, with a third side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import derive_seed
from isthmus.networks.layer_blocks import activated, dense
from isthmus.networks.layers import Logit
from isthmus.networks.residual import Residual

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.networks.architecture_settings import ArchitectureSettings
    from isthmus.networks.network import Network

Sides = tuple[int, int, int]
"""Depth, height and width."""

_LARGEST_GRID, _LARGEST_PATCH = 8, 8
_SMALLEST_GRID = 4
_FEWEST_FILTERS, _MOST_FILTERS = 32, 64
_MOST_LINEAR_CELLS = 2**14
"""As for pictures: the linear path for a code of 64 takes at most 8 MB."""
_LARGEST_SHRINKING = 64
_MARGIN = 0.02
_TO_CELLS = 1 / 32
"""The unit of the linear path, as in `Residual`, whose `start` sets its weights."""


class ResidualVolumes(Residual):
    """Residual blocks on a grid of patches of a volume, beside a linear path that starts as PCA.

    It is `Residual` with convolutions of three dimensions, and patches that are cubes. The blocks,
    the linear path and its start are the same. A grid has at most 8 cells along the longest side of
    volumes of up to 64 voxels, because a step's work grows with the third power.

    Parameters
    ----------
    filters, patch, shrinking, fractions, activation, normalization, linear_path, policy
        As for `Residual`.
    """

    name: ClassVar[str] = "convolutional-3d"
    _pooling: ClassVar[type[keras.Layer]] = keras.layers.AveragePooling3D

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""
        shape = settings.sample_shape
        if len(shape) != 4:
            raise InvalidParameter(
                f"architecture={cls.name!r}",
                expected="volumes, an array (n, depth, height, width, channels)",
                received=f"samples of shape {shape}",
                remedy="reshape the array: X[..., None] adds an axis of channels",
            )
        patch = _patch(max(shape[:3]))
        filters = settings.some_hidden(
            _filters(max(shape[:3]), patch), "the filters of at least one stage", cls.name
        )
        return cls._with_style(settings, filters, patch, _shrinking(shape))

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> features (n, width)."""
        volume = keras.Input(sample_shape, name="inputs")
        x = self._patches(self._centred(volume, "inputs"), "encoder")
        x = self._block(x, self.filters[0], "encoder_0")
        for index, filters in enumerate(self.filters[1:], start=1):
            name = f"encoder_{index}"
            x = self._convolution(filters, f"{name}_halved", window=2, strides=2)(x)
            x = self._block(x, filters, name)
        x = activated(x, "encoder_end", self._style)
        x = keras.layers.Flatten(name="flatten", data_format="channels_last")(x)
        if self.linear_path:
            x = keras.layers.Concatenate(name="with_cells", dtype="float32")(
                [x, self._linear_cells(volume)]
            )
        return keras.Model(volume, x, name="features")

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape), without output activation."""
        sides, channels = _sides(sample_shape), sample_shape[3]
        grids = _grids(sides, self.patch, len(self.filters))
        code = keras.Input((latent_dim,), name="code")
        straight = self._straight_volume(code, sides, channels) if self.linear_path else None
        smallest = (*grids[-1], self.filters[-1])
        x = dense(math.prod(smallest), "decoder_code", policy=self.policy)(code)
        x = keras.layers.Reshape(smallest, name="smallest")(x)
        for index in range(len(self.filters) - 1, 0, -1):
            name, filters = f"decoder_{index}", self.filters[index - 1]
            x = self._block(x, self.filters[index], name)
            x = self._convolution(8 * filters, f"{name}_doubled", window=1)(x)
            x = _unfolded(x, 2, grids[index - 1], name)
        if straight is not None:
            y = self._patches(self._centred(straight, "linear"), "linear")
            x = keras.layers.Add(name="with_linear", dtype=self.policy)([x, y])
        x = self._block(x, self.filters[0], "decoder_0")
        x = activated(x, "decoder_end", self._style)
        x = self._from_zero(self.patch**3 * channels, "output", policy="float32")(x)
        x = _unfolded(x, self.patch, sides, "output")
        if straight is not None:
            x = keras.layers.Add(name="sum", dtype="float32")([x, straight])
        if self.fractions:
            x = Logit(_MARGIN, name="logit", dtype="float32")(x)
        return keras.Model(code, x, name="expansion")

    def start(
        self,
        network: Network,
        rows: Floats,
        held_out: Floats | None,  # noqa: ARG002
        *,
        seed: int,
    ) -> tuple[int, ...]:
        """Set the linear path as `Residual.start` does, without mirror images."""
        return super().start(network, rows, None, seed=seed)

    def _straight_volume(self, code: Any, sides: Sides, channels: int) -> Any:
        """Return the volume that the linear path computes from the code."""
        small = (*(-(-side // self.shrinking) for side in sides), channels)
        x = dense(math.prod(small), "linear_output", policy="float32")(code)
        x = keras.layers.Rescaling(_TO_CELLS, name="linear_scaled", dtype="float32")(x)
        x = keras.layers.Reshape(small, name="linear_reshape")(x)
        if self.shrinking == 1:
            return x
        x = keras.layers.UpSampling3D(
            self.shrinking, name="linear_grown", data_format="channels_last"
        )(x)
        return _cropped(x, sides, "linear")

    def _patches(self, volume: Any, name: str) -> Any:
        """Return the grid of a volume's patches, (n, depth, height, width, filters)."""
        lines = [(0, -length % self.patch) for length in volume.shape[1:4]]
        if any(after for _, after in lines):  # after the volume, as the decoder crops
            volume = keras.layers.ZeroPadding3D(
                tuple(lines), name=f"{name}_padded", data_format="channels_last"
            )(volume)
        return self._convolution(
            self.filters[0], f"{name}_patches", window=self.patch, strides=self.patch
        )(volume)

    def _convolution(self, filters: int, name: str, **settings: Any) -> Any:
        return _convolution(filters, name, policy=self.policy, **settings)

    @staticmethod
    def _from_zero(filters: int, name: str, *, policy: str) -> Any:
        return _convolution(filters, name, policy=policy, window=1, from_zero=True)


def _convolution(
    filters: int,
    name: str,
    *,
    policy: str,
    window: int = 3,
    strides: int = 1,
    from_zero: bool = False,
) -> Any:
    """Return a convolution of volumes, as `isthmus.networks.layer_blocks.convolution`."""
    first = (
        keras.initializers.Zeros()
        if from_zero
        else keras.initializers.GlorotUniform(seed=derive_seed(0, name))
    )
    return keras.layers.Conv3D(
        filters,
        window,
        strides,
        padding="same",
        data_format="channels_last",
        kernel_initializer=first,
        name=name,
        dtype=policy,
    )


def _patch(longest: int) -> int:
    """Return the smallest patch that leaves a small grid, a power of two."""
    patch = 1
    while longest > _LARGEST_GRID * patch and patch < _LARGEST_PATCH:
        patch *= 2
    return patch


def _filters(longest: int, patch: int) -> tuple[int, ...]:
    """Return the default channels of two or more stages, the last on at most 4 x 4 x 4 cells."""
    filters, side = [_FEWEST_FILTERS, _MOST_FILTERS], -(-longest // (2 * patch))
    while side > _SMALLEST_GRID:
        filters.append(_MOST_FILTERS)
        side = -(-side // 2)
    return tuple(filters)


def _shrinking(shape: tuple[int, ...]) -> int:
    """Return the factor by which the volume of the linear path is smaller, a power of two."""
    by = 1
    while math.prod(-(-side // by) for side in shape[:3]) * shape[3] > _MOST_LINEAR_CELLS:
        if by == _LARGEST_SHRINKING:
            break
        by *= 2
    return by


def _sides(sample_shape: tuple[int, ...]) -> Sides:
    depth, height, width = sample_shape[:3]
    return depth, height, width


def _grids(sides: Sides, patch: int, stages: int) -> list[Sides]:
    """Return the sides of the grid of each stage."""
    grids = [_divided(sides, patch)]
    for _ in range(stages - 1):
        grids.append(_divided(grids[-1], 2))
    return grids


def _divided(sides: Sides, by: int) -> Sides:
    depth, height, width = (-(-side // by) for side in sides)
    return depth, height, width


def _unfolded(x: Any, side: int, wanted: Sides, name: str) -> Any:
    """Turn the channels of each cell into a cube of cells, and crop what is too much."""
    *grid, channels = x.shape[1:]
    if side > 1:
        parts = (*grid, side, side, side, channels // side**3)
        x = keras.layers.Reshape(parts, name=f"{name}_parts")(x)
        x = keras.layers.Permute((1, 4, 2, 5, 3, 6, 7), name=f"{name}_in_order")(x)
        whole = (*(length * side for length in grid), parts[-1])
        x = keras.layers.Reshape(whole, name=f"{name}_cells")(x)
    return _cropped(x, wanted, name)


def _cropped(x: Any, sides: Sides, name: str) -> Any:
    """Crop the last planes of a tensor that is larger than `sides`."""
    lines = [(0, side - wanted) for side, wanted in zip(x.shape[1:4], sides, strict=True)]
    if not any(last for _, last in lines):
        return x
    return keras.layers.Cropping3D(
        tuple(lines), name=f"{name}_cropped", data_format="channels_last"
    )(x)
