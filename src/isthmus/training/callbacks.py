"""Keras callbacks in a run of isthmus, whose epochs are compiled programs.

Callbacks run in Python between the epochs. They may read the figures of each epoch, set the
learning rate of the next ones, and stop the run. Nothing runs between two batches, so hooks of
batches are refused rather than never called.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

import keras
import numpy as np

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NEVER_CALLED = tuple(
    f"on_{what}_{when}"
    for what in ("batch", "train_batch", "test", "test_batch", "predict", "predict_batch")
    for when in ("begin", "end")
)
_INSTEAD = {
    "ModelCheckpoint": "fit keeps the best weights, and checkpoint='run.checkpoint' writes them",
    "BackupAndRestore": "pass checkpoint='run.checkpoint', from which fit resumes",
    "TerminateOnNaN": "leave it out: fit stops when a loss is not finite",
    "ProgbarLogger": "leave it out: fit shows a progress bar with verbose=1",
}


class _NotGiven(InvalidParameter, AttributeError):
    """A callback asks for a part of the model; an AttributeError, so that `hasattr` works."""


class _Optimizer:
    """The optimizer that callbacks see: its learning rate."""

    def __init__(self) -> None:
        self._rate = keras.Variable(np.float32(0), trainable=False, name="learning_rate")

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step."""
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._rate.assign(value)


class _Model:
    """The model that callbacks see: its optimizer, and `stop_training`."""

    def __init__(self) -> None:
        self.optimizer = _Optimizer()
        self.stop_training = False

    def __getattr__(self, name: str) -> NoReturn:
        raise _NotGiven(
            f"callbacks: model.{name}",
            expected="only model.optimizer.learning_rate and model.stop_training, because the "
            "weights are in a compiled program while training runs",
            received=f"a callback that uses {name!r}",
            remedy="leave it out; fit keeps the best weights by itself, and encoder_, decoder_ "
            "and network_ are Keras models after fit",
        )


class Callbacks:
    """Calls Keras callbacks at the beginning and end of a run and of its epochs.

    Parameters
    ----------
    callbacks : keras.callbacks.Callback or sequence of them
        In the order in which they are called.

    Raises
    ------
    InvalidParameter
        One is something else, or has hooks that would never be called.
    """

    def __init__(self, callbacks: Any) -> None:
        alone = isinstance(callbacks, keras.callbacks.Callback)
        given = [callbacks] if alone else callbacks
        if not isinstance(given, (list, tuple)):
            raise _unknown(given)
        for each in given:
            _check(each)
        self._callbacks = tuple(given)
        self._model: Any = None
        self._fixed = False

    def __len__(self) -> int:
        """Return the number of callbacks."""
        return len(self._callbacks)

    @property
    def stops(self) -> bool:
        """Whether a callback has asked to stop after this epoch."""
        return bool(self) and bool(self._model.stop_training)

    def start(self, epochs: int, steps: int) -> None:
        """Begin a run of `epochs` epochs of `steps` steps."""
        self._model, self._fixed = _Model() if self else None, False
        for each in self._callbacks:
            each.set_params({"epochs": epochs, "steps": steps, "verbose": 0})
            each.set_model(self._model)
            each.on_train_begin()

    def begin_epoch(self, epoch: int, scheduled: Callable[[], float]) -> float:
        """Begin an epoch, counted from 0; return its learning rate, NaN for that of the schedule.

        Parameters
        ----------
        epoch : int
            Number of the epoch.
        scheduled : callable
            Returns the learning rate at its beginning by the schedule, which holds until a callback
            has set another one.
        """
        if not self:
            return math.nan
        self._call("on_epoch_begin", epoch, {}, scheduled)
        return self._rate() if self._fixed else math.nan

    def end_epoch(
        self, epoch: int, figures: Mapping[str, float], last: Callable[[], float]
    ) -> None:
        """End an epoch, counted from 0; `last` returns the rate of its last step."""
        if self:
            self._call("on_epoch_end", epoch, figures, last)

    def stop(self) -> None:
        """End the run."""
        for each in self._callbacks:
            each.on_train_end()

    def _call(
        self, hook: str, epoch: int, figures: Mapping[str, float], rate: Callable[[], float]
    ) -> None:
        """Call a hook of every callback, and keep the learning rate if one has changed it."""
        if not self._fixed:
            self._model.optimizer.learning_rate = rate()
        before = self._rate()
        logs = dict(figures)  # shared: LearningRateScheduler adds the rate for those after it
        for each in self._callbacks:
            getattr(each, hook)(epoch, logs)
        self._fixed = self._fixed or self._rate() != before

    def _rate(self) -> float:
        rate = float(self._model.optimizer.learning_rate.value)
        if not (math.isfinite(rate) and rate >= 0):
            raise InvalidParameter(
                "callbacks",
                expected="learning rates that are finite numbers, at least 0",
                received=str(rate),
                remedy="check the callback that sets model.optimizer.learning_rate",
            )
        return rate


def _check(callback: Any) -> None:
    if not isinstance(callback, keras.callbacks.Callback):
        raise _unknown(callback)
    base = keras.callbacks.Callback
    never = [
        name
        for name in _NEVER_CALLED
        if name in vars(callback) or getattr(type(callback), name) is not getattr(base, name)
    ]
    if never:
        name = type(callback).__name__
        raise InvalidParameter(
            f"callbacks: {name}",
            expected="hooks of epochs and of training: an epoch is one compiled program, so "
            "nothing can run between two batches",
            received=", ".join(never),
            remedy=_INSTEAD.get(name, "use on_epoch_begin or on_epoch_end"),
        )


def _unknown(received: Any) -> InvalidParameter:
    return InvalidParameter(
        "callbacks",
        expected="a keras.callbacks.Callback or a list of them",
        received=repr(received)[:200],
        remedy="for example callbacks=[keras.callbacks.CSVLogger('log.csv')]",
    )
