"""Figures show what they are given, on the axes of the user or on new ones."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
from matplotlib import pyplot as plt

import isthmus as ist

SETTINGS: dict[str, Any] = {"epochs": 2, "random_state": 0, "verbose": 0}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def rows(*shape: int) -> Any:
    return np.random.default_rng(0).random(shape)


@pytest.fixture(scope="module")
def model() -> Any:
    return ist.Autoencoder(3, **SETTINGS).fit(rows(60, 8))


def test_history(model: Any) -> None:
    ax = model.plot_history()
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert list(drawn["training"]) == model.history_["loss"]
    assert list(drawn["validation"]) == model.history_["val_loss"]
    assert list(drawn["weights kept"]) == [0, 1]


def test_axes_of_the_user_are_used(model: Any) -> None:
    _, ax = plt.subplots()
    assert model.plot_history(ax=ax) is ax
    assert model.plot_codes(rows(60, 8), ax=ax) is ax
    assert model.plot_reconstructions(rows(60, 8), ax=ax) is ax
    assert len(plt.get_fignums()) == 1


def test_two_numbers_of_a_code_are_the_axes() -> None:
    X = rows(60, 8)
    model = ist.Autoencoder(2, **SETTINGS).fit(X)
    (points,) = model.plot_codes(X).collections
    np.testing.assert_allclose(points.get_offsets(), model.transform(X))


def test_classes_have_a_legend(model: Any) -> None:
    y = np.array(["a", "b", "c"], object)[np.arange(60) % 3]
    ax = model.plot_codes(rows(60, 8), y)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert [len(points.get_offsets()) for points in ax.collections] == [20, 20, 20]


def test_numbers_are_a_colour_scale(model: Any) -> None:
    y = np.arange(60.0)
    (points,) = model.plot_codes(rows(60, 8), y).collections
    np.testing.assert_array_equal(points.get_array(), y)


def test_labels_of_another_length_are_refused(model: Any) -> None:
    with pytest.raises(ist.InvalidData, match="one label for each of the 60 rows"):
        model.plot_codes(rows(60, 8), np.arange(3))


def test_pictures_stand_above_their_reconstructions() -> None:
    X = rows(30, 6, 5)
    model = ist.Autoencoder(3, **SETTINGS).fit(X)
    (image,) = model.plot_reconstructions(X, n=4).images
    assert image.get_array().shape == (2 * (6 + 1), 4 * (5 + 1))


def test_series_are_lines() -> None:
    X = rows(30, 12, 2)
    model = ist.Autoencoder(3, architecture="convolutional-1d", **SETTINGS).fit(X)
    ax = model.plot_reconstructions(X, n=3)
    assert len(ax.lines) == 6


def test_cells_of_rows_are_points(model: Any) -> None:
    X = rows(60, 8)
    (points,) = model.plot_reconstructions(X, n=5).collections
    wanted = model.schema_.to_matrix(X[:5])
    np.testing.assert_allclose(points.get_offsets()[:, 0], wanted.ravel())


def test_a_number_of_samples_is_positive(model: Any) -> None:
    with pytest.raises(ist.InvalidParameter, match="positive integer"):
        model.plot_reconstructions(rows(60, 8), n=0)


def test_alarms_of_rows() -> None:
    X = rows(200, 4)
    detector = ist.AnomalyDetector(random_state=0).fit(X)
    new = np.concatenate([X, X[:3] + 9])
    _, marked = detector.plot_alarms(new).collections
    above = np.flatnonzero(detector.anomaly_score(new) > detector.threshold_)
    assert marked.get_offsets()[:, 0].tolist() == above.tolist()


def test_alarms_of_a_series_stand_at_their_times() -> None:
    times = pd.date_range("2024-01-01", periods=300, freq="min")
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)), index=times)
    detector = ist.AnomalyDetector(window=5, random_state=0).fit(frame)
    ax = detector.plot_alarms(frame)
    ax.figure.canvas.draw()
    assert ax.lines[0].get_xdata()[0] == times[0].to_numpy()
    assert ax.get_xlabel() == ""
