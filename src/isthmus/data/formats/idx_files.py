"""IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import UnreadableFile
from isthmus.data.formats.arrays import Arrays, labels, samples

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read(path: Path) -> Arrays:
    """Read an IDX file and, if it is named like MNIST's images, the file of labels next to it."""
    images = _idx(path)
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    labels_path = path.with_name(name)
    classes = _idx(labels_path) if name != path.name and labels_path.is_file() else None
    return Arrays(samples(path, images), labels(labels_path, images, classes))


def _idx(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    opener: Any = gzip.open if packed else open
    with opener(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_TYPES or not head[3]:
            raise UnreadableFile(
                str(path),
                expected="an IDX file, which begins with 0, 0, a type and the number of dimensions",
                received=f"the bytes {head.hex(' ')}",
                remedy="check that the file is what its name says",
            )
        sizes = file.read(4 * head[3])
        shape = tuple(np.frombuffer(sizes.ljust(4 * head[3], b"\xff"), ">u4").tolist())
        dtype = np.dtype(_IDX_TYPES[head[2]])
        size = math.prod(shape) * dtype.itemsize
        # gzip expands a byte to at most 1032 bytes, so a header that claims more is false.
        content = file.read(size + 1) if size <= path.stat().st_size * 1032 else b""
    if len(content) != size:
        raise UnreadableFile(
            str(path),
            expected=f"{size} bytes for shape {shape}",
            received="fewer" if len(content) < size else "more",
            remedy="download or copy the file again; it is damaged",
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
