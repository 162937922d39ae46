"""Made series of four sensors for the promise of a series detector, and faults to plant in them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Rows = NDArray[np.float64]
SENSORS = 4


def noise(rng: np.random.Generator, rows: int, memory: float, sensors: int = SENSORS) -> Rows:
    """Return noise of unit variance whose autocorrelation falls by `memory` with each row."""
    noise = rng.standard_normal((rows, sensors))
    made: Rows = lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise, axis=0)
    return made


def common(rng: np.random.Generator, rows: int, memory: float) -> Rows:
    """Return two common causes, mixed, with noise for each sensor."""
    mixed: Rows = noise(rng, rows, memory, 2) @ rng.standard_normal((2, SENSORS))
    return mixed + noise(rng, rows, 0.5)


def waves(rng: np.random.Generator, rows: int, period: float) -> Rows:
    phases = 2 * np.pi * rng.random(SENSORS)
    waves: Rows = np.sin(2 * np.pi * np.arange(rows)[:, None] / period + phases)
    return waves


SERIES: dict[str, Callable[[np.random.Generator, int], Rows]] = {
    "stationary": lambda rng, n: common(rng, n, 0.95),
    "stationary, heavy tails": lambda rng, n: (
        common(rng, n, 0.9) + 0.4 * rng.standard_t(3, (n, SENSORS))
    ),
    "seasonal": lambda rng, n: (
        waves(rng, n, 50) + 0.5 * waves(rng, n, 288) + 0.2 * noise(rng, n, 0.3)
    ),
    "seasonal, amplitude varies": lambda rng, n: (
        (1 + 0.3 * noise(rng, n, 0.995, 1)) * waves(rng, n, 40) + 0.2 * noise(rng, n, 0.3)
    ),
    "square waves": lambda rng, n: np.sign(waves(rng, n, 120)) + 0.1 * noise(rng, n, 0.2),
    "drifting, trend": lambda rng, n: (
        common(rng, n, 0.9) + np.linspace(0, 6, n)[:, None] * rng.standard_normal(SENSORS)
    ),
    "drifting, random walk": lambda rng, n: (
        common(rng, n, 0.9) + 0.01 * rng.standard_normal((n, SENSORS)).cumsum(axis=0)
    ),
    "drifting, slow wave": lambda rng, n: common(rng, n, 0.8) + 2 * waves(rng, n, 9_000),
    "volatility varies": lambda rng, n: common(rng, n, 0.8) * np.exp(0.4 * noise(rng, n, 0.999, 1)),
}


def with_faults(rows: Rows, first: int, window: int) -> tuple[Rows, list[slice]]:
    """Plant faults of two windows in one sensor each, every fifty windows from row `first`.

    See `plant`; standard deviations are those before `first`.
    """
    rows, rng, faults = rows.copy(), np.random.default_rng(0), []
    mean, spread = rows[:first].mean(axis=0), rows[:first].std(axis=0)
    starts = range(first + 10 * window, len(rows) - 3 * window, 50 * window)
    for number, start in enumerate(starts):
        faults.append(slice(start, start + 2 * window))
        plant(rows, faults[-1], number, mean, spread, rng)
    return rows, faults


def plant(
    rows: Rows, part: slice, number: int, mean: Rows, spread: Rows, rng: np.random.Generator
) -> None:
    """Plant a fault in a part of the rows of one sensor; `number` chooses the sensor and the fault.

    They are, in turn: a shift by two standard deviations, noise of one and a half, a sensor that
    sticks, and one whose deviations double.
    """
    sensor = number % SENSORS
    values = rows[part, sensor]
    made = [
        values + 2 * spread[sensor],
        values + 1.5 * spread[sensor] * rng.standard_normal(len(values)),
        np.full(len(values), values[0]),
        mean[sensor] + 2 * (values - mean[sensor]),
    ]
    rows[part, sensor] = made[number // SENSORS % len(made)]
