"""Linear predictors of a column from earlier values, fitted by the encoder and stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.compression.coders.byte_cursor import Cursor, refuse, signed, varint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

SCALE = 256
"""Predictions and weights are in units of 1 / this."""
REFERENCES = 4
_MOST_TAPS = 4
_ROWS = 4096
"""Predictors of a larger block are fitted to this many rows."""
_MOST_BACK = 4096
_MOST_CORRELATED = 12
_LARGEST_WEIGHT = 16 * SCALE
_PERIODS = 400


class Reference(NamedTuple):
    """The value of a column, some rows back; 0 is the same row."""

    back: int
    column: int


@dataclass(frozen=True)
class Predictor:
    """Predicts one column.

    Parameters
    ----------
    references : tuple of Reference
        The values from which the contexts are computed, the most informative one first.
    taps, weights : tuples of Reference and of int
        The prediction is the weighted sum of the taps, in units of 1 / `SCALE`.
    offset, centre : int
        The constant added to the sum, and the median of the column, in the same units.
    residual : bool
        Whether the difference from the prediction is coded. If not, that from the median is.
    """

    references: tuple[Reference, ...]
    taps: tuple[Reference, ...]
    weights: tuple[int, ...]
    offset: int
    centre: int
    residual: bool = True

    def to_bytes(self) -> bytes:
        """Return the encoded predictor, for `read_predictor`."""
        head = bytes([len(self.taps) << 1 | self.residual])
        each = [varint(r.back) + varint(r.column) for r in (*self.references, *self.taps)]
        numbers = [*self.weights, self.offset, self.centre // SCALE]
        return head + b"".join(each) + b"".join(map(signed, numbers))


def read_predictor(cursor: Cursor, columns: int, j: int) -> Predictor:
    """Read what `Predictor.to_bytes` wrote, for column `j`; raises InvalidArchive."""
    head = cursor.read(1)[0]
    if head >> 1 > _MOST_TAPS:
        refuse(f"{head >> 1} weights")
    found = []
    for _ in range(REFERENCES + (head >> 1)):
        reference = Reference(cursor.varint(_MOST_BACK), cursor.varint(columns - 1))
        if reference.back == 0 and reference.column >= j:
            refuse("a number that is not known yet")
        found.append(reference)
    numbers = [cursor.signed() for _ in range((head >> 1) + 2)]
    if any(abs(number) > 2**60 for number in numbers):
        refuse("a weight that is too large")
    *weights, offset, centre = numbers
    references, taps = tuple(found[:REFERENCES]), tuple(found[REFERENCES:])
    return Predictor(references, taps, tuple(weights), offset, centre * SCALE, bool(head & 1))


def candidate_predictors(matrix: Integers) -> list[list[Predictor]]:
    """Return two candidates: predictors of all columns, with and without coding of residuals."""
    part = matrix[:_ROWS]
    codes = np.stack([np.unique(c, return_inverse=True)[1] for c in part.T], axis=1)
    period = _period(part[:, 0]) if matrix.shape[1] <= 2 else 0
    found = [_predictor(part, codes, j, period) for j in range(matrix.shape[1])]
    return [found, [replace(each, residual=False) for each in found]]


def _predictor(matrix: Integers, codes: Integers, j: int, period: int) -> Predictor:
    rows, columns = matrix.shape
    backs = (1, 2, 3, 4, period) if columns == 1 else (1, 2) if columns <= 4 else (1,)
    candidates = [Reference(0, k) for k in range(j)]
    candidates += [Reference(b, k) for b in backs if 0 < b < rows // 4 for k in range(columns)]
    centre = int(np.median(matrix[:, j])) * SCALE
    if not candidates:
        return Predictor((Reference(1, j),) * REFERENCES, (), (), centre, centre)
    shifted = np.stack([_shifted(matrix, each) for each in candidates], axis=1)
    taps, weights, offset = _linear(shifted.astype(np.float64), matrix[:, j], candidates)
    if columns > 1:
        likely = _correlated(shifted, matrix[:, j])
        references = _most_informative(codes, j, [candidates[i] for i in likely])
    else:
        references = [*candidates[:3], candidates[-1]]
    references += [Reference(1, j)] * (REFERENCES - len(references))
    return Predictor(tuple(references[:REFERENCES]), taps, weights, offset, centre)


def _shifted(matrix: Integers, reference: Reference) -> Integers:
    back, column = reference
    if not back:
        return matrix[:, column]
    return np.concatenate([np.repeat(matrix[:1, column], back), matrix[:-back, column]])


def _correlated(shifted: Integers, wanted: Integers) -> list[int]:
    """Return the candidates with the highest correlation to a column."""
    centred = shifted - shifted.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0)) + 1e-9
    order = np.argsort(-np.abs((wanted - wanted.mean()) @ centred) / norm, kind="stable")
    return [int(i) for i in order[:_MOST_CORRELATED]]


def _linear(
    X: NDArray[np.float64], wanted: Integers, candidates: list[Reference]
) -> tuple[tuple[Reference, ...], tuple[int, ...], int]:
    """Choose taps by orthogonal matching pursuit, and fit their weights."""
    y = wanted.astype(np.float64)
    centred, target = X - X.mean(axis=0), y - y.mean()
    norm = np.sqrt((centred**2).sum(axis=0)) + 1e-9
    chosen: list[int] = []
    left, weights = target, np.empty(0)
    for _ in range(min(_MOST_TAPS, len(candidates))):
        gain = np.abs(left @ centred) / norm
        gain[chosen] = -1
        trial = [*chosen, int(gain.argmax())]
        new = np.linalg.lstsq(centred[:, trial], target, rcond=None)[0]
        after = target - centred[:, trial] @ new
        if np.abs(after).mean() > 0.98 * np.abs(left).mean():
            break
        chosen, weights, left = trial, new, after
    whole = np.clip(np.rint(weights * SCALE), -_LARGEST_WEIGHT, _LARGEST_WEIGHT).astype(np.int64)
    offset = round(float(y.mean() * SCALE - (X[:, chosen] @ whole).mean()))
    return tuple(candidates[i] for i in chosen), tuple(int(w) for w in whole), offset


def _most_informative(codes: Integers, j: int, candidates: list[Reference]) -> list[Reference]:
    """Choose the references that minimize the conditional entropy of the column, greedily."""
    wanted, contexts = codes[:, j], np.zeros(len(codes), dtype=np.int64)
    chosen: list[Reference] = []
    while candidates and len(chosen) < REFERENCES:
        trials = []
        for each in candidates:
            other = _shifted(codes, each)
            trials.append((_bits(contexts * (int(other.max()) + 1) + other, wanted), each, other))
        _, best, other = min(trials, key=lambda trial: trial[0])
        chosen.append(best)
        candidates = [each for each in candidates if each != best]
        contexts = np.unique(contexts * (int(other.max()) + 1) + other, return_inverse=True)[1]
    return chosen


def _bits(context: Integers, wanted: Integers) -> float:
    """Return the approximate number of bits of `wanted`, coded adaptively in each context."""
    size = int(wanted.max()) + 1
    pairs, counts = np.unique(context * size + wanted, return_counts=True)
    totals = np.bincount(np.unique(pairs // size, return_inverse=True)[1], counts)
    entropy = float((totals * np.log2(totals)).sum() - (counts * np.log2(counts)).sum())
    return entropy + len(pairs) * (2 + 0.5 * float(np.log2(len(wanted))))


def _period(column: Integers) -> int:
    """Return the lag, at least 5, at which a column most often repeats itself; 0 if too short."""
    lags = range(5, min(_PERIODS, len(column) // 4))
    shares = [float(np.mean(column[lag:] == column[:-lag])) for lag in lags]
    return int(np.argmax(shares)) + 5 if shares else 0
