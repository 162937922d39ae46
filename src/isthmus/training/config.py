"""How to train: everything about a run but the network, the objective and the data."""

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
        Passes over the training rows, at most.
    batch_size : int
        Rows per step.
    optimizer : str or keras.optimizers.Optimizer
        A name with the settings below, or an optimizer used as it is (from its configuration).
    learning_rate : float
        The highest one.
    schedule : {"cosine", "constant"}
        Cosine: a linear warm-up, then half a cosine to 0 (Loshchilov and Hutter, 2017).
    warmup : float
        Share of all steps that the warm-up takes.
    clip_norm : float or None
        Upper bound of the gradient's norm over all weights.
    patience : int or None
        Epochs without a better validation loss after which training stops; None never stops.
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
            `optimizer` is neither a known name nor an optimizer, or one that scales losses or
            averages weights.
        """
        if self.scheduled:
            return OPTIMIZERS[self.optimizer](self.learning_rate, global_clipnorm=self.clip_norm)
        if not isinstance(self.optimizer, keras.optimizers.Optimizer):
            raise InvalidParameter(
                "optimizer",
                expected=f"a keras optimizer or one of {', '.join(map(repr, OPTIMIZERS))}",
                received=repr(self.optimizer),
                remedy="pass optimizer='adam', or after loading the optimizer itself again",
            )
        _refuse_unsupported(self.optimizer)
        return type(self.optimizer).from_config(self.optimizer.get_config())

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate is the recipe's; an optimizer that was given has its own."""
        return isinstance(self.optimizer, str) and not self.optimizer.startswith("custom:")

    def rate_at(self, progress: Any) -> Any:
        """Return the learning rate when `progress` of all steps, 0 to 1, are done.

        Takes and returns a number or an array of JAX.
        """
        numbers: Any = np if isinstance(progress, float) else jnp
        if SCHEDULES[self.schedule] == "constant":
            return self.learning_rate * numbers.ones_like(progress)
        rising = progress / self.warmup
        falling = 0.5 * (1 + numbers.cos(np.pi * (progress - self.warmup) / (1 - self.warmup)))
        return self.learning_rate * numbers.minimum(numbers.minimum(rising, 1.0), falling)


def _refuse_unsupported(optimizer: Any) -> None:
    """Refuse what needs steps of its own in a training loop, instead of leaving it out silently."""
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
