"""The networks that all libraries train, as plain data, and their number of operations.

A network is an encoder and a decoder, each a list of layers. keras_nets.py and torch_nets.py build
the same models from it. The code between them is flat, so encoders of images end in Flatten.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

WEIGHTED = ("dense", "conv", "transpose")


class Layer(NamedTuple):
    kind: str
    """dense, conv, transpose (3 x 3 each, same padding), pool, up (2 x 2), flatten or reshape."""
    size: Any = None
    activation: str | None = "relu"


class Net(NamedTuple):
    shape: tuple[int, ...]
    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    loss: str


def _dense(sizes: tuple[int, ...], hidden: str, code: str, loss: str = "bce") -> Net:
    encoder = [Layer("dense", size, hidden) for size in sizes]
    encoder[-1] = Layer("dense", sizes[-1], code)
    decoder = [Layer("dense", size, hidden) for size in reversed(sizes[:-1])]
    return Net((784,), tuple(encoder), (*decoder, Layer("dense", 784, "sigmoid")), loss)


_POOLED = (Layer("conv", 32), Layer("pool"), Layer("conv", 16), Layer("pool"), Layer("flatten"))
_FOLDED = Layer("reshape", (7, 7, 16))
_PIXELS = Layer("conv", 1, "sigmoid")

NETS = {
    "784-32-784": _dense((32,), "relu", "relu"),
    "784-128-64-32": _dense((128, 64, 32), "relu", "relu"),
    "784-500-300-100-2": _dense((500, 300, 100, 2), "tanh", "tanh"),
    "conv-upsampling": Net(
        (28, 28, 1),
        _POOLED,
        (_FOLDED, Layer("conv", 16), Layer("up"), Layer("conv", 32), Layer("up"), _PIXELS),
        "bce",
    ),
    "conv-transpose": Net(
        (28, 28, 1),
        _POOLED,
        (
            *(Layer("dense", 784), _FOLDED),
            *(Layer("transpose", 16), Layer("up"), Layer("transpose", 32), Layer("up"), _PIXELS),
        ),
        "mse",
    ),
}


def flops_per_row(net: Net) -> int:
    """Count the multiplications and additions of a training step, per row.

    The products of a layer are as many in the forward pass as for the gradient of its weights and
    for the gradient of its input, which the first layer does not need. Activations, losses and the
    optimizer's update are not counted, so a fraction of the machine's rate is a lower bound.
    """
    shape, total, first = net.shape, 0, True
    for layer in (*net.encoder, *net.decoder):
        before, shape = shape, shape_after(layer, shape)
        products = _products(layer, before)
        if products:
            total += 2 * products * (2 if first else 3)
            first = False
    return total


def kernels(net: Net, *, seed: int = 0) -> Iterator[np.ndarray]:
    """Draw the initial weights of all libraries: Glorot uniform, in Keras' layout.

    All libraries start from the same weights, so that losses show whether they train alike.
    """
    rng, shape = np.random.default_rng(seed), net.shape
    for layer in (*net.encoder, *net.decoder):
        before, shape = shape, shape_after(layer, shape)
        if layer.kind not in WEIGHTED:
            continue
        window = () if layer.kind == "dense" else (3, 3)
        sizes = (before[-1], layer.size)
        limit = np.sqrt(6 / (sum(sizes) * np.prod(window)))
        # The kernel of a transposed convolution has the layout of the convolution that it reverses.
        ends = sizes[::-1] if layer.kind == "transpose" else sizes
        yield rng.uniform(-limit, limit, (*window, *ends)).astype(np.float32)


def shape_after(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    if layer.kind == "dense":
        return (layer.size,)
    if layer.kind == "flatten":
        height, width, channels = shape
        return (height * width * channels,)
    if layer.kind == "reshape":
        return tuple(layer.size)
    height, width, channels = shape
    if layer.kind == "pool":
        return (height // 2, width // 2, channels)
    if layer.kind == "up":
        return (height * 2, width * 2, channels)
    return (height, width, layer.size)


def _products(layer: Layer, shape: tuple[int, ...]) -> int:
    if layer.kind not in WEIGHTED:
        return 0
    if layer.kind == "dense":
        return shape[0] * int(layer.size)
    height, width, channels = shape
    return height * width * 9 * channels * int(layer.size)
