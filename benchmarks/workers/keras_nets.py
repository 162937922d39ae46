"""The networks of nets.py as Keras models, on any backend."""

import time

import keras
from nets import NETS, Layer, kernels

KERAS_LOSS = {"bce": "binary_crossentropy", "mse": "mean_squared_error"}


def pair(name: str) -> tuple[keras.Model, keras.Model]:
    """Return encoder and decoder, with the initial weights that all libraries share."""
    net = NETS[name]
    encoder = keras.Sequential([keras.Input(net.shape), *map(_layer, net.encoder)])
    code = encoder.output_shape[1:]
    decoder = keras.Sequential([keras.Input(code), *map(_layer, net.decoder)])
    weighted = (layer for model in (encoder, decoder) for layer in model.layers if layer.weights)
    for layer, kernel in zip(weighted, kernels(net), strict=True):
        layer.kernel.assign(kernel)
    return encoder, decoder


def _layer(layer: Layer) -> keras.layers.Layer:
    kinds = {
        "dense": lambda: keras.layers.Dense(layer.size, activation=layer.activation),
        "conv": lambda: keras.layers.Conv2D(
            layer.size, 3, padding="same", activation=layer.activation
        ),
        "transpose": lambda: keras.layers.Conv2DTranspose(
            layer.size, 3, padding="same", activation=layer.activation
        ),
        "pool": lambda: keras.layers.MaxPooling2D(2),
        "up": lambda: keras.layers.UpSampling2D(2),
        "flatten": keras.layers.Flatten,
        "reshape": lambda: keras.layers.Reshape(layer.size),
    }
    return kinds[layer.kind]()


class Clock(keras.callbacks.Callback):
    """Records the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, *_: object) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, *_: object) -> None:
        self.seconds.append(time.perf_counter() - self._began)
