"""The loop over epochs: validation, early stopping, the best weights and the history."""

from __future__ import annotations

import math
import sys
import time
import warnings
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from isthmus.core import processes
from isthmus.core.errors import InvalidParameter, TrainingDiverged, TrainingWarning
from isthmus.core.randomness import key_for
from isthmus.core.types import Corruption, Floats, RowNumbers, SampleChange, TrainState
from isthmus.training import batches
from isthmus.training.callbacks import Callbacks
from isthmus.training.devices import Devices
from isthmus.training.epoch import EpochRows, StepRange, Tally, compile_programs, fresh_tally
from isthmus.training.epoch_totals import EpochTotals
from isthmus.training.events import ChunkEnd, EpochEnd, Observer, Snapshot
from isthmus.training.interrupt import Interrupt
from isthmus.training.nonfinite import describe_step
from isthmus.training.optimizer_step import OptimizerStep
from isthmus.training.row_stream import RowStream, planned
from isthmus.training.snapshots import Weights, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from isthmus.core.program_cache import Program
    from isthmus.networks.network import Network
    from isthmus.objectives.objective import Objective
    from isthmus.training.config import TrainingConfig

StopReason = Literal["finished", "early stopping", "callback", "interrupted", "diverged"]

# Rows of an evaluation step: enough to keep the cores busy, few enough to stay in cache.
_EVALUATION_ROWS = 1024
# Largest matrix that is copied so that fits of similar size share a program.
_PADDED_BYTES = 1 << 24
# Target time in seconds between checks for an interrupt and updates of the progress bar.
_RESPONSE_SECONDS = 0.3
# Most steps, and most products of rows and weights, of a run that takes less time than compiling.
_BRIEF_STEPS = 512
_BRIEF_PRODUCTS = 2e9


@dataclass(frozen=True)
class TrainingData:
    """The rows of a run, in scaled units; NaN marks a missing cell.

    Attributes
    ----------
    matrix : ndarray of shape (n, *sample_shape)
        All rows, in one array so that the split needs no copy.
    training : ndarray of int, of shape (k,)
        Numbers of the training rows.
    validation : ndarray of int, of shape (m,), or None
        Numbers of the validation rows, for early stopping.
    columns : tuple of str
        Names of the cells, for messages; may be empty.
    labels : ndarray of shape (n,) or (n, targets), or None
        Class numbers or targets of all rows; NaN where missing.
    inputs : ndarray of shape (n, *sample_shape), or None
        What the network sees instead of `matrix`, which is then only the target: the noisy samples
        of pairs. None: the network sees `matrix`.
    mirrored : tuple of int
        Axes of a batch (n, *sample_shape); each step reverses every row along each at random.
    stream : RowStream, optional
        The training rows, if they are read while training. `matrix` then has only a sample of all
        rows, with the validation rows, and `training` numbers its other rows.
    start_gain : float or None
        The initial weights are kept unless training reduces their validation loss to less than this
        fraction. None: they are not kept.
    augmentation : callable, or None
        Changes the training rows of each step at random, `matrix` and `inputs` alike.
    """

    matrix: Floats
    training: RowNumbers
    validation: RowNumbers | None = None
    columns: tuple[str, ...] = ()
    labels: Floats | None = None
    inputs: Floats | None = None
    mirrored: tuple[int, ...] = ()
    augmentation: SampleChange | None = None
    stream: RowStream | None = None
    start_gain: float | None = None

    @property
    def rows(self) -> int:
        """Training rows of an epoch."""
        return len(self.training) if self.stream is None else self.stream.rows

    @property
    def missing(self) -> bool:
        """Whether some cells are missing."""
        among = bool(np.isnan(self.matrix).any())
        return among or (self.stream is not None and self.stream.missing)


@dataclass
class History:
    """The record of a run.

    Attributes
    ----------
    epochs : dict of str to list
        ``epoch``, ``loss``, ``val_loss`` (with validation rows), ``learning_rate``, ``seconds``,
        and the objective's metrics by name, with the prefix ``val_`` for validation rows.
    best_epoch : int
        The epoch whose weights the network has now; 0 if none was completed, or if the initial
        weights were kept.
    stop_reason : {"finished", "early stopping", "callback", "interrupted", "diverged"}
        Why training ended.
    """

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stop_reason: StopReason = "finished"


