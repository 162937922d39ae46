"""Made fleets of four sensors per unit."""

from collections.abc import Callable, Sequence

import numpy as np

from anomalies_parts.made_series import SENSORS, Rows, common, noise, waves

Units = list[Rows]
Learned = Sequence[int]
"""The rows that are learned from, for each unit."""


def _machine(rng: np.random.Generator, rows: int, mixing: Rows, period: float = 60) -> Rows:
    """Return one unit: an oscillation and a common cause, mixed, with noise for each sensor."""
    at = 2 * np.pi * (np.arange(rows) / period + rng.random())
    causes = np.stack([np.sin(at), np.cos(at), noise(rng, rows, 0.9, 1)[:, 0]], axis=1)
    return np.asarray(causes @ mixing + 0.3 * noise(rng, rows, 0.3))


def _mixing(rng: np.random.Generator) -> Rows:
    return rng.standard_normal((3, SENSORS))


def _alike(rng: np.random.Generator, counts: Learned) -> Units:
    mixing = _mixing(rng)
    return [_machine(rng, count, mixing) for count in counts]


def _scaled(offset: float, gain: float) -> Callable[[np.random.Generator, Learned], Units]:
    def make(rng: np.random.Generator, counts: Learned) -> Units:
        return [
            offset * rng.standard_normal(SENSORS)
            + unit * np.exp(gain * rng.standard_normal(SENSORS))
            for unit in _alike(rng, counts)
        ]

    return make


def _noisy(rng: np.random.Generator, counts: Learned) -> Units:
    return [
        unit + 0.5 * np.exp(0.7 * rng.standard_normal()) * noise(rng, len(unit), 0.3)
        for unit in _alike(rng, counts)
    ]


def _shapes(rng: np.random.Generator, counts: Learned) -> Units:
    """Each unit has its own period and its own relation between the sensors."""
    return [
        _machine(rng, count, _mixing(rng), period=float(rng.uniform(30, 120))) for count in counts
    ]


def _slow(rng: np.random.Generator, counts: Learned) -> Units:
    """Units without a rhythm, whose common causes have a long memory."""
    mixing = rng.standard_normal((2, SENSORS))
    return [noise(rng, count, 0.97, 2) @ mixing + noise(rng, count, 0.5) for count in counts]


def _drifting(rng: np.random.Generator, counts: Learned) -> Units:
    return [
        unit + 0.03 * rng.standard_normal((len(unit), SENSORS)).cumsum(axis=0)
        for unit in _alike(rng, counts)
    ]


def _heavy_tails(rng: np.random.Generator, counts: Learned) -> Units:
    return [common(rng, n, 0.9) + 0.4 * rng.standard_t(3, (n, SENSORS)) for n in counts]


def _working_days(rng: np.random.Generator, counts: Learned) -> Units:
    """Square waves of two lengths, with offsets."""
    return [
        np.sign(waves(rng, n, 90)) + 0.4 * waves(rng, n, 200) + 0.1 * noise(rng, n, 0.2)
        + 2 * rng.standard_normal(SENSORS)
        for n in counts
    ]  # fmt: skip


FLEETS: dict[str, Callable[[np.random.Generator, Learned], Units]] = {
    "alike": _alike,
    "small offsets": _scaled(0.3, 0.0),
    "offsets and gains": _scaled(3.0, 0.5),
    "noise differs": _noisy,
    "slow": _slow,
    "shapes differ": _shapes,
    "drifting": _drifting,
    "heavy tails": _heavy_tails,
    "square waves": _working_days,
}
"""Fleets by name; each function takes the number of rows of each unit."""
