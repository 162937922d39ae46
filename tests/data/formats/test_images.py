"""Folders of images of any mode, size and format, read and written back."""

import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import isthmus as ist
from isthmus.core.errors import (
    InvalidArchive,
    InvalidData,
    InvalidParameter,
    MissingExtra,
    UnreadableFile,
)
from isthmus.data import reading, writing
from isthmus.data.formats import arrays, image_decoding
from isthmus.data.formats.image_arrays import form_of
from isthmus.data.formats.image_options import (
    MODES,
    PIXEL_TYPES,
    RESAMPLING,
    ImageForm,
    ImageOptions,
    mode_name,
)

RNG = np.random.default_rng(0)


def pixels(shape, dtype="uint8"):
    if np.dtype(dtype).kind == "f":
        return RNG.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def only(folder, **options):
    """Return the single image of a folder."""
    (image,) = ist.read_images(folder, **options).X
    return np.asarray(image)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(PIXEL_TYPES),
    channels=st.integers(1, 16),
    size=st.tuples(st.integers(1, 9), st.integers(2, 9)),
)
def test_every_kind_of_image_comes_back_as_it_was(tmp_path, dtype, channels, size):
    images = pixels((2, *size, channels) if channels > 1 else (2, *size), dtype)
    path = writing.write(tmp_path / "out", images, pixels=dtype, overwrite=True)
    png = channels <= 4 and dtype in ("uint8", "uint16")
    assert {file.suffix for file in path.iterdir()} == {".png" if png else ".tif"}
    found = reading.read(path).X
    assert found.dtype == images.dtype
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("ending", [".bmp", ".webp", ".tif", ".tiff", ".jpg", ".PNG"])
def test_formats(tmp_path, ending):
    image = np.full((4, 5, 3), (10, 200, 30), np.uint8)
    Image.fromarray(image).save(tmp_path / f"a{ending}", lossless=True)
    assert np.abs(only(tmp_path).astype(int) - image).max() <= 2