def train(
    network: Network,
    objective: Objective,
    data: TrainingData,
    recipe: TrainingConfig,
    *,
    seed: int,
    corruption: Corruption | None = None,
    observers: Sequence[Observer] = (),
    start: Snapshot | None = None,
    callbacks: Callbacks | None = None,
    optimizer_state: Sequence[NDArray[Any]] = (),
) -> History:
    """Train a network and assign the best weights to it.

    Parameters
    ----------
    network : Network
        Training starts from its weights, and assigns new ones once at the end.
    objective : Objective
        The objective to minimise.
    data : TrainingData
        Training and validation rows.
    recipe : TrainingConfig
        How to train.
    seed : int
        Determines the order of rows and all noise; results are bit-identical for the same seed.
    corruption : callable, optional
        Corrupts the inputs of each step. The noise differs in every training step and is the same
        in every validation.
    observers : sequence of Observer
        Notified of the progress.
    start : Snapshot, optional
        The end of an earlier epoch of the same run, to resume from.
    callbacks : Callbacks, optional
        Keras callbacks, which may set the learning rate of epochs and stop the run.
    optimizer_state : sequence of ndarray
        The optimizer's state after an earlier run, as `LastOptimizerState` keeps it; one of another
        optimizer is not used. By default the optimizer begins anew.

    Raises
    ------
    InvalidParameter
        There are callbacks, and the optimizer has its own schedule.
    TrainingDiverged
        The loss was not finite before the first epoch was complete.
    KeyboardInterrupt
        Ctrl-C was pressed before the first step.

    Warns
    -----
    TrainingWarning
        Training ended early because of Ctrl-C or a non-finite loss; good weights were kept.
    """
    callbacks = callbacks or Callbacks(())
    with Interrupt() as interrupt:
        run = _Run(network, objective, data, recipe, seed, corruption, interrupt, callbacks)
        if optimizer_state:
            run.take_over(optimizer_state)
        if start is not None:
            run.restore(start)
        for observer in observers:
            observer.on_start(recipe.epochs, run.epoch)
        try:
            reason = run.epochs(observers)
        except KeyboardInterrupt:  # the second Ctrl-C; steps do not touch the best weights
            reason = "interrupted"
        finally:
            for observer in observers:
                observer.on_stop()
        history = run.finish(reason)
        callbacks.stop()
        return history


