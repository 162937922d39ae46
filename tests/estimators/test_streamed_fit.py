"""Fitting to data that are larger than memory: deterministic, resumable, and as good."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from PIL import Image

import isthmus as ist
from isthmus.core.errors import InvalidData, UnreadableFile
from isthmus.data.sources import opening
from isthmus.training import checkpoint, row_stream

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(3000, 2)) @ RNG.normal(size=(2, 6))).astype(np.float32)
TABLE = pa.table({f"x{i}": X[:, i] for i in range(6)}).append_column(
    "kind", pa.array(np.where(X[:, 0] > 0, "a", "b"))
)
SETTINGS = {"random_state": 0, "verbose": 0, "batch_size": 64, "epochs": 2, "hidden": (8,)}


@pytest.fixture(autouse=True)
def small_memory(monkeypatch):
    """Only 1000 bytes of data fit in memory, and chunks have few rows."""
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1000)
    monkeypatch.setattr(row_stream, "CHUNK_CELLS", 8000)


@pytest.fixture
def lake(tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    for i in range(3):
        pq.write_table(
            TABLE[i * 1000 : (i + 1) * 1000], folder / f"{i}.parquet", row_group_size=300
        )
    return folder


def batches():
    return iter([X[start : start + 700] for start in range(0, 3000, 700)])


def weights(model):
    return [np.asarray(v.value) for v in model.network_.full.variables]


def same(one, other):
    return all((a == b).all() for a, b in zip(weights(one), weights(other), strict=True))


def fitted(data, **settings):
    return ist.Autoencoder(2, **{**SETTINGS, **settings}).fit(data)


def test_a_folder_is_fitted_and_applied(lake):
    model = fitted(str(lake))
    assert model.n_samples_ == 3000
    assert len(model.history_["val_loss"]) == 2
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    assert list(model.feature_names_in_) == TABLE.column_names
    assert model.transform(str(lake)).shape == (3000, 2)
    np.testing.assert_allclose(model.transform(lake), model.transform(TABLE), atol=1e-5)
    errors = model.reconstruction_error(lake)
    np.testing.assert_allclose(errors, model.reconstruction_error(TABLE), rtol=1e-3, atol=1e-6)
    rebuilt = model.reconstruct(str(lake / "*.parquet"))
    assert rebuilt.schema == TABLE.schema
    assert rebuilt["kind"].to_pylist() == model.reconstruct(TABLE)["kind"].to_pylist()
    assert same(model, fitted(pyarrow.dataset.dataset(lake)))


def test_a_function_of_batches_is_fitted_like_an_array(monkeypatch):
    model = fitted(batches)
    assert same(model, fitted(batches))
    assert model.transform(batches).shape == (3000, 2)
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1 << 20)
    whole = fitted(X)
    assert same(whole, fitted(batches))  # rows that fit in memory
    assert model.reconstruction_error(X).mean() < 2 * whole.reconstruction_error(X).mean() + 0.01


@pytest.mark.parametrize("make", [ist.DenoisingAutoencoder, ist.VariationalAutoencoder])
def test_kinds_without_labels_are_fitted(make):
    model = make(2, **SETTINGS, validation_fraction=0).fit(batches)
    assert np.isfinite(model.reconstruction_error(X)).all()


def test_a_folder_of_images_is_fitted(tmp_path):
    for i in range(60):
        image = np.full((8, 8), 4 * i, np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i:02}.png")
    model = fitted(str(tmp_path), batch_size=16, architecture="dense")
    assert model.schema_.image_options is not None
    assert model.transform(tmp_path).shape == (60, 2)
    assert model.reconstruct(tmp_path).shape == (60, 8, 8)


def test_a_run_resumes_within_an_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS_WITHIN_EPOCH", 0.0)
    expected = fitted(batches)
    write, path = checkpoint.write, tmp_path / "run"
    written = []

    class Killed(BaseException):
        pass

    def write_once(*args):
        write(*args)
        written.append(args[1])
        raise Killed

    monkeypatch.setattr(checkpoint, "write", write_once)
    for _ in range(40):
        try:
            model = fitted(batches, checkpoint=path)
            break
        except Killed:
            continue
    assert same(model, expected)
    assert {(s.epoch, s.steps > 0) for s in written} >= {(0, True), (1, False), (1, True)}
    for name in ("loss", "val_loss", "learning_rate"):
        assert model.history_[name] == expected.history_[name]


def test_labels_are_refused(lake):
    model = ist.Autoencoder(2, **SETTINGS)
    with pytest.raises(InvalidData, match="rows that fit in memory, because labels"):
        model.fit(lake, np.zeros(3000))
    with pytest.raises(InvalidData, match="y: expected the name of a column"):
        ist.SupervisedAutoencoder(2, **SETTINGS).fit(batches)


def test_an_iterator_is_refused():
    with pytest.raises(InvalidData, match="a function that returns such an iterator"):
        fitted(batches())


def test_a_bad_file_is_named_before_training(lake):
    file = lake / "1.parquet"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UnreadableFile, match=r"1 bad of 3: .*1\.parquet"):
        fitted(str(lake))
