"""A changed file replaces its model; one that cannot be loaded does not."""

import asyncio
import time

import httpx
import numpy as np
import pytest

import isthmus as ist
from isthmus.serve import served_models
from isthmus.serve.limits import Limits
from isthmus.serve.metrics import Metrics
from isthmus.serve.recent_rows import RecentRows
from isthmus.serve.served_models import ServedModels


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(served_models, "_SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(served_models, "_SECONDS_BETWEEN_TESTS", 0.2)


def test_a_changed_file_replaces_its_model(quick, serving, copied):
    path = copied("autoencoder-linear")
    with (
        serving([path]) as service,
        httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as client,
    ):
        before = client.get("/v1/models/model").json()
        path.write_bytes(b"no model")
        _wait_for(lambda: 'isthmus_loads_total{model="model",result="failed"}' in _metrics(client))
        assert client.get("/v1/models/model").json() == before
        assert client.post("/v1/models/model/encode", json=_ROWS).status_code == 200
        path.unlink()
        assert client.post("/v1/models/model/encode", json=_ROWS).status_code == 200
        copied("sampler-numbers")
        _wait_for(lambda: client.get("/v1/models/model").json() != before)
        assert "sample" in client.get("/v1/models/model").json()["operations"]
        assert client.post("/v1/models/model/encode", json=_ROWS).status_code == 200


_ROWS = {"rows": [[0.0] * 6]}


def _metrics(client):
    return client.get("/metrics").text


def _wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_requests_under_way_are_answered_by_the_model_they_began_with(copied):
    path = copied("autoencoder-linear")

    async def run():
        models = ServedModels([path], Limits(), Metrics())
        old = models["model"]
        with old.used():
            await models.reload()
            assert models["model"] is not old
            assert old.thread.is_alive
            operation = old.operations["encode"]
            await old.answer(operation, np.zeros((1, 6)), {}, takes_json=False, gives_json=False)
        while old.thread.is_alive:  # nobody needs it any more
            await asyncio.sleep(0.01)
        models.close()

    asyncio.run(run())


def test_files_of_the_same_name_are_refused(copied):
    path = copied("autoencoder-linear")
    with pytest.raises(ist.InvalidParameter, match="different names"):
        ServedModels([path, path], Limits(), Metrics())


def test_figures_of_requests_scores_and_drift(quick, serving, archives):
    rng = np.random.default_rng(0)
    with (
        serving([archives / "detector-numbers.isthmus"]) as service,
        httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as client,
    ):
        far = 1000 + rng.normal(size=(300, 6))
        where = "/v1/models/detector-numbers/detect"
        answer = client.post(where, json={"rows": far.tolist()})
        assert all(row["alarm"] for row in answer.json()["rows"])
        assert client.post(where, json={"rows": [[]]}).status_code == 422
        _wait_for(lambda: "isthmus_drift_p_value{" in _metrics(client))
        figures = dict(
            line.rsplit(" ", 1) for line in _metrics(client).splitlines() if line[0] != "#"
        )
    of = 'model="detector-numbers"'
    assert figures[f'isthmus_requests_total{{{of},operation="detect",status="200"}}'] == "1.0"
    assert figures[f'isthmus_requests_total{{{of},operation="detect",status="422"}}'] == "1.0"
    assert figures[f"isthmus_alarms_total{{{of}}}"] == "300.0"
    assert figures[f"isthmus_score_ratio_count{{{of}}}"] == "300.0"
    assert figures[f'isthmus_score_ratio_bucket{{le="1",{of}}}'] == "0.0"
    assert float(figures[f"isthmus_drift_p_value{{{of}}}"]) < 1e-6
    assert float(figures[f'isthmus_drift_column_p_value{{column="x0",{of}}}']) < 1e-6
    assert figures[f'isthmus_request_seconds_count{{{of},operation="detect"}}'] == "2.0"


def test_the_newest_rows_are_kept():
    recent = RecentRows()
    assert recent.taken() is None
    for start in range(0, 3000, 100):
        recent.add(np.arange(start, start + 100)[:, None])
    rows = recent.taken()
    assert 1000 <= len(rows) < 1100
    assert rows[-1] == 2999
    assert recent.taken() is None  # no new ones
    recent.add(np.zeros((5000, 1)))
    assert len(recent.taken()) == 1000
