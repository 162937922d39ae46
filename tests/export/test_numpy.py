"""Exported NumPy models compute what Python does; the export runs them in another process."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main
from isthmus.export.numpy_files import NumpyGraph, NumpyProgram, write_numpy

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "archives"
L = keras.layers


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Any]:
    """A function that exports a model and imports the file."""

    def export(model: Any) -> Any:
        folder = tmp_path_factory.mktemp("numpy") / "m"
        model.export(folder, to="numpy")
        found = importlib.util.spec_from_file_location("exported", folder / "model.py")
        module = importlib.util.module_from_spec(found)  # type: ignore[arg-type]
        found.loader.exec_module(module)  # type: ignore[union-attr]
        return module

    return export


def saved(name: str) -> tuple[Any, Any]:
    """Return a golden model, and rows made from codes."""
    model = ist.load(GOLDEN / f"{name}.isthmus")
    codes = np.random.default_rng(0).normal(size=(9, model.latent_dim_)).astype(np.float32)
    return model, model.inverse_transform(codes)


def test_images(exported: Callable[[Any], Any]) -> None:
    model, X = saved("autoencoder-images-dense")
    X[0, 0, 0] = np.nan
    small = exported(model)
    np.testing.assert_allclose(small.encode(X), model.transform(X), atol=1e-5)
    np.testing.assert_allclose(small.reconstruct(X), model.reconstruct(X), atol=1e-5)
    errors = model.reconstruction_error(X)
    np.testing.assert_allclose(small.reconstruction_error(X), errors, rtol=1e-4)
    assert small.description()["sample_shape"] == list(model.schema_.sample_shape)


def test_a_table_of_all_kinds(exported: Callable[[Any], Any]) -> None:
    model, X = saved("autoencoder-table")
    small = exported(model)
    X.loc[0, "width"] = np.nan
    columns = {name: X[name].to_numpy() for name in X}
    ticks = model.schema_.learned[-1].type  # of the column day
    columns["kind"] = X["kind"].astype(object).where(np.arange(9) != 1, None).to_numpy()
    columns["day"] = X["day"].to_numpy().astype(f"datetime64[{_unit(ticks)}]").astype(np.int64)
    X["kind"] = X["kind"].where(np.arange(9) != 1)
    np.testing.assert_allclose(small.encode(columns), model.transform(X), atol=1e-5)
    made, wanted = small.reconstruct(columns), model.reconstruct(X)
    np.testing.assert_allclose(made["width"], wanted["width"], rtol=1e-6)
    for name in ("count", "open", "kind", "place"):
        assert made[name].tolist() == wanted[name].tolist()
    assert small.decode(small.encode(columns)).keys() == made.keys()
    with pytest.raises(KeyError, match="'width' is not among the columns"):
        small.encode({"count": columns["count"]})


def _unit(kind: Any) -> str:
    return "D" if str(kind).startswith("date32") else kind.unit


@pytest.mark.nightly
def test_layers_and_activations(exported: Callable[[Any], Any]) -> None:
    names = ("elu", "selu", "leaky_relu", "hard_sigmoid", "softplus", "softsign", "mish", "silu")
    layers = [L.Dense(3, activation=name) for name in (*names, "softmax", "log_softmax", "tanh")]
    encoder = keras.Sequential(
        [keras.Input((3, 2)), L.Permute((2, 1)), L.Dense(2), L.Flatten(), L.PReLU(), *layers]
    )
    decoder = keras.Sequential(
        [
            *(keras.Input((3,)), L.LayerNormalization(), L.RepeatVector(3), L.LeakyReLU()),
            *(L.Dense(2), L.Softmax(), L.BatchNormalization(), L.Rescaling(2.0, 1.0), L.ELU()),
        ]
    )
    X = np.random.default_rng(0).normal(size=(30, 3, 2)).astype(np.float32)
    model = ist.Autoencoder(3, encoder=encoder, decoder=decoder, epochs=1, verbose=0).fit(X)
    small = exported(model)
    np.testing.assert_allclose(small.reconstruct(X), model.reconstruct(X), atol=1e-5)


def test_other_networks_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    graph = NumpyGraph()
    graph.output("code", graph.add("GRU", graph.input("X", np.float32, (3, 2))), np.float32, (2,))
    with pytest.raises(ist.InvalidParameter, match=r"a dense network, received one with GRU"):
        write_numpy(tmp_path / "m", {"rows": NumpyProgram(graph, {}, {})}, {})
    assert not list(tmp_path.iterdir())


def test_the_command_needs_no_other_package(tmp_path: Path) -> None:
    model, X = saved("autoencoder-linear")
    file = str(GOLDEN / "autoencoder-linear.isthmus")
    assert main(["export", file, str(tmp_path / "m"), "--to", "numpy"]) == 0
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["model.npz", "model.py"]
    np.save(tmp_path / "m" / "x.npy", X)
    code = (
        "import sys, numpy as np, model; np.save('code.npy', model.encode(np.load('x.npy'))); "
        "print(*{'isthmus', 'jax', 'keras', 'onnx', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "m",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
    np.testing.assert_allclose(np.load(tmp_path / "m" / "code.npy"), model.transform(X), atol=1e-5)


def test_it_is_exported_without_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model, _ = saved("autoencoder-linear")
    model.export(tmp_path / "m", to="numpy")
    assert (tmp_path / "m" / "model.npz").is_file()
