"""Learning labels of data that are larger than memory."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import isthmus as ist
from isthmus.core.errors import InvalidData, UnreadableFile
from isthmus.data.sources import opening
from isthmus.estimators import streamed_labels
from isthmus.estimators.labels import Classes
from isthmus.estimators.streamed_labels import ClassReader, TargetReader
from isthmus.training import checkpoint, row_stream

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(1500, 2)) @ RNG.normal(size=(2, 5))).astype(np.float32)
SIDE = np.where(X[:, 0] > 0, "right", "left").astype(object)
SIDE[::3] = None
SIDE[7] = "only once"
TABLE = pa.table({f"x{i}": X[:, i] for i in range(5)}).append_column("side", pa.array(SIDE))
SETTINGS = {"random_state": 0, "verbose": 0, "batch_size": 64, "epochs": 3, "hidden": (8,)}


def small_memory(patch):
    """Let only 1000 bytes of data fit in memory, and few rows in a chunk."""
    patch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1000)
    patch.setattr(row_stream, "CHUNK_CELLS", 2000)


@pytest.fixture(autouse=True)
def _small_memory(monkeypatch):
    small_memory(monkeypatch)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    for i in range(3):
        rows = TABLE[i * 500 : (i + 1) * 500]
        pq.write_table(rows, folder / f"{i}.parquet", row_group_size=200)
    return folder


def fitted(data, y=None, **settings):
    return ist.SupervisedAutoencoder(2, **{**SETTINGS, **settings}).fit(data, y)


def pairs():
    return ((X[at : at + 400], SIDE[at : at + 400]) for at in range(0, 1500, 400))


def weights(model):
    return [np.asarray(v.value) for v in model.network_.full.variables]


def same(one, other):
    return all((a == b).all() for a, b in zip(weights(one), weights(other), strict=True))


@pytest.fixture(scope="module")
def model(lake):
    with pytest.MonkeyPatch.context() as patch:
        small_memory(patch)
        return fitted(str(lake), "side")


def test_labels_of_a_folder_are_learned(model, lake, tmp_path):
    assert list(model.classes_) == ["left", "only once", "right"]
    assert model.labelled_share_ == pytest.approx(sum(s is not None for s in SIDE) / 1500)
    assert list(model.feature_names_in_) == [f"x{i}" for i in range(5)]
    assert model.n_samples_ == 1500
    assert {"supervised_loss", "val_accuracy"} <= set(model.history_)
    rows = TABLE.drop_columns(["side"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1 << 20)
        whole = fitted(rows, SIDE)
        assert same(whole, fitted(str(lake), "side"))  # rows that fit in memory
    expected = whole.score(rows, SIDE)
    assert model.score(rows, SIDE) > expected - 0.03 > 0.87
    assert model.history_["accuracy"][-1] == pytest.approx(whole.history_["accuracy"][-1], abs=0.05)
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    predicted = loaded.predict(lambda: rows.to_batches(max_chunksize=400))
    np.testing.assert_array_equal(predicted, model.predict(rows))


def test_pairs_of_rows_and_labels_are_learned_like_arrays(monkeypatch):
    streamed = fitted(pairs)
    assert same(streamed, fitted(pairs))
    assert list(streamed.classes_) == ["left", "only once", "right"]
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1 << 20)
    whole = fitted(X, SIDE)
    assert same(whole, fitted(pairs))
    assert streamed.score(X, SIDE) > whole.score(X, SIDE) - 0.03


def test_a_run_goes_on_within_an_epoch(model, lake, tmp_path, monkeypatch):
    """A run that is killed after each checkpoint, and resumed, is the same run."""
    monkeypatch.setattr(checkpoint, "SECONDS_WITHIN_EPOCH", 0.0)
    write, path = checkpoint.write, tmp_path / "run"
    written = []

    class Killed(BaseException):
        pass

    def write_once(*args):
        write(*args)
        written.append(args[1])
        if len(written) in (2, 6):
            raise Killed

    monkeypatch.setattr(checkpoint, "write", write_once)
    for _ in range(2):
        with pytest.raises(Killed):
            fitted(str(lake), "side", checkpoint=path)
    resumed = fitted(str(lake), "side", checkpoint=path)
    assert written[1].steps > 0
    assert same(model, resumed)
    assert resumed.history_["val_supervised_loss"] == model.history_["val_supervised_loss"]


def test_targets_of_a_folder_are_learned(lake):
    rows = TABLE.drop_columns(["side"])
    model = fitted(str(lake), "x0", task="regression")
    assert list(model.feature_names_in_) == ["x1", "x2", "x3", "x4", "side"]
    assert model.score(TABLE.drop_columns(["x0"]), rows["x0"].to_numpy()) > 0.5


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.Table.from_pydict])
def test_a_column_of_a_table_in_memory_has_the_labels(make):
    table = make({"a": X[:40, 0], "b": X[:40, 1], "side": list(SIDE[1:41])})
    model = fitted(table, "side", epochs=1)
    assert list(model.feature_names_in_) == ["a", "b"]
    assert list(model.classes_) == ["left", "only once", "right"]


CELLS = st.one_of(
    st.lists(st.integers(-2, 3), min_size=1).map(np.array),
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "bb"])), min_size=1).map(
        lambda given: np.array(given, object)
    ),
    st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=1).map(np.array),
)


@given(CELLS, st.integers(1, 4))
def test_classes_are_those_of_labels_in_memory(labels, size):
    def reading():
        reader = ClassReader()
        for start in range(0, len(labels), size):
            part = labels[start : start + size]
            reader.add(part, len(part))
        return reader.result(None)

    try:
        classes, encoded = Classes.of(labels, len(labels))
    except InvalidData as error:
        with pytest.raises(InvalidData, match=str(error)[:20]):
            reading()
        return
    found, stored = reading()
    assert found.values.tolist() == classes.values.tolist()
    assert found.values.dtype == classes.values.dtype
    np.testing.assert_array_equal(stored.of(slice(None)), encoded)


def test_earlier_classes_and_targets_are_kept():
    reader = ClassReader()
    reader.add(np.array([2, -1]), 2)
    known = Classes(np.array([1, 2]))
    assert reader.result(known)[0] is known
    np.testing.assert_array_equal(reader.result(known)[1].of(slice(None)), [1, np.nan])
    reader = TargetReader()
    reader.add(np.array([1.0, np.nan]), 2)
    reader.add(np.array([3.0]), 1)
    targets, stored = reader.result(None)
    np.testing.assert_allclose(stored.of(np.array([0, 2])), [[-1], [1]])
    again, _ = reader.result(targets)
    assert again is targets
    with pytest.raises(InvalidData, match="1 targets, as in the first batch"):
        reader.add(np.zeros((2, 2)), 2)


def one_label_less():
    return ((X[at : at + 400], SIDE[: min(400, 1500 - at) - 1]) for at in range(0, 1500, 400))


def rows_later():
    yield X[:400], SIDE[:400]
    yield X[400:]


@pytest.mark.parametrize(
    ("data", "y", "message"),
    [
        (lambda: TABLE.to_batches(), None, "y: expected the name of a column"),
        (lambda: TABLE.to_batches(), SIDE, "y: expected the name of a column"),
        (lambda: TABLE.to_batches(), "sides", "y: expected one of the columns .*side"),
        (lambda: TABLE.select(["side"]).to_batches(), "side", "only 'side'"),
        (lambda: iter([X]), "side", "y: expected labels, one for each row"),
        (X[:20], "side", "y: expected labels, one for each row"),
        (one_label_less, None, "one label for each of its 400 rows, received 399"),
        (rows_later, None, "a pair of rows and labels"),
        (lambda: TABLE.to_batches(), "x0", "at most 10 classes"),
    ],
)
def test_labels_that_cannot_be_read(data, y, message, monkeypatch):
    monkeypatch.setattr(streamed_labels, "MOST_CLASSES", 10)
    with pytest.raises((InvalidData, UnreadableFile), match=message):
        fitted(data, y)
