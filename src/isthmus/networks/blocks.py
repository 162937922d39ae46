"""The hidden block that architectures repeat: dense, normalised, activated."""

from __future__ import annotations

from typing import Any

import keras

from isthmus.core.catalogue import Catalogue
from isthmus.core.randomness import derive_seed

NORMALIZATIONS = Catalogue("normalization", {"batch": "batch", "layer": "layer", "none": "none"})
ACTIVATIONS = Catalogue(
    "activation",
    {
        name: name
        for name in (
            "elu", "gelu", "leaky_relu", "linear", "mish", "relu", "selu", "sigmoid", "silu",
            "softplus", "tanh",
        )
    },
)  # fmt: skip
POLICIES = Catalogue("precision", {"float32": "float32", "bfloat16": "mixed_bfloat16"})


def dense(units: int, name: str, *, policy: str, bias: bool = True) -> Any:
    """Return a dense layer.

    Its initializer serves those who clone the layer; `isthmus.networks.initial` draws the weights
    of a fit. It has a seed, since Keras would take one from Python's global generator.
    """
    return keras.layers.Dense(
        units,
        use_bias=bias,
        kernel_initializer=keras.initializers.GlorotUniform(seed=derive_seed(0, name)),
        name=name,
        dtype=policy,
    )


def hidden_block(
    x: Any, units: int, name: str, *, activation: str, normalization: str, policy: str
) -> Any:
    """Apply dense, normalisation and activation; (n, width) -> (n, units).

    A dense layer before a normalisation has no bias: the normalisation's own shift replaces it.
    """
    x = dense(units, name, policy=policy, bias=normalization == "none")(x)
    if normalization == "batch":
        # Statistics must follow in the few hundred steps that a small table trains for.
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm", dtype=policy)(x)
    elif normalization == "layer":
        x = keras.layers.LayerNormalization(name=f"{name}_norm", dtype=policy)(x)
    return keras.layers.Activation(activation, name=f"{name}_{activation}", dtype=policy)(x)
