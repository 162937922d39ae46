"""Training by several devices, and by several processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

FIT = """
import json, os, sys
count, index, port, share = map(int, sys.argv[1:5])
if count > 1:
    import jax
    jax.distributed.initialize(f"localhost:{port}", count, index)
import numpy as np
import isthmus as ist

def fit(rows, **settings):
    model = ist.Autoencoder(2, hidden=(16,), epochs=4, batch_size=64, verbose=0, **settings)
    return model.fit(rows)

rng = np.random.default_rng(0)
rows = rng.normal(size=(301, 3)) @ rng.normal(size=(3, 6))
rows[::7, 2] = np.nan
model = fit(rows, random_state=0, **json.loads(sys.argv[5]))
figures = {name: model.history_[name] for name in ("loss", "val_loss")}
figures["codes"] = model.transform(rows[:3]).tolist()
if count == 1:
    bound = ist.VariationalAutoencoder(
        2, hidden=(16,), importance_samples=8, epochs=4, batch_size=64, verbose=0, random_state=0
    )
    figures["bound"] = bound.fit(rows).history_["val_loss"]
if count > 1:
    try:
        fit(rows + index)
    except ist.InvalidParameter as error:
        figures["refused"] = str(error)
    model.save(sys.argv[6])
    figures["seeds"] = fit(rows).history_["loss"]
print("FIGURES", json.dumps(figures))
"""


def fit(count: int, tmp_path: Path, devices: int = 1, **settings: object) -> list[dict]:
    """Fit in `count` processes of `devices` virtual devices; return what each has printed."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    flags = f"--xla_force_host_platform_device_count={devices}"
    given = [str(count), "{}", str(port), str(devices), json.dumps(settings)]
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", FIT, *(each.format(index) for each in given[:4])),
                *(given[4], str(tmp_path / "model.isthmus")),
            ],
            env={**os.environ, "XLA_FLAGS": flags},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    printed = []
    for process in started:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        printed.append(json.loads(out.partition("FIGURES")[2]))
    return printed


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return fit(1, tmp_path_factory.mktemp("one"))[0]


def test_two_devices_train_as_one(one: dict, tmp_path: Path) -> None:
    (two,) = fit(1, tmp_path, devices=2)
    for name, values in one.items():
        tolerance = 0.05 if name == "bound" else 1e-4  # devices draw different codes
        np.testing.assert_allclose(two[name], values, rtol=tolerance, atol=1e-4)


def test_two_processes_train_as_one(one: dict, tmp_path: Path) -> None:
    first, second = fit(2, tmp_path, checkpoint=str(tmp_path / "run.checkpoint"))
    for name, values in one.items():
        if name not in first:
            continue
        np.testing.assert_allclose(first[name], values, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(first[name], second[name])
    assert "in process 1 than in process 0" in first["refused"]
    assert first["seeds"] == second["seeds"]  # without a random state, too
    assert (tmp_path / "model.isthmus").exists()
