"""IDX files, in which MNIST is published."""

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
    """Read an IDX file and, beside images named as MNIST's are, its labels."""
    images = _idx(path)
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    beside = path.with_name(name)
    classes = _idx(beside) if name != path.name and beside.is_file() else None
    return Arrays(samples(path, images), labels(beside, images, classes))


def _idx(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    opener: Any = gzip.open if packed else open
    with opener(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_TYPES or not head[3]:
            raise UnreadableFile(
                str(path),
                expected="an IDX file, which begins with 0, 0, a type and a count of dimensions",
                received=f"the bytes {head.hex(' ')}",
                remedy="check that the file is what its name says",
            )
        sizes = file.read(4 * head[3])
        shape = tuple(np.frombuffer(sizes.ljust(4 * head[3], b"\xff"), ">u4").tolist())
        dtype = np.dtype(_IDX_TYPES[head[2]])
        size = math.prod(shape) * dtype.itemsize
        # A packed byte unfolds to at most 1032: a header that promises more is not honest.
        content = file.read(size + 1) if size <= path.stat().st_size * 1032 else b""
    if len(content) != size:
        raise UnreadableFile(
            str(path),
            expected=f"{size} bytes for shape {shape}",
            received="fewer" if len(content) < size else "more",
            remedy="fetch the file again, it is damaged",
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
