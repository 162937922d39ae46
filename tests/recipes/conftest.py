"""A few digits, and each recipe run on them once."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from isthmus.recipes.catalogue import RECIPES
from isthmus.recipes.digits import Digits, bundled
from isthmus.recipes.recipe import RecipeResult


@pytest.fixture(scope="session")
def few() -> Digits:
    """150 digits to train on and 50 to judge by."""
    whole = bundled()
    return replace(
        whole,
        x_train=whole.x_train[:150],
        y_train=whole.y_train[:150],
        x_test=whole.x_test[:50],
        y_test=whole.y_test[:50],
    )


@pytest.fixture(scope="session")
def result_of(few: Digits) -> Callable[[str], RecipeResult]:
    """Return what came of a recipe after one epoch."""
    return cache(lambda name: RECIPES[name].run(few, epochs=1))
