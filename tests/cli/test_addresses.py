"""Commands on files of another machine, here an HTTP server in this process."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("aiohttp")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remote")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 5))
    table = pa.table({f"x{i}": X[:, i] for i in range(5)})
    pq.write_table(table, folder / "rows.parquet")
    pyarrow.csv.write_csv(table, folder / "rows.csv")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def model(folder: Path, address: str) -> Path:
    path = folder / "m.isthmus"
    arguments = ["fit", f"{address}/rows.parquet", "-o", str(path), "--no-report"]
    assert main([*arguments, "--epochs", "2", "--latent-dim", "2"]) == 0
    return path


def test_fit_reads_an_address_like_the_file(folder: Path, model: Path) -> None:
    local = folder / "local.isthmus"
    arguments = ["fit", str(folder / "rows.parquet"), "-o", str(local), "--no-report"]
    assert main([*arguments, "--epochs", "2", "--latent-dim", "2"]) == 0
    assert ist.load(local).history_["loss"] == ist.load(model).history_["loss"]


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_a_model_is_applied(
    command: str, name: str, folder: Path, address: str, model: Path
) -> None:
    outputs = [folder / f"{place}-{command}.parquet" for place in ("remote", "local")]
    for data, output in zip((f"{address}/{name}", str(folder / name)), outputs, strict=True):
        assert main([command, str(model), data, "-o", str(output), "--force"]) == 0
    remote, local = map(pq.read_table, outputs)
    assert remote.equals(local)


def test_a_detector_is_fitted_and_applied(folder: Path, address: str) -> None:
    detector, alarms = folder / "d.isthmus", folder / "alarms.parquet"
    fit = ["fit", f"{address}/rows.parquet", "-o", str(detector), "--kind", "detector"]
    assert main([*fit, "--no-report", "--epochs", "2", "--latent-dim", "2"]) == 0
    assert main(["detect", str(detector), f"{address}/rows.csv", "-o", str(alarms)]) == 0
    assert pq.read_table(alarms).num_rows == 300


def test_a_missing_file_is_named(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f"{address}/missing.parquet"
    assert main(["fit", missing, "-o", str(tmp_path / "m.isthmus")]) == 1
    assert f"{missing}: expected" in capsys.readouterr().err
