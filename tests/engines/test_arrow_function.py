"""A saved model as a function of batches: columns, types, and the same bits in any batch."""

import itertools
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import isthmus as ist
from isthmus.cli.__main__ import main
from isthmus.engines import open_models

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "archives"
TASKS = {"encode": "a", "reconstruct": "a", "score": "a", "detect": "d"}


def function(models: Path, task: str, keep: object = None) -> ist.ArrowFunction:
    return ist.arrow_function(models / f"{TASKS[task]}.isthmus", task, keep=keep)


@pytest.mark.parametrize("task", ["encode", "reconstruct", "detect"])
def test_columns_and_values_are_those_of_the_command(
    task: str, models: Path, whole: pa.Table, tmp_path: Path
) -> None:
    pq.write_table(whole, tmp_path / "rows.parquet")
    out = tmp_path / "out.parquet"
    model = models / f"{TASKS[task]}.isthmus"
    assert main([task, str(model), str(tmp_path / "rows.parquet"), "-o", str(out)]) == 0
    by_command = pq.read_table(out)
    made = function(models, task, whole.schema)
    assert made.schema.names == [name for name in by_command.column_names if name != "row"]
    result = made(whole)
    assert result.schema == made.schema
    for name in result.column_names:
        given, other = result.column(name).to_pylist(), by_command.column(name).to_pylist()
        assert given == (pytest.approx(other, rel=1e-6) if isinstance(given[0], float) else other)


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_results_do_not_depend_on_the_batches(
    task: str, models: Path, whole: pa.Table, data: st.DataObject
) -> None:
    made = function(models, task, {"id": pa.int64()})
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=5)))
    ends = [0, *cuts, len(whole)]
    parts = [made(whole.slice(a, b - a)) for a, b in itertools.pairwise(ends)]
    assert pa.concat_tables(parts).equals(made(whole))


def test_scores_are_those_of_the_model(models: Path, whole: pa.Table) -> None:
    rows = whole.drop_columns(["id"])
    errors = function(models, "score")(whole).column("reconstruction_error").to_numpy()
    plain = ist.load(models / "a.isthmus").reconstruction_error(rows)
    np.testing.assert_allclose(errors, plain, rtol=1e-5)
    scores = ist.arrow_function(models / "d.isthmus", "score")(whole).column("score")
    assert scores.equals(function(models, "detect")(whole).column("score"))


def test_codes_become_rows_again(models: Path, whole: pa.Table) -> None:
    keep = {"id": pa.int64()}
    codes = function(models, "encode", keep)(whole)
    decode = ist.arrow_function(models / "a.isthmus", "decode", keep=keep)
    assert decode.input_columns == ("code0", "code1")
    rebuilt = function(models, "reconstruct", keep)(whole)
    assert decode(codes).equals(rebuilt.select(decode.schema.names))


