"""Results are those of the library, in each format, and faults are explained."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import isthmus as ist
from isthmus.serve.bodies import ARROW, JSON, NPY
from isthmus.serve.operations import operations_of

ROWS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.just(6)),
    elements=st.floats(-50, 50) | st.just(np.nan),
)


def _post(client: httpx.Client, where: str, rows: Any, **parameters: int) -> Any:
    answer = client.post(f"/v1/models/{where}", json={"rows": rows}, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def _plain(array: Any) -> Any:
    return np.where(np.isnan(array), None, array).tolist()


def _npy(array: Any) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def _ipc(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _table_of(answer: httpx.Response) -> pa.Table:
    return pa.ipc.open_stream(answer.content).read_all()


def test_each_operation_accepts_the_example_of_its_description(client):
    document = client.get("/openapi.json").json()
    tried = 0
    for path, item in document["paths"].items():
        if "post" not in item or "requestBody" not in item["post"]:
            continue
        body = item["post"]["requestBody"]["content"][JSON]
        answer = client.post(path, json=body["example"])
        assert answer.status_code == 200, (path, answer.text)
        assert len(answer.json()["rows"]) == 1
        tried += 1
    assert tried > 15


@settings(max_examples=15)
@given(X=ROWS)
def test_formats_agree_with_each_other_and_with_the_library(client, archives, X):
    model = _model(archives, "autoencoder-linear")
    where = "/v1/models/autoencoder-linear/encode"
    expected = model.transform(X)
    as_npy = client.post(where, content=_npy(X), headers={"content-type": NPY})
    table = pa.table({f"x{i}": pa.array(column, from_pandas=True) for i, column in enumerate(X.T)})
    as_arrow = client.post(where, content=_ipc(table), headers={"content-type": ARROW})
    as_json = _post(client, "autoencoder-linear/encode", _plain(X))
    np.testing.assert_allclose(as_json, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(np.load(io.BytesIO(as_npy.content)), np.float32(as_json))
    decoded = _table_of(as_arrow)
    assert decoded.column_names == [f"code{i}" for i in range(expected.shape[1])]
    np.testing.assert_array_equal(np.column_stack(decoded.columns), np.float32(as_json))


def test_a_response_is_the_body_of_the_next_request(client):
    row = _example(client, "autoencoder-table/encode")
    codes = _post(client, "autoencoder-table/encode", [row])
    decoded = _post(client, "autoencoder-table/decode", codes)
    rebuilt = _post(client, "autoencoder-table/reconstruct", [row])
    assert decoded[0].keys() == row.keys()
    assert _post(client, "autoencoder-table/encode", decoded)
    numbers = [name for name in row if isinstance(rebuilt[0][name], float)]
    assert numbers
    for name in numbers:
        assert decoded[0][name] == pytest.approx(rebuilt[0][name], rel=1e-3, abs=1e-3)


def test_a_detector_of_a_table_gives_scores_and_reasons(client, archives):
    detector = _model(archives, "detector-table")
    row = _example(client, "detector-table/detect")
    number = next(name for name, value in row.items() if isinstance(value, float))
    odd = row | {number: 1e4}
    usual, unusual = _post(client, "detector-table/detect", [row, odd])
    assert not usual["alarm"]
    assert unusual["alarm"]
    assert number in unusual["top_columns"]
    assert unusual["score"] > detector.threshold_ > usual["score"]
    parts = _post(client, "detector-table/explain", [odd])[0]
    assert sum(parts.values()) == pytest.approx(unusual["score"], rel=1e-4)
    assert max(parts, key=parts.__getitem__) == number


def test_missing_cells_are_null(client):
    row = _example(client, "autoencoder-table/reconstruct")
    for name in row:
        filled = _post(client, "autoencoder-table/reconstruct", [row | {name: None}])[0]
        assert filled.keys() == row.keys()


def test_pictures_have_maps(client, archives):
    detector = _model(archives, "detector-pictures")
    X = np.random.default_rng(0).random((3, 8, 8))
    found = _post(client, "detector-pictures/detect", X.tolist())
    assert [row["score"] for row in found] == pytest.approx(detector.anomaly_score(X), rel=1e-4)
    answer = client.post(
        "/v1/models/detector-pictures/map", content=_npy(X), headers={"content-type": NPY}
    )
    maps = np.load(io.BytesIO(answer.content))
    np.testing.assert_allclose(maps, detector.anomaly_map(X), rtol=1e-4)


def test_tasks_have_their_operations(client, archives):
    X = np.random.default_rng(0).normal(size=(2, 6))
    index = _model(archives, "index-euclidean")
    distances, ids = index.kneighbors(X, n_neighbors=3)
    found = _post(client, "index-euclidean/search", X.tolist(), k=3)
    assert [row["ids"] for row in found] == ids.tolist()
    np.testing.assert_allclose([row["distances"] for row in found], distances, rtol=1e-3)
    labels = _post(client, "supervised-classes/predict", X.tolist())
    model = _model(archives, "supervised-classes")
    assert [row["label"] for row in labels] == model.predict(X).tolist()
    chances = [[row[f"probability_{label}"] for label in model.classes_] for row in labels]
    np.testing.assert_allclose(chances, model.predict_proba(X), rtol=1e-4, atol=1e-6)


def test_maps_and_regressions(archives):
    X = np.random.default_rng(0).normal(size=(2, 6))
    for name, operation, method in (
        ("map-tsne", "map", "transform"),
        ("supervised-targets", "predict", "predict"),
    ):
        model = _model(archives, name)
        results = operations_of(model, name, 10)[operation].apply(X).values
        found = np.column_stack(results.columns) if isinstance(results, pa.Table) else results
        expected = getattr(model, method)(X)
        np.testing.assert_array_equal(found, expected.reshape(found.shape))


@pytest.mark.parametrize("name", ["codec-table", "detector-fleet"])
def test_other_kinds_of_models_are_refused(archives, name):
    with pytest.raises(ist.InvalidParameter, match=name):
        operations_of(_model(archives, name), name, 10)


def test_samples_need_no_body_and_can_be_repeated(client):
    where = "/v1/models/sampler-numbers/sample"
    first, again, other = (
        client.post(where, params={"n": 4, "random_state": seed}).json()["rows"]
        for seed in (1, 1, 2)
    )
    assert np.shape(first) == (4, 6)
    assert first == again != other


def test_models_are_listed_with_what_they_can_do(client, service):
    listed = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert set(listed["index-euclidean"]["operations"]) > {"search", "encode"}
    assert listed["detector-series"]["stream"]
    assert client.get("/v1/models/detector-table").json() == listed["detector-table"]
    assert client.get("/readyz").json() == {"status": "ready"}


NUMBERS = "/v1/models/autoencoder-linear/encode"
TABLE = "/v1/models/autoencoder-table/encode"
_ROW = [0.0] * 6


@pytest.mark.parametrize(
    ("status", "path", "content", "headers"),
    [
        (400, NUMBERS, b"{", {}),
        (400, NUMBERS, b'{"rows": [[NaN, 1, 2, 3, 4, 5]]}', {}),
        (400, NUMBERS, b"[" * 100_000, {}),
        (400, NUMBERS, b"\xff\xfe", {}),
        (400, NUMBERS, b"PK", {"content-type": ARROW}),
        (400, NUMBERS, b"", {"content-type": ARROW}),
        (400, NUMBERS, b"\x93NUMPY", {"content-type": NPY}),
        (400, NUMBERS, _npy(np.float64(1)), {"content-type": NPY}),
        (400, NUMBERS, _npy(np.zeros((1000, 6)))[:200], {"content-type": NPY}),
        (422, NUMBERS, b"[]", {}),
        (422, NUMBERS, b'{"rows": []}', {}),
        (422, NUMBERS, b'{"rows": [[1, 2]]}', {}),
        (422, NUMBERS, b'{"rows": [["a", 2, 3, 4, 5, 6]]}', {}),
        (422, NUMBERS, b'{"rows": [[1e999, 2, 3, 4, 5, 6]]}', {}),
        (422, NUMBERS, b'{"rows": [{"x0": 1}]}', {}),
        (422, TABLE, b'{"rows": [{"nothing": 1}]}', {}),
        (422, TABLE, b'{"rows": [[1, 2]]}', {}),
        (422, TABLE, _npy(np.zeros((1, 6))), {"content-type": NPY}),
        (422, "/v1/models/index-euclidean/search?k=0", json.dumps({"rows": [_ROW]}), {}),
        (422, "/v1/models/index-euclidean/search?k=x", json.dumps({"rows": [_ROW]}), {}),
        (422, f"{NUMBERS}?k=1", json.dumps({"rows": [_ROW]}), {}),
        (404, "/v1/models/autoencoder-linaer/encode", b"", {}),
        (404, "/v1/models/autoencoder-linear/detect", b"", {}),
        (404, "/v1/models/detector-series/detect", b"", {}),
        (404, "/v2", b"", {}),
        (415, NUMBERS, b"1,2", {"content-type": "text/csv"}),
        (406, NUMBERS, json.dumps({"rows": [_ROW]}), {"accept": "text/csv"}),
        (406, "/v1/models/detector-pictures/map", _npy(np.zeros((1, 8, 8))), {"accept": ARROW}),
        (413, NUMBERS, json.dumps({"rows": [[]] * 10_001}), {}),
        (413, NUMBERS, b" " * (1 << 21), {}),
    ],
)
def test_faults_are_explained(client, status, path, content, headers):
    if status == 406 and ARROW in headers.values():
        headers = headers | {"content-type": NPY}
    answer = client.post(path, content=content, headers={"content-type": JSON} | headers)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["message"]
    assert error["expected"]
    assert "Traceback" not in answer.text


def test_a_misspelt_name_is_suggested(client):
    answer = client.post("/v1/models/autoencoder-linaer/encode")
    assert "autoencoder-linear" in answer.json()["error"]["remedy"]


def test_a_column_of_another_type_is_named(client):
    row = _example(client, "autoencoder-table/encode")
    for name, value in row.items():
        if isinstance(value, float):
            answer = client.post(TABLE, json={"rows": [row | {name: "many"}]})
            assert answer.status_code == 422
            assert name in answer.json()["error"]["subject"]


def _example(client: httpx.Client, where: str) -> Any:
    post = client.get("/openapi.json").json()["paths"][f"/v1/models/{where}"]["post"]
    return post["requestBody"]["content"][JSON]["example"]["rows"][0]


def _model(archives: Path, name: str) -> Any:
    if name not in _loaded:
        _loaded[name] = ist.load(archives / f"{name}.isthmus")
    return _loaded[name]


_loaded: dict[str, Any] = {}
