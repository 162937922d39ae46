"""Folders of images: lists them, and reads them whole or in batches, by several threads."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.errors import InvalidData, UnreadableFile
from isthmus.data.formats import image_conversion, image_decoding
from isthmus.data.formats.arrays import MOST_CELLS, Arrays
from isthmus.data.formats.image_arrays import with_form
from isthmus.data.formats.image_decoding import ENDINGS
from isthmus.data.formats.image_options import (
    AS_STORED,
    MODES,
    ImageForm,
    ImageOptions,
    channels_of,
    mode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.data.formats.image_options import PixelType

_MOST_THREADS = 8
_STEP = 16
"""Images that a thread decodes before it takes others."""
_MOST_LISTED = 256
"""Images that are read to say which sizes and modes a folder has."""
_SHOWN = 5


class ImageListing(NamedTuple):
    """The images of a folder in the order of the samples."""

    files: list[Path]
    labels: list[str] | None
    """The name of each file's folder, if the images are in folders."""

    def names(self, folder: Path) -> list[str]:
        """Return the files' names within `folder`, such as ``"a.png"`` or ``"cat/a.png"``."""
        return [file.relative_to(folder).as_posix() for file in self.files]


class _Batch(NamedTuple):
    """Images that are being read."""

    images: NDArray[Any]
    parts: list[Future[None]]


def read(folder: Path, options: ImageOptions = AS_STORED) -> Arrays:
    """Read the images of a folder, sorted by name.

    Parameters
    ----------
    folder : Path
        A folder of images of one size and mode, or of such folders, whose names become labels.
    options : ImageOptions
        How images are converted; they may then be of several sizes and modes.

    Returns
    -------
    Arrays
        X of shape (n, h, w) or (n, h, w, channels), with its form.

    Raises
    ------
    UnreadableFile
        There is no image, or one is damaged, too large or unlike the first.
    """
    found = listing(folder)
    (X,) = _decoded(folder, found, len(found.files), options)
    labels = None if found.labels is None else np.array(found.labels)
    return Arrays(X, labels, names=found.names(folder))


def batches(folder: Path, rows: int, options: ImageOptions = AS_STORED) -> Iterator[NDArray[Any]]:
    """Read the images of a folder in batches of at most `rows`; the next one is read meanwhile.

    Memory is constant: a batch has at most `MOST_CELLS` cells, unless a single image has more.
    """
    yield from _decoded(folder, listing(folder), rows, options, most_cells=MOST_CELLS)


def has_images(folder: Path) -> bool:
    """Whether a folder, or a folder in it, has an image."""
    return bool(_image_files(folder)) or any(map(_image_files, _folders(folder)))


def decoded(
    folder: Path, files: list[Path], options: ImageOptions = AS_STORED
) -> Iterator[NDArray[Any]]:
    """Read some images of a folder in small batches, in the order given."""
    yield from _decoded(folder, ImageListing(files, None), 64, options, most_cells=MOST_CELLS)


def listing(folder: Path) -> ImageListing:
    """Return the images of a folder, or of its folders, sorted by name; raises UnreadableFile."""
    files = _image_files(folder)
    labelled = [(file, sub.name) for sub in _folders(folder) for file in _image_files(sub)]
    if files and labelled:
        raise UnreadableFile(
            str(folder),
            expected="images, or folders of images named after their labels",
            received=f"both: {files[0].name} and {labelled[0][0].relative_to(folder)}",
            remedy="move the images that have no label into a folder of their own",
        )
    if not files and not labelled:
        raise UnreadableFile(
            str(folder),
            expected=f"images ({', '.join(ENDINGS)}), or folders of them",
            received="none",
            remedy="check the path",
        )
    if files:
        return ImageListing(files, None)
    return ImageListing([file for file, _ in labelled], [label for _, label in labelled])


def names(folder: Path) -> list[str]:
    """Return the names of the images of a folder in the order in which they are read."""
    return listing(folder).names(folder)


