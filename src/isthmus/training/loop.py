"""The loop over epochs: validation, stopping, the best weights, the history."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import keras
import numpy as np

from isthmus.core.errors import TrainingDiverged, TrainingWarning
from isthmus.core.randomness import key_for
from isthmus.core.types import Floats, RowNumbers, TrainState
from isthmus.training import batches
from isthmus.training.divergence import describe_step
from isthmus.training.epoch import Rows, Span, Tally, compile_programs, fresh_tally
from isthmus.training.events import EpochEnd, Observer, Snapshot
from isthmus.training.interrupt import Interrupt
from isthmus.training.snapshots import Weights, copies, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.networks.network import Network
    from isthmus.objectives.objective import Objective
    from isthmus.training.recipe import Recipe

StopReason = Literal["finished", "early stopping", "interrupted", "diverged"]

# Rows of an evaluation step: large enough to keep the cores busy, small enough to stay in cache.
_EVALUATION_ROWS = 1024
# Seconds of work between two looks at the interrupt flag and two moves of the progress bar.
_RESPONSE_SECONDS = 0.3


@dataclass(frozen=True)
class TrainingData:
    """The rows of a run, in scaled units; NaN marks a missing cell.

    Attributes
    ----------
    matrix : ndarray of shape (n, *sample_shape)
        All rows. One array, so that parting it takes no second copy.
    training : ndarray of int, of shape (k,)
        Numbers of the rows to learn from.
    validation : ndarray of int, of shape (m,), or None
        Numbers of the rows to stop by.
    columns : tuple of str
        Names of the cells, for messages; may be empty.
    """

    matrix: Floats
    training: RowNumbers
    validation: RowNumbers | None = None
    columns: tuple[str, ...] = ()


@dataclass
class History:
    """What happened in a run.

    Attributes
    ----------
    epochs : dict of str to list
        ``epoch``, ``loss``, ``val_loss`` (with validation rows), ``learning_rate``, ``seconds``.
    best_epoch : int
        The epoch whose weights the network has now; 0 where not one was completed.
    stop_reason : {"finished", "early stopping", "interrupted", "diverged"}
        Why training ended.
    """

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stop_reason: StopReason = "finished"


def train(
    network: Network,
    objective: Objective,
    data: TrainingData,
    recipe: Recipe,
    *,
    seed: int,
    observers: Sequence[Observer] = (),
    start: Snapshot | None = None,
) -> History:
    """Train a network and leave the best weights in it.

    Parameters
    ----------
    network : Network
        Its weights are the starting point, and are assigned once, at the end.
    objective : Objective
        What is minimised.
    data : TrainingData
        Training and validation rows.
    recipe : Recipe
        How to train.
    seed : int
        Decides the order of rows and all noise; the same seed gives the same bits.
    observers : sequence of Observer
        Told of epochs.
    start : Snapshot, optional
        The end of an earlier epoch of this very run, to go on from.

    Raises
    ------
    TrainingDiverged
        The loss was not finite before a single epoch was complete.
    KeyboardInterrupt
        Ctrl-C before the first step.

    Warns
    -----
    TrainingWarning
        Training ended early by Ctrl-C or a loss that is not finite; good weights were kept.
    """
    with Interrupt() as interrupt:
        run = _Run(network, objective, data, recipe, seed, interrupt)
        if start is not None:
            run.restore(start)
        for observer in observers:
            observer.on_start(recipe.epochs, run.epoch)
        try:
            reason = run.epochs(observers)
        except KeyboardInterrupt:  # the second Ctrl-C; what is best is held apart from the step
            reason = "interrupted"
        finally:
            for observer in observers:
                observer.on_stop()
        return run.finish(reason)


class _Run:
    """The state of one run; `train` is its only user."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        data: TrainingData,
        recipe: Recipe,
        seed: int,
        interrupt: Interrupt,
    ) -> None:
        self._network, self._data, self._recipe = network, data, recipe
        self._seed, self._interrupt = seed, interrupt
        self._plan_size = min(recipe.batch_size, len(data.training))
        self._steps = -(-len(data.training) // self._plan_size)
        full = network.full
        self._optimizer = recipe.build_optimizer()
        self._optimizer.build(full.trainable_variables)
        self._programs = compile_programs(
            network,
            objective,
            self._optimizer,
            rate_at=recipe.rate_at if recipe.scheduled else None,
            missing=bool(np.isnan(data.matrix).any()),
        )
        # Not jnp.asarray, which copies: on the CPU this shares an aligned array's memory.
        self._matrix = jax.device_put(data.matrix)
        self._validation = self._validation_rows()
        self._state = TrainState(
            copies([v.value for v in full.trainable_variables]),
            copies([v.value for v in full.non_trainable_variables]),
            copies([v.value for v in self._optimizer.variables]),
        )
        self._steps_run = 0
        self._stride = max(1, self._steps // 64)
        self._best: Weights | None = None
        self._best_loss = np.inf
        self._trouble = ""
        self.epoch = 0
        validated = () if data.validation is None else ("val_loss",)
        names = ("epoch", "loss", *validated, "learning_rate", "seconds")
        self.history = History({name: [] for name in names})

    def epochs(self, observers: Sequence[Observer]) -> StopReason:
        """Run epochs until one of the reasons to stop."""
        while self.epoch < self._recipe.epochs:
            if self._patience_is_out():
                return "early stopping"
            began = time.perf_counter()
            tally = self._one_epoch(self.epoch + 1, observers)
            if not bool(tally.finite):
                self._trouble = self._describe(int(tally.step))
                return "diverged"
            if int(tally.step) < self._steps:
                return "interrupted"
            loss = float(tally.loss) / float(tally.weight)
            val_loss = self._validate()
            if not (self._finite_weights() if val_loss is None else np.isfinite(val_loss)):
                self._trouble = f"what epoch {self.epoch + 1} left"
                return "diverged"
            self.epoch += 1
            self._record(loss, val_loss, time.perf_counter() - began)
            last = self.epoch == self._recipe.epochs or self._patience_is_out()
            event = EpochEnd(self.epoch, self._recipe.epochs, loss, val_loss, last, self._snapshot)
            for observer in observers:
                observer.on_epoch(event)
            if self._interrupt.requested and not last:
                return "interrupted"
        return "finished"

    def finish(self, reason: StopReason) -> History:
        """Assign the best weights to the network, and say why the run ended."""
        if reason == "interrupted" and self._best is None:
            if self._steps_run == 0 or not self._alive():
                raise KeyboardInterrupt
            self._best = (self._state.trainable, self._state.non_trainable)
        if self._best is None:
            raise TrainingDiverged(
                f"training: {self._trouble} is not a finite number, and no epoch was complete",
                remedy="lower learning_rate, keep scale='auto', or check a loss of your own",
            )
        full = self._network.full
        variables = full.trainable_variables + full.non_trainable_variables
        for variable, value in zip(variables, [*self._best[0], *self._best[1]], strict=True):
            variable.assign(value)
        self.history.stop_reason = reason
        self._warn(reason)
        return self.history

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to the end of an epoch of an earlier process."""
        self._state, self._best = unpack(snapshot.arrays, self._state)
        self._best_loss = snapshot.best_loss
        self.epoch = snapshot.epoch
        self.history = History(
            {name: list(values) for name, values in snapshot.history.items()}, snapshot.best_epoch
        )

    def _one_epoch(self, epoch: int, observers: Sequence[Observer]) -> Tally:
        plan = self._plan(epoch)
        rows = Rows(self._matrix, jnp.asarray(plan.rows), jnp.asarray(plan.weights))
        key = key_for(self._seed, f"steps/{epoch}")
        span = Span(
            jnp.float32((epoch - 1) * plan.steps), jnp.float32(plan.steps * self._recipe.epochs)
        )
        tally, done = fresh_tally(), 0
        while done < plan.steps and not self._interrupt.requested:
            began = time.perf_counter()
            stop = min(plan.steps, done + self._stride)
            self._state, tally = self._programs.train(
                self._state,
                tally,
                rows,
                jnp.int32(stop),
                span,
                key,
                batch_size=plan.batch_size,
            )
            reached = int(tally.step)  # waits for the device
            if reached < stop:
                break
            seconds = time.perf_counter() - began
            self._steps_run += reached - done
            done = reached
            if seconds < _RESPONSE_SECONDS:
                self._stride *= 2
            for observer in observers:
                observer.on_steps(epoch, done / plan.steps)
        return tally

    def _plan(self, epoch: int) -> batches.Plan:
        return batches.shuffled(self._data.training, self._plan_size, seed=self._seed, epoch=epoch)

    def _validation_rows(self) -> Rows | None:
        if self._data.validation is None:
            return None
        plan = batches.in_order(self._data.validation, _EVALUATION_ROWS)
        return Rows(self._matrix, jnp.asarray(plan.rows), jnp.asarray(plan.weights))

    def _validate(self) -> float | None:
        if self._validation is None or self._data.validation is None:
            return None
        tally = self._programs.evaluate(
            self._state.trainable,
            self._state.non_trainable,
            self._validation,
            jnp.float32(1.0),
            key_for(self._seed, "validation"),
            batch_size=min(_EVALUATION_ROWS, len(self._data.validation)),
        )
        if not bool(tally.finite):
            return float("nan")
        return float(tally.loss) / float(tally.weight)

    def _record(self, loss: float, val_loss: float | None, seconds: float) -> None:
        entries = {"epoch": self.epoch, "loss": loss}
        if val_loss is not None:
            entries["val_loss"] = val_loss
        entries |= {"learning_rate": self._rate(), "seconds": seconds}
        for name, value in entries.items():
            self.history.epochs[name].append(value)
        watched = loss if val_loss is None else val_loss
        # Without validation rows there is nothing to choose by: the last weights are kept.
        if val_loss is None or watched < self._best_loss:
            self._best = (copies(self._state.trainable), copies(self._state.non_trainable))
            self.history.best_epoch = self.epoch
        self._best_loss = min(self._best_loss, watched)

    def _rate(self) -> float:
        """Return the learning rate of the last step."""
        steps = self.epoch * self._steps
        if self._recipe.scheduled:
            return float(self._recipe.rate_at((steps - 0.5) / (self._steps * self._recipe.epochs)))
        # An optimizer that was given may have a schedule, which reads the step from its state.
        pairs = zip(self._optimizer.variables, self._state.optimizer, strict=True)
        with keras.StatelessScope(state_mapping=list(pairs)):
            return float(self._optimizer.learning_rate)

    def _patience_is_out(self) -> bool:
        patience = self._recipe.patience
        if patience is None or self._validation is None or self.epoch == 0:
            return False
        return self.epoch - self.history.best_epoch >= patience

    def _snapshot(self) -> Snapshot:
        arrays = pack(self._state, self._best or ([], []))
        history = {name: list(values) for name, values in self.history.epochs.items()}
        return Snapshot(self.epoch, arrays, self.history.best_epoch, self._best_loss, history)

    def _finite_weights(self) -> bool:
        return all(bool(jnp.isfinite(value).all()) for value in self._state.trainable)

    def _alive(self) -> bool:
        """Whether the state was not lost to a step that an exception cut off."""
        return not any(value.is_deleted() for value in self._state.trainable)

    def _describe(self, step: int) -> str:
        plan = self._plan(self.epoch + 1)
        rows = plan.rows[step * plan.batch_size : (step + 1) * plan.batch_size]
        return describe_step(self.epoch + 1, step + 1, rows, self._data.matrix, self._data.columns)

    def _warn(self, reason: StopReason) -> None:
        best = self.history.best_epoch
        kept = f"the weights of epoch {best} were kept" if best else "the present weights were kept"
        if reason == "interrupted":
            warnings.warn(
                f"Training was interrupted in epoch {self.epoch + 1}; {kept}.",
                TrainingWarning,
                stacklevel=2,
            )
        elif reason == "diverged":
            warnings.warn(
                f"Training stopped: {self._trouble} is not a finite number; {kept}. "
                "Remedy: lower learning_rate, or check a loss of your own.",
                TrainingWarning,
                stacklevel=2,
            )
