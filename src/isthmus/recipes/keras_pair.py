"""An encoder and a decoder of Keras layers, trained exactly as in a tutorial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from isthmus.core.randomness import derive_seed
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.networks.initializers import draw, without_values

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

Layers = Callable[[], Sequence[keras.Layer]]


@dataclass(frozen=True)
class KerasPair:
    """The layers, loss, optimizer and batch size that a tutorial describes.

    Parameters
    ----------
    shape : tuple of int
        The shape of an image.
    encoder, decoder : callable
        Return the layers of each half. The code between them is flat: where the tutorial's encoder
        ends in feature maps, Flatten and Reshape are added, which have no parameters.
    loss : str or callable
        As in `Autoencoder`.
    batch_size : int
        Rows per step; 32, Keras' default, if the tutorial gives none.
    optimizer : callable
        Returns a Keras optimizer.
    code : int, optional
        Size of the decoder's input, if the estimator makes the code from the encoder's output.
    """

    shape: tuple[int, ...]
    encoder: Layers
    decoder: Layers
    loss: Any
    batch_size: int = 32
    optimizer: Callable[[], Any] = keras.optimizers.Adam
    code: int | None = None

    def pair(self, seed: int) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder with initial weights drawn from `seed`."""

        def build() -> tuple[keras.Model, keras.Model]:
            encoder = keras.Sequential([keras.Input(self.shape), *self.encoder()], name="encoder")
            code = keras.Input((self.code or encoder.output_shape[1],))
            return encoder, keras.Sequential([code, *self.decoder()], name="decoder")

        encoder, decoder = without_values(build)
        for model in (encoder, decoder):
            draw(model, derive_seed(seed, model.name))
        return encoder, decoder

    def settings(self, plan: RecipePlan) -> dict[str, Any]:
        """Return settings with which any estimator trains the pair as Keras' `fit` would.

        There is no schedule, no gradient clipping and no held-out fraction.
        """
        encoder, decoder = self.pair(plan.seed)
        return {
            "encoder": encoder,
            "decoder": decoder,
            "optimizer": self.optimizer(),
            "schedule": "constant",
            "clip_norm": None,
            "patience": None,
            "validation_fraction": 0,
            "epochs": plan.epochs,
            "batch_size": self.batch_size,
            "random_state": plan.seed,
        }

    def autoencoder(self, plan: RecipePlan, **changed: Any) -> Autoencoder:
        """Return an unfitted estimator; `changed` replaces some of its parameters."""
        return Autoencoder(**{**self.settings(plan), "loss": self.loss, **changed})

    def train(self, digits: Digits, plan: RecipePlan, **changed: Any) -> tuple[Autoencoder, Floats]:
        """Return the fitted estimator, and the test images in its shape."""
        train, test = digits.shaped(self.shape)
        return self.autoencoder(plan, **changed).fit(train), test
