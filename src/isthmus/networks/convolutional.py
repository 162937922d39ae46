"""The convolutional architecture: blocks that halve a picture towards the code, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.networks.blocks import activated, convolution, dense
from isthmus.networks.settings import Style, are_sizes, is_style

if TYPE_CHECKING:
    from isthmus.networks.settings import Settings

_DEFAULT_FILTERS = (16, 32)  # docs/adr/0004-defaults.md
_FORMAT = {"data_format": "channels_last"}


@dataclass(frozen=True)
class Convolutional:
    """Convolutions of 3 x 3 with pooling of 2 x 2, mirrored by nearest-neighbour upsampling.

    An encoder's block is convolution, pooling, normalisation, activation; pooling comes early
    because a maximum and a rising activation may change places, and behind it there is a quarter
    of the cells to normalise and activate. The decoder's blocks are upsampling, convolution,
    normalisation, activation. A side of odd length gets a line of zeros before it is halved, which
    is cut off again on the way back, so pictures may have any size.

    Parameters
    ----------
    filters : tuple of int
        Filters of the encoder's blocks, from the picture towards the code.
    activation : str
        Activation of the blocks.
    normalization : {"batch", "layer", "none"}
        Normalisation before each activation.
    linear_path : bool
        Whether sample and code are joined by a matrix, too, as in `Dense`.
    policy : str
        Keras dtype policy of the blocks.
    """

    name: ClassVar[str] = "convolutional"

    filters: tuple[int, ...]
    activation: str = "gelu"
    normalization: str = "batch"
    linear_path: bool = True
    policy: str = "float32"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the architecture that a person asked for; raises InvalidParameter."""
        if len(settings.sample_shape) not in (2, 3):
            raise InvalidParameter(
                "architecture='convolutional'",
                expected="pictures, an array (n, height, width) or (n, height, width, channels)",
                received=f"samples of shape {settings.sample_shape}",
                remedy="reshape the array, or use architecture='dense'",
            )
        filters = _DEFAULT_FILTERS if settings.hidden is None else settings.hidden
        if not filters:
            raise InvalidParameter(
                "hidden",
                expected="the filters of at least one block with architecture='convolutional'",
                received="()",
                remedy="leave hidden='auto', or use architecture='linear'",
            )
        activation, normalization, policy = settings.style()
        return cls(filters, activation, normalization, settings.linear_path, policy)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return what a stranger's description means; None where it means nothing."""
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
        """Return the model (n, height, width[, channels]) -> features (n, width)."""
        inputs = keras.Input(sample_shape, name="inputs")
        x = inputs
        if len(sample_shape) == 2:
            x = keras.layers.Reshape((*sample_shape, 1), name="one_channel")(x)
        for index, filters in enumerate(self.filters):
            name = f"encoder_{index}"
            x = convolution(filters, name, policy=self.policy, bias=not self._normalized)(x)
            x = self._halved(x, name)
            x = activated(x, name, self._style)
        x = keras.layers.Flatten(name="flatten", **_FORMAT)(x)
        if self.linear_path:
            flat = keras.layers.Flatten(name="cells", **_FORMAT)(inputs)
            x = keras.layers.Concatenate(name="with_inputs", dtype="float32")([x, flat])
        return keras.Model(inputs, x, name="features")

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape), without output activation."""
        sides = self._sides(sample_shape)
        channels = sample_shape[2] if len(sample_shape) == 3 else 1
        code = keras.Input((latent_dim,), name="code")
        smallest = (*sides[-1], self.filters[-1])
        x = dense(
            math.prod(smallest), "decoder_code", policy=self.policy, bias=not self._normalized
        )(code)
        x = keras.layers.Reshape(smallest, name="smallest")(x)
        x = activated(x, "decoder_code", self._style)
        for index in reversed(range(1, len(self.filters))):
            name = f"decoder_{index}"
            x = self._doubled(x, self.filters[index - 1], sides[index], name)
            x = activated(x, name, self._style)
        x = self._doubled(x, channels, sides[0], "output", last=True)
        x = keras.layers.Reshape(sample_shape, name="reshape")(x)
        if self.linear_path:
            cells = math.prod(sample_shape)
            straight = dense(cells, "linear_output", policy="float32", bias=False)(code)
            straight = keras.layers.Reshape(sample_shape, name="linear_reshape")(straight)
            x = keras.layers.Add(name="sum", dtype="float32")([x, straight])
        return keras.Model(code, x, name="expansion")

    @property
    def _style(self) -> Style:
        return Style(self.activation, self.normalization, self.policy)

    @property
    def _normalized(self) -> bool:
        return self.normalization != "none"

    def _sides(self, sample_shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return height and width before the first block and after each."""
        sides = [sample_shape[:2]]
        for _ in self.filters:
            height, width = sides[-1]
            sides.append((-(-height // 2), -(-width // 2)))
        return [(height, width) for height, width in sides]

    def _halved(self, x: Any, name: str) -> Any:
        height, width = x.shape[1:3]
        if height % 2 or width % 2:
            lines = ((0, height % 2), (0, width % 2))
            x = keras.layers.ZeroPadding2D(lines, name=f"{name}_padded", **_FORMAT)(x)
        return keras.layers.MaxPooling2D(2, name=f"{name}_pooled", **_FORMAT)(x)

    def _doubled(
        self, x: Any, filters: int, side: tuple[int, int], name: str, *, last: bool = False
    ) -> Any:
        x = keras.layers.UpSampling2D(2, name=f"{name}_upsampled", **_FORMAT)(x)
        policy = "float32" if last else self.policy
        x = convolution(filters, name, policy=policy, bias=last or not self._normalized)(x)
        height, width = x.shape[1:3]
        if (height, width) != side:
            lines = ((0, height - side[0]), (0, width - side[1]))
            x = keras.layers.Cropping2D(lines, name=f"{name}_cropped", **_FORMAT)(x)
        return x
