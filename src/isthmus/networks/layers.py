"""The Keras layers of isthmus, registered so that Keras can save models that contain them."""

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

    Numeric cells are unchanged, binary cells go through a sigmoid, and the cells of each
    categorical column through a softmax.

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
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "segments": [list(s) for s in self.segments]}

    def _runs(self) -> list[tuple[str, int, int]]:
        """Merge neighbouring columns with the same operation, which keeps graphs small."""
        runs: list[tuple[str, int, int]] = []
        for kind, group in groupby(self.segments, key=lambda segment: segment[0]):
            members = list(group)
            if kind == "categorical":
                runs.extend(members)
            else:
                runs.append((kind, members[0][1], members[-1][2]))
        return runs


@keras.saving.register_keras_serializable(package="isthmus")
class LastStep(keras.layers.Layer):
    """The outputs of recurrent cells at the last step of each sequence.

    A sequence ends with the last step at which any channel is not 0, because padding reaches a
    network as 0. If a sequence has no such step, the result is 0.

    Input shapes: sequences (n, time, channels) and outputs (n, time, units). Output shape:
    (n, units).
    """

    def call(self, inputs: Any) -> Any:
        """Return the outputs at the last steps."""
        sequences, outputs = inputs
        numbers = ops.arange(1, sequences.shape[1] + 1)
        last = ops.max(ops.where(ops.any(sequences != 0, axis=-1), numbers, 0), axis=1)
        chosen = ops.cast(ops.expand_dims(last, 1) == numbers, outputs.dtype)
        return ops.sum(outputs * ops.expand_dims(chosen, -1), axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return (n, units)."""
        n, _, units = input_shape[1]
        return n, units


@keras.saving.register_keras_serializable(package="isthmus")
class Logit(keras.layers.Layer):
    """The logit of fractions, continued by its tangents near 0 and 1.

    So a sigmoid after it is the identity but near 0 and 1, where it bends towards them.

    Parameters
    ----------
    margin : float
        Distance from 0 and 1 from which on the tangents are used.

    Input and output shape: any.
    """

    def __init__(self, margin: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.margin = float(margin)

    def call(self, inputs: Any) -> Any:
        """Return the logits."""
        slope = 1.0 / (self.margin * (1.0 - self.margin))
        inner = ops.clip(inputs, self.margin, 1.0 - self.margin)
        return ops.log(inner / (1.0 - inner)) + slope * (inputs - inner)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "margin": self.margin}


def _activate(kind: str, cells: Any) -> Any:
    if kind == "binary":
        return ops.sigmoid(cells)
    if kind == "categorical" and cells.shape[-1] == 1:
        return ops.ones_like(cells)
    if kind == "categorical":
        return ops.softmax(cells, axis=-1)
    return cells
