"""The best weights, which a run keeps, against a loop that compares losses; states as arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_run import OBJECTIVE, SEED, SlowRun, assert_close, network, recipe, weights_of

from isthmus.core.types import TrainState
from isthmus.training.devices import Devices
from isthmus.training.loop import TrainingData, train
from isthmus.training.snapshots import pack, unpack

VALIDATION, TRAINING = np.arange(12), np.arange(12, 50)


def rows_of(seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 5)) + 0.5 * rng.normal(size=(50, 5))
    return rows.astype(np.float32)


def slow_training(run, patience):
    """Train until patience is out; return the losses, the best epoch, and its weights."""
    losses, best, kept = [], 0, None
    for epoch in range(1, run.recipe.epochs + 1):
        run.epoch(epoch)
        losses.append(run.validation_loss(VALIDATION))
        if losses[-1] == min(losses):
            best, kept = epoch, run.all_weights()
        if patience is not None and epoch - best >= patience:
            break
    return losses, best, kept


@pytest.mark.parametrize("patience", [None, 1, 3])
@pytest.mark.parametrize("seed", range(2))
def test_the_weights_kept_are_those_of_a_plain_loop(seed, patience):
    matrix, net = rows_of(seed), network("linear")
    config = recipe(epochs=10, learning_rate=0.3, schedule="constant", patience=patience)
    losses, best, kept = slow_training(SlowRun(net, config, matrix, TRAINING), patience)
    history = train(net, OBJECTIVE, TrainingData(matrix, TRAINING, VALIDATION), config, seed=SEED)
    np.testing.assert_allclose(history.epochs["val_loss"], losses, rtol=1e-4)
    assert history.best_epoch == best < len(losses)  # so that keeping the last would be wrong
    assert history.stop_reason == ("finished" if len(losses) == 10 else "early stopping")
    assert_close(weights_of(net), kept, within=1e-3)  # ten epochs of large steps


def state():
    rng = np.random.default_rng(0)
    shapes = [(3, 2), (2,), ()]

    def values(dtype=np.float32):
        return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]

    return TrainState(values(), values(), [jnp.int32(7), *values()]), (values(), values())


def test_a_state_comes_back_from_its_arrays():
    given, best = state()
    arrays = pack(given, best)
    assert len(arrays) == sum(map(len, (*given, *best)))
    fresh, _ = state()
    back, kept = unpack(dict(sorted(arrays.items())), fresh)
    for found, expected in zip((*back, *kept), (*given, *best), strict=True):
        for one, other in zip(found, expected, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            np.testing.assert_array_equal(one, other)


def test_what_was_packed_or_copied_survives_the_arrays_that_it_came_from():
    given, best = state()
    expected = [np.array(value) for value in given.trainable]
    arrays, copied = pack(given, best), Devices(jax.devices()[:1]).copies(given.trainable)
    step = jax.jit(lambda values: [value + 1 for value in values], donate_argnums=0)
    step(given.trainable)  # consumes them, as a step of training does
    assert all(value.is_deleted() for value in given.trainable)
    for number, value in enumerate(expected):
        np.testing.assert_array_equal(arrays[f"trainable/{number}"], value)
        np.testing.assert_array_equal(copied[number], value)
