"""Exports an autoencoder as two files that need NumPy only."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import DataWarning
from isthmus.estimators import exporting
from isthmus.estimators.keras_exporting import description
from isthmus.export.numpy_files import NumpyGraph, NumpyProgram, write_numpy

if TYPE_CHECKING:
    import os


def export_numpy(estimator: Any, folder: str | os.PathLike[str]) -> None:
    """Write ``model.py`` and ``model.npz``; see `BaseAutoencoder.export`."""
    programs = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of values that fit did not see
        for name, build in (("rows", exporting._reconstruct), ("codes", exporting._decode)):
            graph: Any = NumpyGraph()
            programs[name] = NumpyProgram(graph, *build(graph, estimator))
    write_numpy(folder, programs, description(estimator))
