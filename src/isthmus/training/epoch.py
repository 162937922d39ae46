"""The compiled epoch, and the only place that reduces over samples.

An epoch is one program: a loop over steps whose bounds are arguments. The program can run the whole
range at once, or parts of it with bit-identical results. Between parts, control returns to Python,
which can handle an interrupt.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.program_cache import Program
from isthmus.core.types import (
    Batch,
    Corrupted,
    Corruption,
    Outputs,
    SampleChange,
    TrainState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

    from isthmus.networks.network import Network
    from isthmus.objectives.objective import Objective
    from isthmus.training.devices import Devices
    from isthmus.training.optimizer_step import OptimizerStep

Array = jax.Array

_AUGMENTATION = 16
"""Sets the keys of augmentation apart from the others of a step."""


class Tally(NamedTuple):
    """The running totals of an epoch."""

    step: Array
    """Steps done; after a non-finite loss, the index of the step that caused it."""
    loss: Array
    """Sum of the weighted losses of the rows."""
    weight: Array
    """Sum of the weights of the rows."""
    finite: Array
    """Whether every loss so far was finite."""
    measured: Array | None = None
    """(metrics, 2), the sum and weight of each metric; None without metrics."""


class EpochRows(NamedTuple):
    """The rows of an epoch on the device."""

    matrix: Array
    """(n, *sample_shape); NaN marks a missing cell where `missing` is set."""
    order: Array
    """(batches, batch_size), row numbers."""
    weights: Array
    """(batches, batch_size)"""
    labels: Array | None = None
    """(n,) or (n, targets), NaN where missing; None without labels."""
    inputs: Array | None = None
    """(n, *sample_shape), what the network sees instead of `matrix`, which is then only the target;
    NaN marks a missing cell. None: the network sees `matrix`."""


class StepRange(NamedTuple):
    """The position of an epoch in the run: its number, the steps before it, and the total steps.

    Steps are floats, because a run may have more than an int32 can count.
    """

    epoch: Array | np.uint32
    offset: Array | np.float32
    total: Array | np.float32
    rate: Array | np.float32 | None = None
    """The learning rate of all steps; NaN for that of the schedule. None: always the schedule."""


class Programs(NamedTuple):
    """The compiled functions of a run."""

    train: Program
    evaluate: Program


def fresh_tally(metrics: int = 0) -> Tally:
    """Return the tally before the first step, on the host."""
    # NumPy scalars: creating JAX scalars takes longer than a step of a table.
    zero: Any = np.float32(0)
    step: Any = np.int32(0)
    finite: Any = np.bool_(True)
    measured: Any = np.zeros((metrics, 2), np.float32) if metrics else None
    return Tally(step, zero, zero, finite, measured)


def compile_programs(
    network: Network,
    objective: Objective,
    update: OptimizerStep,
    devices: Devices,
    *,
    missing: bool,
    corruption: Corruption | None = None,
    mirrored: tuple[int, ...] = (),
    augmentation: SampleChange | None = None,
    own_rows: bool = False,
    brief: bool = False,
) -> Programs:
    """Build the programs of a run; they compile when they are first called.

    Parameters
    ----------
    network : Network
        Its weights are not read or written: they are part of the TrainState.
    objective : Objective
        The objective to minimise.
    update : OptimizerStep
        A step for the network's trainable variables.
    devices : Devices
        They share the rows of each step.
    missing : bool
        Whether the matrix contains NaN for missing cells.
    corruption : callable or None
        Corrupts the inputs of each step; the target stays clean.
    mirrored : tuple of int
        Axes of a batch along which each training step reverses rows at random.
    augmentation : callable or None
        Changes the rows of each training step, inputs and target alike.
    own_rows : bool
        Whether each device trains the rows that `Devices.place_own` gave it, rather than its part
        of the same batches.
    brief : bool
        Whether the run takes less time than compiling (`isthmus.core.program_cache.Program`).
    """
    loss = partial(_loss, network, network.fast(), objective)
    gradient = _in_pieces(jax.value_and_grad(loss, has_aux=True), network, objective.codes)

    def step(
        state: TrainState,
        batch: Batch,
        key: Array,
        progress: Array,
        middle: Array,
        rate: Array | np.float32 | None,
    ) -> Any:
        batch = _corrupted(batch, corruption, key)
        (value, (non_trainable, measured)), gradients = gradient(
            state.trainable, state.non_trainable, batch, key, progress, training=True
        )
        (value, non_trainable, gradients), measured, weight = devices.combined(
            (value, non_trainable, gradients), measured, batch.weight.sum()
        )
        trainable, slots = update(state.optimizer, gradients, state.trainable, middle, rate)
        return TrainState(trainable, non_trainable, slots), (value, measured, weight)

    def train(
        state: TrainState, tally: Tally, rows: EpochRows, stop: Array, span: StepRange, key: Array
    ) -> tuple[TrainState, Tally]:
        key = devices.own_key(jax.random.fold_in(key, span.epoch))
        rows = rows if own_rows else _own(rows, devices)

        def body(carry: tuple[TrainState, Tally]) -> tuple[TrainState, Tally]:
            state, tally = carry
            done = (span.offset + tally.step) / span.total
            # The schedule is evaluated in the middle of the step: at its ends it may be 0.
            middle = done + 0.5 / span.total
            noise = jax.random.fold_in(key, tally.step)
            change = partial(_changed, axes=mirrored, augmentation=augmentation, key=noise)
            batch = _batch(rows, tally.step, missing=missing, change=change)
            state, figures = step(state, batch, noise, done, middle, span.rate)
            return state, _add(tally, *figures)

        def unfinished(carry: tuple[TrainState, Tally]) -> Array:
            return (carry[1].step < stop) & carry[1].finite

        return jax.lax.while_loop(unfinished, body, (state, tally))

    def evaluate(
        trainable: list[Array],
        non_trainable: list[Array],
        rows: EpochRows,
        steps: Array,
        progress: Array,
        key: Array,
    ) -> Tally:
        key, rows = devices.own_key(key), _own(rows, devices)

        def body(tally: Tally) -> Tally:
            batch = _batch(rows, tally.step, missing=missing)
            # A step has the same key in every evaluation, so a row gets the same noise each time.
            noise = jax.random.fold_in(key, tally.step)
            batch = _corrupted(batch, corruption, noise)
            value, (_, measured) = loss(
                trainable, non_trainable, batch, noise, progress, training=False
            )
            return _add(tally, *devices.combined(value, measured, batch.weight.sum()))

        def unfinished(tally: Tally) -> Array:
            return (tally.step < steps) & tally.finite

        return jax.lax.while_loop(unfinished, body, fresh_tally(len(objective.metrics)))

    return Programs(
        Program(
            devices.spread(train, _training_specs if own_rows else None),
            donate=(0, 1),
            brief=brief,
        ),
        Program(devices.spread(evaluate), brief=brief),
    )


def _loss(
    network: Network,
    fast: keras.Model,
    objective: Objective,
    trainable: list[Array],
    non_trainable: list[Array],
    batch: Batch,
    key: Array,
    progress: Array,
    *,
    training: bool,
) -> tuple[Array, tuple[list[Array], Array | None]]:
    def run(fed: Any) -> Any:
        return fast.stateless_call(
            trainable, non_trainable, fed, training=training, return_losses=True
        )

    rows = batch
    if objective.codes == 1:
        outputs, updated, losses = run(_fed(network, batch.inputs, key))
    else:
        (outputs, updated, losses), batch = _with_codes(network, objective.codes, run, batch, key)
    made = Outputs(**{name: value.astype(jnp.float32) for name, value in outputs.items()})
    if objective.needs_sensitivity:
        sensitivity = _sensitivity(network, trainable, non_trainable, batch.inputs, key)
        made = made._replace(sensitivity=sensitivity)
    per_sample = objective(batch, made, progress)
    mean = jnp.sum(per_sample * rows.weight) / jnp.maximum(jnp.sum(rows.weight), 1.0)
    # Regularisers and activity losses of layers passed by the user.
    return mean + sum(losses, jnp.float32(0)), (updated, _measured(objective, batch, made))


def _with_codes(
    network: Network, codes: int, run: Callable[[Any], Any], batch: Batch, key: Array
) -> tuple[Any, Batch]:
    """Return what a network computes from several codes of each row, and the rows repeated.

    Only the noise differs between the codes of a row, so the encoder runs once for all.
    """
    noise = jax.random.normal(_noise_key(key), (codes, len(batch.weight), network.noise_dim))
    outputs, updated, losses = jax.vmap(lambda each: run([batch.inputs, each]))(noise)

    def joined(each: Array) -> Array:
        return each.reshape(-1, *each.shape[2:])

    outputs = {name: joined(each) for name, each in (outputs | {"noise": noise}).items()}
    # Random layers are in the same state after each code. So are statistics of batches, nearly.
    updated = [each[0] for each in updated]
    losses = [each.mean(axis=0) for each in losses]
    repeated = jax.tree.map(lambda each: joined(jnp.stack([each] * codes)), batch)
    return (outputs, updated, losses), repeated


def _measured(objective: Objective, batch: Batch, outputs: Outputs) -> Array | None:
    """Return the sum and weight of each metric over the rows that have it, (metrics, 2)."""
    if not objective.metrics:
        return None

    def sums(values: Array) -> Array:
        weight = jnp.where(jnp.isnan(values), 0.0, batch.weight)
        return jnp.array([jnp.sum(jnp.nan_to_num(values) * weight), weight.sum()])

    return jnp.stack([sums(metric.value(batch, outputs)) for metric in objective.metrics])


def _sensitivity(
    network: Network, trainable: list[Array], non_trainable: list[Array], inputs: Array, key: Array
) -> Array:
    """Estimate ||d code / d input||_F^2 for each row from one normal direction, (n,).

    It uses the original model, because the fast form only has reverse-mode gradients.
    """

    def encode(x: Array) -> Array:
        # Inference mode: batch statistics would couple the rows.
        fed = _fed(network, x, key)
        outputs, _ = network.full.stateless_call(trainable, non_trainable, fed, training=False)
        return outputs["code"]  # type: ignore[no-any-return]

    direction = jax.random.normal(key, inputs.shape, inputs.dtype)
    _, change = jax.jvp(encode, (inputs,), (direction,))
    return jnp.sum(jnp.square(change), axis=-1)


def _in_pieces(gradient: Callable[..., Any], network: Network, codes: int) -> Callable[..., Any]:
    """Return `gradient` computed in pieces of the size that is fastest on this machine."""

    def summed(
        trainable: list[Array],
        non_trainable: list[Array],
        batch: Batch,
        key: Array,
        progress: Array,
        *,
        training: bool,
    ) -> Any:
        rows = len(batch.weight)
        pieces = rows // network.rows_at_once(rows, codes)
        if pieces == 1:
            return gradient(trainable, non_trainable, batch, key, progress, training=training)
        parts = jax.tree.map(lambda array: array.reshape(pieces, -1, *array.shape[1:]), batch)
        batch_weight = jnp.maximum(batch.weight.sum(), 1.0)

        def add(carry: Any, piece: tuple[Batch, Array]) -> tuple[Any, None]:
            (value, fixed, total), (part, number) = carry, piece
            fraction = part.weight.sum() / batch_weight
            noise = jax.random.fold_in(key, number)
            (new, (fixed, measured)), change = gradient(
                trainable, fixed, part, noise, progress, training=training
            )
            total = jax.tree.map(lambda t, c: t + fraction * c, total, change)
            return (value + fraction * new, fixed, total), measured

        zeros = jax.tree.map(jnp.zeros_like, trainable)
        start = (jnp.float32(0), non_trainable, zeros)
        (value, fixed, total), by_piece = jax.lax.scan(add, start, (parts, jnp.arange(pieces)))
        measured = None if by_piece is None else by_piece.sum(axis=0)
        return (value, (fixed, measured)), total

    return summed


def _fed(network: Network, inputs: Array, key: Array) -> Any:
    """Return the network's inputs, with noise if it samples its code."""
    if network.noise_dim == 0:
        return inputs
    return [inputs, jax.random.normal(_noise_key(key), (len(inputs), network.noise_dim))]


