"""Exported autoencoders compute what Python does, in ONNX Runtime, on rows of the tests."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

import isthmus as ist
from isthmus.estimators.exporting import PARTS
from isthmus.networks.catalogue import ARCHITECTURES as CATALOGUE
from isthmus.persistence.loading import ESTIMATORS

pytestmark = pytest.mark.filterwarnings("ignore:The text of 'plate'", "ignore:.*collapsed")
L = keras.layers
SETTINGS: dict[str, Any] = {"epochs": 1, "random_state": 0, "verbose": 0}
ARCHITECTURES = {
    "dense": (8,),
    "linear": (8,),
    "convolutional": (5, 8, 3),
    "strided": (8, 8, 1),
    "convolutional-3d": (4, 4, 4, 1),
    "convolutional-1d": (12, 2),
    "gru": (12, 2),
    "recurrent": (12, 2),
}


def run(path: Path, names: list[str], inputs: dict[str, Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(names, inputs)
    return found


def rows(shape: tuple[int, ...], seed: int = 0) -> Any:
    X = np.random.default_rng(seed).random((30, *shape)).astype(np.float32)
    X[3].flat[2] = np.nan
    return X


@pytest.fixture(scope="module")
def cars() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "speed": rng.normal(100, 5, 200),
            "doors": rng.integers(2, 6, 200),
            "rain": np.where(rng.random(200) < 0.5, 0, rng.exponential(size=200)),
            "make": rng.choice(["Fiat", "Seat", "Skoda"], 200),
            "sold": rng.random(200) < 0.3,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, 200), "D"),
            "plate": [f"X{number}" for number in range(200)],
        }
    )
    frame.loc[3:9, "speed"] = np.nan
    frame.loc[5, "make"] = None
    return frame


def inputs_of(cars: pd.DataFrame) -> dict[str, Any]:
    numbers = {name: cars[[name]].to_numpy(float) for name in ("speed", "doors", "rain")}
    days = cars["day"].astype(cars["day"].dtype).to_numpy().astype(np.int64)
    return {
        **numbers,
        "make": cars[["make"]].fillna("").to_numpy(object),
        "sold": cars[["sold"]].to_numpy(np.float32),
        "day": days[:, None],
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture(name: str, tmp_path: Path) -> None:
    X, new = rows(ARCHITECTURES[name]), rows(ARCHITECTURES[name], seed=1)
    model = ist.Autoencoder(3, architecture=name, **SETTINGS).fit(X)
    model.export(tmp_path / "all.onnx")
    names = ["code", "reconstruction", "reconstruction_error"]
    code, rebuilt, error = run(tmp_path / "all.onnx", names, {"X": new})
    np.testing.assert_allclose(code, model.transform(new), atol=1e-5)
    np.testing.assert_allclose(rebuilt, model.reconstruct(new), atol=1e-5)
    np.testing.assert_allclose(error, model.reconstruction_error(new), rtol=1e-4)


def test_every_architecture_of_the_catalogue_is_above() -> None:
    assert {*ARCHITECTURES} == {*CATALOGUE}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_part_of_every_estimator(kind: str, tmp_path: Path) -> None:
    module, name = ESTIMATORS[kind].split(":")
    model: Any = getattr(importlib.import_module(module), name)(2, **SETTINGS)
    predicts = hasattr(model, "predict")
    labels = [np.arange(30) % 2] if predicts else []
    model.fit(rows((6,)), *labels)
    for part in PARTS if predicts else PARTS[:-1]:
        model.export(tmp_path / f"{part}.onnx", part)  # which compares it with Python


def test_codes_are_decoded(tmp_path: Path) -> None:
    model = ist.Autoencoder(3, **SETTINGS).fit(rows((8,)))
    model.export(tmp_path / "m.onnx", "decode")
    Z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    (decoded,) = run(tmp_path / "m.onnx", ["reconstruction"], {"code": Z})
    np.testing.assert_allclose(decoded, model.inverse_transform(Z), atol=1e-5)


def test_a_short_sequence_ends_in_nan(tmp_path: Path) -> None:
    X = rows((12, 2))
    X[:5, 8:] = np.nan
    model = ist.Autoencoder(3, architecture="gru", **SETTINGS).fit(X)
    model.export(tmp_path / "m.onnx")
    (rebuilt,) = run(tmp_path / "m.onnx", ["reconstruction"], {"X": X})
    np.testing.assert_array_equal(np.isnan(rebuilt), np.isnan(model.reconstruct(X)))


def test_a_table(cars: pd.DataFrame, tmp_path: Path) -> None:
    model = ist.Autoencoder(3, **SETTINGS).fit(cars)
    model.export(tmp_path / "m.onnx")
    names = [f"reconstruction.{name}" for name in ("speed", "make", "sold", "doors")]
    code, speed, make, sold, doors = run(tmp_path / "m.onnx", ["code", *names], inputs_of(cars))
    wanted = model.reconstruct(cars)
    np.testing.assert_allclose(code, model.transform(cars), atol=1e-5)
    np.testing.assert_allclose(speed[:, 0], wanted["speed"], rtol=1e-6)
    assert make[:, 0].tolist() == wanted["make"].tolist()
    assert sold[:, 0].tolist() == wanted["sold"].tolist()
    assert doors.dtype == np.int64
    assert doors[:, 0].tolist() == wanted["doors"].tolist()


def test_an_unknown_category_is_a_missing_cell(cars: pd.DataFrame, tmp_path: Path) -> None:
    model = ist.Autoencoder(3, **SETTINGS).fit(cars)
    model.export(tmp_path / "m.onnx", "encode")
    given = inputs_of(cars[:2]) | {"make": np.array([["Tata"], [""]], object)}
    (code,) = run(tmp_path / "m.onnx", ["code"], given)
    missing = cars[:2].assign(make=pd.Series([None, None], dtype=cars["make"].dtype))
    np.testing.assert_allclose(code, model.transform(missing), atol=1e-5)


def test_a_column_with_the_name_of_an_output_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame(rows((3,)), columns=["a", "b", "code"])
    model = ist.Autoencoder(2, **SETTINGS).fit(frame)
    with pytest.raises(ist.InvalidParameter, match=r"'code'.*rename the column"):
        model.export(tmp_path / "m.onnx")


@pytest.mark.parametrize("labels", [["a", "b"], [3, 7]], ids=["text", "integers"])
def test_classes(labels: list[Any], tmp_path: Path) -> None:
    X = rows((8,))
    y = np.array(labels)[np.arange(30) % 2]
    model = ist.SupervisedAutoencoder(3, **SETTINGS).fit(X, y)
    model.export(tmp_path / "m.onnx", "predict")
    label, shares = run(tmp_path / "m.onnx", ["label", "probabilities"], {"X": X})
    assert label.tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(shares, model.predict_proba(X), atol=1e-5)


def test_targets(tmp_path: Path) -> None:
    X, y = rows((8,)), 1e3 * np.random.default_rng(0).normal(size=30)
    model = ist.SupervisedAutoencoder(3, task="regression", **SETTINGS).fit(X, y)
    model.export(tmp_path / "m.onnx", "predict")
    (found,) = run(tmp_path / "m.onnx", ["prediction"], {"X": X})
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=1e-4, atol=1e-2)


def test_a_posterior_is_exported_by_its_mean(tmp_path: Path) -> None:
    X = rows((8,))
    model = ist.VariationalAutoencoder(3, **SETTINGS).fit(X)
    model.export(tmp_path / "m.onnx", "encode")
    (code,) = run(tmp_path / "m.onnx", ["code"], {"X": X})
    np.testing.assert_allclose(code, model.transform(X), atol=1e-5)


def test_pixels_that_were_never_seen_stay_missing(tmp_path: Path) -> None:
    X = rows((6, 6))
    X[:, :2, :2] = np.nan
    model = ist.Autoencoder(3, **SETTINGS).fit(X)
    model.export(tmp_path / "m.onnx")
    (rebuilt,) = run(tmp_path / "m.onnx", ["reconstruction"], {"X": rows((6, 6))})
    np.testing.assert_array_equal(np.isnan(rebuilt), np.isnan(model.reconstruct(rows((6, 6)))))


OWN = {
    "images": (
        (12, 12, 1),
        [
            *(L.ZeroPadding2D(((1, 0), (2, 1))), L.Cropping2D(1)),
            *(
                L.Conv2D(4, 3, padding="valid", activation="relu"),
                L.MaxPooling2D(2, padding="same"),
            ),
            *(L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), L.PReLU()),
            *(L.AveragePooling2D(3, 2, padding="same"), L.BatchNormalization()),
            *(L.GlobalAveragePooling2D(), L.Dense(3)),
        ],
        [
            *(L.Dense(4 * 4 * 3), L.Reshape((4, 4, 3))),
            *(L.Conv2DTranspose(3, 4, strides=2, padding="same", activation="selu"),),
            *(L.UpSampling2D(2, interpolation="bilinear"), L.Cropping2D(((2, 2), (1, 3)))),
            L.Conv2D(1, 3, dilation_rate=2, padding="same", activation="sigmoid"),
        ],
    ),
    "series": (
        (12, 2),
        [
            *(L.Conv1D(4, 5, padding="causal", activation="mish"), L.MaxPooling1D(2)),
            *(L.SpatialDropout1D(0.1), L.LSTM(5), L.LayerNormalization(), L.Softmax(), L.Dense(3)),
        ],
        [
            *(L.RepeatVector(12), L.GRU(4, return_sequences=True), L.Permute((2, 1))),
            *(
                L.Permute((2, 1)),
                L.Conv1DTranspose(3, 3, padding="same", activation="hard_sigmoid"),
            ),
            *(L.LeakyReLU(), L.ELU(), L.UpSampling1D(2), L.AveragePooling1D(2)),
            L.Dense(2, activation="leaky_relu"),
        ],
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_layers_of_your_own_models(name: str, tmp_path: Path) -> None:
    shape, before, after = OWN[name]
    encoder = keras.Sequential([keras.Input(shape), *before])
    decoder = keras.Sequential([keras.Input((3,)), *after])
    X = rows(shape)
    model = ist.Autoencoder(3, encoder=encoder, decoder=decoder, **SETTINGS).fit(X)
    model.export(tmp_path / "m.onnx")
    (rebuilt,) = run(tmp_path / "m.onnx", ["reconstruction"], {"X": X})
    np.testing.assert_allclose(rebuilt, model.reconstruct(X), atol=1e-5)


def test_another_layer_is_refused_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    encoder = keras.Sequential([keras.Input((12, 2)), L.SimpleRNN(3, name="reader"), L.Dense(3)])
    decoder = keras.Sequential([keras.Input((3,)), L.Dense(24), L.Reshape((12, 2))])
    model = ist.Autoencoder(3, encoder=encoder, decoder=decoder, **SETTINGS).fit(rows((12, 2)))
    with pytest.raises(ist.InvalidParameter, match=r"'reader'.*SimpleRNN"):
        model.export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_half_precision_is_refused(tmp_path: Path) -> None:
    model = ist.Autoencoder(3, precision="bfloat16", **SETTINGS).fit(rows((8,)))
    with pytest.raises(ist.InvalidParameter, match="precision='float32'"):
        model.export(tmp_path / "m.onnx")


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    model = ist.Autoencoder(3, **SETTINGS).fit(rows((8,)))
    with pytest.raises(ist.InvalidParameter, match="'predict' is for models that learned labels"):
        model.export(tmp_path / "m.onnx", "predict")


def test_it_runs_without_isthmus_and_says_what_it_is(tmp_path: Path) -> None:
    X = rows((8,))
    model = ist.Autoencoder(3, **SETTINGS).fit(X)
    model.export(tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys, numpy, onnxruntime; s = onnxruntime.InferenceSession('m.onnx'); "
        "numpy.save('code.npy', s.run(['code'], {'X': numpy.load('x.npy')})[0]); "
        "print(*sorted({'isthmus', 'jax', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
    np.testing.assert_allclose(np.load(tmp_path / "code.npy"), model.transform(X), atol=1e-5)
    stored = onnx.load(tmp_path / "m.onnx")
    told = {entry.key: entry.value for entry in stored.metadata_props}
    assert told["isthmus.part"] == "reconstruct"
    assert told["isthmus.version"] == ist.__version__
    assert json.loads(told["isthmus.schema"])["sample_shape"] == [8]
