"""Models of the golden files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus as ist


@pytest.fixture(scope="session")
def saved() -> Callable[[str], Any]:
    """A function that loads a model of the golden files by name."""
    folder = Path(__file__).resolve().parents[1] / "golden" / "archives"
    return lambda name: ist.load(folder / f"{name}.isthmus")


@pytest.fixture(scope="session")
def table(saved: Callable[[str], Any]) -> pd.DataFrame:
    """Rows of the golden table, made from codes."""
    model = saved("autoencoder-table")
    codes = np.random.default_rng(0).normal(size=(20, model.latent_dim_)).astype(np.float32)
    rows: pd.DataFrame = model.inverse_transform(codes)
    return rows
