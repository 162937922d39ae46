"""Exported Keras models compute what Python does, in a process that cannot import isthmus."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main

SETTINGS: dict[str, Any] = {"epochs": 1, "random_state": 0, "verbose": 0}
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "archives"
SAVED = {
    "dense": "autoencoder-numbers-penalties",
    "gru": "autoencoder-series-gru",
}
LOADED = """
import json, os, sys
os.environ["KERAS_BACKEND"] = "jax"
sys.modules["isthmus"] = None
import keras, numpy as np
for name in sys.argv[1:]:
    encoder, decoder = (
        keras.saving.load_model(f"{name}/{half}.keras", safe_mode=True)
        for half in ("encoder", "decoder")
    )
    code = encoder.predict(np.load(f"{name}.npy"), verbose=0)
    np.savez(f"{name}.npz", code=code, rows=decoder.predict(code, verbose=0))
"""


def rows(columns: int) -> Any:
    """Numbers far from 0, one of which is missing, and an outlier."""
    X = np.random.default_rng(0).normal(500, 3, (30, columns)).astype(np.float32)
    X[3, 2] = np.nan
    X[4, 0] = 900
    return X


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "speed": rng.normal(100, 5, 60).astype(np.float32),
            "plate": [f"X{number}" for number in range(60)],
            "year": rng.integers(1990, 2025, 60),
            "rain": np.where(rng.random(60) < 0.5, 0, rng.exponential(size=60)),
            "price": np.round(rng.normal(5, 2, 60), 2),
            "sold": rng.random(60) < 0.3,
        }
    )
    frame.loc[3:9, "speed"] = np.nan
    return frame


@pytest.fixture(scope="module")
def fitted(table: pd.DataFrame) -> dict[str, tuple[Any, Any]]:
    """Models, and rows for them."""
    with pytest.warns(ist.DataWarning, match="plate"):
        mixed = ist.Autoencoder(3, hidden=(4,), **SETTINGS).fit(table)
    made = {"table": (mixed, table)}
    for name, file in SAVED.items():
        model = ist.load(GOLDEN / f"{file}.isthmus")
        codes = np.random.default_rng(0).normal(size=(9, model.latent_dim_)).astype(np.float32)
        made[name] = model, model.inverse_transform(codes).astype(np.float32)
    made["gru"][1][:2, -2:] = np.nan  # shorter sequences
    made["dense"][1][0, 1] = np.nan
    scale = made["dense"][0].schema_.scaling.scale
    made["dense"][1][1] += (100 * scale).astype(np.float32)  # beyond the knee of the scaling
    return made


@pytest.fixture(scope="module")
def folder(fitted: dict[str, tuple[Any, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported models, and what another process computes with them."""
    made = tmp_path_factory.mktemp("keras")
    for name, (model, X) in fitted.items():
        model.export(made / name, to="keras")
        columns = json.loads((made / name / "model.json").read_text()).get("columns")
        given = X if columns is None else X[columns].to_numpy(np.float32)
        np.save(made / f"{name}.npy", given)
    subprocess.run([sys.executable, "-c", LOADED, *fitted], cwd=made, check=True)
    return made


@pytest.mark.parametrize("name", ["table", *SAVED])
def test_it_computes_the_same_without_isthmus(
    name: str, folder: Path, fitted: dict[str, tuple[Any, Any]]
) -> None:
    model, X = fitted[name]
    found = np.load(folder / f"{name}.npz")
    wanted = model.transform(X)
    np.testing.assert_allclose(found["code"], wanted, atol=1e-5, rtol=1e-5)
    back = model.inverse_transform(wanted)
    if name == "table":
        back = back[["speed", "year", "rain", "price", "sold"]].to_numpy(float)
    np.testing.assert_allclose(found["rows"], back, rtol=1e-5, atol=1e-3)


def test_columns_of_a_table_are_in_their_range_and_on_their_grid(
    folder: Path, table: pd.DataFrame
) -> None:
    found = np.load(folder / "table.npz")["rows"]
    columns = json.loads((folder / "table" / "model.json").read_text())["columns"]
    assert columns == ["speed", "year", "rain", "price", "sold"]
    assert np.array_equal(found[:, 1], np.round(found[:, 1]))
    assert found[:, 1].min() >= table["year"].min()
    np.testing.assert_allclose(found[:, 3], np.round(found[:, 3], 2), atol=1e-6)
    assert set(found[:, 4]) <= {0.0, 1.0}


