"""Commands that read and write folders of images."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.cli.__main__ import main
from isthmus.data import reading, writing
from isthmus.persistence.loading import load

RNG = np.random.default_rng(0)
QUICK = ("--epochs", 1, "--hidden", 4, "--latent-dim", 2)


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def photos(n: int) -> np.ndarray:
    """Stripes of a random phase, (n, 8, 6, 3)."""
    phases = RNG.uniform(0, 6, (n, 1, 1, 1))
    rows = np.arange(8).reshape(1, 8, 1, 1)
    waves = 128 + 60 * np.sin(rows + phases) * np.ones((1, 1, 6, 3))
    return np.clip(waves + RNG.normal(0, 3, waves.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Normal images, new ones of which two are odd, others, a model and a detector."""
    folder = tmp_path_factory.mktemp("photos")
    writing.write(folder / "normal", photos(120))
    new = photos(12)
    new[[2, 7], 2:5, 1:4] = (255, 0, 0)
    names = [f"{'ok' if i % 2 else 'other'}/part {i}.jpg" for i in range(12)]
    order = np.argsort(names)
    writing.write(folder / "new", new[order], names=sorted(names))
    (folder / "mixed").mkdir()
    for i, image in enumerate(photos(6)):
        bigger = Image.fromarray(image).resize((9, 12))
        (bigger.convert("L") if i % 2 else bigger).save(folder / "mixed" / f"{i}.bmp")
    assert run("fit", folder / "normal", "-o", folder / "m.isthmus", *QUICK, "--no-report") == 0
    arguments = ("--kind", "detector", *QUICK, "--false-alarm-rate", 0.05)
    assert run("fit", folder / "normal", "-o", folder / "d.isthmus", *arguments) == 0
    return folder


def test_the_report_of_a_fit_names_files(folder: Path) -> None:
    page = (folder / "d-report.html").read_text("utf-8")
    shown = set(re.findall(r">(\d{4}\.png)<", page))
    assert len(shown) == 10
    assert shown <= set(reading.read(folder / "normal").names or ())
    assert "Detected faults by place" in page


def test_weighted_losses_of_images(folder: Path, tmp_path: Path) -> None:
    arguments = (*QUICK, "--no-report", "--loss", "mse:0.5,ssim:0.5")
    assert run("fit", folder / "normal", "-o", tmp_path / "m.isthmus", *arguments) == 0
    model = load(tmp_path / "m.isthmus")
    assert model.loss == {"mse": 0.5, "ssim": 0.5}
    assert model.loss_ == "mse:0.5,ssim:0.5"


ODD = ["other/part 2.png", "ok/part 7.png"]


