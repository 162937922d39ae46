"""``isthmus recipe``: listed, run, reported."""

from pathlib import Path

import numpy as np
import pytest

from isthmus.cli.__main__ import main
from isthmus.recipes.catalogue import RECIPES
from isthmus.recipes.digits import bundled


@pytest.fixture
def file(tmp_path: Path) -> Path:
    held = bundled()
    np.savez(
        tmp_path / "few.npz",
        x_train=held.x_train[:100],
        y_train=held.y_train[:100],
        x_test=held.x_test[:30],
        y_test=held.y_test[:30],
    )
    return tmp_path / "few.npz"


def test_all_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert all(len(line) < 80 for line in lines)


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe"]) == 0
    shown = capsys.readouterr().out
    assert "list" in shown
    assert "run" in shown


def test_a_run_says_what_was_measured_and_what_was_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["recipe", "run", "dense-100-20", "--data", str(file), "--epochs", "1"]
    assert main([*command, "--pictures", "pictures"]) == 0
    shown = capsys.readouterr().out
    assert "161,804" in shown
    assert "holds" in shown
    assert "100 training, 30 test images, 1 epoch\n" in shown
    assert "Wrote dense-100-20.html" in shown
    assert "161,804" in Path("dense-100-20.html").read_text("utf-8")
    assert [path.name for path in Path("pictures").iterdir()] == ["dense-100-20-2.png"]
    assert main(command) == 1
    assert "--force" in capsys.readouterr().err


def test_what_cannot_work_is_said_at_once_and_nothing_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, said in (
        (["dense33"], "did you mean 'dense-32'?"),
        (["dense-32", "--epochs", "0"], "at least 1"),
        (["dense-32", "--data", "none.npz"], "does not exist"),
        (["dense-32", "-o", "report.txt"], ".html or .htm"),
        (["dense-32", "-o", "none/report.html"], "an existing folder"),
    ):
        assert main(["recipe", "run", *arguments]) == 1
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
