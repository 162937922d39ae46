"""The denoising autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.data import pixel_noise
from isthmus.data.array_schema import ArraySchema, without_mask
from isthmus.data.corruption import FRACTION_NOISES, NOISES
from isthmus.data.hidden_pixels import hidden_pixels
from isthmus.data.reconstruction_error import row_errors
from isthmus.estimators import input_checks, parameter_checks, resolved_settings
from isthmus.estimators.base import BaseAutoencoder, TrainingGoal
from isthmus.estimators.sample_weights import without_keywords
from isthmus.objectives.catalogue import LOSSES
from isthmus.objectives.objective import Objective
from isthmus.objectives.perceptual import Perceptual
from isthmus.objectives.unbiased_risk import unbiased_risk
from isthmus.persistence import config_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Corruption
    from isthmus.data.pixel_noise import PixelNoise
    from isthmus.data.schema import Schema


_NOISE = "gaussian"
"""The noise that is added if there are only clean samples and none is named."""
_LEVEL = 0.4
"""The level of noise that is added if none is given."""
_LINEAR_IN_TARGET = ("mse", "bce")
"""Losses whose gradient is linear in the target, so that noise of mean 0 there does not bias it."""


class DenoisingAutoencoder(BaseAutoencoder):
    """Learns to reconstruct clean samples from noisy ones.

    Pass clean samples to `fit` and noisy ones to `denoise`: every training step adds new noise to
    the inputs, in scaled units, and compares the reconstruction with the clean samples (Vincent et
    al., 2010, "Stacked denoising autoencoders"). If you have pairs of noisy and clean samples, pass
    both, as ``fit(noisy, clean)``: then the noise is that of your samples. If you have only noisy
    images or series, use ``noise="blind_spot"``.

    With ``noise="blind_spot"``, the noise of a pixel must be independent of that of the others and
    have mean 0. If that of images seems to be Gaussian and of one standard deviation, which is
    estimated, more of it is added, so that the noise of input and target is independent (Pang et
    al., 2021, "Recorrupted-to-recorrupted"). Otherwise, or with another loss than mse and bce,
    random pixels are hidden and predicted from the others (Krull et al., 2019, "Noise2Void").

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    noise_level_ : float or None
        With ``noise="blind_spot"``, the standard deviation of the samples' noise in scaled units,
        given or estimated; the root mean square of those of the channels. None if pixels were
        hidden instead, and for other noise.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> model = ist.DenoisingAutoencoder(noise_level=0.3, epochs=5, random_state=0).fit(X)
    >>> model.denoise(X).shape
    (1797, 8, 8)
    """

    kind = "denoising autoencoder"
    figures = ("noise_level_",)
    later_figures = figures

    noise: Any
    noise_level: float | str
    loss: Any
    noise_level_: float | None

    _paired: bool = False
    """Whether `fit` was given noisy samples along with the clean ones."""
    _estimated: PixelNoise | None = None
    """The noise of the samples of `fit`, if it was to be estimated and could be."""

    def __init__(
        self,
        latent_dim: int | str = "auto",
        *,
        noise: Any = "auto",
        noise_level: float | str = "auto",
        architecture: str = "auto",
        encoder: Any = None,
        decoder: Any = None,
        hidden: Any = "auto",
        activation: str = "gelu",
        normalization: str = "auto",
        linear_path: bool = True,
        loss: Any = "auto",
        l1: float = 0.0,
        contraction: float = 0.0,
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

    @without_keywords
    def fit(self, X: Any, y: Any = None, *, callbacks: Any = None, **unsupported: Any) -> Self:
        """Learn to reconstruct clean samples from noisy ones.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape). Clean samples, to which `noise` is added; with `y`,
            the noisy samples. NaN and null mark missing cells.
        y : array, sparse matrix, DataFrame, Arrow table or path, optional
            The clean samples in the same order, of the shape and kind of `X`, from which scales,
            ranges and categories are learned. The loss ignores their missing cells. With
            ``noise="auto"`` no other noise is added. If `y` is `X` itself or has one value per row,
            as the labels in a pipeline, it is as if it were None.
        callbacks : keras.callbacks.Callback or list of them, optional
            As for `Autoencoder`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile, TrainingDiverged
            A setting is invalid, the samples cannot be learned, are no pairs or cannot be read, or
            the loss became infinite or NaN.
        """
        return super().fit(X, y, callbacks=callbacks, **unsupported)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the negative mean error of `denoise`, in scaled units: higher is better.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `denoise`.
        y : array, DataFrame or Arrow table, optional
            The clean samples that the results are compared with, as for `fit`; by default `X`.
        """
        other = None if y is X else y
        X = self._checked(X)
        clean = input_checks.target_of(self, X, other)
        if clean is X:
            return super().score(X)
        target = self.schema_.to_matrix(clean)
        outputs = self._reconstruct(self.schema_.to_matrix(X))
        known = ~np.isnan(target.reshape(len(target), -1)).all(axis=1)
        return -float(row_errors(target[known], outputs[known], self.schema_.segments).mean())

    def denoise(self, X: Any) -> Any:
        """Remove the noise from samples; the same as `reconstruct`.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            (n, columns) or (n, *image shape), like the data of `fit` but noisy.

        Returns
        -------
        array, DataFrame or Arrow table
            In the same container, names and units, with missing cells filled.
        """
        return self.reconstruct(X)

    def _check_incremental(self) -> None:
        if self._hides_pixels and isinstance(self.noise_level, str):
            raise InvalidParameter(
                "partial_fit with noise='blind_spot'",
                expected="a number as noise_level, because it is not estimated again by each call",
                received=repr(self.noise_level),
                remedy="pass the standard deviation of the noise in scaled units, or call fit",
            )

    def _target(self, X: Any, y: Any) -> Any:
        target = input_checks.target_of(self, X, y)
        self._paired = target is not X
        self._estimated = self._noise_of(X)
        return target

    def _noise_of(self, X: Any) -> PixelNoise | None:
        """Return the noise of pictures in their units, if it is to be estimated and can be."""
        pictures = isinstance(X, np.ndarray) and X.ndim > 2
        wanted = self._hides_pixels and isinstance(self.noise_level, str) and not self._paired
        if not (pictures and wanted) or resolved_settings.is_for_series(self):
            return None
        return pixel_noise.estimate(without_mask(X))

    def _learned_schema(self, X: Any) -> Schema:
        schema = super()._learned_schema(X)
        if self._estimated is None or self.scale != "auto" or not isinstance(schema, ArraySchema):
            return schema
        return pixel_noise.narrowed(schema, self._estimated)

    def _goal(self, schema: Schema) -> TrainingGoal:
        reconstruction, loss = resolved_settings.reconstruction(self, schema)
        corruption = self._corruption(schema)
        deviation = self._deviation(schema) if loss in _LINEAR_IN_TARGET else None
        self.noise_level_ = None
        if deviation is not None:
            self.noise_level_ = float(np.sqrt(np.square(deviation).mean()))
            corruption = pixel_noise.recorrupted(deviation)
            if loss == "mse":
                reconstruction = unbiased_risk(self.noise_level_**2, pixel_noise.ADDED)
        objective = Objective(reconstruction, resolved_settings.penalties(self))
        return TrainingGoal(objective, loss, corruption)

    @property
    def _hides_pixels(self) -> bool:
        return isinstance(self.noise, str) and self.noise == "blind_spot"

    def _deviation(self, schema: Schema) -> NDArray[np.float64] | None:
        """Return the deviation of the samples' Gaussian noise in scaled units; None if unknown."""
        if not self._hides_pixels:
            return None
        if not isinstance(self.noise_level, str):
            return np.array([float(self.noise_level)]) if self.noise_level > 0 else None
        if self._estimated is None or not isinstance(schema, ArraySchema):
            return None
        return pixel_noise.scaled(self._estimated, schema)

    @classmethod
    def _check_figures(cls, fitted: Mapping[str, Any]) -> None:
        level = fitted["noise_level_"]
        if level is not None and (isinstance(level, np.ndarray) or level <= 0):
            config_checks.refuse("level of noise", "a positive number or none", level)

    def _corruption(self, schema: Schema) -> Corruption | None:
        if isinstance(self.noise, str) and self.noise == "auto" and self._paired:
            return None
        if self._hides_pixels:
            return self._blind_spot(schema)
        level = _LEVEL if isinstance(self.noise_level, str) else float(self.noise_level)
        if callable(self.noise):
            _check_noise(self.noise, schema.sample_shape)
            custom: Corruption = self.noise
            return custom
        if isinstance(self.noise, str) and self.noise.startswith("custom:"):
            raise InvalidParameter(
                "noise",
                expected="the function itself: a saved model keeps only its name",
                received=repr(self.noise),
                remedy="set it again with set_params(noise=...)",
            )
        name = _NOISE if self.noise == "auto" else self.noise
        make = NOISES[name]
        if name in FRACTION_NOISES:
            parameter_checks.number("noise_level", level, at_least=0, at_most=1)
        return make(level, schema)

    def _blind_spot(self, schema: Schema) -> Corruption:
        if self._paired:
            raise InvalidParameter(
                "noise='blind_spot'",
                expected="noisy samples alone, as fit(noisy)",
                received="clean samples as well, which are the better target",
                remedy="leave noise='auto', or call fit(noisy)",
            )
        of_images = [name for name in LOSSES if LOSSES[name].images]
        given = resolved_settings.first_of(of_images, self.loss)
        if isinstance(self.loss, Perceptual):
            given = type(self.loss).__name__
        if given is not None:
            raise InvalidParameter(
                "noise='blind_spot'",
                expected="a loss of single pixels, because only hidden ones count",
                received=f"loss {given}",
                remedy="use mse or charbonnier",
            )
        return hidden_pixels(schema, series=resolved_settings.is_for_series(self))


def _check_noise(function: Any, sample_shape: tuple[int, ...]) -> None:
    """Trace the user's corruption once, to report errors before training."""
    shape = (2, *sample_shape)
    cause: Exception | None = None
    try:
        key = jax.eval_shape(lambda: jax.random.key(0))
        inputs = jax.eval_shape(lambda: jnp.zeros(shape, jnp.float32))
        made = jax.eval_shape(function, key, inputs)
        received = f"values of shape {made.shape} and {made.dtype}"
        fits = made.shape == shape and made.dtype == jnp.float32
    except Exception as error:  # the user's function may raise anything
        cause, fits = error, False
        received = f"{type(error).__name__}: {str(error).splitlines()[0][:150]}"
    if not fits:
        raise InvalidParameter(
            f"noise {getattr(function, '__name__', type(function).__name__)!r}",
            expected="a function of (key, inputs) that returns inputs of the same shape and "
            "float32, written with jax.numpy and jax.random",
            received=received,
            remedy="for example lambda key, x: x + 0.1 * jax.random.normal(key, x.shape)",
        ) from cause
