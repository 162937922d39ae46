"""The model of one channel, as a file contains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse, signed
from isthmus.compression.planes import distributions, prediction
from isthmus.compression.planes.prediction import Experts

if TYPE_CHECKING:
    from isthmus.compression.coders.byte_cursor import Cursor

MOST_WEIGHT = 1 << 14
_MOST_EXPERTS = 8


@dataclass(frozen=True)
class ChannelModel:
    """How the values of one channel are predicted and coded.

    Parameters
    ----------
    experts : Experts
    levels : dict
        The numbers of scale and shape of the distribution at each level of uncertainty.
    """

    experts: Experts
    levels: dict[int, tuple[int, int]]

    def to_bytes(self) -> bytes:
        """Return the model as bytes."""
        head = bytes([len(self.experts.weights), self.experts.own, len(self.levels)])
        weights = b"".join(signed(int(weight)) for weight in self.experts.weights.ravel())
        levels = sorted(self.levels)
        scales, shapes = zip(*(self.levels[each] for each in levels), strict=True)
        return head + weights + bytes(levels) + bytes(scales) + bytes(shapes)

    @classmethod
    def read(cls, cursor: Cursor, known: int) -> ChannelModel:
        """Read what `to_bytes` wrote, for so many known planes; raises InvalidArchive."""
        count, own, levels = cursor.read(3)
        if not (0 < count <= _MOST_EXPERTS and 4 <= own <= len(prediction.OWN)):
            refuse(f"{count} experts with {own} neighbours")
        features = prediction.feature_count(own, known)
        weights = [cursor.signed() for _ in range(count * features)]
        if any(abs(weight) > MOST_WEIGHT for weight in weights):
            refuse("a weight that is too large")
        matrix = np.array(weights, dtype=np.int64).reshape(count, features)
        names, scales, shapes = (bytes(cursor.read(levels)) for _ in range(3))
        if not levels or max(names) >= distributions.LEVELS:
            refuse(f"{levels} levels of uncertainty")
        if max(scales) >= distributions.SCALES or max(shapes) >= len(distributions.SHAPES):
            refuse("an unknown distribution")
        pairs = zip(scales, shapes, strict=True)
        return cls(Experts(matrix, own), dict(zip(names, pairs, strict=True)))
