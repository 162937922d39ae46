"""The importance weighted bound, from several codes drawn for each sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class ImportanceWeighting:
    """Combines the terms of several codes of a sample.

    With codes z1, ..., zk from the posterior q of a sample x, and importance weights
    ``w = p(x | z) p(z) / q(z | x)``, the bound on log p(x) is the log of the mean of the weights
    (Burda, Grosse and Salakhutdinov, 2016, "Importance weighted autoencoders", equation 8). As the
    codes are differentiable functions of noise, the bound's gradient is that of the log weights,
    averaged in proportion to the weights (equation 14).

    Parameters
    ----------
    samples : int
        Codes drawn for each sample, k. With one the bound is the evidence lower bound (ELBO).
    cells : int
        Number of cells of a sample. Terms and bound are per cell.
    """

    samples: int
    cells: int

    def __call__(self, terms: jax.Array) -> jax.Array:
        """Return the negative bound of each sample, per cell, (n,).

        Parameters
        ----------
        terms : array of shape (samples * n,)
            -log w per cell, of a code of every sample, then of the next code of every sample.
        """
        log_weights = -self.cells * terms.reshape(self.samples, -1)
        total = jax.scipy.special.logsumexp(log_weights, axis=0)
        return (math.log(self.samples) - total) / self.cells
