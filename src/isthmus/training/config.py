"""How to train: everything about a run except the network, the objective and the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter

OPTIMIZERS: Catalogue[Any] = Catalogue(
    "optimizer",
    {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "nadam": keras.optimizers.Nadam,
        "adamax": keras.optimizers.Adamax,
        "adagrad": keras.optimizers.Adagrad,
        "adadelta": keras.optimizers.Adadelta,
        "rmsprop": keras.optimizers.RMSprop,
        "lion": keras.optimizers.Lion,
        "sgd": keras.optimizers.SGD,
    },
)
SCHEDULES = Catalogue("schedule", {"cosine": "cosine", "constant": "constant"})


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run.

    Parameters
    ----------
    epochs : int
        Maximum number of passes over the training rows.
    batch_size : int
        Rows per step.
    optimizer : str or keras.optimizers.Optimizer
        A name, used with the settings below, or an optimizer, which is copied unchanged.
    learning_rate : float
        The maximum of the schedule.
    schedule : {"cosine", "constant"}
        Cosine: a linear warm-up, then half a cosine to 0 (Loshchilov and Hutter, 2017).
    warmup : float
        Fraction of all steps that the warm-up takes.
    clip_norm : float or None
        Maximum norm of the gradient over all weights; larger ones are scaled down.
    patience : int or None
        Training stops after this many epochs without a better validation loss; None never stops
        early.
    """

    epochs: int
    batch_size: int
    optimizer: Any = "adam"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.05
    clip_norm: float | None = 1.0
    patience: int | None = 10

    def build_optimizer(self) -> Any:
        """Return a fresh Keras optimizer.

        Raises
        ------
        InvalidParameter
            `optimizer` is neither a known name nor an optimizer, or it scales losses or averages
            weights.
        """
        if self.scheduled:
            return OPTIMIZERS[self.optimizer](self.learning_rate, global_clipnorm=self.clip_norm)
        if not isinstance(self.optimizer, keras.optimizers.Optimizer):
            raise InvalidParameter(
                "optimizer",
                expected=f"a keras optimizer or one of {', '.join(map(repr, OPTIMIZERS))}",
                received=repr(self.optimizer),
                remedy="pass optimizer='adam'; after loading a model, pass the optimizer again",
            )
        _refuse_unsupported(self.optimizer)
        return type(self.optimizer).from_config(self.optimizer.get_config())

    @property
    def scheduled(self) -> bool:
        """Whether this configuration sets the learning rate; a given optimizer has its own."""
        return isinstance(self.optimizer, str) and not self.optimizer.startswith("custom:")

    def rate_at(self, progress: Any) -> Any:
        """Return the learning rate after a fraction `progress` of all steps, 0 to 1.

        Takes and returns a float or a JAX array.
        """
        numbers: Any = np if isinstance(progress, float) else jnp
        if SCHEDULES[self.schedule] == "constant":
            return self.learning_rate * numbers.ones_like(progress)
        rising = progress / self.warmup
        falling = 0.5 * (1 + numbers.cos(np.pi * (progress - self.warmup) / (1 - self.warmup)))
        return self.learning_rate * numbers.minimum(numbers.minimum(rising, 1.0), falling)


def _refuse_unsupported(optimizer: Any) -> None:
    """Refuse optimizers that need extra steps, which the training loop does not take."""
    scales = getattr(optimizer, "loss_scale_factor", None) is not None
    if scales or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        raise InvalidParameter(
            "optimizer",
            expected="one without loss scaling",
            received=type(optimizer).__name__,
            remedy="leave out loss_scale_factor; bfloat16 needs none",
        )
    if optimizer.use_ema:
        raise InvalidParameter(
            "optimizer",
            expected="one with use_ema=False",
            received="use_ema=True",
            remedy="leave it out; the best weights are kept",
        )
