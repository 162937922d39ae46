"""Building blocks of architectures: dense and convolutional layers, normalisation, activation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras

from isthmus.core.randomness import derive_seed

if TYPE_CHECKING:
    from isthmus.networks.architecture_settings import LayerStyle


def dense(units: int, name: str, *, policy: str, bias: bool = True) -> Any:
    """Return a dense layer.

    Its initializer only matters to users who clone the layer: `isthmus.networks.initializers` draws
    the weights of a fit. It has a seed because Keras would draw one from Python's global generator.
    """
    return keras.layers.Dense(
        units,
        use_bias=bias,
        kernel_initializer=keras.initializers.GlorotUniform(seed=derive_seed(0, name)),
        name=name,
        dtype=policy,
    )


def convolution(
    filters: int,
    name: str,
    *,
    policy: str,
    bias: bool = True,
    window: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    from_zero: bool = False,
) -> Any:
    """Return a convolution that divides its input's sides by `strides`, rounded up.

    For its initializer see `dense`; with `from_zero` its weights start at 0.
    """
    settings = _convolving(name, policy=policy, bias=bias)
    if from_zero:
        settings["kernel_initializer"] = keras.initializers.Zeros()
    return keras.layers.Conv2D(filters, window, strides, **settings)


def transposed(
    filters: int, name: str, *, policy: str, bias: bool, strides: tuple[int, int]
) -> Any:
    """Return a transposed 3 x 3 convolution that multiplies its input's sides by `strides`."""
    return keras.layers.Conv2DTranspose(
        filters, 3, strides, **_convolving(name, policy=policy, bias=bias)
    )


def _convolving(name: str, *, policy: str, bias: bool) -> dict[str, Any]:
    return {
        "padding": "same",
        "use_bias": bias,
        "data_format": "channels_last",
        "kernel_initializer": keras.initializers.GlorotUniform(seed=derive_seed(0, name)),
        "name": name,
        "dtype": policy,
    }


def hidden_block(x: Any, units: int, name: str, style: LayerStyle) -> Any:
    """Apply dense, normalisation and activation; (n, width) -> (n, units).

    A dense layer before a normalisation has no bias: the normalisation's own shift replaces it.
    """
    x = dense(units, name, policy=style.policy, bias=style.normalization == "none")(x)
    return activated(x, name, style)


def with_inputs(x: Any, inputs: Any) -> Any:
    """Append the cells of `inputs` to features (n, width): the encoder's half of a linear path."""
    flat = keras.layers.Flatten(name="cells", data_format="channels_last")(inputs)
    return keras.layers.Concatenate(name="with_inputs", dtype="float32")([x, flat])


def with_straight(x: Any, code: Any, sample_shape: tuple[int, ...]) -> Any:
    """Add a linear map of the code to samples: the decoder's half of a linear path."""
    cells = math.prod(sample_shape)
    straight = dense(cells, "linear_output", policy="float32", bias=False)(code)
    straight = keras.layers.Reshape(sample_shape, name="linear_reshape")(straight)
    return keras.layers.Add(name="sum", dtype="float32")([x, straight])


def activated(x: Any, name: str, style: LayerStyle) -> Any:
    """Apply normalisation over the last axis, then the activation; the shape is unchanged."""
    policy = style.policy
    if style.normalization == "batch":
        # The moving statistics must adapt within the few hundred steps of a small table.
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm", dtype=policy)(x)
    elif style.normalization == "layer":
        x = keras.layers.LayerNormalization(name=f"{name}_norm", dtype=policy)(x)
    return keras.layers.Activation(
        style.activation, name=f"{name}_{style.activation}", dtype=policy
    )(x)
