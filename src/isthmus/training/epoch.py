"""The compiled epoch, and the only place that reduces over samples.

An epoch is one program: a loop over steps whose bounds are arguments. Called with the whole range
it runs an epoch; called with parts of it, the same program gives the same bits, and control
returns to Python in between, where an interrupt can be honoured.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from isthmus.core.types import Batch, Outputs, TrainState

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.networks.network import Network
    from isthmus.objectives.objective import Objective

Array = jax.Array


class Tally(NamedTuple):
    """What an epoch has added up so far."""

    step: Array
    """Steps done; behind a loss that is not finite, the number of the step that had it."""
    loss: Array
    """Sum of the weighted losses of the rows."""
    weight: Array
    """Sum of the weights of the rows."""
    finite: Array
    """Whether every loss so far was a finite number."""


class Rows(NamedTuple):
    """The rows of an epoch on the device."""

    matrix: Array
    """(n, *sample_shape); NaN marks a missing cell where `missing` is set."""
    order: Array
    """(steps * batch_size,), row numbers."""
    weights: Array
    """(steps * batch_size,)"""


class Span(NamedTuple):
    """Where an epoch lies in the run, in steps: how many came before, and how many there are.

    Floats, since a run may have more steps than an int32 can count.
    """

    offset: Array
    total: Array


class Programs(NamedTuple):
    """The compiled functions of a run."""

    train: Callable[..., tuple[TrainState, Tally]]
    evaluate: Callable[..., Tally]


def fresh_tally() -> Tally:
    """Return the tally before the first step."""
    return Tally(jnp.int32(0), jnp.float32(0), jnp.float32(0), jnp.bool_(True))


def compile_programs(
    network: Network,
    objective: Objective,
    optimizer: Any,
    *,
    rate_at: Callable[[Array], Array] | None,
    missing: bool,
) -> Programs:
    """Build the programs of a run; they compile when they are first called.

    Parameters
    ----------
    network : Network
        Its weights are not read or written: they travel in the TrainState.
    objective : Objective
        What is minimised.
    optimizer : keras optimizer
        Built on the network's trainable variables.
    rate_at : callable or None
        The learning rate as a function of the progress; None leaves it to the optimizer.
    missing : bool
        Whether the matrix holds NaN for missing cells.
    """
    loss = partial(_loss, network, objective)
    gradient = jax.value_and_grad(loss, has_aux=True)
    rate_slot = position_of_rate(optimizer)

    def step(state: TrainState, batch: Batch, key: Array, progress: Array, middle: Array) -> Any:
        (value, non_trainable), gradients = gradient(
            state.trainable, state.non_trainable, batch, key, progress, training=True
        )
        slots = state.optimizer
        if rate_at is not None:
            slots = [rate_at(middle) if i == rate_slot else s for i, s in enumerate(slots)]
        trainable, slots = optimizer.stateless_apply(slots, gradients, state.trainable)
        return TrainState(trainable, non_trainable, slots), value

    @partial(jax.jit, donate_argnums=(0, 1), static_argnames="batch_size")
    def train(
        state: TrainState,
        tally: Tally,
        rows: Rows,
        stop: Array,
        span: Span,
        key: Array,
        *,
        batch_size: int,
    ) -> tuple[TrainState, Tally]:
        def body(carry: tuple[TrainState, Tally]) -> tuple[TrainState, Tally]:
            state, tally = carry
            batch = _batch(rows, tally.step, batch_size, missing=missing)
            done = (span.offset + tally.step) / span.total
            # The schedule as it is in the middle of the step: at its ends it may be 0.
            middle = done + 0.5 / span.total
            state, value = step(state, batch, jax.random.fold_in(key, tally.step), done, middle)
            return state, _add(tally, value, batch)

        def unfinished(carry: tuple[TrainState, Tally]) -> Array:
            return (carry[1].step < stop) & carry[1].finite

        return jax.lax.while_loop(unfinished, body, (state, tally))

    @partial(jax.jit, static_argnames="batch_size")
    def evaluate(
        trainable: list[Array],
        non_trainable: list[Array],
        rows: Rows,
        progress: Array,
        key: Array,
        *,
        batch_size: int,
    ) -> Tally:
        def body(tally: Tally) -> Tally:
            batch = _batch(rows, tally.step, batch_size, missing=missing)
            value, _ = loss(trainable, non_trainable, batch, key, progress, training=False)
            return _add(tally, value, batch)

        steps = rows.order.shape[0] // batch_size

        def unfinished(tally: Tally) -> Array:
            return (tally.step < steps) & tally.finite

        return jax.lax.while_loop(unfinished, body, fresh_tally())

    return Programs(train, evaluate)


def position_of_rate(optimizer: Any) -> int | None:
    """Return where the learning rate stands among an optimizer's variables, if it is one."""
    rate = optimizer.learning_rate
    places = [i for i, variable in enumerate(optimizer.variables) if variable is rate]
    return places[0] if places else None


def _loss(
    network: Network,
    objective: Objective,
    trainable: list[Array],
    non_trainable: list[Array],
    batch: Batch,
    key: Array,
    progress: Array,
    *,
    training: bool,
) -> tuple[Array, list[Array]]:
    outputs, updated, losses = network.full.stateless_call(
        trainable, non_trainable, batch.inputs, training=training, return_losses=True
    )
    made = Outputs(**{name: value.astype(jnp.float32) for name, value in outputs.items()})
    if objective.needs_sensitivity:
        sensitivity = _sensitivity(network, trainable, non_trainable, batch.inputs, key)
        made = made._replace(sensitivity=sensitivity)
    per_sample = objective(batch, made, progress)
    mean = jnp.sum(per_sample * batch.weight) / jnp.maximum(jnp.sum(batch.weight), 1.0)
    # Regularisers and activity losses that the user's own layers carry.
    return mean + sum(losses, jnp.float32(0)), updated


def _sensitivity(
    network: Network, trainable: list[Array], non_trainable: list[Array], inputs: Array, key: Array
) -> Array:
    """Estimate ||d code / d input||_F^2 for each row from one normal direction, (n,)."""

    def encode(x: Array) -> Array:
        # Inference mode: batch statistics would couple the rows.
        outputs, _ = network.full.stateless_call(trainable, non_trainable, x, training=False)
        return outputs["code"]  # type: ignore[no-any-return]

    direction = jax.random.normal(key, inputs.shape, inputs.dtype)
    _, change = jax.jvp(encode, (inputs,), (direction,))
    return jnp.sum(jnp.square(change), axis=-1)


def _batch(rows: Rows, step: Array, batch_size: int, *, missing: bool) -> Batch:
    start = step * batch_size
    index = jax.lax.dynamic_slice_in_dim(rows.order, start, batch_size)
    weight = jax.lax.dynamic_slice_in_dim(rows.weights, start, batch_size)
    target = jnp.take(rows.matrix, index, axis=0, mode="clip")
    if not missing:
        return Batch(target, target, weight)
    present = ~jnp.isnan(target)
    target = jnp.where(present, target, 0.0)
    return Batch(target, target, weight, present.astype(jnp.float32))


def _add(tally: Tally, value: Array, batch: Batch) -> Tally:
    weight = batch.weight.sum()
    finite = jnp.isfinite(value)
    return Tally(
        tally.step + finite.astype(jnp.int32),  # a bad step keeps its own number
        tally.loss + jnp.where(finite, value * weight, 0.0),
        tally.weight + jnp.where(finite, weight, 0.0),
        tally.finite & finite,
    )
