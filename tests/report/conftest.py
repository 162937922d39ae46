import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import isthmus as ist


@pytest.fixture(scope="session")
def digits_model():
    """A model of images, held-out images and their labels."""
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8).astype(np.uint8)
    model = ist.Autoencoder(2, hidden=(32,), epochs=4, random_state=0, verbose=0).fit(X[:600])
    return model, X[600:800], y[600:800], X[:600]


@pytest.fixture(scope="session")
def frame():
    """A table with every kind of column, gaps, and names that would run if they could."""
    random = np.random.default_rng(0)
    n = 240
    size = random.normal(size=n)
    table = pd.DataFrame(
        {
            "<script>alert('x')</script>": size,
            "weight": size * 2 + random.normal(size=n) / 5,
            "town": np.where(size > 0, "Bern", np.where(size > -1, "Oslo", "<b>Lima</b>")),
            "open": size > 0.3,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, n), "D"),
        }
    )
    table.loc[::7, "weight"] = np.nan
    table.loc[::9, "town"] = None
    return table


@pytest.fixture(scope="session")
def table_model(frame):
    model = ist.Autoencoder(3, hidden=(16,), epochs=4, random_state=0, verbose=0)
    return model.fit(frame[:160])
