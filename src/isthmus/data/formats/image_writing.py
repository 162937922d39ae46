"""Writes images as PNG and TIFF files, with the bits and channels that their array has."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from isthmus.core.errors import InvalidData
from isthmus.data.formats.image_decoding import TIFF_ENDINGS, tiff_library
from isthmus.data.formats.image_options import channels_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.data.formats.image_options import PixelType

ENDINGS = (".png", *TIFF_ENDINGS)
"""Endings of the image files that are written."""
_PNG_CHANNELS = (1, 2, 3, 4)
_PNG_TYPES = ("uint8", "uint16")
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_UP = 2
"""The filter that stores each byte of a PNG as its difference from the one above."""


def as_pixels(array: NDArray[Any], dtype: PixelType | None = None) -> NDArray[Any]:
    """Round and clip images to the type of pixels that a file stores.

    Parameters
    ----------
    array : ndarray of shape (n, h, w) or (n, h, w, channels)
        In the range of `dtype`, such as reconstructions.
    dtype : str, optional
        A type in `PIXEL_TYPES`; by default 16 bits for an array of uint16, else 8 bits, and then
        values far outside 0..255 are refused.

    Raises
    ------
    InvalidData
        The array has another shape or other values.
    """
    if array.ndim not in (3, 4) or array.dtype.kind not in "biuf":
        raise InvalidData(
            "images",
            expected="an array of shape (n, h, w) or (n, h, w, channels)",
            received=f"shape {array.shape} of {array.dtype}",
            remedy="write an .npy or .npz file",
        )
    if dtype is None:
        dtype = "uint16" if array.dtype == np.uint16 else "uint8"
        if array.dtype not in (np.uint8, np.uint16):
            _check_bytes(array)
    target = np.dtype(dtype)
    if target.kind == "f":
        return array.astype(target, copy=False)
    limits = np.iinfo(target)
    if array.dtype == target:
        return array
    if not np.isfinite(array).all():
        raise InvalidData(
            "images",
            expected=f"numbers from {limits.min} to {limits.max}",
            received="NaN or infinity",
            remedy="write an .npy file",
        )
    return np.clip(np.rint(array.astype(np.float64)), limits.min, limits.max).astype(target)


def _check_bytes(array: NDArray[Any]) -> None:
    low, high = float(array.min()), float(array.max())
    fractions = array.dtype.kind == "b" or (array.dtype.kind == "f" and high <= 2 and low >= -2)
    if not (low >= -128 and high <= 383) or (fractions and high > 0):
        raise InvalidData(
            "images",
            expected="values from 0 to 255",
            received=f"values from {low:.4g} to {high:.4g}",
            remedy="scale the values to 0..255, or write an .npy file",
        )


def file_names(names: Sequence[str], image: NDArray[Any]) -> list[str]:
    """Return names of output files for those of the images that they were made from.

    TIFF files keep their ending, others become PNG, and those that PNG cannot store become TIFF.
    Names stay different.

    Parameters
    ----------
    names : sequence of str
        Paths within a folder, such as ``"cat/a.jpg"``.
    image : ndarray of shape (h, w) or (h, w, channels)
        One of the images.

    Raises
    ------
    InvalidData
        A name leads out of the folder, or two files would have the same one.
    """
    usual = usual_ending(image)
    parts = [PurePosixPath(name) for name in names]
    for path in parts:
        if path.is_absolute() or ".." in path.parts or "\\" in path.name or len(path.parts) > 2:
            raise _bad_names("names of files, or of files in one folder", repr(str(path)))
    wanted = [
        path if path.suffix.lower() in TIFF_ENDINGS else path.with_suffix(usual) for path in parts
    ]
    counts = Counter(wanted)
    chosen = [
        str(path if counts[path] == 1 else own.with_name(own.name + path.suffix))
        for own, path in zip(parts, wanted, strict=True)
    ]
    if len(set(chosen)) < len(chosen):
        (twice, _), *_ = Counter(chosen).most_common(1)
        raise _bad_names("a name for each image", f"{twice!r} twice")
    return chosen


def _bad_names(expected: str, received: str) -> InvalidData:
    return InvalidData(
        "the names of images",
        expected=expected,
        received=received,
        remedy="rename the files, or leave their names out",
    )


def usual_ending(image: NDArray[Any]) -> str:
    """Return .png, or .tif if PNG cannot store such an image."""
    fits = channels_of(image.shape) in _PNG_CHANNELS and str(image.dtype) in _PNG_TYPES
    return ".png" if fits else ".tif"


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write one image to a .png, .tif or .tiff file.

    Parameters
    ----------
    path : Path
        Its folder exists.
    image : ndarray of shape (h, w) or (h, w, channels)
        For .png, up to 4 channels of uint8 or uint16.

    Raises
    ------
    MissingExtra
        It is for a TIFF of a kind that needs tifffile, which is not installed.
    """
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    single, dtype = image.ndim == 2, str(image.dtype)
    plain = (dtype == "uint8" and channels_of(image.shape) in _PNG_CHANNELS) or (
        single and dtype in ("uint16", "int32", "float32")
    )
    if plain:
        Image.fromarray(np.ascontiguousarray(image)).save(path)
    elif path.suffix == ".png":
        path.write_bytes(_deep_png(image))
    else:
        colour = "rgb" if channels_of(image.shape) in (3, 4) else "minisblack"
        planes = {} if single else {"planarconfig": "contig"}
        tiff_library().imwrite(path, image, photometric=colour, **planes)


def _deep_png(image: NDArray[np.uint16]) -> bytes:
    """Encode an image of 16-bit channels, which Pillow does not, as ISO/IEC 15948 says."""
    height, width, channels = image.shape
    samples = np.ascontiguousarray(image.astype(">u2")).view(np.uint8).reshape(height, -1)
    rows = np.full((height, samples.shape[1] + 1), _UP, dtype=np.uint8)
    rows[:, 1:] = samples
    rows[1:, 1:] -= samples[:-1]
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(rows.tobytes())),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
