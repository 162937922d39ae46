"""Fixtures shared by the tests of several packages."""

import os
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

import isthmus as ist  # before keras, whose backend it selects
from browser import Browser, program


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs for the length of a run: many tests build the same small network.

    Each worker has its own folder, as JAX does not write entries in one step; a thread that reads
    while another writes only compiles for itself, and the warning that JAX gives is of no interest.
    """
    # Machines are shared, and a first call compiles: how long an example takes says nothing.
    hypothesis.settings.register_profile("isthmus", deadline=None)
    hypothesis.settings.load_profile("isthmus")
    folder = tempfile.TemporaryDirectory(prefix="isthmus-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    config.addinivalue_line(
        "filterwarnings", "ignore:Error (reading|writing) persistent compilation cache"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of larger data sets next to the repository; skips if there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A headless browser; skips if none is installed."""
    if program() is None:
        pytest.skip("needs Chromium")
    running = Browser(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def digits() -> Any:
    """scikit-learn's digits: ``.images`` (1797, 8, 8) in 0..16, ``.data``, ``.target``."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for array in (bunch.images, bunch.data, bunch.target):
        array.setflags(write=False)  # shared by all tests of a worker
    return bunch


@pytest.fixture(scope="session")
def small_model():
    """A linear autoencoder trained until it finds the plane that its data lie near."""
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 2)) @ random.normal(size=(2, 6)) + random.normal(size=(600, 6)) / 4
    model = ist.Autoencoder(
        2,
        architecture="linear",
        scale="none",
        epochs=200,
        learning_rate=0.02,
        validation_fraction=0,  # as many rows as PCA has
        random_state=0,
        verbose=0,
    )
    return model.fit(X[:400]), X