def test_files_have_classes_of_keras_only(folder: Path) -> None:
    for path in folder.rglob("*.keras"):
        with zipfile.ZipFile(path) as archive:
            text = archive.read("config.json").decode()
        assert "isthmus" not in text
        assert "Lambda" not in text


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name", ["images-convolutional", "images-strided", "series-convolutional-1d", "bfloat16"]
)
def test_other_architectures(name: str, tmp_path: Path) -> None:
    model = ist.load(GOLDEN / f"autoencoder-{name}.isthmus")
    codes = np.random.default_rng(0).normal(size=(9, model.latent_dim_)).astype(np.float32)
    X = model.inverse_transform(codes).astype(np.float32)
    model.export(tmp_path / "m", to="keras")
    encoder, decoder = (
        keras.saving.load_model(tmp_path / "m" / f"{half}.keras") for half in ("encoder", "decoder")
    )
    np.testing.assert_allclose(encoder.predict(X, verbose=0), model.transform(X), atol=1e-5)
    np.testing.assert_allclose(decoder.predict(codes, verbose=0), X, rtol=1e-5, atol=1e-5)


@pytest.mark.nightly
def test_layers_of_your_own_models(tmp_path: Path) -> None:
    L = keras.layers
    shared = L.Dense(4, activation="relu", name="twice")
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="twice"), L.BatchNormalization()])
    encoder = keras.Model(inputs, L.Dense(2)(inner(shared(shared(inputs)))))
    decoder = keras.Sequential([keras.Input((2,)), L.Dropout(0.5), L.Dense(4)])
    X = rows(4)
    model = ist.Autoencoder(2, encoder=encoder, decoder=decoder, **SETTINGS).fit(X)
    model.export(tmp_path / "m", to="keras")
    loaded = keras.saving.load_model(tmp_path / "m" / "encoder.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.transform(X), atol=1e-5)


@keras.saving.register_keras_serializable("tests")
class Own(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


def test_other_layers_are_refused_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    encoder = keras.Sequential([keras.Input((4,)), Own(name="mine"), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    model = ist.Autoencoder(2, encoder=encoder, decoder=decoder, **SETTINGS)
    with pytest.warns(ist.TrainingWarning, match="save will refuse"):
        model.fit(rows(4))
    with pytest.raises(ist.InvalidParameter, match=r"'mine': expected layers of Keras.*onnx"):
        model.export(tmp_path / "m", to="keras")
    assert not list(tmp_path.iterdir())


def test_what_one_matrix_of_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    mixed = ist.load(GOLDEN / "autoencoder-table.isthmus")
    with pytest.raises(ist.InvalidParameter, match=r"column 'kind'.*a category"):
        mixed.export(tmp_path / "m", to="keras")
    far = 1e6 + 1e-3 * np.arange(30.0)[:, None] ** 2
    model = ist.Autoencoder(1, hidden=(), **SETTINGS).fit(far)
    with pytest.raises(ist.InvalidParameter, match="float32 can tell apart"):
        model.export(tmp_path / "m", to="keras")
    assert not list(tmp_path.iterdir())


def test_wrong_formats_parts_and_places(fitted: dict[str, tuple[Any, Any]], tmp_path: Path) -> None:
    model, _ = fitted["dense"]
    with pytest.raises(ist.InvalidParameter, match="to: expected one of 'onnx', 'keras'"):
        model.export(tmp_path / "m", to="torch")
    with pytest.raises(ist.InvalidParameter, match="part: expected none with to='keras'"):
        model.export(tmp_path / "m", "encode", to="keras")
    with pytest.raises(ist.CannotWrite, match="cannot make the folder"):
        model.export(tmp_path / "none" / "m", to="keras")


def test_the_command(
    fitted: dict[str, tuple[Any, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted["dense"][0].save(tmp_path / "m.isthmus")
    command = ["export", str(tmp_path / "m.isthmus"), str(tmp_path / "m"), "--to", "keras"]
    assert main(command) == 0
    assert "(3 files)" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "m").iterdir())
    assert names == ["decoder.keras", "encoder.keras", "model.json"]
    assert main(command) != 0
    assert "add --force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
