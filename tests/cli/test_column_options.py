"""Options of ``isthmus fit`` about columns, on files as people export them."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main

ROWS = 120


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A German export: number, postcode, turnover, amount, day and city."""
    rng = np.random.default_rng(0)
    lines = ["id;plz;umsatz;menge;datum;stadt"]
    for row in range(ROWS):
        amount = int(rng.integers(1, 60))
        day = dt.date(2024, 1, 1) + dt.timedelta(int(rng.integers(360)))
        city = ("Köln", "Bonn", "München")[row % 3]
        code = f"{rng.integers(1000, 99999):05d}"
        lines.append(f"{row};{code};{german(33.3 * amount)};{amount};{day:%d.%m.%Y};{city}")
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(lines) + "\n", encoding="cp1252")
    return path


def fit(data: Path, *options: str) -> int:
    output = data.with_name("m.isthmus")
    arguments = ["fit", str(data), "-o", str(output), "--epochs", "2", "--no-report", "--force"]
    return main([*arguments, *options])


def kinds(data: Path) -> dict[str, str]:
    return {f.name: f.kind for f in ist.load(data.with_name("m.isthmus")).schema_.fields}


def test_a_german_export_is_learned(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(shop) == 0
    notes = capsys.readouterr().err
    assert "read as Windows-1252" in notes
    assert "The text of 'plz' has too many distinct values to be categories" in notes
    assert "The integers of 'id' are all different, so they number the rows" in notes
    assert kinds(shop) == {
        "id": "identifier",
        "plz": "identifier",
        "stadt": "category",
        **dict.fromkeys(("umsatz", "menge", "datum"), "number"),
    }
    again = shop.with_name("again.csv")
    assert main(["reconstruct", str(shop.with_name("m.isthmus")), str(shop), "-o", str(again)]) == 0
    texts = pd.read_csv(again, dtype=str)
    first = pd.read_csv(shop, sep=";", encoding="cp1252", dtype=str)
    assert texts["plz"].equals(first["plz"])
    assert texts["id"].equals(first["id"])
    assert main(["inspect", str(shop.with_name("m.isthmus"))]) == 0
    assert "not learned: id (identifies rows), plz (identifies rows)" in capsys.readouterr().out


def test_columns_are_chosen(shop: Path) -> None:
    given = ["--encoding", "latin-1"]
    assert fit(shop, *given, "--columns", "umsatz, menge") == 0
    assert list(kinds(shop)) == ["umsatz", "menge"]
    assert fit(shop, *given, "--drop", "id", "--drop", "plz,datum") == 0
    assert list(kinds(shop)) == ["umsatz", "menge", "stadt"]
    assert fit(shop, *given, "--id", "id,plz,stadt", "--categorical", "menge") == 0
    assert kinds(shop)["stadt"] == "identifier"
    assert kinds(shop)["menge"] == "category"
    assert fit(shop, *given, "--learn", "id", "--drop", "plz") == 0
    assert kinds(shop)["id"] == "number"


def test_a_detector_takes_the_same_options(shop: Path) -> None:
    assert fit(shop, "--kind", "detector", "--encoding", "latin-1", "--drop", "plz,id") == 0
    assert list(kinds(shop)) == ["umsatz", "menge", "datum", "stadt"]
    alarms = shop.with_name("alarms.csv")
    assert main(["detect", str(shop.with_name("m.isthmus")), str(shop), "-o", str(alarms)]) == 0
    assert len(pd.read_csv(alarms)) == ROWS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop", "umsaz"], "--drop: expected columns of shop.csv.*did you mean 'umsatz'"),
        (["--decimal", ":"], "--decimal.*expected '.' or ','"),
        (["--encoding", "klingon"], "encoding: expected the name of an encoding"),
        (["--encoding", "utf-8"], "expected text in UTF-8"),
    ],
)
def test_bad_options_are_refused(
    shop: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert fit(shop, *options) != 0
    assert re.search(message, " ".join(capsys.readouterr().err.split()))


def test_options_about_columns_need_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.eye(30))
    assert fit(tmp_path / "a.npy", "--drop", "x") == 1
    assert "a.npy has no named columns" in capsys.readouterr().err


def test_a_file_of_which_little_is_learned_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "people.csv"
    rows = [f"{row},name {row},{row % 7}\n" for row in range(ROWS)]
    path.write_text("id,name,size\n" + "".join(rows))
    assert fit(path) == 1
    error = capsys.readouterr().err
    assert "received 2 of 3 that cannot: 'id', 'name'" in error
    assert "--id" in error
    assert not path.with_name("m.isthmus").exists()
    assert fit(path, "--id", "id,name") == 0


def test_integer_codes_are_offered_as_categories(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "zones.csv"
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "zone": rng.choice([1, 2, 3, 7, 99], ROWS),
            "rooms": rng.integers(1, 6, ROWS),
            "area": rng.normal(size=ROWS),
        }
    )
    frame.to_csv(path, index=False)
    assert fit(path) == 0
    notes = capsys.readouterr().err
    assert "'zone' takes 5 values: 1, 2, 3, 7, 99" in notes
    assert "'rooms'" not in notes
    assert fit(path, "--categorical", "zone") == 0
    assert kinds(path)["zone"] == "category"
    back = path.with_name("back.csv")
    assert main(["reconstruct", str(path.with_name("m.isthmus")), str(path), "-o", str(back)]) == 0
    assert set(pd.read_csv(back)["zone"]) <= {1, 2, 3, 7, 99}
    assert fit(path, "--learn", "zone") == 0
    assert "'zone'" not in capsys.readouterr().err


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Columns between carets, with codes and two ways to write that a weight is missing."""
    rng = np.random.default_rng(0)
    lines = ["code^size^weight"]
    for row in range(ROWS):
        size = rng.normal()
        weight = ("k.A.", "-999")[row % 2] if row % 5 == 0 else f"{2 * size:.3f}"
        lines.append(f"{(80331, 10115)[row % 2]}^{size:.3f}^{weight}")
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_delimiter_types_and_missing_cells_are_remembered(odd: Path, tmp_path: Path) -> None:
    options = ("--delimiter", "^", "--missing", "k.A.,-999", "--types", "code=text")
    assert fit(odd, *options) == 0
    assert kinds(odd) == {"code": "category", "size": "number", "weight": "number"}
    model, filled = odd.with_name("m.isthmus"), tmp_path / "filled.csv"
    assert main(["reconstruct", str(model), str(odd), "-o", str(filled)]) == 0
    rebuilt = pd.read_csv(filled, dtype={"code": str})
    assert set(rebuilt["code"]) <= {"80331", "10115"}
    assert rebuilt["weight"].abs().max() < 20

    usual = tmp_path / "usual.csv"
    usual.write_text("code,size,weight\n80331,0.5,1.0\n10115,0.1,-999\n")
    assert main(["encode", str(model), str(usual), "-o", str(tmp_path / "codes.csv")]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--types", "code=texts"), "where TYPE is text, number, integer, boolean or date"),
        (("--types", "cod=text"), "Did you mean 'code'"),
        (("--delimiter", "^^"), "one character"),
        (("--delimiter", "é"), "one character"),
        (("--missing", "\x07"), "printable"),
    ],
)
def test_wrong_options_of_text_files(
    odd: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = options if "--delimiter" in options else ("--delimiter", "^", *options)
    assert fit(odd, *wanted) > 0
    assert message.lower() in capsys.readouterr().err.lower()
