"""How long a recipe trains, and from which seed."""

from __future__ import annotations

from typing import NamedTuple


class RecipePlan(NamedTuple):
    """How long to train, and from which seed."""

    epochs: int
    seed: int
