"""Trains on rows as they come, along with a sample of those that came before.

A network that is trained on new rows alone forgets earlier ones that differ from them (McCloskey
and Cohen, 1989, "Catastrophic interference in connectionist networks"). So a uniform sample of all
rows so far is kept, from which rows are drawn and trained again (Rolnick et al., 2019, "Experience
replay for continual learning").
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.core import processes
from isthmus.core.aligned_memory import aligned_empty
from isthmus.core.errors import InvalidData, InvalidParameter, TrainingWarning
from isthmus.core.randomness import derive_seed, generator_for, resolve_seed
from isthmus.data.sources.row_sample import row_hashes
from isthmus.estimators import resolved_settings
from isthmus.estimators.resume import TrainingRun
from isthmus.estimators.storage import storable
from isthmus.training.snapshots import LastOptimizerState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, RowNumbers
    from isthmus.estimators.fit_rows import FitRows
    from isthmus.training.config import TrainingConfig

_MOST_KEPT = 1 << 14
_MOST_CELLS_KEPT = 1 << 24
"""64 MiB as float32."""
_AUTO_EPOCHS = 5
_EARLIER = 3
"""Earlier rows for each new one. Measured, as the number of epochs: docs/adr/0028."""


@dataclass(frozen=True, eq=False)
class EarlierRows:
    """A uniform random sample of the rows so far: those whose numbers have the smallest hashes.

    It depends on the rows and their order, but not on how many come at a time.

    Attributes
    ----------
    numbers : ndarray of int, of shape (k,)
        The numbers of the rows in the sample, counted from 0.
    matrix : ndarray of float32, shape (k, *sample_shape)
        The rows in scaled units.
    labels : ndarray, optional
        Their encoded labels.
    inputs : ndarray of float32, optional
        What the network sees instead of `matrix`.
    total : int
        The number of rows so far.
    """

    numbers: NDArray[np.int64]
    matrix: Floats
    labels: Floats | None
    inputs: Floats | None
    total: int

    @classmethod
    def none(cls, like: FitRows) -> Self:
        """Return the sample before the first rows, which are like these."""
        labels, inputs = (
            None if part is None else part[:0].copy() for part in (like.labels, like.inputs)
        )
        return cls(np.empty(0, np.int64), like.matrix[:0].copy(), labels, inputs, 0)

    def with_rows(self, rows: FitRows) -> EarlierRows:
        """Return a sample of these rows and more."""
        numbers = np.arange(self.total, self.total + len(rows.matrix), dtype=np.int64)
        joined = EarlierRows(
            np.concatenate([self.numbers, numbers]),
            np.concatenate([self.matrix, rows.matrix]),
            _joined(self.labels, rows.labels),
            _joined(self.inputs, rows.inputs),
            self.total + len(numbers),
        )
        return joined._smallest()

    def mixed(self, rows: FitRows, chosen: RowNumbers) -> FitRows:
        """Return new rows, followed by chosen rows of the sample.

        Raises
        ------
        InvalidData
            Only some of the rows are pairs of noisy and clean samples.
        """
        if (rows.inputs is None) != (self.inputs is None):
            raise InvalidData(
                "X and y",
                expected=f"{'samples alone' if self.inputs is None else 'pairs'}, as before",
                received="pairs" if self.inputs is None else "samples alone",
                remedy="pass the same kind of data to every call, or call fit to begin anew",
            )
        count = len(rows.matrix)
        matrix = aligned_empty((count + len(chosen), *rows.matrix.shape[1:]))
        matrix[:count], matrix[count:] = rows.matrix, self.matrix[chosen]
        labels, inputs = (
            None if kept is None else kept[chosen] for kept in (self.labels, self.inputs)
        )
        return replace(
            rows,
            matrix=matrix,
            labels=_joined(rows.labels, labels),
            inputs=_joined(rows.inputs, inputs),
        )

    def _smallest(self) -> Self:
        cells = math.prod(self.matrix.shape[1:])
        size = max(1, min(_MOST_KEPT, _MOST_CELLS_KEPT // cells))
        kept = np.arange(len(self.numbers))
        if len(kept) > size:
            kept = np.sort(np.argpartition(row_hashes(self.numbers), size - 1)[:size])
        return replace(
            self,
            numbers=self.numbers[kept],
            matrix=self.matrix[kept],
            labels=None if self.labels is None else self.labels[kept],
            inputs=None if self.inputs is None else self.inputs[kept],
        )


@dataclass(frozen=True, eq=False)
class IncrementalState:
    """What goes on from one call of `partial_fit` to the next, besides the model.

    Attributes
    ----------
    seed : int
        Determines all that is random.
    calls : int
        Calls so far.
    earlier : EarlierRows
        A sample of the rows so far.
    optimizer : str
        The name of the optimizer.
    optimizer_state : sequence of ndarray
        Its state.
    """

    seed: int
    calls: int
    earlier: EarlierRows
    optimizer: str
    optimizer_state: Sequence[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class IncrementalCall:
    """A call of `partial_fit`.

    Attributes
    ----------
    rows : FitRows
        The new rows, and those of earlier calls that are repeated.
    run : TrainingRun
        The start of its training.
    """

    rows: FitRows
    run: TrainingRun
    _before: IncrementalState
    _new: FitRows
    _kept: LastOptimizerState

    def end(self) -> IncrementalState:
        """Return what the next call goes on with, after training."""
        before = self._before
        return replace(
            before,
            calls=before.calls + 1,
            earlier=before.earlier.with_rows(self._new),
            optimizer_state=self._kept.arrays or self.run.optimizer_state,
        )


def check(estimator: Any) -> None:
    """Check that an estimator can be trained on rows as they come; raises InvalidParameter."""
    if estimator.checkpoint is not None:
        raise InvalidParameter(
            "partial_fit",
            expected="checkpoint=None, because each call is a short run",
            received=repr(estimator.checkpoint),
            remedy="leave checkpoint out, and call save after partial_fit",
        )
    if processes.count() > 1:
        raise InvalidParameter(
            "partial_fit",
            expected="one process",
            received=f"{processes.count()}",
            remedy="call fit, which trains in several processes",
        )


def warn_of_unknown_rows() -> None:
    """Warn that the rows of an earlier `fit`, or of a loaded model, are not repeated."""
    warnings.warn(
        "The rows of fit, or of a model that was loaded, are not kept, so that partial_fit trains "
        "on those of this call and later ones only, and may forget earlier ones. Try: pass some "
        "earlier rows together with the new ones, or begin with partial_fit and keep the model as "
        "a pickle.",
        TrainingWarning,
        stacklevel=4,
    )


def recipe(estimator: Any, rows: int) -> TrainingConfig:
    """Return how to train on `rows` new rows; raises InvalidParameter."""
    made = resolved_settings.recipe(estimator, rows)
    epochs = _AUTO_EPOCHS if estimator.epochs == "auto" else int(estimator.epochs)
    return replace(made, epochs=epochs, patience=None)


def begin(
    estimator: Any, rows: FitRows, state: IncrementalState | None, batch_size: int
) -> IncrementalCall:
    """Begin a call with new rows.

    Parameters
    ----------
    estimator : isthmus estimator
        Its settings are valid.
    rows : FitRows
        The new rows.
    state : IncrementalState, optional
        What the call before ended with.
    batch_size : int
        Rows of a training step.

    Raises
    ------
    InvalidData
        Only some of the rows so far are pairs of noisy and clean samples.
    """
    optimizer, kept = str(storable(estimator.optimizer)), LastOptimizerState()
    if state is None:
        seed = resolve_seed(estimator.random_state)
        state = IncrementalState(seed, 0, EarlierRows.none(rows), optimizer, ())
    elif state.optimizer != optimizer:
        state = replace(state, optimizer=optimizer, optimizer_state=())
    seed = derive_seed(state.seed, f"call/{state.calls}")
    both = _with_earlier(rows, state.earlier, seed, batch_size)
    run = TrainingRun(seed, None, [kept], state.optimizer_state)
    return IncrementalCall(both, run, state, rows, kept)


def _with_earlier(rows: FitRows, earlier: EarlierRows, seed: int, batch_size: int) -> FitRows:
    """Return new rows, and earlier ones to train again: enough of them to fill a batch."""
    new, kept = len(rows.matrix), len(earlier.numbers)
    count = min(kept, max(_EARLIER * new, batch_size - new))
    chosen = generator_for(seed, "replay").permutation(kept)[:count]
    return earlier.mixed(rows, np.sort(chosen))


def _joined(first: Floats | None, second: Floats | None) -> Floats | None:
    if first is None or second is None:
        return None
    return np.concatenate([first, second])
