"""A Keras model as a compiled, stateless function of any number of rows.

``keras.Model.predict`` on JAX donates the weights to the program that it runs, so that two threads
calling it at once destroy the model. This path owns a copy of the weights that is only ever read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    import keras

    from isthmus.core.types import Floats

# Rows of a program: a small one for a few rows, a large one for many. Few shapes mean few compiles.
_TILES = (64, 1024)


class Function:
    """Runs a model in inference mode, safely from many threads.

    Each program has a fixed number of rows, the last ones padding, so the rows of one call can
    have any number and a row's result does not depend on its neighbours.

    Parameters
    ----------
    model : keras.Model
        Of one input (n, ...) and one output (n, ...); its weights are copied now.
    """

    def __init__(self, model: keras.Model) -> None:
        self._out_shape = tuple(model.outputs[0].shape[1:])
        self._trainable = [jnp.array(v.value, copy=True) for v in model.trainable_variables]
        self._fixed = [jnp.array(v.value, copy=True) for v in model.non_trainable_variables]

        def run(trainable: list[Any], fixed: list[Any], rows: Any) -> Any:
            present = jnp.where(jnp.isnan(rows), 0.0, rows)
            outputs, _ = model.stateless_call(trainable, fixed, present, training=False)
            return outputs.astype(jnp.float32)

        self._run = jax.jit(run)

    def __call__(self, rows: Floats) -> Floats:
        """Return the model's outputs for the rows, (n, *in_shape) -> (n, *out_shape).

        NaN marks a missing cell; it is taken as 0: a column's centre, or a category's absence.
        """
        n = len(rows)
        result = np.empty((n, *self._out_shape), dtype=np.float32)
        done = 0
        while done < n:
            tile = _TILES[0] if n - done <= _TILES[0] else _TILES[-1]
            piece = rows[done : done + tile]
            result[done : done + tile] = self._tile(piece, tile)[: len(piece)]
            done += tile
        return result

    def _tile(self, piece: Floats, tile: int) -> Floats:
        if len(piece) < tile:
            padding = np.zeros((tile - len(piece), *piece.shape[1:]), dtype=piece.dtype)
            piece = np.concatenate([piece, padding])
        return np.asarray(self._run(self._trainable, self._fixed, piece))