class _Run:
    """The state of one run, used only by `train`."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        data: TrainingData,
        recipe: TrainingConfig,
        seed: int,
        corruption: Corruption | None,
        interrupt: Interrupt,
        callbacks: Callbacks,
    ) -> None:
        self._network, self._data, self._recipe = network, data, recipe
        self._seed, self._interrupt = seed, interrupt
        self._devices = Devices.available()
        self._plan_size = self._devices.rounded(min(recipe.batch_size, data.rows))
        self._steps = -(-data.rows // self._plan_size)
        self._codes = objective.codes
        self._own_rows = data.stream is not None and data.stream.share < 1
        full = network.full
        self._update = OptimizerStep(recipe, full.trainable_variables)
        self._callbacks, self._fixed_rate = callbacks, math.nan
        if callbacks and not self._update.has_settable_rate:
            raise InvalidParameter(
                "callbacks",
                expected="an optimizer whose learning rate is a number",
                received="one with a schedule of its own",
                remedy="pass optimizer='adam', or an optimizer with a number as learning_rate",
            )
        self._programs = compile_programs(
            network,
            objective,
            self._update,
            self._devices,
            missing=data.missing,
            corruption=corruption,
            mirrored=data.mirrored,
            augmentation=data.augmentation,
            own_rows=self._own_rows,
            brief=_is_brief(
                network, self._steps * recipe.epochs, self._plan_size * objective.codes
            ),
        )
        self._trainings: dict[tuple[int, ...], Program] = {}
        self._keys = {
            use: self._devices.place(key_for(seed, use)) for use in ("steps", "validation")
        }
        self._matrix = self._devices.place(_in_bucket(data.matrix))
        self._labels, self._inputs = (
            None if rows is None else self._devices.place(_in_bucket(rows))
            for rows in (data.labels, data.inputs)
        )
        self._validation = self._validation_rows()
        self._state = TrainState(
            self._devices.first_copies([v.value for v in full.trainable_variables]),
            self._devices.first_copies([v.value for v in full.non_trainable_variables]),
            self._devices.place(self._update.first_slots()),
        )
        self._steps_run = 0
        self._stride = max(1, self._steps // 64)
        self._best: Weights | None = None
        self._best_loss = np.inf
        self._trouble = ""
        self.epoch = 0
        self._begun = EpochTotals()
        self._metrics = tuple(metric.name for metric in objective.metrics)
        validated = () if data.validation is None else ("val_loss",)
        names = ("epoch", "loss", *validated, "learning_rate", "seconds")
        self.history = History({name: [] for name in names})

    def epochs(self, observers: Sequence[Observer]) -> StopReason:
        """Run epochs until there is a reason to stop; return the reason."""
        self._callbacks.start(self._recipe.epochs, self._steps)
        while self.epoch < self._recipe.epochs:
            if self._patience_is_out():
                return "early stopping"
            self._fixed_rate = self._callbacks.begin_epoch(self.epoch, self._first_rate)
            began = time.perf_counter()
            totals = self._one_epoch(self.epoch + 1, observers)
            if not totals.finite:
                self._trouble = self._describe(totals.steps)
                return "diverged"
            if totals.steps < self._steps:
                return "interrupted"
            means = totals.means(self._metrics) | self._validate()
            loss, val_loss = means["loss"], means.get("val_loss")
            if not (self._finite_weights() if val_loss is None else np.isfinite(val_loss)):
                self._trouble = f"the result of epoch {self.epoch + 1}"
                return "diverged"
            self.epoch += 1
            self._record(means, time.perf_counter() - began)
            self._callbacks.end_epoch(self.epoch - 1, means, self._rate)
            stops = self._any(self._callbacks.stops)
            last = stops or self.epoch == self._recipe.epochs or self._patience_is_out()
            event = EpochEnd(self.epoch, self._recipe.epochs, loss, val_loss, last, self._snapshot)
            for observer in observers:
                observer.on_epoch(event)
            if not last and self._any(self._interrupt.requested):
                return "interrupted"
            if stops and self.epoch < self._recipe.epochs:
                return "callback"
        return "finished"

    def finish(self, reason: StopReason) -> History:
        """Assign the best weights to the network, and record or raise why the run ended."""
        if reason == "interrupted" and self._best is None:
            if self._steps_run == 0 or not self._alive():
                raise KeyboardInterrupt
            self._best = (self._state.trainable, self._state.non_trainable)
        if self._best is None:
            raise TrainingDiverged(
                f"training: {self._trouble} is not a finite number, and no epoch was complete",
                remedy="lower learning_rate, keep scale='auto', or check your custom loss",
            )
        if self._start_is_as_good():
            self.history.best_epoch = 0
        else:
            self._assign(self._best)
        self.history.stop_reason = reason
        self._warn(reason)
        return self.history

    def _assign(self, weights: Weights) -> None:
        full = self._network.full
        variables = full.trainable_variables + full.non_trainable_variables
        for variable, value in zip(variables, [*weights[0], *weights[1]], strict=True):
            variable.assign(self._devices.fetch(value))

    def _start_is_as_good(self) -> bool:
        """Whether the network's weights, which are still the initial ones, are to be kept."""
        gain, full = self._data.start_gain, self._network.full
        if gain is None or self._validation is None or not math.isfinite(self._best_loss):
            return False
        state = TrainState(
            self._devices.first_copies([v.value for v in full.trainable_variables]),
            self._devices.first_copies([v.value for v in full.non_trainable_variables]),
            [],
        )
        return self._best_loss >= gain * self._validate(state)["val_loss"]

    def take_over(self, optimizer_state: Sequence[NDArray[Any]]) -> None:
        """Begin with the optimizer's state after an earlier run."""
        slots = self._devices.place(self._update.first_slots(optimizer_state))
        self._state = self._state._replace(optimizer=slots)

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the state at the end of an epoch of an earlier process."""
        state, best = unpack(snapshot.arrays, self._state)
        self._state, self._best = self._devices.place(state), self._devices.place(best)
        self._best_loss = snapshot.best_loss
        self.epoch = snapshot.epoch
        if snapshot.best_epoch == 0:
            self._best = None
        if snapshot.steps:
            self._begun = EpochTotals.from_numbers(snapshot.steps, snapshot.totals)
        self.history = History(
            {name: list(values) for name, values in snapshot.history.items()}, snapshot.best_epoch
        )

    def _one_epoch(self, epoch: int, observers: Sequence[Observer]) -> EpochTotals:
        totals, self._begun = self._begun, EpochTotals()
        with closing(self._chunks(epoch, totals.steps)) as chunks:
            for rows, steps, number in chunks:
                span = self._span(epoch, totals.steps, number)
                tally = self._one_chunk(rows, steps, span, epoch, totals.steps, observers)
                totals += EpochTotals.of(tally)
                if int(tally.step) < steps or self._any(self._interrupt.requested):
                    break
                if totals.steps < self._steps:
                    event = ChunkEnd(epoch, partial(self._snapshot, totals))
                    for observer in observers:
                        observer.on_chunk(event)
        return totals

    def _chunks(self, epoch: int, done: int) -> Generator[tuple[EpochRows, int, int], None, None]:
        """Yield rows, the number of their steps, and a number that no other rows of the run have.

        Those in memory are one chunk.
        """
        stream = self._data.stream
        if stream is None:
            plan = self._plan(epoch)
            yield self._rows(plan), plan.steps, epoch
            return
        chunks = planned(
            stream,
            self._plan_size,
            seed=self._seed,
            epoch=epoch,
            steps=done,
            process=processes.index(),
            devices=self._devices.local_count,
        )
        with closing(chunks):
            for matrix, plan, number, labels in chunks:
                rows = (matrix, plan.rows, plan.weights)
                placed = (
                    self._devices.place_own(*rows) if self._own_rows else self._devices.place(rows)
                )
                known = None if labels is None else self._devices.place(labels)
                yield EpochRows(*placed)._replace(labels=known), plan.steps, number

    def _span(self, epoch: int, done: int, number: int) -> StepRange:
        before = (epoch - 1) * self._steps + done
        total = self._steps * self._recipe.epochs
        fixed = np.float32(self._fixed_rate) if self._callbacks else None
        return StepRange(np.uint32(number), np.float32(before), np.float32(total), fixed)

    def _one_chunk(
        self,
        rows: EpochRows,
        steps: int,
        span: StepRange,
        epoch: int,
        before: int,
        observers: Sequence[Observer],
    ) -> Tally:
        tally: Tally = self._devices.place(fresh_tally(len(self._metrics)))
        done = 0
        while done < steps and not self._any(self._interrupt.requested):
            began = time.perf_counter()
            stop = min(steps, done + self._stride)
            with processes.lost():
                self._state, tally = self._training(rows)(
                    self._state, tally, rows, np.int32(stop), span, self._keys["steps"]
                )
                reached = int(tally.step)  # waits for the device
            if reached < stop:
                break
            # All processes have to run the same steps at once.
            seconds = processes.gathered([time.perf_counter() - began]).max()
            self._steps_run += reached - done
            done = reached
            if seconds < _RESPONSE_SECONDS:
                self._stride *= 2
            for observer in observers:
                observer.on_steps(epoch, (before + done) / self._steps)
        return tally

    def _training(self, rows: EpochRows) -> Program:
        """Return the program for batches of this size; those of chunks may have two."""
        return self._trainings.setdefault(rows.order.shape, self._programs.train.again())

    @staticmethod
    def _any(condition: bool) -> bool:
        """Whether the condition is true in any process."""
        return bool(processes.gathered([condition]).any())

    def _plan(self, epoch: int) -> batches.BatchPlan:
        return batches.shuffled(self._data.training, self._plan_size, seed=self._seed, epoch=epoch)

    def _rows(self, plan: batches.BatchPlan) -> EpochRows:
        order, weights = self._devices.place((plan.rows, plan.weights))
        return EpochRows(self._matrix, order, weights, self._labels, self._inputs)

    def _validation_rows(self) -> tuple[EpochRows, int] | None:
        held_out = self._data.validation
        if held_out is None:
            return None
        at_most = self._network.rows_at_once(max(1, _EVALUATION_ROWS // self._codes), self._codes)
        size = self._devices.rounded(min(at_most, batches.bucket(len(held_out))))
        plan = batches.in_order(held_out, size)
        return self._rows(plan), plan.steps

    def _validate(self, state: TrainState | None = None) -> dict[str, float]:
        """Return the loss and metrics on the validation rows; empty if there are none."""
        if self._validation is None:
            return {}
        rows, steps = self._validation
        state = state or self._state
        with processes.lost():
            tally = self._programs.evaluate(
                state.trainable,
                state.non_trainable,
                rows,
                np.int32(steps),
                np.float32(1.0),
                self._keys["validation"],
            )
            totals = EpochTotals.of(tally)
        return totals.means(self._metrics, "val_") if totals.finite else {"val_loss": math.nan}

    def _record(self, means: dict[str, float], seconds: float) -> None:
        entries = {"epoch": self.epoch, **means}
        entries |= {"learning_rate": self._rate(), "seconds": seconds}
        for name, value in entries.items():
            self.history.epochs.setdefault(name, []).append(value)
        val_loss = means.get("val_loss")
        watched = means["loss"] if val_loss is None else val_loss
        # Without validation rows, the last weights are kept.
        if val_loss is None or watched < self._best_loss:
            copies = self._devices.copies
            self._best = (copies(self._state.trainable), copies(self._state.non_trainable))
            self.history.best_epoch = self.epoch
        self._best_loss = min(self._best_loss, watched)

    def _rate(self) -> float:
        """Return the learning rate of the last step."""
        if not math.isnan(self._fixed_rate):
            return self._fixed_rate
        return self._rate_at(self.epoch * self._steps - 0.5)

    def _first_rate(self) -> float:
        """Return the learning rate of the next epoch's first step, without callbacks."""
        return self._rate_at(self.epoch * self._steps + 0.5)

    def _rate_at(self, steps: float) -> float:
        """Return the learning rate after a number of steps, without callbacks."""
        progress = steps / (self._steps * self._recipe.epochs)
        return self._update.rate(self._state.optimizer, progress)

    def _patience_is_out(self) -> bool:
        patience = self._recipe.patience
        if patience is None or self._validation is None or self.epoch == 0:
            return False
        return self.epoch - self.history.best_epoch >= patience

    def _snapshot(self, within: EpochTotals | None = None) -> Snapshot:
        """Copy the state, at the end of an epoch or `within` one."""
        # Without an epoch there are no best weights; any of their shapes stand for them.
        arrays = pack(self._state, self._best or self._state[:2])
        history = {name: list(values) for name, values in self.history.epochs.items()}
        loss = min(self._best_loss, sys.float_info.max)
        begun = () if within is None else (within.steps, within.numbers())
        return Snapshot(self.epoch, arrays, self.history.best_epoch, loss, history, *begun)

    def _finite_weights(self) -> bool:
        # NumPy, because JAX would compile two programs for each shape.
        return all(np.isfinite(np.asarray(value)).all() for value in self._state.trainable)

    def _alive(self) -> bool:
        """Whether the state still exists; a step that an exception interrupts may lose it."""
        return not any(value.is_deleted() for value in self._state.trainable)

    def _describe(self, step: int) -> str:
        if self._data.stream is not None:
            return f"the loss of epoch {self.epoch + 1}, batch {step + 1}"
        plan = self._plan(self.epoch + 1)
        rows = plan.rows[step]
        return describe_step(self.epoch + 1, step + 1, rows, self._data.matrix, self._data.columns)

    def _warn(self, reason: StopReason) -> None:
        best = self.history.best_epoch
        last = "initial" if self.epoch and self._data.start_gain is not None else "last"
        outcome = f"the weights of epoch {best}" if best else f"the {last} weights"
        outcome += " were kept"
        if reason == "interrupted":
            warnings.warn(
                f"Training was interrupted in epoch {self.epoch + 1}; {outcome}.",
                TrainingWarning,
                stacklevel=2,
            )
        elif reason == "diverged":
            warnings.warn(
                f"Training stopped: {self._trouble} is not a finite number; {outcome}. "
                "Try: lower learning_rate, or check your custom loss.",
                TrainingWarning,
                stacklevel=2,
            )


def _in_bucket(matrix: Floats) -> Floats:
    """Pad a small matrix with unused rows to a size for which programs are cached.

    A large matrix is shared with JAX unchanged: a copy would cost more than compiling.
    """
    missing = batches.bucket(len(matrix)) - len(matrix)
    if missing == 0 or matrix.nbytes > _PADDED_BYTES:
        return matrix
    return np.pad(matrix, [(0, missing), *((0, 0) for _ in matrix.shape[1:])])


def _is_brief(network: Network, steps: int, batch_size: int) -> bool:
    weights = sum(int(np.prod(v.shape)) for v in network.full.trainable_variables)
    return steps <= _BRIEF_STEPS and steps * batch_size * weights <= _BRIEF_PRODUCTS
