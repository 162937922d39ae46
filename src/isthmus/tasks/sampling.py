"""New samples from any autoencoder: codes are drawn from a density fitted on its codes."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.core.finite_outputs import require_finite
from isthmus.core.randomness import derive_seed, generator_for, resolve_seed
from isthmus.estimators import parameter_checks, parameters
from isthmus.estimators.learned_checks import contradicted
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords
from isthmus.persistence.array_checks import check_arrays
from isthmus.tasks.base import Task
from isthmus.tasks.parameters import SAMPLER_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_CANDIDATES = (1, 2, 4, 8, 16, 32)
_MOST_COMPARED = 5_000
"""Rows used to choose the number of components."""
_MOST_FITTED = 50_000
_LEAST_SHARE = 1e-4
"""Fraction of the mean variance of codes, added to each component's to keep it regular."""


class LatentSampler(Task):
    """Sampler for any autoencoder: draws codes from a density of its codes, and decodes them.

    The density is a Gaussian mixture with full covariances (Ghosh et al., 2020, "From variational
    to deterministic autoencoders", section 4). A `VariationalAutoencoder` can sample from its prior
    without it, but the mixture often fits its codes better.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    autoencoder_ : isthmus estimator
        The fitted autoencoder.
    weights_, means_, precisions_cholesky_ : arrays of shape (k,), (k, d) and (k, d, d)
        The mixture over codes of d numbers, as in scikit-learn's ``GaussianMixture``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> sampler = ist.LatentSampler(ist.Autoencoder(10, epochs=5), random_state=0).fit(X)
    >>> sampler.sample(5, random_state=0).shape
    (5, 8, 8)
    """

    kind = "latent sampler"
    _parameters = SAMPLER_PARAMETERS

    def __init__(
        self, autoencoder: Any = None, *, n_components: int | str = "auto", random_state: Any = None
    ) -> None:
        self.autoencoder = autoencoder
        self.n_components = n_components
        self.random_state = random_state

    @without_keywords
    def fit(self, X: Any, y: Any = None, **unsupported: Any) -> Self:
        """Fit the autoencoder, unless it is frozen, and the density of the codes of `X`.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape). If there are more than 50,000 rows, the density is
            fitted on 50,000 random ones.
        y : array of shape (n,), optional
            For an autoencoder that learns from labels; others ignore it.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, TrainingDiverged
            As in the autoencoder's `fit`; also if there are fewer rows than components.
        """
        refuse_keywords(unsupported)
        parameters.check(self, SAMPLER_PARAMETERS)
        wanted = self.n_components
        seed = resolve_seed(self.random_state)
        codes = self._fit_codes(X, y, seed).astype(np.float64)
        rows = generator_for(seed, "density").permutation(len(codes))[:_MOST_FITTED]
        mixture = _mixture(codes[rows], wanted, derive_seed(seed, "mixture"))
        self.weights_, self.means_ = mixture.weights_, mixture.means_
        self.precisions_cholesky_ = mixture.precisions_cholesky_
        return self

    def sample(self, n: int, *, random_state: Any = None) -> Any:
        """Return `n` new samples: decoded codes from the density, in original units.

        Parameters
        ----------
        n : int
            The number of samples.
        random_state : None, int, RandomState or Generator
            An integer gives the same samples in every call.

        Returns
        -------
        array, DataFrame or Arrow table
            (n, *sample shape), of the kind that `fit` was given.
        """
        check_is_fitted(self)
        rng = generator_for(resolve_seed(random_state), "samples")
        chosen = rng.choice(
            len(self.weights_), size=parameter_checks.count("n", n), p=self.weights_
        )
        normal = rng.standard_normal((n, self.means_.shape[1]))
        codes = self.means_[chosen]
        for component in np.unique(chosen):
            rows = chosen == component
            # The precision is L L', so that L'⁻¹ z has its inverse as covariance.
            codes[rows] += np.linalg.solve(self.precisions_cholesky_[component].T, normal[rows].T).T
        return self.autoencoder_.inverse_transform(codes)

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the log-density of the code of each row, (n,), in nats.

        This is a density of codes, not of samples. It can compare rows under one model.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        check_is_fitted(self)
        codes = self._encode(X)
        density = _log_density(codes, self.weights_, self.means_, self.precisions_cholesky_)
        require_finite(density, "the log-density")
        return density

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean of `score_samples`, higher is better."""
        return float(np.mean(self.score_samples(X)))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "weights": self.weights_,
            "means": self.means_,
            "precisions_cholesky": self.precisions_cholesky_,
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        size = self.autoencoder_.latent_dim_
        count = len(arrays["weights"]) if "weights" in arrays and arrays["weights"].ndim else 0
        check_arrays(
            arrays,
            {
                "weights": ("float64", (None,)),
                "means": ("float64", (count, size)),
                "precisions_cholesky": ("float64", (count, size, size)),
            },
        )
        weights, roots = arrays["weights"], arrays["precisions_cholesky"]
        regular = np.diagonal(roots, axis1=1, axis2=2).min() > 0 and not np.tril(roots, -1).any()
        if not (regular and weights.min() >= 0 and math.isclose(weights.sum(), 1, rel_tol=1e-9)):
            raise InvalidArchive("the archive's density", expected="a Gaussian mixture")
        self.weights_, self.means_, self.precisions_cholesky_ = weights, arrays["means"], roots

    def _check_learned(self) -> None:
        if self.n_components not in ("auto", len(self.weights_)):
            raise contradicted("n_components", self.n_components, len(self.weights_))


LatentSampler.__doc__ = parameters.documented(LatentSampler.__doc__, "sampler", SAMPLER_PARAMETERS)


def _mixture(codes: NDArray[np.float64], wanted: int | str, seed: int) -> GaussianMixture:
    """Return a mixture of `wanted` components, or of the number that is best by BIC."""
    if wanted != "auto":
        if len(codes) < max(2, int(wanted)):
            raise _too_few(len(codes), max(2, int(wanted)))
        return _fitted(codes, int(wanted), seed)
    if len(codes) < 2:
        raise _too_few(len(codes), 2)
    part = codes[:_MOST_COMPARED]
    best, lowest = 1, math.inf
    for count in _CANDIDATES:
        if count > 1 and len(part) < 2 * count * codes.shape[1]:
            break
        criterion = _fitted(part, count, seed).bic(part)
        if criterion > lowest:
            break
        best, lowest = count, criterion
    return _fitted(codes, best, seed)


def _fitted(codes: NDArray[np.float64], count: int, seed: int) -> GaussianMixture:
    floor = max(_LEAST_SHARE * codes.var(axis=0).mean(), 1e-12)
    mixture = GaussianMixture(count, reg_covar=floor, max_iter=200, random_state=seed)
    with warnings.catch_warnings():
        # A mixture that has not converged can be sampled from too; equal codes are allowed.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(codes)


def _too_few(rows: int, needed: int) -> InvalidParameter:
    return InvalidParameter(
        "n_components",
        expected=f"at least {needed} rows for the density",
        received=str(rows),
        remedy="add rows, or set a smaller n_components",
    )


def _log_density(
    codes: Floats,
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    roots: NDArray[np.float64],
) -> NDArray[np.float64]:
    terms = np.empty((len(codes), len(weights)))
    for k, (mean, root) in enumerate(zip(means, roots, strict=True)):
        away = (codes - mean) @ root
        terms[:, k] = np.log(np.diagonal(root)).sum() - 0.5 * np.square(away).sum(axis=1)
    constant = 0.5 * means.shape[1] * math.log(2 * math.pi)
    density: NDArray[np.float64] = logsumexp(terms, b=weights, axis=1) - constant
    return density
