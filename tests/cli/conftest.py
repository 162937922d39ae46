"""A table with everything in it, and a model fitted on it through the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from isthmus.cli.__main__ import main


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """scikit-learn's wines, with a category, a truth value and a whole number, a tenth removed."""
    wine = load_wine(as_frame=True)
    frame = wine.data.iloc[:, :4].copy()
    frame["magnesium"] = wine.data["magnesium"].astype("int64")
    frame["region"] = np.array(["north", "south", "Île"])[wine.target]
    frame["strong"] = wine.data["alcohol"] > 13
    frame["made"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(frame)), "D")
    rng = np.random.default_rng(0)
    for column in ("alcohol", "ash", "region"):
        frame.loc[rng.random(len(frame)) < 0.1, column] = None
    return frame


@pytest.fixture(scope="session")
def folder(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``wine.csv`` and the model ``wine.isthmus`` fitted on it."""
    folder = tmp_path_factory.mktemp("wine")
    table.to_csv(folder / "wine.csv", index=False)
    arguments = ["fit", str(folder / "wine.csv"), "-o", str(folder / "wine.isthmus")]
    assert (
        main([*arguments, "--epochs", "5", "--latent-dim", "3", "--hidden", "16", "--no-report"])
        == 0
    )
    return folder


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
