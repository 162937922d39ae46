"""The integer network that predicts a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.entropy.integer_networks import WEIGHT_LIMIT, IntegerDense, Odds, activate
from isthmus.persistence import array_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.compression.pixels.neighbourhood import Neighbourhood
    from isthmus.core.errors import InvalidArchive
    from isthmus.core.types import Floats

LAYERS = 3
PLACES = 32
"""The number of row or column positions that a network distinguishes."""
PLACE_INPUT = 128
"""The value of the inputs that mark a pixel's row and column positions."""
NETWORK_ARRAYS = [
    *("rows", "columns", "shifts"),
    *(f"{kind}{i}" for kind in ("weights", "bias") for i in range(LAYERS)),
]
_MODEL = "a model of pixels"
_MOST_UNITS = 1024


@dataclass(frozen=True)
class PixelNetwork:
    """Predicts one channel of a pixel, in integer arithmetic.

    Parameters
    ----------
    layers : tuple of IntegerDense
        The last one returns the logits of the classes.
    rows, columns : ndarray of int8, shape (places, units of the first layer)
        Weights of the positions of the pixel's row and column.
    """

    layers: tuple[IntegerDense, ...]
    rows: NDArray[np.int8]
    columns: NDArray[np.int8]

    def odds(self, inputs: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Odds:
        """Return the probabilities of the classes, for (pixels x images).

        Parameters
        ----------
        inputs : ndarray of float32, shape (inputs, pixels x images)
        rows, columns : ndarray, shape (pixels,)
            Positions, from 0 to `PLACES` - 1.
        """
        place = self.rows[rows].astype(np.float32) + self.columns[columns]
        extra = np.repeat(PLACE_INPUT * place.T, inputs.shape[1] // len(rows), 1)
        sums = self.layers[0](inputs, extra)
        for layer in self.layers[1:]:
            sums = layer(activate(sums))
        return Odds(sums)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the network as arrays, by the names of `NETWORK_ARRAYS`."""
        arrays: dict[str, NDArray[Any]] = {
            "rows": self.rows,
            "columns": self.columns,
            "shifts": np.array([layer.shift for layer in self.layers], np.int8),
        }
        for i, layer in enumerate(self.layers):
            arrays[f"weights{i}"], arrays[f"bias{i}"] = layer.weights, layer.bias
        return arrays

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        prefix: str,
        neighbours: Neighbourhood,
        channel: int,
        classes: int,
    ) -> Self:
        """Return the network that `to_arrays` described, each name with a prefix.

        Raises
        ------
        InvalidArchive
            The arrays do not describe a network, or the network has other inputs or classes.
        """
        shifts = checked_array(arrays, f"{prefix}shifts", np.int8, (LAYERS,))
        inputs = neighbours.inputs(channel)
        layers = []
        for i in range(LAYERS):
            units = classes if i == LAYERS - 1 else None
            weights = checked_array(arrays, f"{prefix}weights{i}", np.int8, (units, inputs))
            bias = checked_array(arrays, f"{prefix}bias{i}", np.int32, (len(weights),))
            slack = 0 if i else 2 * PLACE_INPUT * (WEIGHT_LIMIT + 1)
            layers.append(IntegerDense(weights, bias, int(shifts[i]), slack))
            inputs = len(weights)
        units = len(layers[0].bias)
        sizes = (min(neighbours.height, PLACES), min(neighbours.width, PLACES))
        rows, columns = (
            checked_array(arrays, f"{prefix}{name}", np.int8, (size, units))
            for name, size in zip(("rows", "columns"), sizes, strict=True)
        )
        return cls(tuple(layers), rows, columns)


def places(numbers: Any, size: int) -> Any:
    """Return the positions of rows or columns out of `size`, as NumPy or JAX arrays."""
    return numbers if size <= PLACES else numbers * PLACES // size


def checked_array(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: Any, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return an array of this type and shape, where None is any size from 1 to 1024."""
    return array_checks.array_of(arrays, name, dtype, shape, model=_MODEL, longest=_MOST_UNITS)


def unfit(name: str, expected: str, received: str) -> InvalidArchive:
    """Return the error for an array that no model can have."""
    return array_checks.unfit(_MODEL, name, expected, received)
