"""``isthmus explore``."""

from pathlib import Path

import pytest

from isthmus.cli.__main__ import main


def test_it_writes_a_page_with_labels(folder: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "wine.html"
    arguments = ["explore", str(folder / "wine.isthmus"), str(folder / "wine.csv")]
    assert main([*arguments, "-o", str(page), "--label", "region", "--rows", "100"]) == 0
    assert "Wrote" in capsys.readouterr().out
    text = page.read_text("utf-8")
    assert "100 of 178 rows are shown" in text
    assert '"group":"label"' in text
    assert '"name":"region","group":"column"' in text
    assert main([*arguments, "-o", str(page)]) != 0  # it exists
    assert page.read_text("utf-8") == text


def test_a_page_is_html(folder: Path, tmp_path: Path, capsys) -> None:
    arguments = ["explore", str(folder / "wine.isthmus"), str(folder / "wine.csv")]
    assert main([*arguments, "-o", str(tmp_path / "page.csv")]) != 0
    assert ".html" in capsys.readouterr().err


def test_columns_that_the_model_does_not_know_are_left_out(
    folder: Path, table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.assign(remark="x").to_csv(tmp_path / "more.csv", index=False)
    arguments = ["explore", str(folder / "wine.isthmus"), str(tmp_path / "more.csv")]
    assert main([*arguments, "-o", str(tmp_path / "page.html")]) == 0
    assert "not trained on 'remark'" in capsys.readouterr().err
