"""Folders of PNG and JPEG images: reads one into an array, and writes an array as PNG files."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from isthmus.core.errors import InvalidData, UnreadableFile
from isthmus.data.formats.arrays import Arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ENDINGS = {".png", ".jpg", ".jpeg"}
_MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "I": "I;16"}
_CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read(folder: Path) -> Arrays:
    """Read the images of a folder, sorted by name.

    Parameters
    ----------
    folder : Path
        A folder of images of one size and mode, or of such folders, whose names become labels.

    Returns
    -------
    Arrays
        X of shape (n, h, w) or (n, h, w, channels), of uint8 or uint16.

    Raises
    ------
    UnreadableFile
        There is no image, or one is damaged, too large or unlike the first; the message names it.
    """
    files = _image_files(folder)
    labelled = [(file, sub.name) for sub in _folders(folder) for file in _image_files(sub)]
    if files and labelled:
        raise UnreadableFile(
            str(folder),
            expected="images, or folders of images named after their labels",
            received=f"both: {files[0].name} and {labelled[0][0].relative_to(folder)}",
            remedy="move the images that have no label into a folder of their own",
        )
    files = files or [file for file, _ in labelled]
    if not files:
        raise UnreadableFile(
            str(folder),
            expected="PNG or JPEG files, or folders of them",
            received="none",
            remedy="check the path",
        )
    first = _read(files[0])
    X = np.empty((len(files), *first.shape), first.dtype)
    for i, file in enumerate(files):
        image = _read(file)
        if image.shape != first.shape or image.dtype != first.dtype:
            raise UnreadableFile(
                str(file),
                expected=f"{_size_and_type(first)}, as in {files[0].name}",
                received=_size_and_type(image),
                remedy="convert all images to one size and mode",
            )
        X[i] = image
    return Arrays(X, np.array([label for _, label in labelled]) if labelled else None)


def _image_files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_file() and f.suffix.lower() in _ENDINGS)


def _folders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _read(file: Path) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=["PNG", "JPEG"]) as image:
                mode = _MODES.get(image.mode, image.mode)
                return np.asarray(image if mode == image.mode else image.convert(mode))
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise UnreadableFile(
            str(file),
            expected="a complete PNG or JPEG image of at most 89 million pixels",
            received=str(error).splitlines()[0],
            remedy="remove the file, or save it again",
        ) from None


def _size_and_type(image: NDArray[Any]) -> str:
    height, width, *channels = image.shape
    return f"{width} × {height} pixels of {channels[0] if channels else 1} × {image.dtype}"


def as_images(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Round and clip an array (n, h, w) or (n, h, w, channels ≤ 4) in 0..255 to bytes.

    Raises
    ------
    InvalidData
        It has another shape, or values far outside 0..255.
    """
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in _CHANNELS):
        raise InvalidData(
            "images",
            expected="an array of shape (n, h, w) or (n, h, w, 1 to 4 channels)",
            received=f"shape {array.shape}",
            remedy="write an .npy or .npz file",
        )
    low, high = float(array.min()), float(array.max())
    if not (low >= -128 and high <= 383) or (array.dtype.kind in "fb" and 0 < high <= 1):
        raise InvalidData(
            "images",
            expected="values from 0 to 255",
            received=f"values from {low:.4g} to {high:.4g}",
            remedy="scale the values to 0..255, or write an .npy file",
        )
    images: NDArray[np.uint8] = np.clip(np.rint(array), 0, 255).astype(np.uint8)
    return images


def write_folder(folder: Path, images: NDArray[np.uint8]) -> None:
    """Write images as 0000.png, 0001.png, ... into an empty folder."""
    digits = max(4, len(str(len(images) - 1)))
    for i, image in enumerate(images):
        mode = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
        Image.fromarray(mode).save(folder / f"{i:0{digits}d}.png")
