"""The types that packages exchange, with shapes.

In shapes, ``n`` is the number of samples and ``sample_shape`` the shape of one.
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
"""A network's output cells: real numbers, fractions in [0, 1], or as each segment says."""


class Segment(NamedTuple):
    """One column of a table in the network's matrix: cells ``start`` up to ``stop``."""

    name: str
    kind: CellKind
    start: int
    stop: int


class ObservedRows(NamedTuple):
    """Rows in scaled units, and which of the user's cells the matrix does not show."""

    matrix: Floats
    """(n, *sample_shape), NaN where a cell is missing or was never seen."""
    missing: NDArray[np.bool_]
    """(n, columns), which cells are empty or NaN."""
    unseen: NDArray[np.bool_]
    """(n, columns), which cells hold a value that fit cannot have seen."""


class Batch(NamedTuple):
    """The rows of one training step."""

    inputs: Array
    """(n, *sample_shape), possibly corrupted; missing cells are 0."""
    target: Array
    """(n, *sample_shape), clean; missing cells are 0."""
    weight: Array
    """(n,), 0 marks a padding row."""
    observed: Array | None = None
    """(n, *sample_shape), 0 marks a missing cell; None if no cells are missing."""
    y: Array | None = None
    """(n,) class numbers or (n, targets), NaN where missing; None without labels."""
    shown: Array | None = None
    """(n, *sample_shape), 0 marks a missing cell of `inputs`; None if none are missing."""


class Outputs(NamedTuple):
    """The network's outputs for a batch."""

    code: Array
    """(n, latent_dim)"""
    reconstruction: Array
    """(n, *sample_shape), on the target's scale; binary and categorical cells are probabilities."""
    logits: Array | None = None
    """(n, *sample_shape), the reconstruction before its output activation; None if a decoder
    passed by the user returns only values."""
    sensitivity: Array | None = None
    """(n,), an unbiased estimate of the squared Frobenius norm of d code / d input."""
    mean: Array | None = None
    """(n, latent_dim), mean of the posterior that the code was sampled from; None without one.
    With levels of latent variables above the code, their dimensions follow those of the code."""
    log_variance: Array | None = None
    """The same shape, log variance of that posterior, a diagonal Gaussian."""
    response: Array | None = None
    """(n, classes) logits or (n, targets), predicted by a head from the code; None without one."""
    latents: Array | None = None
    """Samples of all levels, in the shape of `mean`; None if the code is the only one."""
    prior_mean: Array | None = None
    """(n, dimensions), mean of the prior of the first dimensions of `latents`, given the levels
    above them. The prior of the rest, or of the code if this is None, is standard normal."""
    prior_log_variance: Array | None = None
    """The same shape, log variance of that prior."""
    noise: Array | None = None
    """The standard normal noise that the latent variables of all levels were sampled from, in the
    shape of `mean`; None unless several codes are drawn for each row."""


class Corrupted(NamedTuple):
    """Corrupted inputs, and what the loss compares the outputs with."""

    inputs: Array
    """(m n, *sample_shape): m corrupted copies of all rows, one copy after the other."""
    counted: Array | None = None
    """As `inputs`, 0 marks a cell that the loss leaves out; None: it counts all."""
    target: Array | None = None
    """As `inputs`; None: the rows without corruption."""


class Corruption(Protocol):
    """Noise on inputs: a pure function of a key."""

    def __call__(self, key: Array, inputs: Array) -> Array | Corrupted:
        """Return a corrupted copy of inputs (n, *sample_shape) in scaled units.

        As an array, the loss counts all cells.
        """


class SampleChange(Protocol):
    """A random change of samples, by which training sees more of them: a function of a key."""

    def __call__(self, key: Array, samples: Array, /) -> Array:
        """Return changed samples (n, *sample_shape) in scaled units, NaN where cells are missing.

        Samples of equal shape change alike for equal keys.
        """


class TrainState(NamedTuple):
    """The state that a training step updates."""

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: list[Any]
