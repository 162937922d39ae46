"""The variational autoencoder."""

from __future__ import annotations

import math
import warnings
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.utils.validation import check_is_fitted

from isthmus.core.errors import InvalidParameter, TrainingWarning
from isthmus.core.finite_outputs import require_finite
from isthmus.core.randomness import generator_for, key_for, resolve_seed
from isthmus.data.corruption import binarize
from isthmus.data.table_outputs import drawn, has_atoms, with_odds
from isthmus.data.table_schema import TableSchema
from isthmus.estimators import parameter_checks
from isthmus.estimators.base import BaseAutoencoder, TrainingGoal
from isthmus.estimators.learned_checks import contradicted
from isthmus.estimators.posterior import (
    FittedVariationalModel,
    aggregate_moments,
    divergences,
)
from isthmus.estimators.resolved_settings import architecture_of
from isthmus.networks.bottlenecks import GaussianBottleneck
from isthmus.networks.inference import Function
from isthmus.networks.residual import Residual
from isthmus.networks.stochastic_levels import HierarchicalBottleneck, level_sizes
from isthmus.objectives.importance import ImportanceWeighting
from isthmus.objectives.kl import divergence, sampled_divergence
from isthmus.objectives.likelihood import LIKELIHOODS, SMALLEST_VARIANCE, resolve_likelihood
from isthmus.objectives.objective import Objective
from isthmus.persistence import config_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.networks.bottlenecks import Bottleneck
    from isthmus.networks.network import Network
    from isthmus.objectives.objective import PerSample
    from isthmus.persistence.artifact import Artifact
    from isthmus.training.loop import TrainingData

COLLAPSED = 0.01
"""A latent dimension whose divergence is below this, in nats, carries no information."""
_MOST_MEASURED = 10_000
_MOST_AGGREGATED = 2_000
"""Training rows over which the moments of codes are measured."""
_MOST_NAMED = 10
_BINARY = ("bernoulli", "binarized")
"""Likelihoods of cells that are 0 or 1."""


