"""Likelihoods: what a decoder's output says of a sample, as minus its log density.

Each is a term per sample in nats *per cell of the sample*: the sum over its observed cells,
divided by the number of all its cells. That differs from a loss, which divides by the observed
ones: where cells are missing there is less evidence, and the divergence beside it counts for more.
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
"""A thousandth of a scale, squared: cells that are foreseen exactly would have a density of
infinity."""


class Likelihood(NamedTuple):
    """What `LIKELIHOODS` holds under a name."""

    make: Callable[[Sequence[Segment], float | None], PerSample]
    """The term for such columns and a noise variance. None: the variance that fits each batch
    best, which only training may use, since a density needs one that is known beforehand."""
    fits: tuple[Values, ...]
    """The values it can measure."""
    variance: float | None = None
    """The noise variance where the name says it; "gaussian" has to learn its own."""


def bernoulli(_segments: Sequence[Segment] = (), _variance: float | None = None) -> PerSample:
    """Return the term of independent cells that are 1 with the reconstruction's probability.

    Shares between 0 and 1 are taken as probabilities of a 1, so the term is a cross-entropy.
    """

    def term(batch: Batch, outputs: Outputs) -> Array:
        return _per_cell(binary_cells(batch.target, outputs), batch)

    return term


def binarized(_segments: Sequence[Segment] = (), _variance: float | None = None) -> PerSample:
    """Return the Bernoulli term of cells drawn anew in each step, which the network was fed.

    The corruption `isthmus.data.corruption.binarize` draws the inputs. The target is these, not the
    probabilities that they were drawn from.
    """

    def term(batch: Batch, outputs: Outputs) -> Array:
        return _per_cell(binary_cells(batch.inputs, outputs), batch)

    return term


def gaussian(_segments: Sequence[Segment] = (), variance: float | None = None) -> PerSample:
    """Return the term of independent cells with normal noise of one variance.

    Without a `variance` it is that of the batch's own errors, which is the best one: then there is
    no balance between reconstruction and divergence to be tuned (Rybkin et al., 2021, "Simple and
    effective VAE training with calibrated decoders", section 4).
    """

    def term(batch: Batch, outputs: Outputs) -> Array:
        squares = jnp.square(outputs.reconstruction - batch.target)
        return _per_cell(_normal(squares, batch, variance), batch)

    return term


def mse(segments: Sequence[Segment] = (), variance: float | None = None) -> PerSample:
    """Return, for training, the squared error: a gaussian of variance 1/2, but for a constant.

    With a divergence of weight 1 the objective is what textbooks print as ``784 * MSE + KL``,
    divided by 784. With the `variance` that it stands for it is a density.
    """
    if variance is not None:
        return gaussian(segments, variance)

    def term(batch: Batch, outputs: Outputs) -> Array:
        return _per_cell(jnp.square(outputs.reconstruction - batch.target), batch)

    return term


def mixture(segments: Sequence[Segment], variance: float | None = None) -> PerSample:
    """Return the term of a table: gaussian, Bernoulli and categorical columns, in nats."""
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
    """Return the likelihood that ``"auto"`` means for such values, or check the one named.

    Raises
    ------
    InvalidParameter
        The likelihood is unknown, or cannot measure such values.
    """
    if name == "auto":
        return _AUTO[values]
    if values not in LIKELIHOODS[name].fits:
        shares = "values within [0, 1]"
        wanted = {"bernoulli": shares, "binarized": shares, "mixture": "a table of several kinds"}
        received = {"real": "real numbers", "unit": shares, "mixed": "such a table"}
        raise InvalidParameter(
            f"likelihood {name!r}",
            expected=wanted[name],
            received=received[values],
            remedy="leave likelihood='auto'"
            + (", or scale='range'" if shares == wanted[name] else ""),
        )
    return name


def _normal(
    squares: Array, batch: Batch, variance: float | None, numeric: Array | None = None
) -> Array:
    """Return minus the log density of each cell in nats."""
    # Where the variance is the best one the derivative by it is 0, so it may count as constant.
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
