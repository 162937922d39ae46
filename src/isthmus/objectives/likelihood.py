"""Likelihoods: the negative log density of a sample under the decoder's output.

Each is a term per sample in nats *per cell of the sample*: the sum over its observed cells,
divided by the number of all its cells. A loss divides by the number of observed cells instead. With
a likelihood, missing cells mean less evidence, and the KL divergence has more weight.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter
from isthmus.objectives.reconstruction import binary_cells, cell_entropies, cells_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isthmus.core.types import Batch, Outputs, Segment, Values
    from isthmus.objectives.objective import PerSample

Array = jax.Array
SMALLEST_VARIANCE = 1e-6
"""A thousandth of a scaled unit, squared. Without this bound, cells that are predicted exactly
would have infinite density."""


class Likelihood(NamedTuple):
    """An entry of `LIKELIHOODS`."""

    make: Callable[[Sequence[Segment], float | None], PerSample]
    """Returns the term for these columns and a noise variance. None means the variance that fits
    each batch best; only training may use that, since a density needs a fixed variance."""
    fits: tuple[Values, ...]
    """The kinds of values that it applies to."""
    variance: float | None = None
    """The noise variance, if it is fixed; "gaussian" learns its own."""


def bernoulli(_segments: Sequence[Segment] = (), _variance: float | None = None) -> PerSample:
    """Return the term of independent cells that are 1 with the reconstruction's probability.

    Targets between 0 and 1 are treated as probabilities of a 1, so the term is a cross-entropy.
    """

    def term(batch: Batch, outputs: Outputs) -> Array:
        return _per_cell(binary_cells(batch.target, outputs), batch)

    return term


def binarized(_segments: Sequence[Segment] = (), _variance: float | None = None) -> PerSample:
    """Return the Bernoulli term for inputs that are sampled at every step.

    The corruption `isthmus.data.corruption.binarize` samples the inputs. The target is the sampled
    inputs, not the probabilities that they were sampled from.
    """

    def term(batch: Batch, outputs: Outputs) -> Array:
        return _per_cell(binary_cells(batch.inputs, outputs), batch)

    return term


def gaussian(_segments: Sequence[Segment] = (), variance: float | None = None) -> PerSample:
    """Return the term of independent cells with normal noise of one variance.

    By default the variance is the mean squared error of the batch, its maximum likelihood
    estimate. The balance between reconstruction and divergence then needs no tuning (Rybkin et al.,
    2021, "Simple and effective VAE training with calibrated decoders", section 4).
    """

    def term(batch: Batch, outputs: Outputs) -> Array:
        squares = jnp.square(outputs.reconstruction - batch.target)
        return _per_cell(_normal(squares, batch, variance), batch)

    return term


def mse(segments: Sequence[Segment] = (), variance: float | None = None) -> PerSample:
    """Return the squared error for training: up to a constant, a Gaussian with variance 1/2.

    With a divergence of weight 1 the objective is the ``784 * MSE + KL`` of textbooks, divided by
    784. With a `variance` the term is the Gaussian density itself.
    """
    if variance is not None:
        return gaussian(segments, variance)

    def term(batch: Batch, outputs: Outputs) -> Array:
        return _per_cell(jnp.square(outputs.reconstruction - batch.target), batch)

    return term


def mixture(segments: Sequence[Segment], variance: float | None = None) -> PerSample:
    """Return the term of a table: Gaussian, Bernoulli and categorical columns, in nats."""
    entropies, numeric = cell_entropies(segments), cells_of(segments, "numeric")

    def term(batch: Batch, outputs: Outputs) -> Array:
        squares = jnp.square(outputs.reconstruction - batch.target)
        cells = _normal(squares, batch, variance, numeric)
        return _per_cell(jnp.where(numeric, cells, entropies(batch, outputs)), batch)

    return term


LIKELIHOODS: Catalogue[Likelihood] = Catalogue(
    "likelihood",
    {
        "bernoulli": Likelihood(bernoulli, ("unit",)),
        "binarized": Likelihood(binarized, ("unit",)),
        "gaussian": Likelihood(gaussian, ("real", "unit", "mixed")),
        "mse": Likelihood(mse, ("real", "unit", "mixed"), variance=0.5),
        "mixture": Likelihood(mixture, ("mixed",)),
    },
)
_AUTO: dict[Values, str] = {"real": "gaussian", "unit": "bernoulli", "mixed": "mixture"}


def resolve_likelihood(name: str, values: Values) -> str:
    """Resolve ``"auto"`` for the given kind of values; check any other name.

    Raises
    ------
    InvalidParameter
        The likelihood is unknown, or does not apply to such values.
    """
    if name == "auto":
        return _AUTO[values]
    if values not in LIKELIHOODS[name].fits:
        unit = "values within [0, 1]"
        wanted = {"bernoulli": unit, "binarized": unit, "mixture": "a table of several kinds"}
        received = {"real": "real numbers", "unit": unit, "mixed": "such a table"}
        raise InvalidParameter(
            f"likelihood {name!r}",
            expected=wanted[name],
            received=received[values],
            remedy="leave likelihood='auto'"
            + (", or scale='range'" if unit == wanted[name] else ""),
        )
    return name


def _normal(
    squares: Array, batch: Batch, variance: float | None, numeric: Array | None = None
) -> Array:
    """Return the negative log density of each cell in nats."""
    # At the best variance the derivative with respect to it is 0, so it can be treated as constant.
    v = jax.lax.stop_gradient(
        _best_variance(squares, batch, numeric) if variance is None else jnp.float32(variance)
    )
    return 0.5 * (squares / v + jnp.log(2.0 * math.pi * v))


def _best_variance(squares: Array, batch: Batch, numeric: Array | None) -> Array:
    weight = batch.weight.reshape(-1, *[1] * (squares.ndim - 1)) * jnp.ones_like(squares)
    if batch.observed is not None:
        weight = weight * batch.observed
    if numeric is not None:
        weight = weight * numeric
    mean = (squares * weight).sum() / jnp.maximum(weight.sum(), 1.0)
    return jnp.maximum(mean, SMALLEST_VARIANCE)


def _per_cell(cells: Array, batch: Batch) -> Array:
    if batch.observed is not None:
        cells = cells * batch.observed
    return cells.mean(axis=tuple(range(1, cells.ndim)))
