"""How much smaller a file has become, everything counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Summary:
    """What compressing came to.

    Parameters
    ----------
    rows : int
        How many.
    raw_bytes : int
        That the values take in memory.
    packed_bytes : int
        Of the whole file, an embedded model included.
    model_bytes : int
        Of these, the model's.
    max_error : float or None
        The largest distance of a value from what it comes back as, found by decoding; None where
        only the compressed file was looked at.
    coders : dict of str to int
        Which coder was smallest, for how many chunks.
    """

    rows: int
    raw_bytes: int
    packed_bytes: int
    model_bytes: int = 0
    max_error: float | None = None
    coders: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float:
        """Raw bytes to a packed byte, the model counted."""
        return self.raw_bytes / max(self.packed_bytes, 1)

    @property
    def ratio_without_model(self) -> float:
        """Raw bytes to a packed byte, the model not counted."""
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
        ways = ", ".join(f"{name} ({count})" for name, count in self.coders.most_common(4))
        return f"{text}; by {ways}" if ways else text
