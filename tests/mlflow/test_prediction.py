"""What MLflow gets for rows, which needs no MLflow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.mlflow import _load_pyfunc
from isthmus.mlflow.prediction import MLflowModel


def test_codes_errors_and_rows_of_an_autoencoder(
    saved: Callable[[str], Any], table: pd.DataFrame
) -> None:
    model = saved("autoencoder-table")
    predictor = MLflowModel(model, "m")
    codes = predictor.predict(table)
    assert list(codes) == [f"code{i}" for i in range(model.latent_dim_)]
    np.testing.assert_array_equal(codes.to_numpy(), model.transform(table))
    errors = predictor.predict(table, {"method": "score"})["reconstruction_error"]
    np.testing.assert_array_equal(errors, model.reconstruction_error(table))
    rows = predictor.predict(table, {"method": "reconstruct"})
    assert list(rows) == list(model.schema_.columns)


def test_scores_and_alarms_of_a_detector(saved: Callable[[str], Any], table: pd.DataFrame) -> None:
    detector = saved("detector-table")
    found = MLflowModel(detector, "m").predict(table)
    assert list(found) == ["score", "p_value", "alarm", "top_columns"]
    np.testing.assert_array_equal(found["score"], detector.anomaly_score(table))
    np.testing.assert_array_equal(found["alarm"], detector.predict(table) == -1)


@pytest.mark.parametrize(
    "name", ["detector-series", pytest.param("detector-fleet", marks=pytest.mark.nightly)]
)
def test_a_series(name: str, saved: Callable[[str], Any]) -> None:
    detector = saved(name)
    rng = np.random.default_rng(0)
    series = pd.DataFrame(rng.normal(size=(60, len(detector.sensors_))), columns=detector.sensors_)
    if detector.group is not None:
        series[detector.group] = detector.units_[0]
    found = MLflowModel(detector, "m").predict(series)
    np.testing.assert_array_equal(found["score"], detector.anomaly_score(series))
    np.testing.assert_array_equal(found["alarm"], detector.predict(series) == -1)


def test_images_stay_arrays(saved: Callable[[str], Any]) -> None:
    model = saved("autoencoder-images-dense")
    X = np.random.default_rng(0).random((4, *model.schema_.sample_shape))
    predictor = MLflowModel(model, "m")
    made = predictor.predict(X, {"method": "reconstruct"})
    np.testing.assert_allclose(made, model.reconstruct(X), rtol=1e-6)
    assert predictor.predict(X).shape == (4, model.latent_dim_)


def test_rows_of_numbers_come_as_a_table_too(saved: Callable[[str], Any]) -> None:
    model = saved("autoencoder-linear")
    X = np.random.default_rng(0).normal(size=(4, model.n_features_in_))
    found = MLflowModel(model, "m").predict(pd.DataFrame(X, columns=[*"abcdefghij"[: X.shape[1]]]))
    np.testing.assert_array_equal(found.to_numpy(), model.transform(X))


def test_neighbours_and_their_number(saved: Callable[[str], Any]) -> None:
    index = saved("index-euclidean")
    X = np.random.default_rng(0).normal(size=(3, index.n_features_in_))
    predictor = MLflowModel(index, "m")
    assert predictor.choices == {"method": "search", "k": 10}
    found = predictor.predict(X, {"k": 2})
    distances, ids = index.kneighbors(X, 2)
    assert [list(row) for row in found["ids"]] == ids.tolist()
    assert [list(row) for row in found["distances"]] == distances.tolist()


def test_defaults_and_unknown_methods(saved: Callable[[str], Any], table: pd.DataFrame) -> None:
    assert MLflowModel(saved("supervised-classes"), "m").default == "predict"
    assert MLflowModel(saved("map-umap"), "m").default == "map"
    sampler = MLflowModel(saved("sampler-table"), "m")
    assert sampler.choices == {"method": "encode"}
    with pytest.raises(ist.InvalidParameter, match=r"expected one of 'encode'.*received 'decode'"):
        sampler.predict(table, {"method": "decode"})


def test_only_archives_are_opened(tmp_path: Any) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(ist.InvalidArchive, match="pickle"):
        _load_pyfunc(str(tmp_path / "model.pkl"))
