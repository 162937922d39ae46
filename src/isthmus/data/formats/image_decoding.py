"""Decodes one image file to an array, with all bits and channels that the file has.

Pillow reads 16-bit colours as 8 bits without saying so. Those of PNG are decoded here, those of
TIFF by tifffile.
"""

from __future__ import annotations

import importlib
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from isthmus.core.errors import MissingExtra, UnreadableFile
from isthmus.data.formats.image_options import MOST_PIXELS, PIXEL_TYPES
from isthmus.data.formats.tiff_tags import SIGNED, tiff_samples

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
}
ENDINGS = tuple(ending for endings in _FORMATS.values() for ending in endings)
"""Endings of the image files that are read."""
TIFF_ENDINGS = _FORMATS["TIFF"]

_TITLE = "PNG, JPEG, TIFF, WebP or BMP image"
_OPAQUE = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "P": "RGB"}
_WITH_ALPHA = {"1": "LA", "L": "LA", "P": "RGBA", "PA": "RGBA", "RGB": "RGBA"}
_AS_READ = {"L", "LA", "RGB", "RGBA", "I", "F", "I;16", "I;16B", "I;16L"}
_FAULTS: tuple[type[Exception], ...] = (
    *(OSError, SyntaxError, ValueError, EOFError, OverflowError, KeyError, TypeError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


def decode(file: Path) -> NDArray[Any]:
    """Read one image file.

    Grey levels of 1 bit become 0 and 255. Palettes become RGB, or RGBA if they have transparency,
    and other images with a transparent colour get an alpha channel. An image is turned upright as
    its EXIF orientation says.

    Returns
    -------
    ndarray of shape (h, w) or (h, w, channels)
        A type in `PIXEL_TYPES`.

    Raises
    ------
    UnreadableFile
        The file is damaged, too large or holds several images.
    MissingExtra
        It is a TIFF of a kind that needs tifffile.
    """
    try:
        tiff = tiff_samples(file)
        if tiff is not None and not tiff.plain:
            return _with_tifffile(file)
        with Image.open(file, formats=list(_FORMATS)) as image:
            _check(image)
            if _is_deep_png(image):
                return _deep_png(file)
            pixels = _pixels(image)
            half = tiff is not None and (tiff.kind, tiff.bits) == (SIGNED, 16)
            return pixels.astype(np.int16) if half else pixels  # Pillow reads them as 32 bits
    except (UnreadableFile, MissingExtra) as error:
        raise error.about(str(file)) from None
    except _FAULTS as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UnreadableFile(
            str(file),
            expected=f"a complete {_TITLE} of at most {MOST_PIXELS:,} pixels",
            received=lines[0],
            remedy="remove the file, or save it again",
        ) from None


def _check(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width * image.height:,} pixels")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's preview follows its picture
        raise _several(frames)


def _several(frames: int) -> UnreadableFile:
    return UnreadableFile(
        "an image file",
        expected="one image",
        received=f"{frames:,} pages or frames",
        remedy="save each as a file of its own, or all as one .npy file",
    )


def _pixels(image: Image.Image) -> NDArray[Any]:
    # Before the conversion, which reads a transparent colour from the file's header.
    alpha = image.has_transparency_data and image.mode in _WITH_ALPHA
    mode = (_WITH_ALPHA if alpha else _OPAQUE).get(image.mode, image.mode)
    if mode not in _AS_READ:
        raise ValueError(f"the mode {image.mode!r}")
    shown = image if mode == image.mode else image.convert(mode)
    pixels = np.asarray(ImageOps.exif_transpose(shown))
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _is_deep_png(image: Image.Image) -> bool:
    return image.format == "PNG" and any(
        str(tile[3]).endswith(";16B") and image.mode != "I;16"
        for tile in getattr(image, "tile", ())
    )


def _deep_png(file: Path) -> NDArray[np.uint16]:
    """Read both bytes of each 16-bit sample of a PNG file with several channels.

    Pillow keeps the first byte of each sample. If the samples are said to be little-endian, the
    byte that it keeps is the second one. Two samples of a pixel are as long as four bytes of RGBA.
    """
    with Image.open(file, formats=["PNG"]) as image:
        if image.tile[0][3] == "LA;16B":
            quads = _decoded_as(image, "RGBA").astype(np.uint16)
            return np.asarray(quads[..., 0::2] << 8 | quads[..., 1::2])
        first = _decoded_as(image, f"{image.mode};16B").astype(np.uint16)
        mode = image.mode
    with Image.open(file, formats=["PNG"]) as image:
        return np.asarray(first << 8 | _decoded_as(image, f"{mode};16L"))


def _decoded_as(image: Any, raw: str) -> NDArray[np.uint8]:
    image.tile = [image.tile[0]._replace(args=raw)]
    return np.asarray(ImageOps.exif_transpose(image))


def _with_tifffile(file: Path) -> NDArray[Any]:
    tifffile = tiff_library()
    with tifffile.TiffFile(file) as opened:
        if len(opened.series) != 1:
            raise _several(len(opened.series))
        series = opened.series[0]
        if series.size > MOST_PIXELS:
            raise ValueError(f"{series.size:,} numbers")
        kept = [
            (axis, n)
            for axis, n in zip(series.axes, series.shape, strict=True)
            if axis in "YX" or n > 1
        ]
        axes = "".join(axis for axis, _ in kept)
        bands = axes.replace("Y", "").replace("X", "")
        if bands not in ("", "S", "C"):
            raise _several(math.prod(n for axis, n in kept if axis not in "YX"))
        array = series.asarray().reshape([n for _, n in kept])
    order = [axes.index(axis) for axis in ("Y", "X", *bands)]
    array = np.ascontiguousarray(array.transpose(order))
    array = array.astype(array.dtype.newbyteorder("="))
    if str(array.dtype) not in PIXEL_TYPES:
        raise ValueError(f"pixels of {array.dtype}")
    return np.asarray(array)


def tiff_library() -> Any:
    """Return tifffile; raises MissingExtra."""
    try:
        return importlib.import_module("tifffile")
    except ImportError as error:
        raise MissingExtra(
            "a TIFF image of several bands, or of 16-bit colours",
            expected="the package tifffile",
            received=str(error),
            remedy="pip install 'isthmus[tiff]', or save it as PNG",
        ) from error
