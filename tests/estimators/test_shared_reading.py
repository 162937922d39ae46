"""Processes that train together each read a part of the rows, and train the model of one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import isthmus as ist
from isthmus.data.sources import opening
from isthmus.training import row_stream

if TYPE_CHECKING:
    from pathlib import Path

FIT = """
import json, shutil, sys
from pathlib import Path
index, port = map(int, sys.argv[1:3])
folder = Path(sys.argv[3])
import jax
jax.distributed.initialize(f"localhost:{port}", 2, index)
import isthmus as ist
from isthmus.data.sources import opening
from isthmus.data.sources.source import BatchSource
from isthmus.training import checkpoint, row_stream

opening.MOST_BYTES_IN_MEMORY, row_stream.CHUNK_CELLS = 1000, 8000
checkpoint.SECONDS_WITHIN_EPOCH = 0
batches, read = BatchSource.batches, [0]
write, begun = checkpoint.write, folder / "begun.checkpoint"

def counting(self, *arguments, **options):
    for rows in batches(self, *arguments, **options):
        read[0] += len(rows)
        yield rows

def keep_first(path, snapshot, run):
    write(path, snapshot, run)
    if snapshot.steps and not begun.exists():
        shutil.copy(path, begun)

def fit(rows, **settings):
    settings = json.loads(sys.argv[4]) | settings
    return ist.Autoencoder(2, hidden=(8,), **settings).fit(str(folder / rows))

BatchSource.batches, checkpoint.write = counting, keep_first
model = fit("lake", checkpoint=folder / "run.checkpoint")
figures = {name: model.history_[name] for name in ("loss", "val_loss")}
figures |= {"read": read[0], "schema": repr(model.schema_)}
checkpoint.write = write
figures["resumed"] = fit("lake", checkpoint=begun).history_["loss"]
figures["uneven"] = fit("uneven", epochs=1).history_["loss"]
try:
    fit("damaged")
except ist.IsthmusError as error:
    figures["refused"] = f"{type(error).__name__}: {error}"
print("FIGURES", json.dumps(figures))
"""
SETTINGS = {"epochs": 2, "batch_size": 64, "validation_fraction": 0.05, "random_state": 0}
SETTINGS |= {"verbose": 0}


def fit_in_two(folder: Path) -> list[dict]:
    """Fit in two processes; return what each has printed."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    given = (port, folder, json.dumps(SETTINGS))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FIT, *map(str, (index, *given))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    printed = []
    try:
        for process in started:
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err
            printed.append(json.loads(out.partition("FIGURES")[2]))
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return printed


def write(folder: Path, groups: list[int]) -> None:
    """Write files of so many rows, in row groups of 60."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2, 6))
    for number, rows in enumerate(groups):
        X = rng.normal(size=(rows, 2)) @ mixing
        table = pa.table({f"x{i}": X[:, i] for i in range(6)})
        kinds = pa.array([f"kind {number} {i % 3}" for i in range(rows)])
        gaps = pa.array([None if i % 7 == number else float(i % 5) for i in range(rows)])
        table = table.append_column("kind", kinds).append_column("gap", gaps)
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=60)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lakes")
    write(folder / "lake", [1000, 1030, 970])
    write(folder / "uneven", [900, 30])
    write(folder / "damaged", [300, 300])
    file = folder / "damaged" / "1.parquet"
    content = bytearray(file.read_bytes())
    content[4:2000] = bytes(1996)
    file.write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def one(lakes: Path) -> dict[str, ist.Autoencoder]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1000)
        patch.setattr(row_stream, "CHUNK_CELLS", 8000)
        models = {}
        for name, epochs in (("lake", 2), ("uneven", 1)):
            model = ist.Autoencoder(2, hidden=(8,), **{**SETTINGS, "epochs": epochs})
            models[name] = model.fit(str(lakes / name))
    return models


@pytest.fixture(scope="module")
def two(lakes: Path) -> list[dict]:
    return fit_in_two(lakes)


def test_each_process_reads_its_share(two: list[dict]) -> None:
    # In the pass for the schema all rows, and in two epochs those that are not held out; blocks
    # with such rows are read whole.
    assert sum(each["read"] for each in two) == 3 * 3000
    assert max(each["read"] for each in two) < 0.6 * 3 * 3000


def test_they_train_the_model_of_one(one: dict[str, ist.Autoencoder], two: list[dict]) -> None:
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(two[0][name], one["lake"].history_[name], rtol=1e-5)
        assert two[0][name] == two[1][name]
    np.testing.assert_allclose(two[0]["uneven"], one["uneven"].history_["loss"], rtol=1e-5)
    assert two[0]["schema"] == two[1]["schema"] == repr(one["lake"].schema_)


def test_a_run_resumes_within_an_epoch(two: list[dict]) -> None:
    assert two[0]["resumed"] == two[0]["loss"]


def test_a_part_that_one_cannot_read_ends_all(two: list[dict]) -> None:
    assert "UnreadableFile" in two[1]["refused"]
    assert "1.parquet" in two[1]["refused"]
    assert two[0]["refused"].startswith("ProcessLost: reading the data: process 1 of 2 failed")
