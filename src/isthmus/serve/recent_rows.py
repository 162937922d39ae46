"""The newest rows that a detector scored, kept to test them for drift."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

_KEPT = 1000
_FEWEST_NEW = 200
"""Rows between two tests, so that a test is not mostly about the same rows."""


class RecentRows:
    """The newest rows, up to 1,000; a thread may add them while another takes them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: deque[Any] = deque()
        self._count = self._new = 0

    def add(self, rows: Any) -> None:
        """Keep rows, and forget the oldest ones."""
        start = max(0, len(rows) - _KEPT)
        rows = rows[start:] if isinstance(rows, np.ndarray) else rows.slice(start)
        with self._lock:
            self._parts.append(rows)
            self._count += len(rows)
            self._new += len(rows)
            while self._count - len(self._parts[0]) >= _KEPT:
                self._count -= len(self._parts.popleft())

    def taken(self) -> Any:
        """Return all rows if enough of them are new, otherwise None."""
        with self._lock:
            if self._new < _FEWEST_NEW:
                return None
            self._new = 0
            parts = list(self._parts)
        is_array = isinstance(parts[0], np.ndarray)
        return np.concatenate(parts) if is_array else pa.concat_tables(parts)
