import numpy as np
import pandas as pd
import pytest
from explorer_page import HOSTILE, Page
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from isthmus.explorer.page import write_explorer


@pytest.fixture(scope="session")
def digits_page(browser, tmp_path_factory):
    """The explorer of images of digits with codes of two numbers, with its model and data."""
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 8, 8) / 16)[:400]
    model = ist.Autoencoder(2, hidden=(32,), epochs=8, random_state=0, verbose=0).fit(X)
    path = tmp_path_factory.mktemp("digits") / "digits.html"
    page = Page(browser, write_explorer(model, X, path, y=y[:400], title="Digits & co"))
    page.model, page.X, page.y = model, X, y[:400]
    return page


@pytest.fixture(scope="session")
def table():
    """A table with every kind of column, gaps, and names that would run if they could."""
    random = np.random.default_rng(0)
    n = 400
    size = random.normal(size=n)
    frame = pd.DataFrame(
        {
            HOSTILE: size,
            "weight": np.round(size * 2 + random.normal(size=n) / 5, 2),
            "town": np.where(size > 0, "Bern", np.where(size > -1, "Oslo", HOSTILE)),
            "open": size > 0.3,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, n), "D"),
            "visits": random.poisson(4, n) * (size > 0),
            "income": np.exp(2 * size + random.normal(size=n) / 3),
        }
    )
    frame.loc[::7, "weight"] = np.nan
    frame.loc[::9, "town"] = None
    return frame


@pytest.fixture(scope="session")
def table_page(browser, table, tmp_path_factory):
    model = ist.Autoencoder(4, hidden=(16,), epochs=8, random_state=0, verbose=0).fit(table)
    path = tmp_path_factory.mktemp("table") / "table.html"
    labels = np.where(table["open"], "yes", HOSTILE)
    page = Page(browser, write_explorer(model, table, path, y=labels, title=HOSTILE))
    page.model, page.labels = model, labels
    return page


@pytest.fixture(scope="session")
def detector_page(browser, table, table_page, tmp_path_factory):
    """The explorer of a detector; row 17 has an absurd income."""
    own = FrozenEstimator(table_page.model)
    detector = ist.AnomalyDetector(own, false_alarm_rate=0.02, random_state=0).fit(table)
    rows = table.copy()
    rows.loc[17, "income"] = 1e6
    path = tmp_path_factory.mktemp("detector") / "detector.html"
    page = Page(browser, write_explorer(detector, rows, path))
    page.model, page.rows = detector, rows
    return page
