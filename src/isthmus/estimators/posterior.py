"""Posteriors of a fitted variational network: sampled outputs, divergence and evidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.kl import kl, log_density_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.networks.network import Network
    from isthmus.objectives.objective import PerSample

# Rows of a program, and the maximum number of cells that it decodes at once.
_ROWS = 64
_CELLS = 1 << 20


class FittedVariationalModel:
    """A network with a Gaussian bottleneck as thread-safe compiled programs.

    Parameters
    ----------
    network : Network
        The network; its weights are copied.
    """

    def __init__(self, network: Network) -> None:
        full = network.full
        self._noise_dim = network.noise_dim
        self._weights = tuple(
            [jnp.array(v.value, copy=True) for v in variables]
            for variables in (full.trainable_variables, full.non_trainable_variables)
        )

        def outputs(weights: Any, rows: Any, noise: Any) -> Outputs:
            inputs = [jnp.where(jnp.isnan(rows), 0.0, rows), noise]
            values, _ = full.stateless_call(*weights, inputs, training=False)
            return Outputs(**values)

        self._outputs = outputs
        self._run = jax.jit(outputs)

    def outputs(self, rows: Floats, key: Any) -> Outputs:
        """Return the outputs as in training, with sampled codes, for rows (n, *sample_shape)."""
        parts = []
        for start in range(0, len(rows), _ROWS):
            piece = _padded(rows[start : start + _ROWS])
            noise = jax.random.normal(jax.random.fold_in(key, start), (_ROWS, self._noise_dim))
            parts.append(jax.tree.map(np.asarray, self._run(self._weights, piece, noise)))
        return jax.tree.map(lambda *arrays: np.concatenate(arrays)[: len(rows)], *parts)  # type: ignore[no-any-return]

    def log_evidence(
        self, rows: Floats, term: PerSample, samples: int, key: Any
    ) -> NDArray[np.float64]:
        """Estimate the log likelihood of rows by importance sampling, (n,), in nats.

        The estimate is ``log mean of p(x | z) p(z) / q(z | x)`` over codes z from the posterior q.
        On average it is a lower bound, which more samples tighten (Burda et al., 2016, "Importance
        weighted autoencoders", equation 8).

        Parameters
        ----------
        rows : float32 array of shape (n, *sample_shape)
            NaN marks missing cells, which are left out.
        term : PerSample
            -log p(x | z) per cell of the sample.
        samples : int
            Number of codes per row.
        key : jax key
            Determines the codes.
        """
        cells = math.prod(rows.shape[1:])
        together = max(1, min(samples, _CELLS // (_ROWS * cells)))

        def weigh(weights: Any, rows: Any, key: Any) -> Any:
            noises = jax.random.normal(key, (together, _ROWS, self._noise_dim))
            observed = (~jnp.isnan(rows)).astype(jnp.float32)
            present = jnp.where(observed > 0, rows, 0.0)
            batch = Batch(present, present, jnp.ones(_ROWS), observed)

            def one(noise: Any) -> Any:
                # Only the noise differs between samples, so the encoder runs once for all.
                made = self._outputs(weights, rows, noise)
                return log_density_ratio(made, noise) - cells * term(batch, made)

            return jax.vmap(one)(noises)

        program = jax.jit(weigh)
        result = np.empty(len(rows))
        for start in range(0, len(rows), _ROWS):
            piece = _padded(rows[start : start + _ROWS])
            drawn = []
            for chunk in range(-(-samples // together)):
                own = jax.random.fold_in(jax.random.fold_in(key, start), chunk)
                drawn.append(program(self._weights, piece, own))
            weights = np.concatenate([np.asarray(each, np.float64) for each in drawn])[:samples]
            evidence = np.logaddexp.reduce(weights, axis=0) - math.log(samples)
            result[start : start + _ROWS] = evidence[: len(rows) - start]
        return result


def divergences(outputs: Outputs) -> NDArray[np.float64]:
    """Return the mean KL divergence of the posteriors by dimension, (dimensions,), in nats."""
    means: NDArray[np.float64] = np.asarray(kl(outputs), np.float64).mean(axis=0)
    return means


def aggregate_moments(outputs: Outputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the mixture of the codes' posteriors, (latent_dim,)."""
    size = outputs.code.shape[1]
    means = np.asarray(outputs.mean, np.float64)[:, :size]
    variances = np.exp(np.asarray(outputs.log_variance, np.float64)[:, :size])
    return means.mean(axis=0), np.sqrt(means.var(axis=0) + variances.mean(axis=0))


def _padded(rows: Floats) -> Floats:
    if len(rows) == _ROWS:
        return rows
    return np.concatenate([rows, np.zeros((_ROWS - len(rows), *rows.shape[1:]), rows.dtype)])