def _image_files(folder: Path) -> list[Path]:
    return sorted(
        f
        for f in folder.iterdir()
        if f.suffix.lower() in ENDINGS and not f.name.startswith(".") and f.is_file()
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _decoded(
    folder: Path,
    found: ImageListing,
    rows: int,
    options: ImageOptions,
    *,
    most_cells: int | None = None,
) -> Iterator[NDArray[Any]]:
    """Yield the images in batches; while one is used, the next is decoded."""
    first = _image(found.files[0], options)
    dtype: PixelType = str(first.dtype)  # type: ignore[assignment]  # checked by the decoder
    form = ImageForm(dtype, options)
    step = rows if most_cells is None else min(rows, max(1, most_cells // first.size))

    def fill(images: NDArray[Any], files: Sequence[Path]) -> None:
        for place, file in enumerate(files):
            image = _image(file, options)
            if image.shape != first.shape or image.dtype != first.dtype:
                raise _mixed(folder, file, found.files, options)
            images[place] = image

    def start(files: Sequence[Path]) -> _Batch:
        images = np.empty((len(files), *first.shape), first.dtype)
        places = range(0, len(files), _STEP)
        parts = [slice(place, place + _STEP) for place in places]
        return _Batch(images, [pool.submit(fill, images[part], files[part]) for part in parts])

    pool = ThreadPoolExecutor(min(_MOST_THREADS, (os.cpu_count() or 1)))
    try:
        ready = start(found.files[:step])
        for place in range(step, len(found.files) + step, step):
            coming = start(found.files[place : place + step])
            for part in ready.parts:
                part.result()
            yield with_form(ready.images, form)
            ready = coming
    finally:
        pool.shutdown(cancel_futures=True)


def _image(file: Path, options: ImageOptions) -> NDArray[Any]:
    try:
        return image_conversion.converted(image_decoding.decode(file), options)
    except InvalidData as error:
        raise UnreadableFile.of(error).about(str(file)) from None


def _mixed(
    folder: Path, other: Path, files: Sequence[Path], options: ImageOptions
) -> UnreadableFile:
    """Return the error about images of several sizes or modes, which lists them."""
    step = max(1, len(files) // _MOST_LISTED)
    kinds: dict[tuple[int, int, str], list[str]] = {}
    looked_at = dict.fromkeys([*files[::step], other])
    for file in looked_at:
        image = _image(file, options)
        mode = mode_name(image.dtype, channels_of(image.shape))
        kinds.setdefault((*image.shape[:2], mode), []).append(file.relative_to(folder).as_posix())
    common = sorted(kinds, key=lambda kind: -len(kinds[kind]))
    shown = [
        f"{height} × {width} {mode} ({len(kinds[height, width, mode]):,}, such as "
        f"{kinds[height, width, mode][0]})"
        for height, width, mode in common[:_SHOWN]
    ]
    more = f" and {len(common) - _SHOWN} other kinds" if len(common) > _SHOWN else ""
    some = "" if len(looked_at) == len(files) else f"among {len(looked_at):,} of them, "
    return UnreadableFile(
        str(folder),
        expected="images of one size and mode",
        received=f"{some}{'; '.join(shown)}{more} (height × width)",
        remedy=_conversion(common),
    )


def _conversion(kinds: Sequence[tuple[int, int, str]]) -> str:
    """Return the options that convert images of these kinds, the most common first."""
    height, width, mode = kinds[0]
    options, arguments = [], []
    if len({kind[:2] for kind in kinds}) > 1:
        options.append(f"--image-size {height}x{width}")
        arguments.append(f"size=({height}, {width})")
    if len({kind[2] for kind in kinds}) > 1:
        if not all(kind[2] in MODES for kind in kinds):
            return "put images with other bands into folders of their own"
        options.append(f"--image-mode {mode}")
        arguments.append(f"mode={mode!r}")
    return (
        f"convert them: {' '.join(options)}, or in Python "
        f"isthmus.read_images(path, {', '.join(arguments)})"
    )
