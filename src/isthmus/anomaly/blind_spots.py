"""Detection power: inject faults of known kind and size into normal rows and count the alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.cell_density import CellModel
    from isthmus.anomaly.contributions import ScoreModel
    from isthmus.core.types import Floats

    Values = NDArray[np.float32]

_MOST_SCORED = 50_000
"""Limit on the total number of faulty rows. With many columns, each gets fewer rows; with very
many, only a sample of the columns is tested."""
_MOST_ROWS = 200
_FEWEST_ROWS = 20
_PROBE = 3.0
"""Size, in standard deviations, of the spike used to test what the reconstruction copies."""
_COPIED = 0.8
"""Above this fraction, the residual shows less than a fifth of a fault."""
_WEAK = 0.5
_SHOWN = 20


class _Fault(NamedTuple):
    kind: str
    size: float
    of: Callable[[Values, float, np.random.Generator], Values]


def _spike(values: Values, size: float, rng: np.random.Generator) -> Values:
    return values + np.where(rng.random(values.shape) < 0.5, np.float32(-size), np.float32(size))


def _stuck(values: Values, size: float, rng: np.random.Generator) -> Values:  # noqa: ARG001
    return np.full_like(values, size)


def _scale(values: Values, size: float, rng: np.random.Generator) -> Values:  # noqa: ARG001
    return values * np.float32(size)


def _noise(values: Values, size: float, rng: np.random.Generator) -> Values:
    return values + np.float32(size) * rng.standard_normal(values.shape, dtype=np.float32)


def _swap(values: Values, size: float, rng: np.random.Generator) -> Values:  # noqa: ARG001
    return values[rng.permutation(len(values))]


_SWAP = _Fault("swap", math.nan, _swap)
_FAULTS = (
    *(_Fault("spike", size, _spike) for size in (1.0, 2.0, 3.0, 5.0, 10.0)),
    *(_Fault("stuck", size, _stuck) for size in (0.0, 3.0)),
    *(_Fault("scale", size, _scale) for size in (-1.0, 2.0)),
    *(_Fault("noise", size, _noise) for size in (1.0, 3.0)),
    _SWAP,
)


@dataclass(frozen=True)
class BlindSpot:
    """How often faults of one kind and size in one column raise an alarm."""

    column: str
    kind: str
    """``"spike"``: up or down by `size`; ``"stuck"``: set to `size`; ``"scale"``: times `size`;
    ``"noise"``: Gaussian noise of `size`; ``"swap"``: the value of another row."""
    size: float
    """In standard deviations of the column; for ``"scale"``, a factor; for ``"swap"``, NaN."""
    power: float
    """Fraction of faulty rows that raise an alarm."""


@dataclass(frozen=True)
class BlindSpots:
    """Detection power by column, kind and size of fault. ``str()`` gives a plain table."""

    spots: tuple[BlindSpot, ...]
    false_alarm_rate: float
    """Fraction of the same rows that raise an alarm without a fault."""
    copied: dict[str, float]
    """For each column, the fraction of a spike that the reconstruction copies: at 1 the residual
    shows none of it."""
    findings: tuple[str, ...]
    """What this means for the user, in sentences."""
    n_rows: int
    """Number of rows used to estimate each power."""

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the table as columns: ``pandas.DataFrame(result.to_dict())``."""
        fields = ("column", "kind", "size", "power")
        return {name: [getattr(spot, name) for spot in self.spots] for name in fields}

    def __str__(self) -> str:
        powers: dict[str, dict[str, float]] = {}
        for spot in self.spots:
            size = "" if math.isnan(spot.size) else f" {spot.size:g}"
            powers.setdefault(spot.column, {})[spot.kind + size] = spot.power
        headers = list(dict.fromkeys(head for row in powers.values() for head in row))
        weakest = sorted(powers, key=lambda name: float(np.mean(list(powers[name].values()))))
        width = max([6, *(min(len(name), 24) for name in weakest[:_SHOWN])])
        lines = [" ".join([f"{'column':{width}}", *(f"{head:>9}" for head in headers)])]
        for name in weakest[:_SHOWN]:
            by_fault = (powers[name].get(head) for head in headers)
            shown = (f"{'–' if power is None else f'{power:.0%}':>9}" for power in by_fault)
            lines.append(" ".join([f"{name[:24]:{width}}", *shown]))
        if len(weakest) > _SHOWN:
            lines.append(f"... and {len(weakest) - _SHOWN} columns with higher detection rates")
        basis = (
            f"Alarm rate on {self.n_rows} normal rows with one faulty cell; "
            f"without faults: {self.false_alarm_rate:.1%}. Sizes in standard deviations."
        )
        return "\n".join([*lines, basis, *self.findings])


