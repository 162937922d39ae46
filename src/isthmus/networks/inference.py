"""Keras models as a compiled, stateless function of any number of rows.

``keras.Model.predict`` on JAX donates the weights to its program, so two threads that call it at
once destroy the model. The functions here own a read-only copy of the weights.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.aligned_memory import aligned_empty, device_copy
from isthmus.core.finite_outputs import require_finite
from isthmus.core.program_cache import Program
from isthmus.networks.acceleration import accelerated, rows_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import keras

    from isthmus.core.types import Floats

# Rows of the program for few rows. In smaller programs XLA sums a matrix product in another order,
# so a row's last bits would depend on the number of rows. A single row still has a program of its
# own, because it is up to ten times faster, which matters for a service.
_FEW = 64
# Limits of the program for many rows: its rows, and its cells at the wider of input and output.
# More do not fit in the processor's cache.
_MOST_ROWS = 2048
_MOST_CELLS = 1 << 19
# Tiles in a block of `Function.stream`, and blocks computed ahead while the caller uses one.
_TILES = 8
_AHEAD = 2


class Function:
    """A thread-safe function that runs models in inference mode, one after another.

    Each program has a fixed number of rows, the last of which may be padding, so a call accepts any
    number of rows, and a row's result does not depend on the other rows. There are three programs,
    for one row, few and many, each compiled when it is first needed. The program for one row sums
    in another order: its results differ from the others in the last bits of float32. So may those
    of the program for few rows, where XLA generates other code for a softmax; see `tiled`.

    Parameters
    ----------
    *models : keras.Model
        Models with one input (n, ...) and one output (n, ...). Their weights are copied.
    """

    def __init__(self, *models: keras.Model) -> None:
        weights = [
            (_copies(m.trainable_variables), _copies(m.non_trainable_variables)) for m in models
        ]
        self._set(models, weights)

    def _set(self, models: tuple[keras.Model, ...], weights: list[Any]) -> None:
        self._models, self._weights = models, weights
        self._out_shape = tuple(models[-1].outputs[0].shape[1:])
        tile = _rows_of_a_tile(models[0].inputs[0].shape[1:], self._out_shape)
        self._tile = max(_FEW, min(rows_at_once(model, tile) for model in models))
        fast = [accelerated(model) for model in models]

        def run(weights: list[Any], rows: Any) -> Any:
            values = jnp.where(jnp.isnan(rows), 0.0, rows)
            for model, (trainable, fixed) in zip(fast, weights, strict=True):
                values, _ = model.stateless_call(trainable, fixed, values, training=False)
            return values.astype(jnp.float32)

        self._function = run
        self._programs: dict[int, Program] = {}
        self._only_tiles = False

    def then(self, after: Function) -> Self:
        """Return the composition that applies `after` to this function's result, as one program."""
        joined = object.__new__(type(self))
        joined._set((*self._models, *after._models), [*self._weights, *after._weights])
        return joined

    def tiled(self) -> Self:
        """Return the function that runs all rows, even a single one, by the program for many.

        A row's result then does not depend on the number of rows that are passed with it, to the
        last bit. A few rows take as long as a tile of up to 2,048.
        """
        same = copy.copy(self)
        same._only_tiles = True
        return same

    @property
    def block_rows(self) -> int:
        """The best number of rows per block for `stream`: a multiple of the tile size."""
        return _TILES * self._tile

    def __call__(self, rows: Floats) -> Floats:
        """Return the models' outputs for the rows, (n, *in_shape) -> (n, *out_shape).

        NaN marks a missing cell and is replaced with 0: a column's center, or no category.

        Raises
        ------
        InvalidData
            An output is not finite; the message names the row.
        """
        step = self.block_rows
        if len(rows) <= step:
            return self._collected(rows, self._dispatched(rows), 0)
        blocks = (rows[start : start + step] for start in range(0, len(rows), step))
        result = np.empty((len(rows), *self._out_shape), dtype=np.float32)
        start = 0
        for _, outputs in self.stream(blocks):
            result[start : start + len(outputs)] = outputs
            start += len(outputs)
        return result

    def stream(self, blocks: Iterable[Floats]) -> Iterator[tuple[Floats, Floats]]:
        """Yield each block of rows with its outputs, in order.

        While the caller uses one block, the device computes the next ones; only a few are in memory
        at a time. Blocks must not be written to.

        Parameters
        ----------
        blocks : iterable of float32 arrays of shape (any number, *in_shape)
            The rows, as for a call. Blocks of `block_rows` rows need no padding.

        Raises
        ------
        InvalidData
            An output is not finite; the message names the row.
        """
        under_way: deque[tuple[Floats, list[jax.Array], int]] = deque()
        start = 0
        for block in blocks:
            under_way.append((block, self._dispatched(block), start))
            start += len(block)
            if len(under_way) > _AHEAD:
                yield self._first(under_way)
        while under_way:
            yield self._first(under_way)

    def _first(
        self, under_way: deque[tuple[Floats, list[jax.Array], int]]
    ) -> tuple[Floats, Floats]:
        block, outputs, start = under_way.popleft()
        return block, self._collected(block, outputs, start)

    def _dispatched(self, block: Floats) -> list[jax.Array]:
        """Start a program for each tile, and return their outputs without waiting for them."""
        outputs, done = [], 0
        if len(block) == 1 and not self._only_tiles:
            return [self._run(block)]
        while done < len(block):
            # After other tiles, padding takes less time than compiling.
            few = len(block) - done <= _FEW and (not done or _FEW in self._programs)
            few = few and not self._only_tiles
            tile = _FEW if few else self._tile
            outputs.append(self._run(_padded(block[done : done + tile], tile)))
            done += tile
        return outputs

    def _run(self, rows: Floats) -> jax.Array:
        if len(rows) not in self._programs:
            self._programs[len(rows)] = Program(self._function)
        output: jax.Array = self._programs[len(rows)](self._weights, rows)
        return output

    def _collected(self, block: Floats, outputs: list[jax.Array], first_row: int) -> Floats:
        result = np.empty((len(block), *self._out_shape), dtype=np.float32)
        done = 0
        for output in outputs:
            piece = np.asarray(output)[: len(block) - done]
            result[done : done + len(piece)] = piece
            done += len(piece)
        require_finite(result, "the network's output", first_row)
        return result


def _copies(variables: list[Any]) -> list[jax.Array]:
    return [device_copy(variable.value) for variable in variables]


def _rows_of_a_tile(*shapes: tuple[int | None, ...]) -> int:
    """Return the tile size, a power of two, for inputs and outputs of these shapes."""
    cells = max(math.prod(size or 1 for size in shape) for shape in shapes)
    fitting = max(1, _MOST_CELLS // max(1, cells))
    return max(_FEW, min(_MOST_ROWS, 1 << (fitting.bit_length() - 1)))


def _padded(piece: Floats, rows: int) -> Floats:
    if len(piece) == rows:
        return piece
    padded = aligned_empty((rows, *piece.shape[1:]))
    padded[: len(piece)] = piece
    padded[len(piece) :] = 0.0
    return padded
