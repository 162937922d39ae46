"""A run as a Python loop over batches, with the formulas of optimizers written out."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.dense import Dense
from isthmus.networks.linear import Linear
from isthmus.networks.network import join
from isthmus.objectives.objective import Objective
from isthmus.objectives.reconstruction import mse
from isthmus.objectives.sparsity import l1
from isthmus.training.batches import shuffled
from isthmus.training.config import TrainingConfig

SEED, BATCH, SPARSITY = 4, 16, 0.05
OBJECTIVE = Objective(mse, (l1(SPARSITY),))
NETWORKS = {
    "linear": Linear(),
    "dense": Dense((6,), normalization="none", linear_path=False),
    "batch normalization": Dense((6,), linear_path=False),
}


def network(architecture):
    return join(NETWORKS[architecture], (5,), DeterministicBottleneck(2), values="real", seed=1)


class Adam:
    """Kingma and Ba, 2015, algorithm 1, with the step size of section 2."""

    def __init__(self, weights):
        self.steps = 0
        self.first = [np.zeros(w.shape) for w in weights]
        self.second = [np.zeros(w.shape) for w in weights]

    def __call__(self, weights, gradients, rate):
        self.steps += 1
        moved = []
        for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            self.first[i] = 0.9 * self.first[i] + 0.1 * gradient
            self.second[i] = 0.999 * self.second[i] + 0.001 * gradient**2
            size = rate * math.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
            moved.append(weight - size * self.first[i] / (np.sqrt(self.second[i]) + 1e-7))
        return moved


class Sgd:
    def __init__(self, weights):
        pass

    def __call__(self, weights, gradients, rate):
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)]


SLOW = {"adam": Adam, "sgd": Sgd}


def slow_rate(recipe, done):
    """Rise to the learning rate over the warm-up, then fall by half a cosine to 0."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if done < recipe.warmup:
        return recipe.learning_rate * done / recipe.warmup
    return (
        recipe.learning_rate
        * (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup)))
        / 2
    )


def clipped(gradients, norm):
    if norm is None:
        return gradients
    length = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    return [g * min(1.0, norm / length) for g in gradients]


def batch_loss(model, trainable, fixed, target, training):
    """The mean squared error of the cells that are there, and the mean size of the code."""
    there = ~jnp.isnan(target)
    filled = jnp.where(there, target, 0)
    outputs, fixed = model.stateless_call(trainable, fixed, filled, training=training)
    squares = jnp.square(outputs["reconstruction"] - filled) * there
    rows = squares.sum(axis=1) / there.sum(axis=1) + SPARSITY * jnp.abs(outputs["code"]).mean(
        axis=1
    )
    return rows, fixed


class SlowRun:
    """A run in Python: shuffle, and for each batch a gradient and a step."""

    def __init__(self, net, recipe, matrix, training):
        self.model, self.recipe, self.matrix, self.training = net.full, recipe, matrix, training
        self.weights = [np.asarray(v.value) for v in self.model.trainable_variables]
        self.fixed = [v.value for v in self.model.non_trainable_variables]
        self.optimizer = SLOW[recipe.optimizer](self.weights)
        self.steps = math.ceil(len(training) / BATCH)
        self.done = 0

        def loss(trainable, fixed, target, there):
            each, fixed = batch_loss(self.model, trainable, fixed, target, True)
            return (each * there).sum() / there.sum(), (each, fixed)

        self.gradient = jax.jit(jax.grad(loss, has_aux=True))

    def epoch(self, number):
        """Train on every row once; return the mean loss of the rows."""
        order = shuffled(self.training, BATCH, seed=SEED, epoch=number).rows.ravel()
        losses = []
        for step in range(self.steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            counted = min(BATCH, len(self.training) - step * BATCH)  # the others are padding
            there = np.arange(BATCH) < counted
            trainable = [jnp.asarray(w, jnp.float32) for w in self.weights]
            gradients, (each, self.fixed) = self.gradient(
                trainable, self.fixed, self.matrix[rows], there
            )
            each = each[:counted]
            losses += np.asarray(each).tolist()
            self.done += 1
            rate = slow_rate(self.recipe, (self.done - 0.5) / (self.steps * self.recipe.epochs))
            gradients = clipped([np.asarray(g) for g in gradients], self.recipe.clip_norm)
            self.weights = self.optimizer(self.weights, gradients, rate)
        assert len(losses) == len(self.training)
        return sum(losses) / len(losses)

    def validation_loss(self, held):
        trainable = [jnp.asarray(w, jnp.float32) for w in self.weights]
        each, _ = batch_loss(self.model, trainable, self.fixed, self.matrix[held], False)
        return float(each.mean())

    def all_weights(self):
        return [*self.weights, *(np.array(value) for value in self.fixed)]


def weights_of(net):
    variables = net.full.trainable_variables + net.full.non_trainable_variables
    return [np.asarray(v.value) for v in variables]


def recipe(**settings):
    plain = {"epochs": 3, "batch_size": BATCH, "learning_rate": 0.02, "patience": None}
    return TrainingConfig(**plain | settings)


def assert_close(found, expected, within=1e-5):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=10 * within, atol=within)