def blind_spots(
    fitted: ScoreModel,
    cells: CellModel,
    reference: Floats,
    *,
    threshold: float,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> BlindSpots:
    """Inject faults into one column at a time and count the alarms.

    Parameters
    ----------
    fitted : ScoreModel
        The score whose alarms are counted.
    cells : CellModel
        Says which columns of the matrix form one table column. Categories are only swapped.
    reference : array of shape (n, d)
        Normal rows, standardised, that the score was not fitted on.
    threshold : float
        A score above it raises an alarm.
    names : sequence of str, optional
        Column names. None: ``x0``, ``x1``, ...
    seed : int
        Seeds the choice of rows and faults. With more than about 200 columns, a sample is tested.
    """
    rng = generator_for(seed, "faults")
    columns = _sampled(len(cells.columns), _MOST_SCORED // (len(_FAULTS) * _FEWEST_ROWS))
    n = max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_SCORED // (len(_FAULTS) * len(columns))))
    normal = np.asarray(reference, dtype=np.float32)
    normal = normal[rng.permutation(len(normal))[:n]]
    names = names or [f"x{column}" for column in range(len(cells.columns))]
    spots: list[BlindSpot] = []
    copied: dict[str, float] = {}
    clean = np.asarray(fitted.reconstruct(normal))
    for column in columns:
        own, name = cells.columns[column], names[column]
        faults = _FAULTS if len(own) == 1 else (_SWAP,)
        faulty = np.repeat(normal[None], len(faults), axis=0)
        for rows, fault in zip(faulty, faults, strict=True):
            rows[:, own] = fault.of(normal[:, own], fault.size, rng)
        sources = np.tile(normal, (len(faults), 1))
        alarms = fitted.score(faulty.reshape(sources.shape), sources) > threshold
        powers = alarms.reshape(len(faults), -1).mean(axis=1)
        spots += [
            BlindSpot(name, fault.kind, fault.size, float(power))
            for fault, power in zip(faults, powers, strict=True)
        ]
        if len(own) == 1:
            copied[name] = _copied(fitted, normal, clean, int(own[0]))
    base = float((fitted.score(normal) > threshold).mean())
    return BlindSpots(tuple(spots), base, copied, _findings(spots, copied), len(normal))


def _copied(fitted: ScoreModel, normal: Floats, clean: Floats, cell: int) -> float:
    """Return the fraction of a spike in one cell that its reconstruction copies."""
    fraction = 0.0
    for size in (-_PROBE, _PROBE):
        faulty = normal.copy()
        faulty[:, cell] += np.float32(size)
        moved = np.asarray(fitted.reconstruct(faulty))[:, cell] - clean[:, cell]
        fraction += float(moved.mean()) / size / 2
    return fraction


def _findings(spots: Sequence[BlindSpot], copied: dict[str, float]) -> tuple[str, ...]:
    findings = []
    repeated = [name for name, fraction in copied.items() if fraction > _COPIED]
    if len(repeated) > len(copied) / 2:
        findings.append(
            f"The network reconstructs anomalies too well: in {len(repeated)} of {len(copied)} "
            f"columns it copies over {_COPIED:.0%} of a spike, which hides it from the residual. "
            "Use a smaller code or a denoising autoencoder."
        )
    elif repeated:
        findings.append(
            f"The network copies spikes in {_listed(repeated)}, which hides them from the residual."
        )
    missed = [
        spot.column
        for spot in spots
        if spot.kind == "spike" and spot.size == _PROBE and spot.power < _WEAK
    ]
    if missed:
        findings.append(
            f"Fewer than half of the spikes of {_PROBE:g} standard deviations are detected in "
            f"{_listed(missed)}."
        )
    return tuple(findings)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more columns" if len(names) > 5 else shown


def _sampled(count: int, most: int) -> NDArray[np.intp]:
    """Return at most `most` numbers below `count`, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)
