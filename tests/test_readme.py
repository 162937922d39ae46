"""What the README shows runs as it stands there."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.cli.__main__ import main

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_blocks(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    swing = np.sin(np.arange(900)[:, None] / [5, 7, 11])
    log = swing + np.random.default_rng(0).normal(scale=0.1, size=swing.shape)
    machines = pd.DataFrame(log, columns=["a", "b", "c"])
    machines["machine"] = np.repeat(["left", "middle", "right"], 300)
    names = {
        "X": digits.images[:200],
        "X_test": digits.images[200:260],
        "X_new": digits.images[260:300],
        "log": log[:600],
        "new_log": log[600:],
        "logs": machines,
        "pictures": digits.images[:50].astype(np.uint8),
    }
    for block in blocks("python"):
        exec(block, names)
    assert (tmp_path / "model.isthmus").exists()
    assert (tmp_path / "report.html").exists()


def test_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{i % 7},{'abc'[i % 3]},{i % 2 == 0}" for i in range(80))
    (tmp_path / "data.csv").write_text(f"size,kind,flag\n{rows}\n")
    (listing,) = (b for b in blocks("bash") if "isthmus encode" in b)
    commands = [line.split("#")[0].split()[1:] for line in listing.splitlines() if line]
    names = ["fit", "encode", "decode", "reconstruct", "report", "explore", "inspect"]
    assert [command[0] for command in commands] == names
    for command in commands:
        extra = ["--epochs", "2"] if command[0] == "fit" else []
        assert main([*command, *extra]) == 0, capsys.readouterr().err
    assert (tmp_path / "filled.csv").read_text().splitlines()[0] == '"size","kind","flag"'
