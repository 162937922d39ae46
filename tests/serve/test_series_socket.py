"""A stream over a WebSocket gives what `update` gives."""

import copy
import datetime
import json
import math

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import isthmus as ist


@pytest.fixture(scope="module")
def detector(archives):
    return ist.load(archives / "detector-series.isthmus")


@pytest.fixture
def opened(service):
    return lambda: connect(f"ws://127.0.0.1:{service.port}/v1/models/detector-series/stream")


def _rows(detector, n=60):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n, detector.n_features_in_))
    rows[-20:-10] += 50
    return rows


def _asked(socket, **message):
    socket.send(json.dumps(message))
    return json.loads(socket.recv())


def _same(found, expected):
    return (found is None and math.isnan(expected)) or found == pytest.approx(expected, rel=1e-6)


def test_a_stream_equals_update(opened, detector):
    own = copy.copy(detector)
    own.reset()
    began = ended = 0
    with opened() as socket:
        for number, row in enumerate(_rows(detector)):
            update, found = own.update(row), _asked(socket, row=row.tolist())
            assert (found["row"], found["alarm"]) == (number, update.alarm)
            assert _same(found["score"], update.score)
            assert _same(found["window_score"], update.window_score)
            assert [interval["start"] for interval in found["began"]] == [
                interval.start for interval in update.began
            ]
            began, ended = began + len(found["began"]), ended + len(found["ended"])
    assert began


def test_streams_are_independent(opened, detector):
    rows = _rows(detector)
    with opened() as first, opened() as second:
        for row in rows[:30]:
            _asked(first, row=row.tolist())
        assert _asked(second, row=rows[0].tolist())["row"] == 0
        assert _asked(first, row=rows[0].tolist())["row"] == 30


def test_copies_of_a_detector_have_their_own_streams(detector):
    first, rows = copy.copy(detector), _rows(detector)
    first.reset()
    for row in rows:
        first.update(row)
    second = copy.copy(first)
    second.reset()
    assert second.update(rows[0]).row == 0
    assert first.update(rows[0]).row == len(rows)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"row": [1]}',
        '{"row": "x"}',
        '{"row": [], "more": 1}',
        '{"row": [1], "time": "x"}',
    ],
)
def test_a_faulty_row_is_no_part_of_the_stream(opened, detector, text):
    row = [None] * detector.n_features_in_
    with opened() as socket:
        socket.send(text)
        assert json.loads(socket.recv())["error"]["expected"]
        assert _asked(socket, row=row)["row"] == 0


def test_rows_by_name_and_with_times(opened, detector):
    names = detector.sensors_
    with opened() as socket:
        message = {
            "row": dict.fromkeys(names, 0.0),
            "time": datetime.datetime(2026, 1, 1).isoformat(),
        }
        answer = _asked(socket, **message)
    assert "row" in answer or "time" in answer["error"]["subject"]


def test_a_long_message_closes_the_stream(opened):
    with opened() as socket:
        socket.send(" " * 100_000)
        with pytest.raises(ConnectionClosed):
            socket.recv()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("detector-table/stream", {}, 404),
        ("nothing/stream", {}, 404),
        ("detector-series/stream", {"Origin": "https://example.org"}, 403),
    ],
)
def test_refused_streams(service, path, headers, status):
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://127.0.0.1:{service.port}/v1/models/{path}", additional_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == status
