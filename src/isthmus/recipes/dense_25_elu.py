"""28 × 28 → 25 → 28 × 28 with elu, on pixels from 0 to 255, with the plots missing in print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import layers

from isthmus.recipes import metrics, sources
from isthmus.recipes.figure_types import ImageStrip, ImageStrips, Lines
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.estimators.autoencoder import Autoencoder
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

_WHITE = np.float32(255)
_SIZE, _OTHERS = 25, (2, 5, 10, 50, 100)


def system(size: int) -> KerasPair:
    """Return the listing with another number for ``space_compressed_size``."""
    return KerasPair(
        shape=(28, 28),
        encoder=lambda: [layers.Flatten(), layers.Dense(size, activation="elu")],
        decoder=lambda: [layers.Dense(28 * 28, activation="elu"), layers.Reshape((28, 28))],
        loss="mse",
    )


SYSTEM = system(_SIZE)


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:
    train, test = digits.x_train * _WHITE, digits.x_test * _WHITE

    def fitted(size: int, **changed: float) -> Autoencoder:
        model = system(size).autoencoder(plan, scale="none", **changed)
        return model.fit(train)

    model = fitted(_SIZE)
    made = model.reconstruct(test)
    errors = {_SIZE: metrics.squared_error(test, made)}
    rebuilt = {_SIZE: made}
    for size in _OTHERS:
        rebuilt[size] = fitted(size).reconstruct(test)
        errors[size] = metrics.squared_error(test, rebuilt[size])
    sizes = np.array(sorted(errors))
    apart = np.sqrt([errors[size] for size in sizes])
    knee = _knee(sizes, apart)
    return RecipeResult(
        figures=(
            MeasuredFigure("test squared error, pixels 0 to 255", errors[_SIZE]),
            MeasuredFigure("test squared error, as fractions of white", errors[_SIZE] / 255**2),
            MeasuredFigure("code size at the knee of the sweep", int(sizes[knee])),
        ),
        pictures=(
            _compared(digits, made),
            _curves(fitted(_SIZE, validation_fraction=0.1)),
            _sweep(sizes, apart, int(sizes[knee])),
            _by_size(digits, {size: rebuilt[size] for size in sizes.tolist()}),
        ),
        notes=(
            "Pixels are not scaled: they are 0 to 255, as in the printed code. Black dots in "
            "reconstructions are pixels whose activation is far below 0, where elu is flat, so "
            "that their weights no longer learn.",
            "The training curves are from a separate run that holds out a tenth of the training "
            "rows; the figures are from runs on all training rows.",
        ),
        estimators={"autoencoder": model},
    )


def _compared(digits: Digits, made: Floats) -> ImageStrips:
    chosen = digits.examples()
    original, rebuilt = digits.x_test[chosen], made[chosen] / _WHITE
    return ImageStrips(
        "Ten test digits, reconstructed from 25 numbers",
        (
            ImageStrip("rebuilt", rebuilt),
            ImageStrip("original", original),
            ImageStrip("difference", np.abs(rebuilt - original), heat=True),
        ),
        "As in the tutorial's plots. The difference is absolute.",
    )


def _curves(model: Autoencoder) -> Lines:
    history = model.history_
    epochs = np.array(history["epoch"], np.float64)
    return Lines(
        "Training curves",
        {
            name: (epochs, np.array(history[name]) / 1000)
            for name in ("loss", "val_loss")
            if name in history
        },
        ("epoch", "squared error, thousands"),
    )


def _sweep(sizes: NDArray[np.intp], apart: NDArray[np.float64], knee: int) -> Lines:
    return Lines(
        "Error by code size",
        {"test rows": (sizes.astype(np.float64), apart)},
        ("code size", "root mean squared error, grey levels"),
        mark=float(knee),
        caption=f"The dashed line marks the knee, at a code size of {knee}. Beyond it, a further "
        "number reduces the error by less than the average.",
    )


def _by_size(digits: Digits, rebuilt: dict[int, Floats]) -> ImageStrips:
    chosen = digits.examples()
    return ImageStrips(
        "The same digits reconstructed from codes of other sizes",
        (
            *(ImageStrip(f"{size}", made[chosen] / _WHITE) for size, made in rebuilt.items()),
            ImageStrip("original", digits.x_test[chosen]),
        ),
    )


def _knee(x: NDArray[np.intp], y: NDArray[np.float64]) -> int:
    """Return the index of the point of a falling curve farthest below the line between its ends.

    Satopää et al., 2011, "Finding a 'kneedle' in a haystack", section III, without smoothing.
    """
    across = (x - x[0]) / (x[-1] - x[0])
    down = (y - y.min()) / ((y.max() - y.min()) or 1.0)
    return int(np.argmin(across + down))


RECIPE = Recipe(
    "dense-25-elu",
    "a dense autoencoder with elu, on pixels from 0 to 255",
    sources.ENCODERS,
    "mean_squared_error captures the grey levels; other code sizes change the quality.",
    epochs=10,
    make=_make,
    system=SYSTEM,
)
