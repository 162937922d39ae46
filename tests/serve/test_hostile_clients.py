"""Clients that send too much, too slowly, too often or nonsense are refused, and nobody else."""

import io
import json
import socket
import time

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.serve.bodies import ARROW, JSON, NPY
from isthmus.serve.limits import Limits

TOKEN = "a-token-of-32-characters-or-more"
LIMITS = Limits(rows=100, bytes=1 << 18, seconds=1.0, connections=10)
WHERE = "/v1/models/autoencoder-linear/encode"
HEAD = (
    f"POST {WHERE} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
    f"content-type: {NPY}\r\n"
).encode()


@pytest.fixture(scope="module")
def guarded(serving, archives):
    with serving([archives / "autoencoder-linear.isthmus"], LIMITS, TOKEN) as service:
        yield service


@pytest.fixture(autouse=True)
def _others_are_served(guarded, client_with_token):
    """After each test, the service answers somebody else."""
    yield
    _wait_for_connections(guarded)
    answer = client_with_token.post(WHERE, json={"rows": [[0.0] * 6]})
    assert answer.status_code == 200, answer.text


def _client(service, token=TOKEN):
    headers = {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{service.port}", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def client_with_token(guarded):
    with _client(guarded) as opened:
        yield opened


def _connect(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def _status(opened):
    """Return the status of the answer; 0 if the connection ends without one."""
    received = b""
    try:
        while b"\r\n" not in received and (part := opened.recv(1 << 16)):
            received += part
    except ConnectionError:
        pass
    return int(received.split()[1]) if received else 0


def _wait_for_connections(service):
    """Wait until the connections of a test are closed."""
    while len(service.server_state.connections) > 1:
        time.sleep(0.02)


def test_a_body_of_a_gigabyte_is_refused_when_it_is_announced(guarded):
    with _connect(guarded) as opened:
        opened.sendall(HEAD + b"content-length: 1000000000\r\n\r\n")
        assert _status(opened) == 413


def test_a_body_without_a_length_is_refused_while_it_is_read(guarded):
    sent = 0
    with _connect(guarded) as opened:
        opened.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
        try:
            while sent < 1_000_000_000:
                opened.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
        assert _status(opened) == 413
    assert sent < 50_000_000  # what fits in the buffers of both ends


def test_json_has_a_smaller_limit(serving, archives):
    with serving([archives / "autoencoder-linear.isthmus"]) as service, _client(service) as client:
        content = b'{"rows": [' + b" " * (1 << 20)
        answer = client.post(WHERE, content=content, headers={"content-type": JSON})
        assert answer.status_code == 413
        assert "Arrow" in answer.json()["error"]["remedy"]


@pytest.mark.parametrize("start", [b"", b"POST /v1"])
def test_headers_that_do_not_end_time_out(guarded, start):
    with _connect(guarded) as opened:
        opened.sendall(start)
        assert _status(opened) == (408 if start else 0)


def test_headers_that_trickle_time_out(guarded):
    with _connect(guarded) as opened:
        opened.sendall(HEAD)
        opened.settimeout(0.1)
        answer, until = b"", time.monotonic() + 30
        while not answer and time.monotonic() < until:
            try:
                opened.sendall(b"x: y\r\n")
                answer = opened.recv(100)
            except TimeoutError:
                continue
        assert b" 408 " in answer


def test_headers_without_end_are_refused(guarded):
    with _connect(guarded) as opened:
        opened.sendall(HEAD)
        try:
            for _ in range(10_000):
                opened.sendall(b"x: " + b"y" * 1000 + b"\r\n")
        except ConnectionError:
            pass
        assert _status(opened) in (400, 431)


def test_a_body_that_trickles_times_out(guarded):
    with _connect(guarded) as opened:
        opened.sendall(HEAD + b"content-length: 1000\r\n\r\n12345")
        assert _status(opened) == 408


def test_connections_above_the_limit_get_an_answer(guarded, client_with_token):
    assert client_with_token.get("/v1/models").status_code == 200
    idle = [_connect(guarded) for _ in range(LIMITS.connections)]
    try:
        _wait_until(lambda: len(guarded.server_state.connections) > LIMITS.connections)
        with _client(guarded) as client:
            assert client.get("/healthz").status_code == 200  # or it would be restarted
            assert client.get("/v1/models").status_code == 503
        # An older connection is served.
        assert client_with_token.get("/v1/models").status_code == 200
        idle += [_connect(guarded) for _ in range(20 * LIMITS.connections)]
        assert _status(idle[-1]) == 503
        _wait_until(lambda: len(guarded.server_state.connections) <= 2 * LIMITS.connections)
    finally:
        for opened in idle:
            opened.close()


def _wait_until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("token", ["x", "wrong", TOKEN[:-1], TOKEN + "x", "\u00e9"])
def test_a_wrong_token_is_refused(guarded, token):
    headers = [(b"authorization", f"Bearer {token}".encode("latin-1"))]
    with httpx.Client(base_url=f"http://127.0.0.1:{guarded.port}") as client:
        answer = client.post(WHERE, json={"rows": [[0.0] * 6]}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


def test_only_the_states_need_no_token(guarded):
    with httpx.Client(base_url=f"http://127.0.0.1:{guarded.port}") as client:
        paths = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/models", WHERE)
        statuses = [client.get(path).status_code for path in paths]
    assert statuses == [200, 200, 401, 401, 401, 401]


def test_another_schemes_token_is_refused(guarded):
    with _client(guarded) as client:
        client.headers["authorization"] = f"Basic {TOKEN}"
        assert client.get("/v1/models").status_code == 401


def test_pages_cannot_reach_a_service_of_this_computer(client, service):
    assert client.get("/v1/models", headers={"host": "example.org"}).status_code == 403
    assert client.get("/v1/models", headers={"host": f"localhost:{service.port}"}).is_success


STREAM = pa.table({f"x{i}": np.arange(3.0) for i in range(6)})


def _ipc(table, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _post(client, content, form):
    return client.post(WHERE, content=content, headers={"content-type": form})


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_arrow_is_refused_or_read(client_with_token, data):
    content = bytearray(_ipc(STREAM))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    answer = _post(client_with_token, bytes(content[:cut]), ARROW)
    assert answer.status_code in (200, 400, 413, 422), answer.text


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_arrow_is_refused(client_with_token, compression):
    table = pa.table({f"x{i}": np.zeros(10_000) for i in range(6)})
    content = _ipc(table, options=pa.ipc.IpcWriteOptions(compression=compression))
    answer = _post(client_with_token, content, ARROW)
    assert answer.status_code == 400
    assert "compression" in answer.text


def test_rows_without_bytes_count(client_with_token):
    table = pa.table({f"x{i}": pa.nulls(10**6) for i in range(6)})
    answer = _post(client_with_token, _ipc(table), ARROW)
    assert answer.status_code == 413


def test_a_header_cannot_claim_memory(client_with_token):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 6), }"
    header += b" " * (117 - len(header)) + b"\n"
    answer = _post(client_with_token, b"\x93NUMPY\x01\x00v\x00" + header, NPY)
    assert answer.status_code == 400


def test_objects_are_never_unpickled(client_with_token):
    written = io.BytesIO()
    np.save(written, np.array([{}], dtype=object), allow_pickle=True)
    assert _post(client_with_token, written.getvalue(), NPY).status_code == 400


@settings(max_examples=20)
@given(st.binary(max_size=200))
def test_nonsense_is_refused(client_with_token, content):
    for form in (JSON, ARROW, NPY):
        assert _post(client_with_token, content, form).status_code in (400, 422)


def test_a_request_that_is_no_http_is_refused(guarded):
    with _connect(guarded) as opened:
        opened.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
        assert _status(opened) == 400


def test_requests_after_one_another_on_a_connection(guarded):
    """Two requests are sent before the first is answered."""
    content = json.dumps({"rows": [[0.0] * 6]}).encode()
    head = HEAD.replace(NPY.encode(), JSON.encode())
    request = head + f"content-length: {len(content)}\r\n\r\n".encode() + content
    with _connect(guarded) as opened:
        opened.sendall(request + request)
        received = b""
        while received.count(b'{"rows":') < 2:
            received += opened.recv(1 << 16)
        assert received.count(b" 200 ") == 2
