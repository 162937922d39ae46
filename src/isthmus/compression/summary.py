"""The size and the largest error of a compressed file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Summary:
    """The result of compressing rows.

    Parameters
    ----------
    rows : int
        The number of rows.
    raw_bytes : int
        The size of the values in memory.
    packed_bytes : int
        The size of the whole file, including an embedded model.
    model_bytes : int
        The size of the embedded model.
    max_error : float or None
        The largest difference between an original and a decompressed value, found by decoding;
        None if only the compressed file was read.
    coders : dict of str to int
        The number of chunks for each coder that was selected.
    """

    rows: int
    raw_bytes: int
    packed_bytes: int
    model_bytes: int = 0
    max_error: float | None = None
    coders: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float:
        """The compression ratio, including the model."""
        return self.raw_bytes / max(self.packed_bytes, 1)

    @property
    def ratio_without_model(self) -> float:
        """The compression ratio, without the model."""
        return self.raw_bytes / max(self.packed_bytes - self.model_bytes, 1)

    def __str__(self) -> str:
        text = (
            f"{self.rows:,} rows, {self.raw_bytes:,} bytes, as {self.packed_bytes:,} bytes: "
            f"{self.ratio:.2f} to 1"
        )
        if self.model_bytes:
            text += f"; {self.ratio_without_model:.2f} without the model's {self.model_bytes:,}"
        if self.max_error is not None:
            text += f"; largest error {self.max_error:.6g}"
        coders = ", ".join(f"{name} ({count})" for name, count in self.coders.most_common(4))
        return f"{text}; by {coders}" if coders else text
