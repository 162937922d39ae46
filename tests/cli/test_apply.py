"""The commands that use a saved model, on a table with everything in it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from isthmus.cli.__main__ import main


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_reconstruct_gives_the_same_columns_and_types_without_holes(
    ending: str, folder: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / f"filled{ending}"
    assert run("reconstruct", folder / "wine.isthmus", folder / "wine.csv", "-o", out) == 0
    read = pd.read_csv if ending == ".csv" else pd.read_parquet
    filled, original = read(out), pd.read_csv(folder / "wine.csv")
    if ending == ".csv":
        assert filled.dtypes.to_dict() == original.dtypes.to_dict()
        pd.to_datetime(filled["made"])
    assert list(filled.columns) == list(table.columns)
    assert len(filled) == len(table)
    assert not filled.isna().any().any()
    assert set(filled["region"]) <= {"north", "south", "Île"}


def test_codes_go_to_a_table_and_back_to_rows(
    folder: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    model, codes, back = folder / "wine.isthmus", tmp_path / "codes.csv", tmp_path / "back.csv"
    assert run("encode", model, folder / "wine.csv", "-o", codes) == 0
    assert list(pd.read_csv(codes).columns) == ["code0", "code1", "code2"]
    assert run("decode", model, codes, "-o", back) == 0
    assert list(pd.read_csv(back).columns) == list(table.columns)
    assert len(pd.read_csv(back)) == len(table)


def test_codes_are_the_same_in_every_format(folder: Path, tmp_path: Path) -> None:
    found = {}
    for ending in (".npy", ".parquet", ".csv"):
        out = tmp_path / f"codes{ending}"
        assert run("encode", folder / "wine.isthmus", folder / "wine.csv", "-o", out) == 0
        found[ending] = out
    array = np.load(found[".npy"])
    assert array.shape[1] == 3
    assert (pq.read_table(found[".parquet"]).to_pandas().to_numpy() == array).all()
    np.testing.assert_allclose(pd.read_csv(found[".csv"]).to_numpy(), array, rtol=1e-6)


def test_a_file_of_other_codes_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = tmp_path / "codes.csv"
    codes.write_text("a,b\n1,2\n")
    assert run("decode", folder / "wine.isthmus", codes, "-o", tmp_path / "x.csv") == 1
    assert "3 numbers per row" in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()


def test_columns_that_the_model_never_saw_are_carried_past_it(
    folder: Path, table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = table.copy()
    more.insert(1, "id", np.arange(len(table)))
    more["remark"] = "wine"
    more.to_csv(tmp_path / "more.csv", index=False)
    model, rows = folder / "wine.isthmus", tmp_path / "more.csv"
    assert run("reconstruct", model, rows, "-o", tmp_path / "back.csv") == 0
    assert capsys.readouterr().err == (
        "note: The model was not trained on 'id', 'remark'; passed on unchanged.\n"
    )
    assert list(pd.read_csv(tmp_path / "back.csv").columns) == list(more.columns)
    assert run("encode", model, rows, "-o", tmp_path / "codes.parquet") == 0
    codes = pd.read_parquet(tmp_path / "codes.parquet")
    assert list(codes.columns) == ["id", "remark", "code0", "code1", "code2"]
    assert (codes["id"] == more["id"]).all()
    assert run("decode", model, tmp_path / "codes.parquet", "-o", tmp_path / "rows.csv") == 0
    assert list(pd.read_csv(tmp_path / "rows.csv").columns) == list(table.columns)
    assert run("encode", model, rows, "-o", tmp_path / "codes.npy") == 0
    assert "left out" in capsys.readouterr().err
    assert run("report", model, rows, "-o", tmp_path / "r.html", "--label", "remark") == 0


def fitted(folder: Path, rows: str) -> Path:
    """Write ``rows.csv`` and return a model fitted on it."""
    (folder / "rows.csv").write_text(rows)
    arguments = ("--epochs", "1", "--hidden", "4", "--no-report")
    assert run("fit", folder / "rows.csv", "-o", folder / "m.isthmus", *arguments) == 0
    return folder / "m.isthmus"


def test_a_part_of_a_file_is_read_as_the_file_was(tmp_path: Path) -> None:
    model = fitted(tmp_path, "a,b\n" + "1,2\n2,3\n3a,4\n" * 20)
    part = tmp_path / "part.csv"
    part.write_text("a,b\n1,2\n2,3.5\n")
    assert run("encode", model, part, "-o", tmp_path / "codes.csv") == 0
    assert run("reconstruct", model, part, "-o", tmp_path / "back.csv") == 0
    assert run("report", model, part, "-o", tmp_path / "r.html") == 0
    assert list(pd.read_csv(tmp_path / "back.csv", dtype=str).columns) == ["a", "b"]


def test_an_error_names_the_file_and_the_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fitted(tmp_path, "a,b\n" + "x,2\ny,3\n" * 20)
    many = tmp_path / "many.csv"
    many.write_text("a,b\n" + "x,2\n" * 70_000 + "y,inf\n")
    assert run("encode", model, many, "-o", tmp_path / "codes.csv") == 1
    err = capsys.readouterr().err
    assert "rows 65,536 to 70,000 of many.csv, counted from 0: column 'b', row 4464: " in err
    many.write_text("a,b\nx,2\ny,inf\n")
    assert run("encode", model, many, "-o", tmp_path / "codes.csv") == 1
    assert "encode: many.csv: column 'b', row 1: " in capsys.readouterr().err


def test_decode_says_which_columns_codes_do_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fitted(tmp_path, "name,b,c\n" + "".join(f"n{i},{i % 7},{i % 3}\n" for i in range(60)))
    rows, codes = tmp_path / "more.csv", tmp_path / "codes.csv"
    rows.write_text("id,name,b,c\n1,n1,2,3\n2,n2,3,3\n")
    assert run("encode", model, rows, "-o", codes) == 0
    capsys.readouterr()
    assert run("decode", model, codes, "-o", tmp_path / "back.csv") == 0
    assert capsys.readouterr().err == (
        "note: Codes contain only what the model learned: "
        "'name' stays empty and 'id' is left out.\n"
    )
    assert run("inspect", model) == 0
    assert (
        "a table of 3 columns: 2 numeric; not learned: name (identifies rows)"
        in capsys.readouterr().out
    )
    back = pd.read_csv(tmp_path / "back.csv")
    assert list(back.columns) == ["name", "b", "c"]
    assert back["name"].isna().all()


@pytest.mark.parametrize("cell", ["", "inf", "text"])
def test_codes_with_a_cell_that_is_no_number_are_refused(
    cell: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = tmp_path / "codes.csv"
    codes.write_text(f"code0,code1,code2\n1,2,3\n1,{cell},3\n")
    assert run("decode", folder / "wine.isthmus", codes, "-o", tmp_path / "x.csv") == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "codes.csv" in err
    assert "internal error" not in err


def test_a_missing_column_is_named(
    folder: Path, table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.drop(columns="ash").to_csv(tmp_path / "less.csv", index=False)
    out = tmp_path / "x.csv"
    assert run("reconstruct", folder / "wine.isthmus", tmp_path / "less.csv", "-o", out) == 1
    assert "'ash'" in capsys.readouterr().err


def test_output_that_stands_there_is_kept(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "codes.csv"
    out.write_text("precious")
    arguments = ("encode", folder / "wine.isthmus", folder / "wine.csv", "-o", out)
    assert run(*arguments) == 1
    assert out.read_text() == "precious"
    assert run(*arguments, "--force") == 0
    assert out.read_text().startswith('"code0"') or out.read_text().startswith("code0")


def test_an_ending_that_nobody_can_write_is_refused_first(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "codes.docx"
    assert run("encode", folder / "wine.isthmus", tmp_path / "none.csv", "-o", out) == 1
    assert ".docx" in capsys.readouterr().err


def test_report_writes_one_page(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    arguments = ("report", folder / "wine.isthmus", folder / "wine.csv", "-o", page)
    assert run(*arguments) == 0
    # The model was trained on this column: it colours the codes and is still one of the columns.
    assert run(*arguments, "--label", "region", "--force") == 0
    assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")


def test_inspect_says_what_is_inside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", folder / "wine.isthmus") == 0
    shown = capsys.readouterr().out
    for part in ("autoencoder, written by isthmus", "a table of 8 columns", "5 epochs", "total"):
        assert part in shown


@pytest.mark.parametrize("command", ["inspect", "encode"])
def test_a_file_that_is_no_model_is_one_line(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = [] if command == "inspect" else [folder / "wine.csv", "-o", tmp_path / "x.csv"]
    assert run(command, folder / "wine.csv", *rest) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "wine.csv" in err
