"""``isthmus fit --processes``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.npy"
    np.save(path, rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8)))
    return path


def fit(path: Path, name: str, *options: str) -> list[str]:
    output = str(path.with_name(f"{name}.isthmus"))
    return ["fit", str(path), "-o", output, "--no-report", "--latent-dim", "3", *options]


def started(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "isthmus", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_make_the_model_of_one(rows: Path) -> None:
    assert main(fit(rows, "one", "--epochs", "3")) == 0
    process = started(fit(rows, "two", "--epochs", "3", "--processes", "2"))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("rows to train on") == 1
    one, two = (ist.load(rows.with_name(f"{name}.isthmus")) for name in ("one", "two"))
    np.testing.assert_allclose(two.history_["loss"], one.history_["loss"], rtol=1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")
def test_a_killed_process_ends_all_with_a_sentence_and_training_goes_on(rows: Path) -> None:
    checkpoint = rows.with_name("run.checkpoint")
    endless = ("--checkpoint", str(checkpoint), "--epochs", "1000000", "--processes", "2")
    process = started(fit(rows, "killed", *endless))
    until(checkpoint.exists)
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "process 1 of 2 was stopped by signal 9" in err
    assert not rows.with_name("killed.isthmus").exists()

    written = checkpoint.stat().st_mtime_ns
    process = started(fit(rows, "resumed", *endless))
    until(lambda: checkpoint.stat().st_mtime_ns > written)  # it has trained on
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert ist.load(rows.with_name("resumed.isthmus")).stop_reason_ == "interrupted"


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def until(condition: object, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.1)


@pytest.mark.parametrize("value", ["0", "two", "-1", "auto"])
def test_other_values_are_refused(
    value: str, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(fit(rows, "none", "--processes", value)) != 0
    assert "--processes" in capsys.readouterr().err


def test_an_error_is_reported_once(rows: Path) -> None:
    process = started(fit(rows.with_name("absent.npy"), "none", "--processes", "2"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.count("absent.npy: expected") == 1
