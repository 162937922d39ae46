"""Turns the errors of file readers into `UnreadableFile`, which names the file."""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

import pyarrow as pa

from isthmus.core.errors import IsthmusError, UnreadableFile

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_FAULTS: tuple[type[Exception], ...] = (
    *(OSError, ValueError, EOFError, OverflowError, NotImplementedError),
    *(zlib.error, struct.error, pa.ArrowException),
)


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the errors of file readers into UnreadableFile, which names the file."""
    try:
        yield
    except IsthmusError:
        raise
    except MemoryError:
        raise UnreadableFile(
            str(path),
            expected="data that fit in memory",
            received="more than that",
            remedy="convert the file to Parquet or .npy, which are read in batches",
        ) from None
    except _FAULTS as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UnreadableFile(
            str(path),
            expected=f"a complete {PurePath(path).suffix or 'image'} file that you may read",
            received=lines[0][:300],
            remedy="check that the file is complete and that its ending is that of its format",
        ) from None