def test_reconstructions_keep_the_names_of_files(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("reconstruct", folder / "m.isthmus", folder / "new", "-o", out) == 0
    assert reading.read(out).names == reading.read(folder / "new").names
    assert reading.read(out).X.shape == (12, 8, 6, 3)
    assert run("reconstruct", folder / "m.isthmus", folder / "new", "-o", out, "--force") == 0


def test_codes_carry_the_names_of_files(folder: Path, tmp_path: Path) -> None:
    codes, out = tmp_path / "codes.csv", tmp_path / "out"
    assert run("encode", folder / "m.isthmus", folder / "new", "-o", codes) == 0
    assert list(pd.read_csv(codes)) == ["file", "code0", "code1"]
    assert run("decode", folder / "m.isthmus", codes, "-o", out) == 0
    assert reading.read(out).names == reading.read(folder / "new").names


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_depth_is_kept(tmp_path: Path, dtype: str) -> None:
    most = np.iinfo(dtype).max
    images = (photos(30)[..., 0] / 255.0 * most).astype(dtype)
    names = [f"{i}.{'tif' if i % 2 else 'png'}" for i in range(30)]
    writing.write(tmp_path / "in", images, names=names)
    model = tmp_path / "m.isthmus"
    assert run("fit", tmp_path / "in", "-o", model, *QUICK, "--no-report") == 0
    assert run("reconstruct", model, tmp_path / "in", "-o", tmp_path / "out") == 0
    rebuilt = reading.read(tmp_path / "out")
    assert rebuilt.names == sorted(names)
    assert rebuilt.X.dtype == dtype
    assert rebuilt.X.max() > most / 3
    arguments = ("sample", model, "--data", tmp_path / "in", "-n", 2)
    assert run(*arguments, "-o", tmp_path / "made") == 0
    assert reading.read(tmp_path / "made").X.dtype == dtype


def test_alarms_name_files_and_pixels(folder: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "alarms.csv", tmp_path / "page.html"
    arguments = ("detect", folder / "d.isthmus", folder / "new", "-o", out, "--report", page)
    assert run(*arguments) == 0
    found = pd.read_csv(out)
    assert list(found)[:2] == ["file", "row"]
    assert found.file.tolist() == reading.read(folder / "new").names
    worst = found.nlargest(2, "score")
    assert sorted(worst.file) == sorted(ODD)
    assert worst.top_columns.str.match(r"row \d column \d (red|green|blue), ").all()
    assert all(name in page.read_text("utf-8") for name in ODD)
    assert ">x1" not in page.read_text("utf-8")


def test_reasons_name_files_and_pixels(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.csv"
    arguments = ("explain", folder / "d.isthmus", folder / "new", "-o", out)
    assert run(*arguments, "--rows", ",".join(ODD)) == 0
    found = pd.read_csv(out)
    assert list(found)[:6] == ["file", "row", "column", "pixel_row", "pixel_column", "channel"]
    assert found.file.drop_duplicates().tolist() == ODD
    images = reading.read(folder / "new")
    first = found.iloc[0]
    place = (int(first.pixel_row), int(first.pixel_column), int(first.channel))
    assert first.value == images.X[(images.names.index(first.file), *place)]
    colour = ("red", "green", "blue")[place[2]]
    assert first.column == f"row {place[0]} column {place[1]} {colour}"
    shares = found.groupby("file").share.sum()
    np.testing.assert_allclose(shares, 1)


def test_reasons_as_a_picture(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    arguments = ("explain", folder / "d.isthmus", folder / "new", "--top", 2, "-o", out)
    assert run(*arguments) == 0
    with Image.open(out) as picture:
        drawn = np.asarray(picture.convert("RGB"))
    assert drawn.shape[1] > drawn.shape[0] / 2
    assert (drawn == (255, 0, 0)).all(axis=-1).any()  # the odd pixels themselves


def test_a_table_has_no_picture(folder: Path, tmp_path: Path, capsys) -> None:
    np.save(tmp_path / "x.npy", RNG.normal(size=(100, 5)))
    model = tmp_path / "d.isthmus"
    assert run("fit", tmp_path / "x.npy", "--kind", "detector", *QUICK, "-o", model) == 0
    arguments = ("explain", model, tmp_path / "x.npy", "--top", 1)
    assert run(*arguments, "-o", tmp_path / "why.png") == 1
    assert "name it 'why.csv'" in capsys.readouterr().err
    assert run(*arguments, "-o", tmp_path / "why.csv") == 0
    assert list(pd.read_csv(tmp_path / "why.csv"))[:2] == ["row", "column"]


@pytest.mark.parametrize("text", ["a.png", "other/part 2", "-1", ","])
def test_images_that_are_not_there(folder: Path, tmp_path: Path, text: str, capsys) -> None:
    arguments = ("explain", folder / "d.isthmus", folder / "new", "-o", tmp_path / "x.csv")
    assert run(*arguments, f"--rows={text}") != 0
    assert "--rows" in capsys.readouterr().err


def test_other_sizes_and_modes_are_refused_with_the_option(
    folder: Path, tmp_path: Path, capsys
) -> None:
    arguments = ("detect", folder / "d.isthmus", folder / "mixed", "-o", tmp_path / "x.csv")
    assert run(*arguments) == 1
    assert "--image-mode" in capsys.readouterr().err
    assert run(*arguments, "--image-mode", "rgb") == 1
    assert "--image-size 8x6" in " ".join(capsys.readouterr().err.split())
    assert run(*arguments, "--image-mode", "rgb", "--image-size", "8x6") == 0
    assert len(pd.read_csv(tmp_path / "x.csv")) == 6


def test_a_model_remembers_how_its_images_were_read(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.isthmus"
    options = ("--image-size", "4x3", "--image-mode", "grey", "--image-resample", "box")
    assert run("fit", folder / "mixed", "-o", model, *QUICK, *options, "--no-report") == 0
    out = tmp_path / "out"
    assert run("reconstruct", model, folder / "new", "-o", out) == 0
    assert reading.read(out).X.shape == (12, 4, 3)
    assert run("report", model, folder / "mixed", "-o", tmp_path / "report.html") == 0
    assert ".bmp" in (tmp_path / "report.html").read_text("utf-8")


def test_neighbours_and_maps_name_files(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "near.csv"
    arguments = ("search", folder / "m.isthmus", folder / "normal", "--query", folder / "new")
    assert run(*arguments, "-n", 1, "-o", out) == 0
    found = pd.read_csv(out)
    assert found["query"].tolist() == reading.read(folder / "new").names
    assert set(found.neighbour) <= set(reading.read(folder / "normal").names)
    assert run("map", folder / "m.isthmus", folder / "new", "-o", tmp_path / "map.csv") == 0
    assert list(pd.read_csv(tmp_path / "map.csv")) == ["file", "map0", "map1"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--image-size", "big"), "height and width"),
        (("--image-size", "0x3"), "--image-size: expected"),
        (("--image-mode", "gray"), "grey"),
        (("--image-resample", "x"), "bilinear"),
    ],
)
def test_options_that_cannot_be(folder: Path, tmp_path: Path, options, said, capsys) -> None:
    out = tmp_path / "x.isz"
    assert run("compress", folder / "mixed", out, *options) == 1
    assert said in " ".join(capsys.readouterr().err.split())
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert run("compress", tmp_path / "x.npy", out, "--image-mode", "grey") == 1
    assert "a folder of images" in " ".join(capsys.readouterr().err.split())