def test_an_array_has_numbered_columns() -> None:
    path = GOLDEN / "autoencoder-numbers-penalties.isthmus"
    model = ist.load(path)
    width = model.n_features_in_
    X = np.random.default_rng(0).normal(size=(90, width))
    columns = {f"x{i}": X[:, i] for i in reversed(range(width))}
    rebuild = ist.arrow_function(path, "reconstruct")
    result = rebuild(pa.table({"name": ["a"] * 90, **columns}))
    assert result.schema == rebuild.schema
    assert result.column_names == [f"x{i}" for i in range(width)]
    found = np.column_stack([column.to_numpy() for column in result.columns])
    np.testing.assert_allclose(found, model.reconstruct(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_batch_has_the_schema(task: str, models: Path, whole: pa.Table) -> None:
    made = function(models, task, {"id": pa.int64()})
    assert made(whole.slice(0, 0)).schema == made.schema
    assert made(whole.slice(0, 0)).num_rows == 0
    batch = made(pa.RecordBatch.from_pylist([], whole.schema))
    assert isinstance(batch, pa.RecordBatch)
    assert batch.schema == made.schema


def test_a_null_cell_is_a_missing_cell(models: Path, whole: pa.Table) -> None:
    nulls = whole.slice(0, 20).set_column(1, "height", pa.nulls(20))
    nans = nulls.set_column(1, "height", pa.array([float("nan")] * 20))
    rebuild = function(models, "reconstruct")
    assert rebuild(nulls).equals(rebuild(nans))
    assert rebuild(nulls).column("height").null_count == 0


def test_batches_are_of_the_type_that_was_given(
    detect: ist.ArrowFunction, whole: pa.Table, expected: pa.Table
) -> None:
    (batch,) = whole.combine_chunks().to_batches()
    assert next(detect.batches([batch])).equals(expected.combine_chunks().to_batches()[0])
    frame = whole.to_pandas().set_index(np.arange(len(whole)) + 5)
    result = detect(frame)
    assert isinstance(result, pd.DataFrame)
    assert (result.index == frame.index).all()
    assert (result["score"].to_numpy() == expected["score"].to_numpy()).all()
    assert detect(pl.from_arrow(whole)).to_arrow().column("score").equals(expected["score"])


def test_a_pickle_holds_the_path_and_opens_the_model_once(
    detect: ist.ArrowFunction, whole: pa.Table, expected: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = pickle.dumps(detect)
    assert len(blob) < 2_000
    monkeypatch.setattr(
        "isthmus.persistence.loading.load", lambda *_: pytest.fail("the model was opened again")
    )
    assert pickle.loads(blob)(whole).equals(expected)


def test_a_changed_model_is_refused(models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "a.isthmus", tmp_path / "m.isthmus")
    made = ist.arrow_function(tmp_path / "m.isthmus", "encode")
    blob = pickle.dumps(made)
    shutil.copy(models / "d.isthmus", tmp_path / "m.isthmus")
    open_models.forget()  # as in a new process
    with pytest.raises(ist.InvalidArchive, match="expected the file with the SHA-256"):
        pickle.loads(blob).schema  # noqa: B018
    (tmp_path / "m.isthmus").unlink()
    with pytest.raises(ist.InvalidArchive, match="every worker needs the file"):
        pickle.loads(blob).schema  # noqa: B018


def test_a_fork_is_refused(
    detect: ist.ArrowFunction, whole: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    with pytest.raises(ist.InvalidParameter, match="'spawn'"):
        detect(whole)


def test_threads_share_a_model(models: Path, whole: pa.Table, expected: pa.Table) -> None:
    open_models.forget()
    made = function(models, "detect", {"id": pa.int64()})
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(made, [whole] * 16):
            assert result.equals(expected)


def test_faults_are_explained(models: Path, whole: pa.Table, detect: ist.ArrowFunction) -> None:
    with pytest.raises(ist.SchemaMismatch, match=r"none named 'span'.*did you mean 'spam'"):
        detect(whole.rename_columns(["id", "height", "weight", "spam", "town"]))
    with pytest.raises(ist.SchemaMismatch, match="all 1 to keep, received none named 'id'"):
        detect(whole.drop_columns(["id"]))
    with pytest.raises(ist.SchemaMismatch, match="column 'id': expected int64"):
        detect(whole.set_column(0, "id", pa.array(["x"] * len(whole))))
    with pytest.raises(ist.InvalidData, match="received dict"):
        detect({"height": [1.0]})
    infinite = whole.set_column(1, "height", pa.array([np.inf] * len(whole)))
    with pytest.raises(ist.InvalidData, match="column 'height', row 0"):
        detect(infinite)


def test_what_a_model_cannot_do_is_refused(models: Path) -> None:
    with pytest.raises(ist.InvalidParameter, match="did you mean 'encode'"):
        ist.arrow_function(models / "a.isthmus", "encod")
    with pytest.raises(ist.InvalidParameter, match="expected a detector"):
        ist.arrow_function(models / "a.isthmus", "detect")
    with pytest.raises(ist.InvalidData, match="column 'code0': expected a name"):
        ist.arrow_function(models / "a.isthmus", "encode", keep={"code0": pa.string()})
    with pytest.raises(ist.InvalidArchive, match="cannot be read"):
        ist.arrow_function(models / "b.isthmus", "encode")
    for name, task, message in (
        ("autoencoder-images-dense", "encode", "a model of samples of shape"),
        ("detector-pictures", "detect", "a model of samples of shape"),
        ("detector-series", "detect", "a detector of series"),
        ("detector-table", "encode", "use 'isthmus detect'"),
        ("codec-images", "encode", "a model of the kind 'codec'"),
    ):
        with pytest.raises(ist.InvalidParameter, match=message):
            ist.arrow_function(GOLDEN / f"{name}.isthmus", task)