def test_palettes_keep_their_transparency(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    assert only(tmp_path).shape == (2, 2, 3)
    image.save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(only(tmp_path)[0], [[255, 0, 0, 255], [0, 0, 255, 0]])
    np.testing.assert_array_equal(only(tmp_path, mode="rgb")[0], [[255, 0, 0], [0, 0, 255]])


@pytest.mark.parametrize(("mode", "colour"), [("L", 7), ("RGB", (7, 8, 9))])
def test_a_transparent_colour_becomes_an_alpha_channel(tmp_path, mode, colour):
    image = Image.new(mode, (2, 1))
    image.putpixel((0, 0), colour)
    image.save(tmp_path / "a.png", transparency=colour)
    assert only(tmp_path)[0, :, -1].tolist() == [0, 255]


def test_an_image_of_one_bit_is_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert only(tmp_path).tolist() == [[255, 0]]


def test_images_are_turned_upright(tmp_path):
    image = pixels((4, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(only(tmp_path), np.rot90(image, -1))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.sampled_from(sorted(MODES)),
    target=st.sampled_from(sorted(MODES)),
    resample=st.sampled_from(RESAMPLING),
)
def test_every_mode_becomes_every_other(tmp_path, source, target, resample):
    channels, dtype = MODES[source]
    most = np.iinfo(dtype).max
    white = np.full((1, 4, 6, channels), most, dtype)
    writing.write(tmp_path / "out", white, overwrite=True)
    read = ist.read_images(tmp_path / "out", size=(3, 2), mode=target, resample=resample)
    assert mode_name(read.X.dtype, MODES[target].channels) == target
    assert read.X.shape[1:3] == (3, 2)
    assert (np.iinfo(MODES[target].dtype).max == read.X).all()
    assert form_of(read.X).options == ImageOptions((3, 2), target, resample)


def test_grey_is_luma_and_depth_is_proportional(tmp_path):
    writing.write(tmp_path / "c", np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]], np.uint8))
    assert only(tmp_path / "c", mode="grey").tolist() == [[76, 150, 29]]
    writing.write(tmp_path / "d", np.array([[[0, 257, 65535, 128, 129]]], np.uint16))
    assert only(tmp_path / "d", mode="grey").tolist() == [[0, 1, 255, 0, 1]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_of_transparent_pixels_do_not_show_after_resizing(tmp_path, dtype):
    most = np.iinfo(dtype).max
    image = np.zeros((1, 2, 2, 4), dtype)
    image[0, :, 0] = (most, 0, 0, most)
    image[0, :, 1] = (0, most, 0, 0)
    writing.write(tmp_path / "out", image)
    red, green, _, alpha = only(tmp_path / "out", size=(1, 1))[0, 0].astype(float) / most
    assert (red, green) == (pytest.approx(1, abs=0.01), 0)
    assert alpha == pytest.approx(0.5, abs=0.01)


def test_mixed_folders_are_refused_with_what_they_have_and_an_option(tmp_path):
    for i in range(3):
        Image.new("RGB", (7, 5)).save(tmp_path / f"a{i}.png")
    Image.new("L", (8, 5)).save(tmp_path / "b.png")
    said = (
        r"5 × 7 rgb \(3, such as a0\.png\); 5 × 8 grey \(1, such as b\.png\).*"
        r"--image-size 5x7 --image-mode rgb.*size=\(5, 7\), mode='rgb'"
    )
    with pytest.raises(UnreadableFile, match=said):
        reading.read(tmp_path)
    with pytest.raises(UnreadableFile, match="--image-mode rgb"):
        ist.read_images(tmp_path, size=(2, 2))
    with pytest.raises(UnreadableFile, match="--image-size 5x7"):
        list(reading.stream(tmp_path, images=ImageOptions(mode="grey")))
    assert ist.read_images(tmp_path, size=(2, 2), mode="grey").X.shape == (4, 2, 2)


def test_bands_have_no_mode_to_convert_to(tmp_path):
    writing.write(tmp_path / "out", pixels((1, 3, 3, 5)))
    with pytest.raises(UnreadableFile, match=r"0000\.tif.*received 5 bands of uint8"):
        ist.read_images(tmp_path / "out", mode="rgb")
    assert only(tmp_path / "out", size=(2, 4)).shape == (2, 4, 5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 64}, r"size: expected height and width.*received 64"),
        ({"size": (0, 3)}, "received"),
        ({"size": (2**20, 2**20)}, "at most"),
        ({"mode": "gray"}, "'grey'"),
        ({"resample": "cubic"}, "bicubic"),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, said):
    with pytest.raises(InvalidParameter, match=said):
        ist.read_images(tmp_path, **settings)


def test_pages_are_not_dropped(tmp_path):
    pages = [Image.new("L", (3, 3)) for _ in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableFile, match=r"a\.tif.*one image, received 3 pages"):
        reading.read(tmp_path)


def test_bands_of_tiff_need_an_extra(tmp_path, monkeypatch):
    path = writing.write(tmp_path / "out", pixels((1, 3, 3, 5)))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(MissingExtra, match=r"0000\.tif.*isthmus\[tiff\]"):
        reading.read(path)
    with pytest.raises(MissingExtra, match=r"isthmus\[tiff\]"):
        writing.write(tmp_path / "again", pixels((1, 3, 3, 5)))
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("content", [b"II*\0", b"MM\0*\0\0\0\x08\0\xff", b"II*\0\xff\xff\xff\x7f"])
def test_damaged_tiff_files_are_named(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"a\.tif"):
        reading.read(tmp_path)


def test_hidden_files_are_no_images(tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"left by another system")
    assert reading.read(tmp_path).names == ["a.png"]


