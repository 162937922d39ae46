"""The convolutional architecture: residual blocks beside a linear path that starts as PCA."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.networks.architecture_settings import (
    NORMALIZATIONS,
    LayerStyle,
    are_sizes,
    is_style,
)
from isthmus.networks.layer_blocks import activated, convolution, dense
from isthmus.networks.layers import Logit
from isthmus.networks.principal_components import PrincipalComponents, choose, of_rows

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.networks.architecture_settings import ArchitectureSettings
    from isthmus.networks.network import Network

Pair = tuple[int, int]

# Chosen by measurement: docs/adr/0019-convolutional-default.md.
_LARGEST_GRID, _LARGEST_PATCH = 16, 8
_SMALLEST_GRID = 8
_FEWEST_FILTERS, _MOST_FILTERS = 32, 64
_MOST_LINEAR_CELLS = 2**14
"""So that the linear path for a code of 64 takes at most 8 MB."""
_LARGEST_SHRINKING = 64
_MARGIN = 0.02
_TO_CODE, _TO_CELLS = 32.0, 1 / 32
"""The units of the linear path. The weights of PCA then have a magnitude of about 1, and a step of
Adam, which is as large for every weight, changes them by a small fraction."""


@dataclass(frozen=True)
class Residual:
    """Residual blocks on a grid of patches, beside a linear path between sample and code.

    The encoder cuts the picture into patches, which become cells of a grid (a convolution with the
    patch's size as stride). Residual blocks follow (He et al., 2016), with activations first, and
    convolutions of 2 x 2 with stride 2 between stages. The decoder computes a picture by the linear
    path, and a correction on the grid from the code and from that picture; the cells of the grid
    become patches again (Shi et al., 2016, sub-pixel convolution). A block's last convolution and
    that of the correction start at 0, so no normalisation is needed, and training starts from the
    linear path, which `start` sets to principal components.

    A block takes no more than a grid, which has a fraction of the picture's cells, so a step is
    mostly products of large matrices.

    Parameters
    ----------
    filters : tuple of int
        Channels of the stages, from the sample towards the code.
    patch : int
        Sides of a patch.
    shrinking : int
        The factor by which the linear path's picture is smaller than the sample.
    fractions : bool
        Whether the cells are fractions: the decoder's output then goes through a `Logit`, so that
        after the sigmoid the linear path is still linear.
    activation : str
        Activation of the blocks.
    normalization : {"batch", "layer", "none"}
        Normalisation before each activation.
    linear_path : bool
        Whether there is a linear path.
    policy : str
        Keras dtype policy of the blocks.
    """

    name: ClassVar[str] = "convolutional"
    variable_length: ClassVar[bool] = False
    _pooling: ClassVar[type[keras.Layer]] = keras.layers.AveragePooling2D

    filters: tuple[int, ...]
    patch: int
    shrinking: int
    fractions: bool
    activation: str = "gelu"
    normalization: str = "none"
    linear_path: bool = True
    policy: str = "float32"

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""
        shape = settings.sample_shape
        if len(shape) not in (2, 3):
            raise InvalidParameter(
                f"architecture={cls.name!r}",
                expected="pictures, an array (n, height, width) or (n, height, width, channels)",
                received=f"samples of shape {shape}",
                remedy="reshape the array, or leave architecture='auto'",
            )
        patch = _patch(shape)
        filters = settings.some_hidden(
            _filters(shape, patch), "the filters of at least one stage", cls.name
        )
        return cls._with_style(settings, filters, patch, _shrinking(shape))

    @classmethod
    def _with_style(
        cls, settings: ArchitectureSettings, filters: tuple[int, ...], patch: int, shrinking: int
    ) -> Self:
        activation, _, policy = settings.style()
        normalization = settings.normalization
        return cls(
            filters,
            patch,
            shrinking,
            settings.values == "unit",
            activation,
            "none" if normalization == "auto" else NORMALIZATIONS[normalization],
            settings.linear_path,
            policy,
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return the architecture of a possibly untrusted description; None if it is invalid."""
        match config:
            case {
                "filters": filters,
                "patch": int(patch),
                "shrinking": int(shrinking),
                "fractions": bool(fractions),
                "activation": str(activation),
                "normalization": str(normalization),
                "linear_path": bool(linear_path),
                "policy": str(policy),
                **rest,
            } if not rest and filters and are_sizes(filters):
                style = LayerStyle(activation, normalization, policy)
                sizes = 1 <= patch <= _LARGEST_PATCH and 1 <= shrinking <= _LARGEST_SHRINKING
                if sizes and is_style(*style) and bool not in (type(patch), type(shrinking)):
                    return cls(
                        tuple(filters),
                        *(patch, shrinking, fractions, activation, normalization),
                        *(linear_path, policy),
                    )
        return None

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> features (n, width)."""
        inputs = keras.Input(sample_shape, name="inputs")
        picture = keras.layers.Reshape(_picture(sample_shape), name="as_picture")(inputs)
        x = self._patches(self._centred(picture, "inputs"), "encoder")
        x = self._block(x, self.filters[0], "encoder_0")
        for index, filters in enumerate(self.filters[1:], start=1):
            name = f"encoder_{index}"
            x = self._convolution(filters, f"{name}_halved", window=(2, 2), strides=(2, 2))(x)
            x = self._block(x, filters, name)
        x = activated(x, "encoder_end", self._style)
        x = keras.layers.Flatten(name="flatten", data_format="channels_last")(x)
        if self.linear_path:
            x = keras.layers.Concatenate(name="with_cells", dtype="float32")(
                [x, self._linear_cells(picture)]
            )
        return keras.Model(inputs, x, name="features")

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape), without output activation."""
        shape = _picture(sample_shape)
        grids = _grids(shape, self.patch, len(self.filters))
        code = keras.Input((latent_dim,), name="code")
        straight = self._straight(code, shape) if self.linear_path else None
        first = next(
            (i for i, grid in enumerate(grids) if max(grid) <= _LARGEST_GRID), len(grids) - 1
        )
        smallest = (*grids[first], self.filters[first])
        x = dense(math.prod(smallest), "decoder_code", policy=self.policy)(code)
        x = keras.layers.Reshape(smallest, name="smallest")(x)
        for index in range(first, 0, -1):
            name, filters = f"decoder_{index}", self.filters[index - 1]
            x = self._block(x, self.filters[index], name)
            x = self._convolution(4 * filters, f"{name}_doubled", window=(1, 1))(x)
            x = _unfolded(x, 2, grids[index - 1], name)
        if straight is not None:
            y = self._patches(self._centred(straight, "linear"), "linear")
            x = keras.layers.Add(name="with_linear", dtype=self.policy)([x, y])
        x = self._block(x, self.filters[0], "decoder_0")
        x = activated(x, "decoder_end", self._style)
        x = self._from_zero(self.patch**2 * shape[2], "output", policy="float32")(x)
        x = _unfolded(x, self.patch, shape[:2], "output")
        if straight is not None:
            x = keras.layers.Add(name="sum", dtype="float32")([x, straight])
        if self.fractions:
            x = Logit(_MARGIN, name="logit", dtype="float32")(x)
        x = keras.layers.Reshape(sample_shape, name="reshape")(x)
        return keras.Model(code, x, name="expansion")

    def start(
        self, network: Network, rows: Floats, held_out: Floats | None, *, seed: int
    ) -> tuple[int, ...]:
        """Set the linear path to principal components, each with variance 1 in the code.

        Parameters
        ----------
        network : Network
            A network of this architecture.
        rows, held_out : float32 arrays of shape (n, *sample_shape)
            Training rows, from which the components are computed, and rows by which to choose
            whether mirror images of the training rows are added; None for no such choice. NaN
            marks a missing cell.
        seed : int
            Determines which of many rows are used.

        Returns
        -------
        tuple of int
            The axes of a batch (n, *sample_shape) along which mirror images were added.
        """
        if not self.linear_path:
            return ()
        shrunk, components = self._shrinking_model(network), _code_layer(network).units
        found = choose(rows, held_out, shrunk, components=components, seed=seed)
        self._set_linear_path(network, found)
        return found.mirrored

    def start_again(
        self, network: Network, rows: Floats, mirrored: tuple[int, ...], *, seed: int
    ) -> None:
        """Set the linear path to the principal components of other rows.

        Parameters
        ----------
        network : Network
            As `start` left it.
        rows : float32 array of shape (n, *sample_shape)
            The rows. NaN marks a missing cell.
        mirrored : tuple of int
            The axes along which mirror images are added.
        seed : int
            Determines which of many rows are used.
        """
        shrunk, components = self._shrinking_model(network), _code_layer(network).units
        found = of_rows(rows, shrunk, mirrored, components=components, seed=seed)
        self._set_linear_path(network, found)

    def _set_linear_path(self, network: Network, found: PrincipalComponents) -> None:
        code = _code_layer(network)
        kernel = np.zeros(tuple(code.kernel.shape), np.float32)
        output = network.halves[1].get_layer("linear_output")
        weights = found.directions / found.deviations[:, None]
        count, n = weights.shape
        scale = _TO_CODE / n
        kernel[-n:, :count] = weights.T / scale
        code.kernel.assign(kernel)
        center = found.mean - (0.5 if self.fractions else 0.0)
        bias = np.zeros(code.units, np.float32)
        bias[:count] = -weights @ center
        code.bias.assign(bias)
        back = 0.1 * np.array(output.kernel.value)
        back[:count] = found.directions * found.deviations[:, None] / _TO_CELLS
        output.kernel.assign(back)
        output.bias.assign(found.mean / _TO_CELLS)

    def _centred(self, picture: Any, name: str) -> Any:
        """Map fractions to [-1, 1]."""
        if not self.fractions:
            return picture
        return keras.layers.Rescaling(2.0, -1.0, name=f"{name}_centred", dtype="float32")(picture)

    def _linear_cells(self, picture: Any) -> Any:
        """Return the cells of the linear path, (n, cells), in its units."""
        if self.shrinking > 1:
            picture = self._pooling(
                self.shrinking, padding="same", name="shrunk", data_format="channels_last"
            )(picture)
        flat = keras.layers.Flatten(name="cells", data_format="channels_last")(picture)
        scale = _TO_CODE / flat.shape[1]
        offset = -0.5 * scale if self.fractions else 0.0
        return keras.layers.Rescaling(scale, offset, name="scaled_cells", dtype="float32")(flat)

    @staticmethod
    def _shrinking_model(network: Network) -> keras.Model:
        """Return the model that maps samples to the pictures of the linear path."""
        features = network.halves[0]
        return keras.Model(features.input, features.get_layer("cells").input)

    def _straight(self, code: Any, shape: tuple[int, int, int]) -> Any:
        """Return the picture that the linear path computes from the code."""
        height, width, channels = shape
        small = (-(-height // self.shrinking), -(-width // self.shrinking), channels)
        x = dense(math.prod(small), "linear_output", policy="float32")(code)
        x = keras.layers.Rescaling(_TO_CELLS, name="linear_scaled", dtype="float32")(x)
        x = keras.layers.Reshape(small, name="linear_reshape")(x)
        if self.shrinking == 1:
            return x
        x = keras.layers.UpSampling2D(
            self.shrinking,
            interpolation="bilinear",
            name="linear_grown",
            data_format="channels_last",
        )(x)
        return _cropped(x, (height, width), "linear")

    def _patches(self, picture: Any, name: str) -> Any:
        """Return the grid of a picture's patches, (n, rows, columns, filters)."""
        side = (self.patch, self.patch)
        lines = [(0, -length % self.patch) for length in picture.shape[1:3]]
        if any(after for _, after in lines):  # after the picture, as the decoder crops
            picture = keras.layers.ZeroPadding2D(
                tuple(lines), name=f"{name}_padded", data_format="channels_last"
            )(picture)
        return self._convolution(self.filters[0], f"{name}_patches", window=side, strides=side)(
            picture
        )

    def _block(self, x: Any, filters: int, name: str) -> Any:
        """Add a correction that starts at 0; the shape is unchanged."""
        y = activated(x, f"{name}_a", self._style)
        y = self._convolution(filters, f"{name}_a_convolved")(y)
        y = activated(y, f"{name}_b", self._style)
        y = self._from_zero(filters, f"{name}_b_convolved", policy=self.policy)(y)
        return keras.layers.Add(name=f"{name}_sum", dtype=self.policy)([x, y])

    def _convolution(self, filters: int, name: str, **settings: Any) -> Any:
        return convolution(filters, name, policy=self.policy, **settings)

    @staticmethod
    def _from_zero(filters: int, name: str, *, policy: str) -> Any:
        return convolution(filters, name, policy=policy, window=(1, 1), from_zero=True)

    @property
    def _style(self) -> LayerStyle:
        return LayerStyle(self.activation, self.normalization, self.policy)


def _code_layer(network: Network) -> Any:
    """Return the layer that computes the code, or the mean of its posterior."""
    if network.noise_dim:
        return network.full.get_layer("posterior").get_layer("mean")
    return network.full.get_layer("bottleneck").get_layer("code")


def _patch(shape: tuple[int, ...]) -> int:
    """Return the smallest patch that leaves a small grid, a power of two."""
    patch = 1
    while max(shape[:2]) > _LARGEST_GRID * patch and patch < _LARGEST_PATCH:
        patch *= 2
    return patch


def _filters(shape: tuple[int, ...], patch: int) -> tuple[int, ...]:
    """Return the default channels of two or more stages, the last on a grid of at most 8 x 8."""
    filters, side = [_FEWEST_FILTERS, _MOST_FILTERS], -(-max(shape[:2]) // (2 * patch))
    while side > _SMALLEST_GRID:
        filters.append(_MOST_FILTERS)
        side = -(-side // 2)
    return tuple(filters)


def _shrinking(shape: tuple[int, ...]) -> int:
    """Return the factor by which the picture of the linear path is smaller, a power of two."""
    height, width, channels = _picture(shape)
    by = 1
    while -(-height // by) * -(-width // by) * channels > _MOST_LINEAR_CELLS:
        if by == _LARGEST_SHRINKING:
            break
        by *= 2
    return by


def _picture(sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return height, width and channels."""
    height, width, channels = (*sample_shape, 1)[:3]
    return height, width, channels


def _grids(shape: tuple[int, int, int], patch: int, stages: int) -> list[Pair]:
    """Return the height and width of the grid of each stage."""
    rows, columns = (-(-side // patch) for side in shape[:2])
    grids = [(rows, columns)]
    for _ in range(stages - 1):
        rows, columns = (-(-side // 2) for side in grids[-1])
        grids.append((rows, columns))
    return grids


def _unfolded(x: Any, side: int, wanted: Pair, name: str) -> Any:
    """Turn the channels of each cell into a square of cells, and crop what is too much."""
    rows, columns, channels = x.shape[1:]
    if side > 1:
        parts = (rows, columns, side, side, channels // side**2)
        x = keras.layers.Reshape(parts, name=f"{name}_parts")(x)
        x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"{name}_in_order")(x)
        x = keras.layers.Reshape((rows * side, columns * side, parts[-1]), name=f"{name}_cells")(x)
    return _cropped(x, wanted, name)


def _cropped(x: Any, sides: Pair, name: str) -> Any:
    """Crop the last lines of a tensor that is larger than `sides`."""
    lines = [(0, side - wanted) for side, wanted in zip(x.shape[1:3], sides, strict=True)]
    if not any(last for _, last in lines):
        return x
    return keras.layers.Cropping2D(
        tuple(lines), name=f"{name}_cropped", data_format="channels_last"
    )(x)
