"""Noisy pictures in, clean ones out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.randomness import generator_for
from isthmus.estimators.denoising import DenoisingAutoencoder
from isthmus.recipes import conv_upsampling, documents, measures
from isthmus.recipes.pictures import Strip, Strips
from isthmus.recipes.recipe import Figure, Recipe, Result
from isthmus.recipes.views import pictures, size_note

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.recipe import Plan

NOISE = 0.4
SYSTEM = conv_upsampling.SYSTEM


def noisy(clean: Floats, seed: int) -> Floats:
    """Return pictures with normal noise of standard deviation 0.4, clipped to [0, 1]."""
    noise = generator_for(seed, "noise").standard_normal(clean.shape, np.float32)
    return np.clip(clean + np.float32(NOISE) * noise, 0, 1)


def _make(digits: Digits, plan: Plan) -> Result:
    train, test = digits.shaped(SYSTEM.shape)
    model = DenoisingAutoencoder(
        **SYSTEM.settings(plan), noise="gaussian", noise_level=NOISE, loss="bce"
    ).fit(train)
    given = noisy(test, plan.seed)
    made = model.denoise(given)
    chosen = digits.examples()
    return Result(
        figures=(
            Figure("test cross-entropy, denoised", measures.cross_entropy(test, made)),
            Figure("PSNR, noisy", measures.psnr(test, given), "dB"),
            Figure("PSNR, denoised", measures.psnr(test, made), "dB"),
        ),
        pictures=(
            Strips(
                "Ten test digits without their noise",
                (
                    Strip("noisy", pictures(given)[chosen]),
                    Strip("denoised", pictures(made)[chosen]),
                    Strip("clean", digits.x_test[chosen]),
                ),
            ),
        ),
        notes=(
            size_note(model),
            "The document adds noise to the training pictures once; isthmus draws it anew in every "
            "step, so that no noise can be learned by heart. PSNR is pooled over all test pixels.",
        ),
        estimators={"denoising autoencoder": model},
    )


RECIPE = Recipe(
    "denoising",
    "clean pictures from noisy ones",
    documents.NOTES,
    "Clean images from corrupted ones: the network learns more robust features.",
    epochs=50,
    make=_make,
    system=SYSTEM,
)
