"""Exported detectors score rows as Python does."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import isthmus as ist
from isthmus.anomaly.detector import kind_for

QUICK: dict[str, Any] = {"epochs": 1, "random_state": 0, "verbose": 0}


def run(path: Path, inputs: dict[str, Any]) -> tuple[Any, Any, Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return tuple(session.run(["anomaly_score", "p_value", "alarm"], inputs))


def check(detector: Any, path: Path, rows: Any, inputs: dict[str, Any]) -> None:
    scores, p_values, alarms = run(path, inputs)
    wanted = detector.anomaly_score(rows)
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)
    # A held-out row has the very score that it is compared with, but for rounding.
    step = 1 / (1 + len(detector.calibration_scores_))
    np.testing.assert_allclose(p_values, detector.p_values_of(wanted), rtol=0, atol=1.01 * step)
    np.testing.assert_array_equal(alarms, wanted > detector.threshold_)


@pytest.mark.parametrize("mode", ["novelty", "outlier"])
def test_rows(mode: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:, 2] = 5
    detector = ist.AnomalyDetector(mode=mode, random_state=0).fit(X)
    detector.export(tmp_path / "m.onnx")
    new = np.concatenate([X, rng.normal(size=(40, 4)) * 10.0 ** rng.uniform(-6, 6, (40, 1))])
    new[::9, 1] = np.nan
    check(detector, tmp_path / "m.onnx", new, {"X": new.astype(detector.schema_.dtype)})


def test_a_network_of_your_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    own = ist.Autoencoder(2, **QUICK)
    detector = ist.AnomalyDetector(own, random_state=0).fit(X)
    detector.export(tmp_path / "m.onnx")
    check(detector, tmp_path / "m.onnx", X, {"X": X.astype(detector.schema_.dtype)})


def test_what_a_table_never_had(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "size": rng.normal(size=200),
            "kind": rng.choice(["a", "b"], 200),
            "unit": "mm",
            "plate": [f"X{number}" for number in range(200)],
        }
    )
    detector = ist.AnomalyDetector(random_state=0)
    with pytest.warns(ist.DataWarning, match="plate"):
        detector.fit(table)
    detector.export(tmp_path / "m.onnx")
    new = table[:6].copy()
    new.loc[0, "kind"], new.loc[1, "unit"] = "c", "inch"
    new.loc[2, "size"], new.loc[3, "plate"] = np.nan, None
    texts = {name: new[[name]].fillna("").to_numpy(object) for name in ("kind", "unit", "plate")}
    inputs = {"size": new[["size"]].to_numpy(float), **texts}
    with pytest.warns(ist.DataWarning):
        check(detector, tmp_path / "m.onnx", new, inputs)
    assert run(tmp_path / "m.onnx", inputs)[2].tolist()[:4] == [True] * 4


def textures(shape: tuple[int, ...], seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).normal(size=(24, *shape)).astype(np.float32)
    return sum(np.roll(noise, shift, axis=(1, 2)) for shift in range(3))


@pytest.fixture(scope="module", params=[(12, 16), (9, 13, 3)], ids=str)
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A detector of pictures, its file, and the shape of a picture."""
    detector = ist.AnomalyDetector(false_alarm_rate=0.2, random_state=0)
    detector.fit(textures(request.param))
    path = tmp_path_factory.mktemp("pictures") / "m.onnx"
    detector.export(path)
    return detector, path, request.param


def test_pictures(pictures: Any) -> None:
    detector, path, shape = pictures
    X = np.concatenate([textures(shape), textures(shape, seed=1), 100 * textures(shape, seed=2)])
    X[::3, :5, :4] = np.nan
    X[1] = 0
    check(detector, path, X, {"X": X})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (maps,) = session.run(["anomaly_map"], {"X": X})
    np.testing.assert_allclose(maps, detector.anomaly_map(X), rtol=1e-4, atol=1e-4)


def test_a_picture_without_a_value_has_no_score(pictures: Any) -> None:
    _, path, shape = pictures
    scores, p_values, alarms = run(path, {"X": np.full((1, *shape), np.nan, np.float32)})
    assert np.isnan(scores).all()
    assert np.isnan(p_values).all()
    assert not alarms.any()


def test_pictures_with_a_convolutional_network(tmp_path: Path) -> None:
    X = textures((8, 8, 1))
    own = ist.Autoencoder(2, architecture="strided", **QUICK)
    detector = ist.AnomalyDetector(own, false_alarm_rate=0.2, random_state=0).fit(X)
    detector.export(tmp_path / "m.onnx")
    X[1, :3] = np.nan
    check(detector, tmp_path / "m.onnx", X, {"X": X})