def test_a_stream_holds_few_images_at_once(tmp_path, monkeypatch):
    images = pixels((50, 4, 5))
    path = writing.write(tmp_path / "out", images)
    monkeypatch.setattr("isthmus.data.formats.images.MOST_CELLS", 60)
    held, most, lock = set(), [0], threading.Lock()

    def counted(file, decode=image_decoding.decode):
        with lock:
            held.add(file)
            most[0] = max(most[0], len(held))
        return decode(file)

    monkeypatch.setattr(image_decoding, "decode", counted)
    batches = []
    for batch in reading.stream(path):
        assert len(batch) <= 3
        batches.append(np.asarray(batch))
        # The next batch is decoded while this one is used, and no more.
        assert len(held) <= 3 * (len(batches) + 1) + 1
    np.testing.assert_array_equal(np.concatenate(batches), images)


def test_a_stream_of_an_array_has_small_batches_of_large_samples(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", pixels((10, 4, 5)))
    monkeypatch.setattr(reading, "MOST_CELLS", 60)
    assert [len(batch) for batch in reading.stream(tmp_path / "x.npy")] == [3, 3, 3, 1]
    assert arrays.MOST_CELLS > 2**20


def test_names_are_kept(tmp_path):
    names = ["cat/a.jpg", "cat/b.TIF", "dog/a.png", "dog/a.bmp"]
    writing.write(tmp_path / "out", pixels((4, 3, 3)), names=names)
    assert reading.read(tmp_path / "out").names == [
        *("cat/a.png", "cat/b.TIF", "dog/a.bmp.png", "dog/a.png.png"),
    ]
    writing.write(tmp_path / "out", pixels((1, 3, 3)), names=["x.png"], overwrite=True)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    "names", [["../a.png"], ["/a.png"], ["a/b/c.png"], ["a.png", "a.png"], ["a.png"]]
)
def test_names_that_cannot_be(tmp_path, names):
    images = pixels((max(2, len(names)) if names == ["a.png"] else len(names), 3, 3))
    with pytest.raises(InvalidData, match="names of images"):
        writing.write(tmp_path / "out", images, names=names)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["", ".npy", ".npz"])
def test_parts_are_written_as_the_whole(tmp_path, ending):
    images = pixels((10, 3, 4), "uint16")
    parts = (images[i : i + 4] for i in range(0, 10, 4))
    assert writing.write_parts(tmp_path / f"out{ending}", parts) == 10
    found = reading.read(tmp_path / f"out{ending}").X
    np.testing.assert_array_equal(found, images)


def test_a_failing_part_leaves_nothing(tmp_path):
    def parts():
        yield pixels((2, 3, 3))
        raise InvalidData("the second part")

    for name in ("out", "out.npy"):
        with pytest.raises(InvalidData, match="the second part"):
            writing.write_parts(tmp_path / name, parts())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_fractions_are_not_written_as_black(tmp_path, low):
    with pytest.raises(InvalidData, match="values from 0 to 255"):
        writing.write(tmp_path / "out", np.linspace(low, 1.04, 18).reshape(2, 3, 3))


def test_changed_pixels_have_no_form(tmp_path):
    writing.write(tmp_path / "out", pixels((4, 3, 3)))
    X = reading.read(tmp_path / "out").X
    assert form_of(X) == form_of(X[1:3]) == ImageForm("uint8")
    assert form_of(X / 255) is None
    assert form_of(X.sum(axis=0)) is None
    assert form_of(np.asarray(X)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "uint4"},
        {"options": None},
        {"options": {"size": [3, 4], "mode": None, "resample": "box"}},
        {"options": {"size": [3], "mode": None, "resample": "box"}},
        {"options": {"size": None, "mode": "rgb", "resample": "box"}},
        {"options": {"size": None, "mode": "grey16", "resample": "box"}},
        {"options": {"size": None, "mode": "grey", "resample": "boxes"}},
        {"more": 1},
    ],
)
def test_forms_of_archives_are_checked(change):
    form = ImageForm("uint8", ImageOptions((3, 3), "grey"))
    assert ImageForm.from_config(form.to_config(), (3, 3)) == form
    with pytest.raises(InvalidArchive):
        ImageForm.from_config(form.to_config() | change, (3, 3))
