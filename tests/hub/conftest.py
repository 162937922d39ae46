"""A hub on this machine, to which huggingface_hub is pointed, and fitted models."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hub_server import TOKEN, Hub

import isthmus as ist


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty hub whose writer is logged in; downloads are kept in the test's folder."""
    constants = pytest.importorskip("huggingface_hub.constants")
    running = Hub()
    # huggingface_hub reads these settings from the environment when it is imported.
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", running.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield running
    running.close()


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=120)
    return pd.DataFrame(
        {
            "length|mm": 20 + 3 * size + rng.normal(size=120) / 4,
            "width": 8 + size + rng.normal(size=120) / 4,
            "kind": np.where(size > 0, "large", "small"),
        }
    )


@pytest.fixture(scope="session")
def autoencoder(table: pd.DataFrame) -> Any:
    model = ist.Autoencoder(2, hidden=(8,), epochs=2, random_state=0, verbose=0)
    return model.fit(table)


@pytest.fixture(scope="session")
def saved() -> Callable[[str], Any]:
    """A function that loads a model of the golden files by name."""
    folder = Path(__file__).resolve().parents[1] / "golden" / "archives"
    return lambda name: ist.load(folder / f"{name}.isthmus")


@pytest.fixture(scope="session")
def detector(saved: Callable[[str], Any]) -> Any:
    return saved("detector-numbers")