def waves(rows: int, seed: int = 0) -> Any:
    """A series of three sensors."""
    noise = np.random.default_rng(seed).normal(size=(rows, 3))
    time = np.arange(rows) / 4
    return np.stack([np.sin(time), 5 + np.cos(time), time / 100], axis=1) + 0.1 * noise


def hostile(rows: int) -> Any:
    """A series with faults, missing cells, short gaps, and long ones of one sensor and of all."""
    X = waves(rows, seed=1)
    X[40:60, 0] += 4
    X[70:73] = np.nan
    X[90:120, 1] = np.nan
    X[130:140] = np.nan
    X[::7, 2] = np.nan
    X[150:] += [1, 0, 1e6]
    return X


def check_series(detector: Any, path: Path, X: Any, like: Any = None, **inputs: Any) -> None:
    """Compare the outputs for a series; `like` is what Python is given."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = ["anomaly_score", "p_value", "alarm", "threshold"]
    scores, p_values, alarms, limits = session.run(names, {"X": X, **inputs})
    given = X if like is None else like
    wanted = detector.anomaly_score(given)
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)
    np.testing.assert_allclose(p_values, detector.p_values_of(wanted), rtol=0, atol=0.02)
    np.testing.assert_allclose(limits, detector.thresholds_of(wanted, given), rtol=1e-6)
    np.testing.assert_array_equal(alarms, detector.predict(given) == -1)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A detector of a series, and its file."""
    own = ist.Autoencoder(3, **QUICK)
    detector = ist.AnomalyDetector(own, window=6, false_alarm_rate=0.05, random_state=0)
    detector.fit(waves(200))
    path = tmp_path_factory.mktemp("series") / "m.onnx"
    detector.export(path)
    return detector, path


@pytest.mark.filterwarnings("ignore:Missing in more")
@pytest.mark.parametrize("rows", [1, 5, 6, 7, 200])
def test_series(series: Any, rows: int) -> None:
    check_series(*series, waves(rows, seed=2))
    check_series(*series, hostile(rows + 160)[-rows:])
    check_series(*series, hostile(rows))


def test_a_series_without_rows(series: Any) -> None:
    scores, _, alarms = run(series[1], {"X": np.zeros((0, 3))})
    assert scores.shape == alarms.shape == (0,)


@pytest.mark.filterwarnings("ignore:Missing in more", "ignore:Without any value")
def test_series_with_times_and_a_network_of_your_own(tmp_path: Path) -> None:
    X = np.insert(waves(200), 1, np.nan, axis=1)
    X[::3, 3] = np.nan
    times = pd.date_range("2024-01-01", periods=200, freq="7min")
    table = pd.DataFrame(X, columns=["a", "empty", "b", "c"], index=times)
    own = ist.Autoencoder(3, **QUICK)
    detector = ist.AnomalyDetector(own, window=6, longest_gap=2, random_state=0).fit(table)
    detector.export(tmp_path / "m.onnx")
    new = np.insert(hostile(200), 1, np.nan, axis=1)
    late = pd.DataFrame(new, columns=table.columns, index=times).dropna(how="all")
    check_series(detector, tmp_path / "m.onnx", new)
    # A gap in time is one of rows that are missing.
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (scores,) = session.run(["anomaly_score"], {"X": new})
    present = ~np.isnan(new).all(axis=1)
    np.testing.assert_allclose(scores[present], detector.anomaly_score(late), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Missing in more", "ignore:Units that were not learned")
def test_fleets(tmp_path: Path) -> None:
    units = [pd.DataFrame(waves(80, seed=n) * (1 + n)).assign(unit=n) for n in range(4)]
    table = pd.concat(units, ignore_index=True).rename(columns=str)
    own = ist.Autoencoder(3, **QUICK)
    detector = ist.AnomalyDetector(own, window=6, group="unit", random_state=0).fit(table)
    detector.export(tmp_path / "m.onnx")
    for unit in (0, 3, 77):
        X = hostile(200) * 3
        rows = pd.DataFrame(X).rename(columns=str).assign(unit=unit)
        check_series(detector, tmp_path / "m.onnx", X, rows, unit=np.array([str(unit)], object))


def test_every_kind_of_detector_is_above() -> None:
    settings = [(None, False), (None, True), ("group", False)]
    kinds = {kind_for(5 if group else None, group, pictures=p).detector for group, p in settings}
    kinds.add(kind_for(5, None).detector)
    assert {kind.__name__ for kind in kinds} == {
        "RowDetector",
        "PictureDetector",
        "SeriesDetector",
        "FleetDetector",
    }
