"""A fitted detector as arrays, and back; every part of an untrusted file is checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.row_score import RowScore
from isthmus.anomaly.row_training import LearnedRows
from isthmus.anomaly.standardization import StandardizedSpace, shown_width
from isthmus.core.errors import InvalidArchive
from isthmus.data.schema import schema_from_config
from isthmus.tasks.base import checked_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCORE, _CELLS = "score/", "cells/"


def own_schema(learned: LearnedRows) -> dict[str, Any] | None:
    """Return the schema of a detector whose autoencoder sees compressed rows, for a manifest."""
    return learned.space.schema.to_config() if learned.space.compressed else None


def to_arrays(learned: LearnedRows) -> dict[str, np.ndarray]:
    """Return what a detector learned beside its autoencoder."""
    return {
        "center": learned.space.center,
        "scale": learned.space.scale,
        "calibration": learned.calibration,
        "held_out": learned.held_out,
        **{f"{_SCORE}{name}": array for name, array in learned.score.to_arrays().items()},
        **{f"{_CELLS}{name}": array for name, array in learned.cells.to_arrays().items()},
    }


def from_arrays(autoencoder: Any, schema: Any, arrays: Mapping[str, np.ndarray]) -> LearnedRows:
    """Take back what `to_arrays` and `own_schema` returned; raises InvalidArchive."""
    own = autoencoder.schema_ if schema is None else schema_from_config(schema)
    width = math.prod(own.sample_shape)
    if schema is not None and autoencoder.schema_.sample_shape != (shown_width(width),):
        raise InvalidArchive(
            "the archive's schema",
            expected=f"samples that a network for {autoencoder.schema_.sample_shape} sees",
            received=str(own.sample_shape),
        )
    parts = (_SCORE, _CELLS)
    checked_arrays(
        {name: array for name, array in arrays.items() if not name.startswith(parts)},
        {
            "center": ("float64", (width,)),
            "scale": ("float64", (width,)),
            "calibration": ("float64", (None,)),
            "held_out": ("float32", (None, width)),
        },
    )
    if arrays["scale"].min() <= 0 or (np.diff(arrays["calibration"]) < 0).any():
        raise InvalidArchive(
            "the archive's detector", expected="scales above 0 and calibration scores in order"
        )
    space = StandardizedSpace(
        own, arrays["center"], arrays["scale"], autoencoder, schema is not None
    )
    score = RowScore.from_arrays(
        space, _under(_SCORE, arrays), width=width, code=autoencoder.latent_dim_
    )
    cells = CellModel.from_arrays(_under(_CELLS, arrays), width=width)
    return LearnedRows(space, score, cells, arrays["calibration"], arrays["held_out"])


def checked_rate(rate: Any) -> float:
    """Return the rate that an archive holds; raises InvalidArchive."""
    if not (isinstance(rate, float | int) and 0 < rate < 1):
        raise InvalidArchive("the archive's false_alarm_rate", expected="a number between 0 and 1")
    return float(rate)


def checked_window(window: Any) -> int:
    """Return the window that an archive holds; raises InvalidArchive."""
    if type(window) is not int or not 2 <= window < 2**31:
        raise InvalidArchive("the archive's window", expected="an integer of at least 2")
    return window


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