def _noise_key(key: Array) -> Array:
    """Return the key of the noise that codes are sampled from."""
    return jax.random.fold_in(key, 1)


def _corrupted(batch: Batch, corruption: Corruption | None, key: Array) -> Batch:
    if corruption is None:
        return batch
    inputs = corruption(jax.random.fold_in(key, 2), batch.inputs)
    if isinstance(inputs, Corrupted):
        inputs, counted, target = inputs
        copies = len(inputs) // len(batch.inputs)
        batch = jax.tree.map(lambda rows: jnp.concatenate([rows] * copies), batch)
        if counted is not None:
            counted = counted if batch.observed is None else batch.observed * counted
            batch = batch._replace(observed=counted)
        if target is not None:
            batch = batch._replace(target=target)
    if batch.shown is not None:  # noise must not reach missing cells
        inputs = inputs * batch.shown
    return batch._replace(inputs=inputs)


def _training_specs(rows: Any, batches: Any, same: Any) -> tuple[Any, ...]:
    """Return where the arguments of a training program are, for `Devices.spread`."""
    return same, same, EpochRows(rows, batches, batches), same, same, same


def _own(rows: EpochRows, devices: Devices) -> EpochRows:
    order, weights = (devices.own_part(each) for each in (rows.order, rows.weights))
    return rows._replace(order=order, weights=weights)


