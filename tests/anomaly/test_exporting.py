"""Exported detectors score rows as Python does."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import isthmus as ist


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
    own = ist.Autoencoder(2, epochs=3, random_state=0, verbose=0)
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
    own = ist.Autoencoder(2, epochs=1, random_state=0, verbose=0)
    detector = ist.AnomalyDetector(own, false_alarm_rate=0.2, random_state=0).fit(X)
    detector.export(tmp_path / "m.onnx")
    X[1, :3] = np.nan
    check(detector, tmp_path / "m.onnx", X, {"X": X})


def test_other_detectors_are_refused(tmp_path: Path) -> None:
    series = np.random.default_rng(0).normal(size=(300, 2))
    detector = ist.AnomalyDetector(window=5, random_state=0).fit(series)
    with pytest.raises(ist.InvalidParameter, match="one of series"):
        detector.export(tmp_path / "m.onnx")
