"""The perceptual loss: pictures compared by the features of a given network.

References
----------
Johnson, Alahi and Fei-Fei (2016), "Perceptual losses for real-time style transfer and
super-resolution", European Conference on Computer Vision, section 3.2 (feature reconstruction).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from isthmus.core.types import Batch, Outputs
    from isthmus.objectives.objective import PerSample

Array = jax.Array


@dataclass(frozen=True, eq=False)
class Perceptual:
    """A loss of images that compares features instead of pixels: ``loss=Perceptual(model)``.

    It is the mean squared difference of the features of target and reconstruction (Johnson et al.,
    2016, equation 2), times `weight`, plus a loss of pixels. The model's weights do not change, and
    its layers run as in inference. They become constants of the compiled program, so it should have
    at most some million weights.

    A saved estimator stores only the name of this loss: it loads without the model, and `fit` needs
    the loss again.

    Parameters
    ----------
    features : keras.Model
        Maps pictures (n, height, width, channels) to features (n, ...), or to several arrays of
        features, whose differences are added. It sees pictures in scaled units, which are fractions
        from 0 to 1 unless `scale` is given; a model for bytes starts with
        ``keras.layers.Rescaling(255)``. Grey pictures have one channel.
    weight : float
        The weight of the features, above 0.
    pixels : str, dict or None
        The loss of pixels that is added: a name, or weights by name, as for ``loss``. None: only
        features count, and the reconstruction may differ in whatever they do not show.

    Examples
    --------
    >>> import isthmus as ist, keras
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images
    >>> edges = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(8, 3)])
    >>> loss = ist.Perceptual(edges, weight=0.5)
    >>> model = ist.Autoencoder(4, loss=loss, epochs=2, random_state=0, verbose=0).fit(X)
    >>> model.loss_
    'custom:Perceptual'
    """

    features: keras.Model
    weight: float = 0.1
    pixels: str | Mapping[str, float] | None = "mse"

    def __call__(self, target: Any, reconstruction: Any) -> Array:
        """Return the mean squared difference of the features of each picture, (n,), unweighted.

        Parameters
        ----------
        target, reconstruction : array of shape (n, height, width) or (n, height, width, channels)
            Pictures in scaled units.
        """
        return self._distance(self.features, jnp.asarray(target), jnp.asarray(reconstruction))

    def __sklearn_clone__(self) -> Self:
        """Return the loss itself: it does not change, and copies of a model take memory."""
        return self

    def per_sample(self, model: keras.Model, pixels: PerSample | None) -> PerSample:
        """Return the loss of each sample, (n,). A missing cell counts as reconstructed.

        Parameters
        ----------
        model : keras.Model
            `features`, or a faster model with the same weights in the same order.
        pixels : PerSample or None
            The loss of pixels.
        """

        def loss(batch: Batch, outputs: Outputs) -> Array:
            target = batch.target
            if batch.observed is not None:
                target = jnp.where(batch.observed > 0, target, outputs.reconstruction)
            far = self.weight * self._distance(model, target, outputs.reconstruction)
            return far if pixels is None else far + pixels(batch, outputs)

        return loss

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Trace the model once, to report errors before training.

        Raises
        ------
        InvalidParameter
            `features` is no Keras model, does not accept such pictures, or returns no features for
            each of them.
        """
        if not (
            hasattr(self.features, "stateless_call") and getattr(self.features, "built", False)
        ):
            raise InvalidParameter(
                "Perceptual features",
                expected="a Keras model that has been built",
                received=repr(self.features)[:200],
                remedy="pass a keras.Model of pictures, with an Input of their shape",
            )
        picture = sample_shape if len(sample_shape) > 2 else (*sample_shape, 1)
        cause: Exception | None = None
        received = f"pictures of shape {picture}"
        try:
            made = jax.eval_shape(lambda: self._features(self.features, jnp.zeros((2, *picture))))
            fits = all(len(each.shape) > 1 and each.shape[0] == 2 for each in made)
            if not fits:
                received = f"features of shape {[each.shape for each in made]} for 2 pictures"
        except Exception as error:  # the user's model may raise anything
            cause, fits = error, False
        if not (fits and self._takes(picture)):
            raise InvalidParameter(
                "Perceptual features",
                expected=f"a model for the pictures of fit; it takes {self._input_shape}",
                received=received,
                remedy="build the model for their size (include_top=False), with "
                "keras.layers.Resizing, Rescaling or Concatenate (grey to colour) before it",
            ) from cause

    @property
    def _input_shape(self) -> Any:
        shape = getattr(self.features, "input_shape", None)
        return shape[1:] if isinstance(shape, tuple) else shape

    def _takes(self, picture: tuple[int, ...]) -> bool:
        """Whether the sides are those of the model's input; layers without weights take any."""
        shape = self._input_shape
        known = isinstance(shape, tuple) and len(shape) == len(picture)
        return not known or all(a in (None, b) for a, b in zip(shape, picture, strict=True))

    def _distance(self, model: keras.Model, target: Array, reconstruction: Array) -> Array:
        wanted = jax.lax.stop_gradient(self._features(model, target))
        made = self._features(model, reconstruction)
        total = jnp.zeros(len(target))
        for ours, theirs in zip(made, wanted, strict=True):
            total += jnp.square(ours - theirs).mean(axis=tuple(range(1, ours.ndim)))
        return total

    def _features(self, model: keras.Model, pictures: Array) -> list[Array]:
        """Return each output of the model, (n, ...), in float32."""
        own = self.features
        made, _ = model.stateless_call(
            [variable.value for variable in own.trainable_variables],
            [variable.value for variable in own.non_trainable_variables],
            _with_channels(pictures),
            training=False,
        )
        return [jnp.asarray(each, jnp.float32) for each in jax.tree.leaves(made)]


def _with_channels(pictures: Array) -> Array:
    """Return pictures (n, height, width) with an axis of one channel, others as they are."""
    return pictures if pictures.ndim > 3 else pictures[..., None]
