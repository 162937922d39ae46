"""Reconstruct clean images from noisy ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.randomness import generator_for
from isthmus.estimators.denoising import DenoisingAutoencoder
from isthmus.recipes import conv_upsampling, metrics, sources
from isthmus.recipes.figure_types import ImageStrip, ImageStrips
from isthmus.recipes.figures import pictures, size_note
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

NOISE = 0.4
SYSTEM = conv_upsampling.SYSTEM


def noisy(clean: Floats, seed: int) -> Floats:
    """Return images with Gaussian noise of standard deviation 0.4, clipped to [0, 1]."""
    noise = generator_for(seed, "noise").standard_normal(clean.shape, np.float32)
    return np.clip(clean + np.float32(NOISE) * noise, 0, 1)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    train, test = digits.shaped(SYSTEM.shape)
    model = DenoisingAutoencoder(
        **SYSTEM.settings(plan), noise="gaussian", noise_level=NOISE, loss="bce"
    ).fit(train)
    given = noisy(test, plan.seed)
    made = model.denoise(given)
    chosen = digits.examples()
    return RecipeResult(
        figures=(
            MeasuredFigure("test cross-entropy, denoised", metrics.cross_entropy(test, made)),
            MeasuredFigure("PSNR, noisy", metrics.psnr(test, given), "dB"),
            MeasuredFigure("PSNR, denoised", metrics.psnr(test, made), "dB"),
        ),
        pictures=(
            ImageStrips(
                "Ten test digits, denoised",
                (
                    ImageStrip("noisy", pictures(given)[chosen]),
                    ImageStrip("denoised", pictures(made)[chosen]),
                    ImageStrip("clean", digits.x_test[chosen]),
                ),
            ),
        ),
        notes=(
            size_note(model),
            "The tutorial adds noise to the training images once. isthmus draws new noise in every "
            "step, so that the network cannot memorise it. PSNR is over all test pixels together.",
        ),
        estimators={"denoising autoencoder": model},
    )


RECIPE = Recipe(
    "denoising",
    "clean images from noisy ones",
    sources.NOTES,
    "The network reconstructs clean images from corrupted ones and learns more robust features.",
    epochs=50,
    make=_make,
    system=SYSTEM,
)
