"""``isthmus compress`` and ``decompress``."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main
from isthmus.compression.lossy.model import LossyModel


def run(*arguments: str | Path | float) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def series(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "in.npy", np.cumsum(rng.normal(size=(3000, 2)), axis=0).astype(">f4"))
    return tmp_path / "in.npy"


def test_there_and_back(series: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed, back = series.with_name("x.isz"), series.with_name("back.npy")
    assert run("compress", series, packed, "--max-error", 0.01, "--relative") == 0
    out, err = capsys.readouterr()
    assert "in.npy: 3,000 rows, 24,000 bytes, as " in out
    assert " to 1; largest error " in out
    assert not err
    assert run("decompress", packed, back) == 0
    X, Y = np.load(series), np.load(back)
    assert Y.dtype == X.dtype
    assert (np.abs(Y - X) <= 0.01 * np.ptp(X, axis=0)).all()
    assert packed.stat().st_size < series.stat().st_size / 8

    assert run("compress", series, packed) == 1
    assert "--force" in capsys.readouterr().err
    assert run("compress", series, packed, "--force") == 0
    assert run("decompress", packed, back, "--force") == 0
    assert back.read_bytes() == series.read_bytes()


def test_quality(
    series: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LossyModel, "fit", functools.partial(LossyModel.fit, epochs=0.05))
    packed, back = series.with_name("x.isz"), series.with_name("back.npy")
    assert run("compress", series, packed, "--quality", 20) == 0
    assert "without the model's" in capsys.readouterr().out
    assert run("decompress", packed, back) == 0
    X, Y = np.load(series), np.load(back)
    assert (((Y - X) / np.ptp(X, axis=0)) ** 2).mean() <= 0.01
    for more in (("--bits", 2), ("--max-error", 1), ("--relative",)):
        assert run("compress", series, packed, "--force", "--quality", 20, *more) == 1
        assert "expected" in capsys.readouterr().err


def test_tables(folder: Path, tmp_path: Path) -> None:
    assert run("compress", folder / "wine.csv", tmp_path / "wine.isz") == 0
    assert run("decompress", tmp_path / "wine.isz", tmp_path / "wine.csv") == 0
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "wine.csv"), pd.read_csv(folder / "wine.csv")
    )


def test_damage(series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed, back = tmp_path / "x.isz", tmp_path / "back.npy"
    X = np.load(series)
    ist.Codec().fit(X).compress_to(iter([X[:1000], X[1000:]]), packed)
    content = bytearray(packed.read_bytes())
    content[1000] ^= 1
    packed.write_bytes(content)
    assert run("decompress", packed, back) == 1
    assert "chunk 0 (rows 0 to 999, counted from 0)" in capsys.readouterr().err
    assert not back.exists()
    assert run("decompress", packed, back, "--skip-damaged") == 0
    assert "skipped" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(back), X[1000:])


def test_a_codec_brings_its_promise(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X, model, packed = np.load(series), tmp_path / "codec.isthmus", tmp_path / "x.isz"
    ist.Codec(max_error=0.5).fit(X).save(model)
    assert run("compress", series, packed, "--model", model) == 0
    assert run("decompress", packed, tmp_path / "back.npy", "--model", model) == 0
    assert 0 < np.abs(np.load(tmp_path / "back.npy") - X).max() <= 0.5
    assert run("compress", series, packed, "--model", model, "--max-error", 1, "--force") == 1
    assert "--model" in capsys.readouterr().err


def test_what_cannot_be(series: Path, folder: Path, tmp_path: Path, capsys) -> None:
    for arguments, said in (
        (("compress", series, tmp_path / "x.npy"), ".isz"),
        (("compress", tmp_path / "none.npy", tmp_path / "x.isz"), "does not exist"),
        (("decompress", series, tmp_path / "y.npy"), "another kind of file"),
        (("compress", series, tmp_path / "x.isz", "--model", folder / "wine.isthmus"), "codec"),
    ):
        assert run(*arguments) == 1
        assert said in capsys.readouterr().err
    (tmp_path / "cut.npy").write_bytes(series.read_bytes()[:200])
    assert run("compress", tmp_path / "cut.npy", tmp_path / "x.isz") == 1
    assert "NumPy's format" in capsys.readouterr().err
