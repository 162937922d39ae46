"""The command: options that it refuses, and a process that ends when it is told to."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.cli.__main__ import main

ARCHIVES = Path(__file__).parents[1] / "golden" / "archives"
MODEL = str(ARCHIVES / "autoencoder-linear.isthmus")


def test_other_computers_need_a_token(capsys, monkeypatch):
    monkeypatch.delenv("ISTHMUS_TOKEN", raising=False)
    assert main(["serve", MODEL, "--host", "0.0.0.0"]) == 1
    assert "--token-file" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "\n", "caf\u00e9"])
def test_a_token_that_cannot_be_sent_is_refused(capsys, tmp_path, token):
    path = tmp_path / "token"
    path.write_text(token, "utf-8")
    assert main(["serve", MODEL, "--token-file", str(path)]) == 1
    assert "ASCII" in capsys.readouterr().err


def test_a_port_in_use_is_refused_before_models_are_loaded(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["serve", "missing.isthmus", "--port", port]) == 1
    assert port in capsys.readouterr().err


def test_a_missing_library_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve", MODEL]) == 1
    assert "isthmus[serve]" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_sighup_loads_models_again_and_sigterm_lets_requests_finish():
    service = subprocess.Popen(
        [sys.executable, "-m", "isthmus", "serve", MODEL, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"ISTHMUS_TOKEN": "secret"},
    )
    try:
        line = _event(service, "listening")
        assert line["models"] == ["autoencoder-linear"]
        service.send_signal(signal.SIGHUP)
        assert _event(service, "reloaded")["model"] == "autoencoder-linear"
        content = b'{"rows": [[0, 1, 2, 3, 4, 5]]}'
        with socket.create_connection(("127.0.0.1", line["port"]), timeout=60) as opened:
            opened.sendall(
                b"POST /v1/models/autoencoder-linear/encode HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                b"authorization: Bearer secret\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n" % len(content) + content[:5]
            )
            _wait_until_refused_elsewhere(service, line["port"])
            opened.sendall(content[5:])
            assert b" 200 " in opened.recv(100)
        assert service.wait(60) == 0
        request = _event(service, "request")
        assert (request["status"], request["rows"]) == (200, 1)
        assert "secret" not in service.stderr.read()
    finally:
        service.kill()
        service.wait()
        service.stderr.close()


def _event(service, name):
    for line in service.stderr:
        if line.startswith("{") and json.loads(line)["event"] == name:
            return json.loads(line)
    raise AssertionError(f"no {name}")


def _wait_until_refused_elsewhere(service, port):
    """Ask the service to end while a request is open, and wait until it accepts no others."""
    # The open request must have been accepted before: a later connection has an answer.
    with socket.create_connection(("127.0.0.1", port), timeout=60) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b" 200 " in opened.recv(100)
    service.send_signal(signal.SIGTERM)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was waiting when the service stopped to listen
            continue
