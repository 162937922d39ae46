"""Reconstruction losses: means over the observed cells of each sample.

Losses are computed on the scaled cells of the network's matrix, so their units are those of the
scaled data (squared scaled units, or nats per cell for entropies).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isthmus.core.types import Batch, CellKind, Outputs, Segment
    from isthmus.objectives.objective import PerSample

Array = jax.Array
_SMALLEST = 1e-7  # Keras's epsilon: probabilities are clipped to it before taking logarithms
_CHARBONNIER_SCALE = 1e-3


def mse(batch: Batch, outputs: Outputs) -> Array:
    """Return the mean squared difference of each sample, (n,)."""
    return _mean_over_cells(jnp.square(outputs.reconstruction - batch.target), batch)


def mae(batch: Batch, outputs: Outputs) -> Array:
    """Return the mean absolute difference of each sample, (n,)."""
    return _mean_over_cells(jnp.abs(outputs.reconstruction - batch.target), batch)


def huber(batch: Batch, outputs: Outputs) -> Array:
    """Return the mean Huber loss of each sample, (n,), with delta = 1 (Huber, 1964)."""
    error = jnp.abs(outputs.reconstruction - batch.target)
    inner = jnp.minimum(error, 1.0)
    return _mean_over_cells(inner * (error - 0.5 * inner), batch)


def charbonnier(batch: Batch, outputs: Outputs) -> Array:
    """Return the mean Charbonnier loss of each sample, (n,): a smooth absolute difference.

    It is ``sqrt(e**2 + c**2) - c`` of the difference e (Charbonnier et al., 1994, "Two
    deterministic half-quadratic regularization algorithms for computed imaging"): the general loss
    of Barron (2019, "A general and adaptive robust loss function") with a shape of 1, times c. The
    scale c is 0.001, as in Lai et al. (2017, "Deep Laplacian pyramid networks").
    """
    error = outputs.reconstruction - batch.target
    smooth = jnp.sqrt(jnp.square(error) + _CHARBONNIER_SCALE**2) - _CHARBONNIER_SCALE
    return _mean_over_cells(smooth, batch)


def bce(batch: Batch, outputs: Outputs) -> Array:
    """Return the mean binary cross-entropy of each sample, (n,), in nats per cell.

    From logits it is ``softplus(l) - t * l``, which neither overflows nor saturates. If a decoder
    passed by the user returns probabilities, they are clipped as in Keras.
    """
    return _mean_over_cells(binary_cells(batch.target, outputs), batch)


def mixture(segments: Sequence[Segment]) -> PerSample:
    """Return the loss of a table whose columns differ in kind.

    Numeric cells contribute their squared difference. Binary cells and categorical columns
    contribute their cross-entropy relative to that of a uniform guess (the logarithm of the number
    of categories). So a column of any kind contributes about 1 when nothing is known about it, and
    no kind dominates. A row's loss is the mean over its observed columns.

    Parameters
    ----------
    segments : sequence of Segment
        The columns in the order of the matrix.
    """
    starts = jnp.array([segment.start for segment in segments])
    entropies = cell_entropies(segments)
    uniform = [math.log(2.0 if s.kind == "binary" else max(2, s.stop - s.start)) for s in segments]
    baseline = jnp.repeat(jnp.array(uniform), jnp.array([s.stop - s.start for s in segments]))
    numeric = cells_of(segments, "numeric")

    def loss(batch: Batch, outputs: Outputs) -> Array:
        squares = jnp.square(outputs.reconstruction - batch.target)
        cells = jnp.where(numeric, squares, entropies(batch, outputs) / baseline)
        if batch.observed is None:
            return cells.sum(axis=-1) / len(segments)
        columns = batch.observed[:, starts].sum(axis=-1)
        return (cells * batch.observed).sum(axis=-1) / jnp.maximum(columns, 1.0)

    return loss


def cell_entropies(segments: Sequence[Segment]) -> PerSample:
    """Return a function that computes the cross-entropy of a table's cells in nats, (n, width).

    Numeric cells get 0. The cells of a categorical column add up to its cross-entropy.

    Parameters
    ----------
    segments : sequence of Segment
        The columns in the order of the matrix.
    """
    column_of_cell = jnp.repeat(
        jnp.arange(len(segments)), jnp.array([s.stop - s.start for s in segments])
    )
    kinds = {segment.kind for segment in segments}
    binary, categorical = (cells_of(segments, kind) for kind in ("binary", "categorical"))

    def entropies(batch: Batch, outputs: Outputs) -> Array:
        cells = jnp.zeros_like(outputs.reconstruction)
        if "binary" in kinds:
            cells = jnp.where(binary, binary_cells(batch.target, outputs), cells)
        if "categorical" in kinds:
            entropy = _categorical_cells(batch.target, outputs, column_of_cell, len(segments))
            cells = jnp.where(categorical, entropy, cells)
        return cells

    return entropies


def cells_of(segments: Sequence[Segment], kind: CellKind) -> Array:
    """Return a mask of the matrix cells of columns of the given kind, bool of shape (width,)."""
    places = [cell for s in segments if s.kind == kind for cell in range(s.start, s.stop)]
    return jnp.zeros(segments[-1].stop, bool).at[jnp.array(places, int)].set(True)


def custom(function: Callable[[Array, Array], Any]) -> PerSample:
    """Return a loss from the user's ``f(target, reconstruction)``, the signature of Keras.

    The function may return one number or any array, which is averaged. It is called for one
    sample at a time (vectorised), so that a mean over the batch inside it cannot mix samples or
    include padding rows. It sees a missing cell as perfectly reconstructed.

    Parameters
    ----------
    function : callable
        Takes target and reconstruction, each (1, *sample_shape), in scaled units. Must be written
        with ``keras.ops`` or ``jax.numpy``.
    """

    def one(target: Array, reconstruction: Array) -> Array:
        return jnp.mean(jnp.asarray(function(target[None], reconstruction[None])))

    def loss(batch: Batch, outputs: Outputs) -> Array:
        target = batch.target
        if batch.observed is not None:
            target = jnp.where(batch.observed > 0, target, outputs.reconstruction)
        return jax.vmap(one)(target, outputs.reconstruction)

    return loss


def check_custom(
    function: Callable[[Array, Array], Any], name: str, sample_shape: tuple[int, ...]
) -> None:
    """Trace the user's loss once, to report errors before training.

    Raises
    ------
    InvalidParameter
        The loss cannot be called as ``f(target, reconstruction)``, cannot be compiled, or does not
        return numbers.
    """
    sample = jax.eval_shape(lambda: jnp.zeros((1, *sample_shape)))
    cause: Exception | None = None
    try:
        made = jax.eval_shape(lambda t, p: jnp.mean(jnp.asarray(function(t, p))), sample, sample)
        received = "" if jnp.issubdtype(made.dtype, jnp.floating) else f"values of {made.dtype}"
    except Exception as error:  # the user's function may raise anything
        cause = error
        received = f"{type(error).__name__}: {str(error).splitlines()[0][:150]}"
    if received:
        raise InvalidParameter(
            f"loss {name!r}",
            expected="a function of (target, reconstruction) that returns numbers, written with "
            "keras.ops or jax.numpy",
            received=received,
            remedy="use keras.ops.where instead of if, and return the result",
        ) from cause


def binary_cells(target: Array, outputs: Outputs) -> Array:
    """Return the binary cross-entropy of each cell in nats, of the target's shape."""
    if outputs.logits is not None:
        logits = outputs.logits
        # softplus(l) - t * l, without the handling of infinities in jax.nn.softplus.
        return jax.nn.relu(logits) - target * logits + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    p = jnp.clip(outputs.reconstruction, _SMALLEST, 1.0 - _SMALLEST)
    return -(target * jnp.log(p) + (1.0 - target) * jnp.log1p(-p))


def _categorical_cells(target: Array, outputs: Outputs, column: Array, columns: int) -> Array:
    """Return cells whose sum over a categorical column is its cross-entropy."""
    if outputs.logits is None:
        # Normalised as in Keras: otherwise outputs that are not a distribution could cost nothing.
        p = jnp.clip(outputs.reconstruction, _SMALLEST, 1.0).T
        total = jax.ops.segment_sum(p, column, columns, indices_are_sorted=True)
        return -target * jnp.log(p / total[column]).T
    logits = outputs.logits.T
    peak = jax.ops.segment_max(logits, column, columns, indices_are_sorted=True)
    shifted = logits - jax.lax.stop_gradient(peak)[column]
    total = jax.ops.segment_sum(jnp.exp(shifted), column, columns, indices_are_sorted=True)
    return -target * (shifted - jnp.log(total)[column]).T


def _mean_over_cells(cells: Array, batch: Batch) -> Array:
    cells = cells.reshape(len(cells), -1)
    if batch.observed is None:
        return cells.mean(axis=1)
    observed = batch.observed.reshape(cells.shape)
    return (cells * observed).sum(axis=1) / jnp.maximum(observed.sum(axis=1), 1.0)