class VariationalAutoencoder(BaseAutoencoder):
    """Learns a distribution of codes for each sample, and generates new samples from codes.

    It maximises the evidence lower bound (ELBO) of Kingma and Welling, 2014, "Auto-encoding
    variational Bayes": the expected log likelihood of a sample under its posterior, minus the
    posterior's KL divergence from the prior: a standard normal, or one that is learned, with
    several `levels`. The loss, which ``history_`` records, is -ELBO
    per cell of a sample, in nats, so that learning rates mean the same as for `Autoencoder`;
    multiplied by the number of cells, it is the negative ELBO reported in papers.

    With several `importance_samples`, k, it maximises the importance weighted bound of Burda et
    al., 2016, "Importance weighted autoencoders" (IWAE): the log of the mean weight of k codes
    from the posterior, ``p(x | z) p(z) / q(z | x)``. It is at least the ELBO, and the loss is then
    its negative per cell.

    `transform` returns the mean of the posterior, from which reconstructions are decoded.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    kl_ : array of shape (dimensions,)
        Mean KL divergence of each latent dimension on the held-out rows, in nats. A dimension with
        a value near 0 is not used. The dimensions of the code come first, then those of further
        `levels`.
    noise_variance_ : float or None
        Variance of the decoder's noise in scaled units, for likelihoods that have one.
    code_mean_, code_std_ : arrays of shape (latent_dim,)
        Mean and standard deviation of each latent dimension over the training rows and their
        posteriors (the aggregate posterior of Makhzani et al., 2015, "Adversarial autoencoders").
        With one level, `sample` draws from a normal distribution of mean 0 and standard deviation
        1: if they are far from that, its samples are unlike the data, and `LatentSampler` or
        ``levels=2`` gives better ones.
        None for a model that was saved by an earlier version.

    Warns
    -----
    TrainingWarning
        Latent dimensions have collapsed: their KL divergence is below 0.01 nats.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> model = ist.VariationalAutoencoder(2, epochs=20, random_state=0).fit(X)
    >>> model.sample(5, random_state=0).shape
    (5, 8, 8)
    """

    kind = "variational autoencoder"
    figures = ("kl_", "noise_variance_", "code_mean_", "code_std_")
    later_figures = ("code_mean_", "code_std_")

    levels: int
    importance_samples: int
    beta: float
    warmup: float
    free_bits: float
    likelihood: str

    def __init__(
        self,
        latent_dim: int | str = "auto",
        *,
        levels: int = 1,
        importance_samples: int = 1,
        beta: float = 1.0,
        warmup: float = 0.0,
        free_bits: float = 0.0,
        likelihood: str = "auto",
        architecture: str = "auto",
        encoder: Any = None,
        decoder: Any = None,
        hidden: Any = "auto",
        activation: str = "gelu",
        normalization: str = "auto",
        linear_path: bool = True,
        scale: str = "auto",
        unknown: str = "warn",
        augmentation: str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 0.005,
        schedule: str = "cosine",
        clip_norm: float | None = 1.0,
        patience: int | str | None = "auto",
        validation_fraction: float = 0.1,
        precision: str = "float32",
        checkpoint: Any = None,
        checkpoint_every: int = 1,
        warm_start: bool = False,
        verbose: int = 1,
        random_state: Any = None,
    ) -> None:
        self._store(locals())

    def sample(self, n: int, *, draw: bool | None = None, random_state: Any = None) -> Any:
        """Return `n` new samples: codes from the prior, decoded, in original units.

        Parameters
        ----------
        n : int
            Number of samples.
        draw : bool, optional
            Whether to draw cells from the distribution that the decoder predicts: categories and
            booleans by their probabilities, numbers with noise of variance ``noise_variance_``
            within the range of their column. With a likelihood without learned variance, numbers
            are the decoder's means. False: the means and the most likely categories. None: True
            for tables, False for arrays.
        random_state : None, int, RandomState or Generator
            An integer makes the samples reproducible.

        Returns
        -------
        array, DataFrame or Arrow table
            (n, *sample shape), in the container that `fit` was given.
        """
        check_is_fitted(self)
        seed = resolve_seed(random_state)
        outputs = self._decode(self._prior(parameter_checks.count("n", n), seed))
        if draw is None:
            draw = isinstance(self.schema_, TableSchema) and self.schema_.has_domains
        return self._drawn(outputs, seed) if draw else self.schema_.from_matrix(outputs)

    def _prior(self, n: int, seed: int) -> Floats:
        """Return codes drawn from the prior, (n, latent_dim)."""
        shape = (n, self.network_.noise_dim)
        noise = generator_for(seed, "prior").standard_normal(shape, np.float32)
        return noise if self._from_prior is None else self._from_prior(noise)

    def _drawn(self, outputs: Floats, seed: int) -> Any:
        """Return samples drawn from the distributions that the decoder's outputs describe."""
        rng = generator_for(seed, "cells")
        learned = LIKELIHOODS[self.loss_].variance is None
        variance = self.noise_variance_ if learned else None
        if isinstance(self.schema_, TableSchema):
            return self.schema_.exact().from_matrix(drawn(self.schema_, outputs, variance, rng))
        if self.loss_ in _BINARY:
            return self.schema_.from_matrix(rng.random(outputs.shape) < outputs)
        noise = rng.standard_normal(outputs.shape) * math.sqrt(variance or 0.0)
        return self.schema_.from_matrix(outputs + noise)

    def interpolate(self, a: Any, b: Any, steps: int = 8) -> Any:
        """Interpolate from `a` to `b`: return samples decoded from the line between their codes.

        Parameters
        ----------
        a, b : array, DataFrame or Arrow table
            One sample each: (*sample shape) or (1, *sample shape), or a table with one row.
        steps : int
            Number of samples, including the reconstructions of `a` and `b`.

        Returns
        -------
        array, DataFrame or Arrow table
            (steps, *sample shape).
        """
        check_is_fitted(self)
        fraction = np.linspace(
            0, 1, parameter_checks.count("steps", steps, at_least=2), dtype=np.float32
        )
        start, end = self._code_of("a", a), self._code_of("b", b)
        codes = start + fraction[:, None] * (end - start)
        return self.schema_.from_matrix(self._decode(codes))

    def latent_plane(self, steps: int = 20) -> Any:
        """Return samples decoded from a grid over a two-dimensional latent space.

        The grid has steps of equal probability under the prior (Kingma and Welling, 2014,
        appendix A).

        Parameters
        ----------
        steps : int
            Grid points along each dimension.

        Returns
        -------
        array, DataFrame or Arrow table
            (steps * steps, *sample shape), row by row: the first latent coordinate increases within
            a row of the grid, the second decreases from row to row, as on a map.
        """
        check_is_fitted(self)
        if self.latent_dim_ != 2 or self._from_prior is not None:
            levels = "" if self._from_prior is None else f", levels={self.levels}"
            raise InvalidParameter(
                "latent_plane",
                expected="a model with latent_dim=2 and one level",
                received=f"latent_dim={self.latent_dim_}{levels}",
                remedy="fit a model with latent_dim=2, or use sample or interpolate",
            )
        steps = parameter_checks.count("steps", steps)
        quantiles = [NormalDist().inv_cdf((i + 0.5) / steps) for i in range(steps)]
        ticks = np.array(quantiles, np.float32)
        across, down = np.meshgrid(ticks, ticks[::-1])
        return self.schema_.from_matrix(self._decode(np.column_stack([across.flat, down.flat])))

    def log_likelihood(
        self, X: Any, samples: int = 100, *, random_state: Any = None
    ) -> NDArray[np.float64]:
        """Estimate the log likelihood of samples, (n,), in nats.

        Uses importance sampling from the posterior (Burda et al., 2016, "Importance weighted
        autoencoders", equation 8). The estimate is a lower bound that more `samples` tighten; with
        one it is the ELBO. Densities are those of scaled units. Missing cells are left out.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `fit`.
        samples : int
            Number of codes per row; papers use 5,000.
        random_state : None, int, RandomState or Generator
            An integer makes the estimate reproducible.
        """
        X = self._checked(X)
        key = key_for(resolve_seed(random_state), "importance")
        samples = parameter_checks.count("samples", samples)
        term = LIKELIHOODS[self.loss_].make(self.schema_.segments, self.noise_variance_)
        rows = self._seen(self.schema_.to_matrix(X), jax.random.fold_in(key, 1))
        evidence = self._whole.log_evidence(rows, term, samples, key)
        require_finite(evidence, "the log likelihood")
        return evidence

    def _check_incremental(self) -> None:
        if self.warmup > 0:
            raise InvalidParameter(
                "partial_fit",
                expected="warmup=0, because beta would rise from 0 again in each call",
                received=f"warmup={self.warmup}",
                remedy="leave warmup out, or call fit",
            )

    def _goal(self, schema: Schema) -> TrainingGoal:
        name = resolve_likelihood(self._likelihood_for(schema), schema.values)
        term = LIKELIHOODS[name].make(schema.segments, None)
        corruption = binarize if name == "binarized" else None
        return TrainingGoal(self._bound(term, math.prod(schema.sample_shape)), name, corruption)

    def _bound(self, term: PerSample, cells: int) -> Objective:
        """Return the negative bound on the log likelihood, per cell."""
        beta, warmup, free = float(self.beta), float(self.warmup), float(self.free_bits)
        samples = int(self.importance_samples)
        if samples == 1:
            return Objective(term, (divergence(beta, cells=cells, warmup=warmup, free_bits=free),))
        if free > 0:
            raise InvalidParameter(
                "free_bits",
                expected="0 with importance_samples above 1, whose bound has no divergence of each "
                "dimension",
                received=f"free_bits={free} and importance_samples={samples}",
                remedy="leave one of them out; warmup also keeps dimensions from collapsing",
            )
        ratio = sampled_divergence(beta, cells=cells, warmup=warmup)
        return Objective(term, (ratio,), weighting=ImportanceWeighting(samples, cells))

    def _likelihood_for(self, schema: Schema) -> str:
        if self.likelihood != "auto":
            return self.likelihood
        if self.encoder is not None:
            return "mse"  # the last layer may not give probabilities
        if schema.values == "unit" and architecture_of(self, schema) is Residual:
            return "gaussian"  # as fractions of colour are no probabilities
        return "auto"

    def _measure(self, data: TrainingData, seed: int) -> None:
        chosen = data.training if data.validation is None else data.validation
        rows = self._seen(data.matrix[chosen[:_MOST_MEASURED]], key_for(seed, "measured rows"))
        outputs = self._whole.outputs(rows, key_for(seed, "measure"))
        self.kl_ = divergences(outputs)
        self.noise_variance_ = self._noise_variance(rows, outputs.reconstruction)
        some = generator_for(seed, "aggregate").permutation(data.training)[:_MOST_AGGREGATED]
        key = key_for(seed, "aggregate")
        rows = self._seen(data.matrix[some], key)
        self.code_mean_, self.code_std_ = aggregate_moments(self._whole.outputs(rows, key))
        if has_atoms(self.schema_):
            some = generator_for(seed, "odds").permutation(len(data.matrix))[:_MOST_MEASURED]
            rows = data.matrix[some]
            made = np.asarray(self._whole.outputs(rows, key_for(seed, "odds")).reconstruction)
            new = self._decode(self._prior(_MOST_MEASURED, seed))
            self.schema_ = with_odds(self.schema_, rows, made, new)
        dead = np.flatnonzero(self.kl_[: self.latent_dim_] < COLLAPSED)
        if len(dead):
            named = ", ".join(map(str, dead[:_MOST_NAMED])) + ", ..." * (len(dead) > _MOST_NAMED)
            warnings.warn(
                f"{len(dead)} of {self.latent_dim_} latent dimensions collapsed: their divergence "
                f"is below {COLLAPSED} nats, so they carry no information ({named}). Try: a "
                "warmup, free_bits or a smaller beta, unless the other dimensions suffice.",
                TrainingWarning,
                stacklevel=5,
            )

    @classmethod
    def _check_figures(cls, fitted: Mapping[str, Any]) -> None:
        if not isinstance(fitted["kl_"], np.ndarray):
            config_checks.refuse("divergences", "a number for each latent dimension", fitted["kl_"])
        moments = [fitted[name] for name in cls.later_figures]
        if any(moment is not None for moment in moments):
            arrays = all(isinstance(moment, np.ndarray) for moment in moments)
            if not arrays or (moments[1] < 0).any():
                config_checks.refuse("moments of codes", "means and deviations", moments)
        loss, variance = fitted["loss_"], fitted["noise_variance_"]
        fixed = LIKELIHOODS[loss].variance
        if fixed is not None or loss in _BINARY:
            fits = variance == fixed
        else:
            fits = type(variance) is float and variance >= SMALLEST_VARIANCE
        if not fits:
            expected = f"that of the likelihood {loss!r}"
            config_checks.refuse("variance of the noise", expected, variance)

    def _seen(self, rows: Floats, key: Any) -> Floats:
        """Return rows as in training: with sampled cells if the likelihood is "binarized"."""
        if self.loss_ != "binarized":
            return rows
        cells = np.asarray(binarize(key, jnp.asarray(rows)))
        sampled: Floats = np.where(np.isnan(rows), rows, cells)
        return sampled

    def _noise_variance(self, rows: Floats, reconstruction: Any) -> float | None:
        """Return the variance of the decoder's noise, for likelihoods that have one."""
        fixed = LIKELIHOODS[self.loss_].variance
        if fixed is not None or self.loss_ in _BINARY:
            return fixed
        squares = np.square(rows - reconstruction, dtype=np.float64)
        if self.schema_.values == "mixed" and self.loss_ == "mixture":
            numeric = [s.start for s in self.schema_.segments if s.kind == "numeric"]
            squares = squares[:, numeric]
        if np.isnan(squares).all():
            return 1.0  # no numbers to estimate it from, so it is not used
        return max(float(np.nanmean(squares)), SMALLEST_VARIANCE)

    def _code_of(self, name: str, X: Any) -> Floats:
        if isinstance(X, np.ndarray | list) and np.ndim(X) == len(self.schema_.sample_shape):
            X = np.asarray(X)[None]
        X = self._checked(X)
        if len(X) != 1:
            raise InvalidParameter(
                name,
                expected="one sample",
                received=f"{len(X)} rows",
                remedy=f"pass X[0] as {name}, for example",
            )
        return self._encode(self.schema_.to_matrix(X))

    def _keep_network(self, network: Network) -> None:
        super()._keep_network(network)
        self._whole = FittedVariationalModel(network)
        self._from_prior = None if network.prior is None else Function(network.prior)

    def _to_artifact(self) -> Artifact:
        if sum(level_sizes(self.latent_dim_, int(self.levels))) != len(self.kl_):
            learned = "the number of levels that was learned"
            raise contradicted("levels", self.levels, learned)
        return super()._to_artifact()

    @classmethod
    def _bottleneck_of(cls, latent_dim: int, settings: Mapping[str, Any]) -> Bottleneck:
        levels = int(settings.get("levels", 1))
        if levels == 1:
            return GaussianBottleneck(latent_dim)
        return HierarchicalBottleneck(latent_dim, levels)

    @classmethod
    def _size_of_figure(cls, name: str, latent_dim: int, settings: Mapping[str, Any]) -> int:
        if name != "kl_":
            return latent_dim
        return sum(level_sizes(latent_dim, int(settings.get("levels", 1))))