def _changed(
    samples: Array, axes: tuple[int, ...], augmentation: SampleChange | None, key: Array
) -> Array:
    samples = _mirrored(samples, axes, key)
    if augmentation is None:
        return samples
    return augmentation(jax.random.fold_in(key, _AUGMENTATION), samples)


def _mirrored(target: Array, axes: tuple[int, ...], key: Array) -> Array:
    """Reverse each row along each of the axes with probability a half."""
    for axis in axes:
        coins = jax.random.bernoulli(jax.random.fold_in(key, 2 + axis), shape=(len(target),))
        coins = coins.reshape(-1, *(1,) * (target.ndim - 1))
        target = jnp.where(coins, jnp.flip(target, axis), target)
    return target


def _batch(
    rows: EpochRows, step: Array, *, missing: bool, change: Callable[[Array], Array] | None = None
) -> Batch:
    index, weight = rows.order[step], rows.weights[step]
    target = jnp.take(rows.matrix, index, axis=0, mode="clip")
    if change is not None:
        target = change(target)
    y = None if rows.labels is None else jnp.take(rows.labels, index, axis=0, mode="clip")
    if rows.inputs is None and not missing:
        return Batch(target, target, weight, y=y)
    target, observed = _with_zeros(target)
    if rows.inputs is None:
        return Batch(target, target, weight, observed, y, observed)
    inputs = jnp.take(rows.inputs, index, axis=0, mode="clip")
    inputs, shown = _with_zeros(inputs if change is None else change(inputs))
    return Batch(inputs, target, weight, observed, y, shown)


def _with_zeros(rows: Array) -> tuple[Array, Array]:
    """Return rows with 0 for missing cells, and a mask that is 0 there and 1 elsewhere."""
    present = ~jnp.isnan(rows)
    return jnp.where(present, rows, 0.0), present.astype(jnp.float32)


def _add(tally: Tally, value: Array, measured: Array | None, weight: Array) -> Tally:
    finite = jnp.isfinite(value)
    sums = None
    if tally.measured is not None and measured is not None:
        sums = tally.measured + jnp.where(finite, measured, 0.0)
    return Tally(
        tally.step + finite.astype(jnp.int32),  # stays at a step whose loss is not finite
        tally.loss + jnp.where(finite, value * weight, 0.0),
        tally.weight + jnp.where(finite, weight, 0.0),
        tally.finite & finite,
        sums,
    )
