"""An encoder and a decoder of Keras layers, trained as a tutorial has it and no better."""

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
    """What a tutorial describes: layers, loss, optimizer, batch.

    Parameters
    ----------
    shape : tuple of int
        Of one picture.
    encoder, decoder : callable
        Return the layers of each half. The code between them is flat: an encoder that ends in
        feature maps ends in Flatten here, and the decoder begins with Reshape, which hold nothing.
    loss : str or callable
        As `Autoencoder` takes it.
    batch_size : int
        Rows per step; 32, Keras' default, where the tutorial names none.
    optimizer : callable
        Returns a Keras optimizer.
    code : int, optional
        Size of the decoder's input, where it is not the encoder's output: where the estimator makes
        a code from the encoder's features.
    """

    shape: tuple[int, ...]
    encoder: Layers
    decoder: Layers
    loss: Any
    batch_size: int = 32
    optimizer: Callable[[], Any] = keras.optimizers.Adam
    code: int | None = None

    def pair(self, seed: int) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder with first weights, which `seed` decides."""

        def build() -> tuple[keras.Model, keras.Model]:
            encoder = keras.Sequential([keras.Input(self.shape), *self.encoder()], name="encoder")
            code = keras.Input((self.code or encoder.output_shape[1],))
            return encoder, keras.Sequential([code, *self.decoder()], name="decoder")

        encoder, decoder = without_values(build)
        for model in (encoder, decoder):
            draw(model, derive_seed(seed, model.name))
        return encoder, decoder

    def settings(self, plan: RecipePlan) -> dict[str, Any]:
        """Return the settings with which any estimator trains the pair as Keras' `fit` would.

        What isthmus adds of its own is off: no schedule, no clipping, no rows held out.
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
        """Return the estimator, not fitted; `changed` are other parameters of it."""
        return Autoencoder(**{**self.settings(plan), "loss": self.loss, **changed})

    def train(self, digits: Digits, plan: RecipePlan, **changed: Any) -> tuple[Autoencoder, Floats]:
        """Return the fitted estimator and the test pictures in its shape."""
        train, test = digits.shaped(self.shape)
        return self.autoencoder(plan, **changed).fit(train), test
