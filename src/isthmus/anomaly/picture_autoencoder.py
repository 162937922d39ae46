"""The default autoencoder for pictures: the principal components of whole pictures.

They reconstruct what all pictures have in common, such as an object in the same place, and how it
varies as a whole: small shifts, another exposure. A linear autoencoder with squared error has them
as its optimum (Baldi and Hornik, 1989), so they are its initial weights, and one epoch is enough.
Large pictures are reduced before, so that the number of weights does not grow with them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from isthmus.core.randomness import derive_seed
from isthmus.data.schema import infer_schema
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.input_checks import shape_of

if TYPE_CHECKING:
    from isthmus.core.types import Floats

_MOST_CELLS = 3 * 64 * 64
"""Of a reduced picture."""
_MOST_WEIGHTS = 750_000
"""Of the encoder, and as many of the decoder."""
_MOST_CODE = 64
_PICTURES_A_COMPONENT = 4
_MOST_PICTURES = 1_000
_LEARNING_RATE = 1e-6


def default_autoencoder(X: Any, seed: int) -> Autoencoder:
    """Return the default autoencoder, fitted to pictures (n, h, w) or (n, h, w, bands)."""
    shape = shape_of(X)[1:]
    factor = reduction(shape)
    matrix = infer_schema(X, scale="auto").to_matrix(X)[:_MOST_PICTURES]
    center, axes = principal_components(reduced(matrix, factor))
    encoder, decoder = linear_pair(shape, factor, center, axes)
    network = Autoencoder(
        encoder=encoder,
        decoder=decoder,
        loss="mse",
        epochs=1,
        learning_rate=_LEARNING_RATE,
        validation_fraction=0,
        patience=None,
        verbose=0,
        random_state=derive_seed(seed, "network"),
    )
    return network.fit(X)


def reduction(shape: tuple[int, ...]) -> int:
    """Return how many pixels along a side are averaged."""
    bands = shape[2] if len(shape) > 2 else 1
    factor = 1
    while math.ceil(shape[0] / factor) * math.ceil(shape[1] / factor) * bands > _MOST_CELLS:
        factor *= 2
    return factor


def reduced(matrix: Floats, factor: int) -> Floats:
    """Return pictures (n, h, w, bands) averaged over squares, missing pixels as their mean.

    The last squares of a row and a column may be cut off, and are averages of what is there.
    """
    pictures = matrix if matrix.ndim == 4 else matrix[..., None]
    gaps = np.isnan(pictures)
    if gaps.any():
        usual = np.nanmean(np.where(gaps.all(axis=(0, 1, 2)), 0, pictures), axis=(0, 1, 2))
        pictures = np.where(gaps, usual, pictures)
    pooled = keras.ops.average_pool(pictures, factor, factor, padding="same")
    found: Floats = np.asarray(pooled, dtype=np.float32)
    return found


def principal_components(pictures: Floats) -> tuple[Floats, Floats]:
    """Return the mean picture, (cells,), and orthonormal components, (cells, k)."""
    flat = pictures.reshape(len(pictures), -1)
    center = flat.mean(axis=0)
    away = flat - center
    cells = flat.shape[1]
    most = min(_MOST_CODE, _MOST_WEIGHTS // cells, len(flat) // _PICTURES_A_COMPONENT, cells // 4)
    if cells < len(flat):
        _, axes = np.linalg.eigh((away.T @ away).astype(np.float64))
        return center, axes[:, ::-1][:, : max(1, most)].astype(np.float32)
    squares, sides = np.linalg.eigh((away @ away.T).astype(np.float64))
    order = np.argsort(-squares)[: max(1, most)]
    lengths = np.sqrt(np.maximum(squares[order], 1e-12 * max(1.0, float(squares.max()))))
    axes = away.T @ (sides[:, order] / lengths).astype(np.float32)
    return center, axes


def linear_pair(
    shape: tuple[int, ...], factor: int, center: Floats, axes: Floats
) -> tuple[keras.Model, keras.Model]:
    """Return an encoder and a decoder that project pictures on the components."""
    layers = keras.layers
    bands = shape[2] if len(shape) > 2 else 1
    small = (math.ceil(shape[0] / factor), math.ceil(shape[1] / factor), bands)
    code = axes.shape[1]
    encode = layers.Dense(code, name="components")
    inner: list[Any] = [keras.Input(shape)]
    if len(shape) == 2:
        inner.append(layers.Reshape((*shape, 1)))
    if factor > 1:
        inner.append(layers.AveragePooling2D(factor, padding="same"))
    encoder = keras.Sequential([*inner, layers.Flatten(), encode])
    decode = layers.Dense(math.prod(small), name="picture")
    outer: list[Any] = [keras.Input((code,)), decode, layers.Reshape(small)]
    if factor > 1:
        outer.append(layers.UpSampling2D(factor, interpolation="bilinear"))
        height, width = small[0] * factor - shape[0], small[1] * factor - shape[1]
        outer.append(layers.Cropping2D(((0, height), (0, width))))
    if len(shape) == 2:
        outer.append(layers.Reshape(shape))
    decoder = keras.Sequential(outer)
    encode.set_weights([axes, -(center @ axes)])
    decode.set_weights([axes.T, center])
    return encoder, decoder
