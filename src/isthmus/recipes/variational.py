"""A convolutional variational autoencoder with two latent dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from keras import layers

from isthmus.estimators.variational import VariationalAutoencoder
from isthmus.recipes import figures, metrics, sources
from isthmus.recipes.figure_types import Mosaic
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    import keras

    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

_SIDE, _SAMPLES = 15, 40


def _encoder() -> list[keras.Layer]:
    return [
        layers.Conv2D(32, 3, activation="relu", strides=2, padding="same"),
        layers.Conv2D(64, 3, activation="relu", strides=2, padding="same"),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
    ]


def _decoder() -> list[keras.Layer]:
    return [
        layers.Dense(7 * 7 * 64, activation="relu"),
        layers.Reshape((7, 7, 64)),
        layers.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same"),
        layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same"),
        layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same"),
    ]


# The 16 features of the encoder become z_mean and z_log_var, 2 numbers each, in the estimator.
SYSTEM = KerasPair(shape=(28, 28, 1), encoder=_encoder, decoder=_decoder, loss="mse", code=2)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    train, test = digits.shaped(SYSTEM.shape)
    model = VariationalAutoencoder(**SYSTEM.settings(plan), likelihood="mse").fit(train)
    said = model.network_.full.predict(
        [test, np.zeros((len(test), 2), np.float32)], batch_size=1000, verbose=0
    )
    divergence = _divergence(said["mean"], said["log_variance"])
    error = metrics.squared_error(test, said["reconstruction"])
    evidence = model.log_likelihood(test, samples=1, random_state=plan.seed)
    return RecipeResult(
        figures=(
            MeasuredFigure("784 · MSE + KL of a test digit", 784 * error + divergence),
            MeasuredFigure("test squared error", error),
            MeasuredFigure("KL of a test digit", divergence, "nats"),
            MeasuredFigure("ELBO of a test digit", float(evidence.mean()), "nats"),
        ),
        pictures=(
            Mosaic(
                "The latent plane, decoded",
                figures.pictures(model.latent_plane(_SIDE)),
                _SIDE,
                "Codes at steps of equal probability. The first number increases to the right, "
                "the second upwards.",
            ),
            Mosaic(
                "Samples",
                figures.pictures(model.sample(_SAMPLES, random_state=plan.seed)),
                10,
                "Decoded from codes drawn from the prior.",
            ),
            figures.codes(digits.y_test, said["mean"], title="Posterior means of test digits"),
            figures.rebuilt(digits, said["reconstruction"]),
        ),
        notes=(
            "Reconstructions are decoded from the posterior mean. The ELBO is estimated from one "
            "sampled code, under a normal density of variance 1/2, which corresponds to the "
            f"squared error; it contains a constant of −{392 * math.log(math.pi):.1f} nats.",
            "The tutorial's code averages the KL divergence over the two dimensions. The ELBO has "
            "their sum, which the recipe uses.",
        ),
        estimators={"variational autoencoder": model},
    )


def _divergence(mean: Floats, log_variance: Floats) -> float:
    """Return the mean KL divergence of the posteriors from a standard normal, in nats."""
    nats = 0.5 * (np.square(mean) + np.exp(log_variance) - 1 - log_variance)
    return float(nats.sum(axis=1).mean())


RECIPE = Recipe(
    "variational",
    "a convolutional VAE with two latent dimensions",
    sources.ARCHITECTURE,
    "It reconstructs the input; a divergence is added to the loss, which is crucial for VAEs.",
    epochs=100,
    make=_make,
    system=SYSTEM,
)
