"""What travels between rooms, with shapes.

In shapes, ``n`` is a number of samples and ``sample_shape`` the shape of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jax import Array

Floats = NDArray[np.float32]
RowNumbers = NDArray[np.integer[Any]]
"""Numbers of rows in a matrix, (n,)."""
CellKind = Literal["numeric", "binary", "categorical"]
Values = Literal["real", "unit", "mixed"]
"""A network's output cells: real numbers, fractions of a range in [0, 1], or by segment."""


class Segment(NamedTuple):
    """One column of a table as it lies in the network's matrix: cells ``start`` to ``stop``."""

    name: str
    kind: CellKind
    start: int
    stop: int


class Batch(NamedTuple):
    """What one training step sees."""

    inputs: Array
    """(n, *sample_shape), perhaps corrupted; missing cells hold 0."""
    target: Array
    """(n, *sample_shape), clean; missing cells hold 0."""
    weight: Array
    """(n,), 0 marks a padding row."""
    observed: Array | None = None
    """(n, *sample_shape), 0 marks a missing cell; None when there is none."""
    y: Array | None = None
    """(n,) numbers of classes or (n, targets), NaN where missing; None without labels."""


class Outputs(NamedTuple):
    """What the network makes of a batch."""

    code: Array
    """(n, latent_dim)"""
    reconstruction: Array
    """(n, *sample_shape), values as the target has them: shares and classes as probabilities."""
    logits: Array | None = None
    """(n, *sample_shape), the reconstruction before its output activation; None where a decoder
    of the user's own gives values only."""
    sensitivity: Array | None = None
    """(n,), an unbiased estimate of the squared Frobenius norm of d code / d input."""
    mean: Array | None = None
    """(n, latent_dim), of the posterior that the code was sampled from; None for a point."""
    log_variance: Array | None = None
    """(n, latent_dim), of that posterior, which has no correlations; None for a point."""
    response: Array | None = None
    """(n, classes), logits, or (n, targets): what a head makes of the code; None without one."""


class Corruption(Protocol):
    """Noise on inputs: pure and keyed."""

    def __call__(self, key: Array, inputs: Array) -> Array:
        """Return inputs (n, *sample_shape), in scaled units, corrupted; none is changed."""


class TrainState(NamedTuple):
    """Everything that a training step changes."""

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: list[Any]
