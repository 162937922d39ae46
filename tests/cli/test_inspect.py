"""``isthmus inspect`` of Keras' files and of ours."""

from pathlib import Path

import keras
import pytest
from keras import layers

from isthmus.cli.__main__ import main


@pytest.fixture
def keras_file(tmp_path: Path) -> str:
    path = str(tmp_path / "someone.keras")
    keras.Sequential([keras.Input((9,)), *map(layers.Dense, (2, 9))]).save(path)
    return path


def test_a_keras_file_is_judged(keras_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", keras_file]) == 0
    shown = capsys.readouterr().out
    for part in ("not decidable", "Missing", "4.5 to 1", "total"):
        assert part in shown
    assert main(["inspect", keras_file, "--target", "input"]) == 0
    assert "yes: undercomplete autoencoder" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_what_is_likely_is_shown_beside_what_is_proven(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / f"someone.{suffix}")
    model = keras.Sequential([keras.Input((9,)), *map(layers.Dense, (2, 9))])
    model.compile("adam", loss="mse")
    model.save(path)
    assert main(["inspect", path]) == 0
    shown = capsys.readouterr().out
    assert "autoencoder?  not decidable" in shown
    assert "likely        an undercomplete autoencoder: the output has the shape" in shown


def test_an_archive_is_judged_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(folder / "wine.isthmus")]) == 0
    shown = capsys.readouterr().out
    for part in ("written by isthmus", "autoencoder?  yes", "bottleneck", "total"):
        assert part in shown
    assert main(["inspect", str(folder / "wine.isthmus"), "--target", "input"]) == 2
    assert "--target" in capsys.readouterr().err


def test_an_hdf5_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert main(["inspect", str(tmp_path / "old.h5")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "HDF5" in err
