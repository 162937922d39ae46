"""The plan of a run of a recipe."""

from __future__ import annotations

from typing import NamedTuple


class RecipePlan(NamedTuple):
    """The number of epochs and the seed of a run."""

    epochs: int
    seed: int
