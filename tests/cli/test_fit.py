"""``isthmus fit``: from a file to a model, a verdict and a report."""

import re
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.cli.__main__ import main


def npy(folder: Path, rows: int = 60) -> Path:
    path = folder / "rows.npy"
    np.save(path, np.random.default_rng(0).normal(size=(rows, 6)))
    return path


def test_it_ends_with_a_verdict_and_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model = npy(tmp_path), tmp_path / "m.isthmus"
    assert main(["fit", str(data), "-o", str(model), "--epochs", "2", "--hidden", "8"]) == 0
    out, err = capsys.readouterr()
    assert "54 rows to train on, 6 to judge by" in out
    assert re.search(r"^autoencoder .*\n^PCA ", out, re.MULTILINE)
    *_, first, second = out.splitlines()
    assert first.startswith(f"Wrote {model}")
    assert second.startswith(f"Wrote {tmp_path / 'm-report.html'}")
    assert "\x1b" not in out + err
    assert err == ""
    assert isthmus.load(model).hidden == (8,)


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    data, codes = npy(tmp_path), []
    for name in ("a", "b"):
        model = tmp_path / f"{name}.isthmus"
        arguments = ["--epochs", "2", "--hidden", "8", "--no-report", "--seed", "7"]
        assert main(["fit", str(data), "-o", str(model), *arguments]) == 0
        codes.append(isthmus.load(model).transform(np.load(data)))
    assert (codes[0] == codes[1]).all()


def test_existing_output_stops_it_before_the_data_are_even_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.isthmus"
    model.write_text("precious")
    assert main(["fit", str(tmp_path / "nothing.csv"), "-o", str(model)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "add --force" in err
    assert model.read_text() == "precious"


def test_an_existing_report_stops_it_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m-report.html").touch()
    assert main(["fit", str(npy(tmp_path)), "-o", str(tmp_path / "m.isthmus")]) == 1
    assert "m-report.html" in capsys.readouterr().err
    assert not (tmp_path / "m.isthmus").exists()


def test_a_checkpoint_needs_a_file_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "m.isthmus")
    assert main(["fit", "x.csv", "-o", model, "--checkpoint", model]) == 2
    assert "a file of its own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, [], "rows.csv"),
        (b"", [], "rows.csv"),
        (b"a,b\n1,2\n3\n", [], "rows.csv"),
        (b"a,b\n1,2\n", [], "at least 2 rows"),
        (b"a,b\n" + b"1,2\n3,inf\n" * 20, [], "'b'"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--loss", "bcee"], "'bce'"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--latent-dim", "0"], "latent_dim"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--label", "c"], "'c'"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--test", "none.csv"], "none.csv"),
    ],
)
def test_what_cannot_work_is_one_line(
    content: bytes | None,
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, model = tmp_path / "rows.csv", tmp_path / "m.isthmus"
    if content is not None:
        data.write_bytes(content)
    assert main(["fit", str(data), "-o", str(model), *arguments]) == 1
    err = capsys.readouterr().err.splitlines()
    complaints = [line for line in err if not line.startswith("note: ")]
    assert len(complaints) == 1
    assert said in complaints[0]
    assert not model.exists()
