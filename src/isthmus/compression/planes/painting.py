"""Decoding of planes: each diagonal is predicted from those that are filled in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse
from isthmus.compression.planes import distributions, prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.planes.geometry import Offset
    from isthmus.compression.planes.prediction import Experts, Near
    from isthmus.compression.planes.reduced_integers import ReducedIntegers
    from isthmus.compression.planes.walk import Visit

    Integers = NDArray[np.int64]


class PlanePainter:
    """Fills planes in, a diagonal at a time.

    Parameters
    ----------
    visit : Visit
    experts : Experts
    values : ReducedIntegers
    """

    def __init__(self, visit: Visit, experts: Experts, values: ReducedIntegers) -> None:
        self._frame, self._experts, self._range = visit.frame, experts, values
        size = math.prod(self._frame.padded_shape)
        self._flat = np.full(size, values.middle, dtype=np.int64)
        self._errors = np.zeros((len(experts.weights), size), dtype=np.float32)
        self._sizes = np.zeros(size, dtype=np.float32)
        self._known = [each.ravel() for each in visit.known]
        self._known_errors = [each.ravel() for each in visit.known_errors]
        self._predictions: Integers = np.zeros(0, dtype=np.int64)

    @property
    def values(self) -> Integers:
        """The values, (planes, height, width)."""
        return self._frame.inner(self._flat.reshape(self._frame.padded_shape))

    @property
    def sizes(self) -> NDArray[np.float32]:
        """The sizes of errors, padded."""
        return self._sizes.reshape(self._frame.padded_shape)

    def predict(self, at: Integers) -> tuple[Integers, Integers]:
        """Return the blended predictions at flat places, and their levels of uncertainty."""

        def near(flat: NDArray[Any]) -> Near:
            return lambda offsets: flat[at + self._frame.steps(offsets)]

        def errors_near(offsets: tuple[Offset, ...]) -> Any:
            return self._errors[:, at + self._frame.steps(offsets)].swapaxes(0, 1)

        values, known = near(self._flat), [near(each) for each in self._known]
        self._predictions = self._experts.predict(values, known, self._range.middle)
        fine = prediction.blended(self._predictions, errors_near, self._range.span)
        known_errors = [near(each) for each in self._known_errors]
        uncertain = prediction.uncertainty(values, near(self._sizes), known_errors)
        return fine, distributions.level_of(uncertain)

    def paint(self, at: Integers, fine: Integers, values: Integers) -> None:
        """Set the values at places for which `predict` was just called."""
        if int(values.min()) < 0 or int(values.max()) > self._range.span:
            refuse("integers out of range")
        self._flat[at] = values
        self._frame.fill_margins(self._flat, at)
        self._errors[:, at] = prediction.squared_errors(self._predictions, values)
        self._sizes[at] = prediction.sizes_of_errors(fine, values)
