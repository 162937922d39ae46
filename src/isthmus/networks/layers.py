"""Keras layers of our own, registered so that Keras can save the models that hold them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Sequence


@keras.saving.register_keras_serializable(package="isthmus")
class TableOutput(keras.layers.Layer):
    """The output activation of a table: one per kind of column.

    Numeric cells pass, binary cells go through a sigmoid, and the cells of each categorical
    column through a softmax of their own.

    Parameters
    ----------
    segments : sequence of (kind, start, stop)
        The columns in the order of the matrix, without gaps; ``kind`` is ``"numeric"``,
        ``"binary"`` or ``"categorical"``.

    Input and output shape: (n, width).
    """

    def __init__(self, segments: Sequence[Sequence[Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.segments = tuple((str(kind), int(start), int(stop)) for kind, start, stop in segments)

    def call(self, inputs: Any) -> Any:
        """Apply each column's activation."""
        return ops.concatenate(
            [_activate(kind, inputs[:, start:stop]) for kind, start, stop in self._runs()], axis=-1
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape, which is not changed."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "segments": [list(s) for s in self.segments]}

    def _runs(self) -> list[tuple[str, int, int]]:
        """Merge neighbours that one operation can serve, so that wide tables stay small graphs."""
        runs: list[tuple[str, int, int]] = []
        for kind, group in groupby(self.segments, key=lambda segment: segment[0]):
            members = list(group)
            if kind == "categorical":
                runs.extend(members)
            else:
                runs.append((kind, members[0][1], members[-1][2]))
        return runs


def _activate(kind: str, cells: Any) -> Any:
    if kind == "binary":
        return ops.sigmoid(cells)
    if kind == "categorical" and cells.shape[-1] == 1:
        return ops.ones_like(cells)
    if kind == "categorical":
        return ops.softmax(cells, axis=-1)
    return cells
