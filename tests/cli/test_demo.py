"""``isthmus demo``: the main job, end to end."""

from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.cli.__main__ import main


def test_it_beats_pca_and_writes_a_model_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], digits: Any
) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["demo", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "The autoencoder is better than PCA" in shown
    assert "\nautoencoder " in shown  # names of the table are not cut
    assert "fit FILE" in shown.splitlines()[-1]
    assert sorted(path.name for path in out.iterdir()) == ["digits-report.html", "digits.isthmus"]
    assert isthmus.load(out / "digits.isthmus").reconstruct(digits.images).shape == (1797, 8, 8)
    assert main(["demo", "--out", str(out)]) == 1
