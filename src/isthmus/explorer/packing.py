"""Arrays as text in a page."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["u8", "u16", "u32", "f32", "f64"]
_TYPES: dict[Kind, str] = {"u8": "u1", "u16": "<u2", "u32": "<u4", "f32": "<f4", "f64": "<f8"}

MOST_STEPS = 65_534
"""Steps that 16 bits number, besides the number for a missing value."""
MISSING = 65_535


def packed(values: NDArray[Any], kind: Kind) -> dict[str, Any]:
    """Return an array as a JSON-able description: the type of its numbers, and Base64."""
    content = np.ascontiguousarray(values).astype(_TYPES[kind]).tobytes()
    return {"type": kind, "data": base64.b64encode(content).decode("ascii")}


def packed_numbers(
    values: NDArray[np.float64], step: float, *, exact: bool = False
) -> dict[str, Any]:
    """Return numbers, NaN where one is missing, in as few bytes as do not show.

    Numbers on a grid of up to 65,534 steps become their places on it, and are exact.

    Parameters
    ----------
    values : array of shape (n,)
    step : float
        The distance of neighbours on the grid; 0 for none.
    exact : bool
        Whether other numbers have 64 bits instead of 32.
    """
    known = values[np.isfinite(values)]
    if step and len(known):
        low, high = float(known.min()), float(known.max())
        places = np.where(np.isfinite(values), (values - low) / step, 0.0)
        if (high - low) / step <= MOST_STEPS and np.allclose(places, np.rint(places), atol=1e-6):
            numbers = np.where(np.isfinite(values), np.rint(places), MISSING)
            return {**packed(numbers, "u16"), "low": low, "step": step}
    return packed(values, "f64" if exact else "f32")


def packed_codes(codes: NDArray[np.floating]) -> dict[str, Any]:
    """Return codes (n, size) with 16 bits for each number, between the ends of its dimension."""
    low, high = codes.min(axis=0).astype(np.float64), codes.max(axis=0).astype(np.float64)
    span = np.where(high > low, high - low, 1.0)
    places = np.rint((codes - low) / span * MISSING)
    return {
        **packed(places, "u16"),
        "size": codes.shape[1],
        "low": low.tolist(),
        "step": (span / MISSING).tolist(),
    }
