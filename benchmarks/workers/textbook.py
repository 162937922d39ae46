"""Worker: a textbook's recipe in plain Keras, as printed, and its test figure.

job: data, recipe, rows, epochs
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import job
import keras
import numpy as np
from keras import layers, ops
from keras_nets import Clock, pair


class Recipe(NamedTuple):
    build: Callable[[], keras.Model]
    optimizer: Callable[[], Any]
    loss: Any
    batch: int
    shape: tuple[int, ...]
    noisy: bool = False


def joined(net: str) -> Callable[[], keras.Model]:
    return lambda: keras.Sequential(pair(net))


class Sampling(layers.Layer):
    """Draws a code from the posterior, and adds the KL divergence from the prior to the loss."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs: Any) -> Any:
        mean, log_var = inputs
        divergence = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=1)
        self.add_loss(ops.mean(divergence))
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seeds)


def variational() -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    hidden = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(inputs)
    hidden = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(hidden)
    hidden = layers.Dense(16, activation="relu")(layers.Flatten()(hidden))
    mean = layers.Dense(2, name="mean")(hidden)
    log_var = layers.Dense(2, name="log_var")(hidden)
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(7 * 7 * 64, activation="relu"),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid"),
        ],
        name="decoder",
    )
    return keras.Model(inputs, decoder(Sampling(name="code")([mean, log_var])))


def pixels_squared(target: Any, rebuilt: Any) -> Any:
    return 784 * ops.mean(ops.square(target - rebuilt), axis=(1, 2, 3))


def adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(1e-3)


def rmsprop() -> keras.optimizers.Optimizer:
    return keras.optimizers.RMSprop(0.002, momentum=0.01)


BCE, PICTURE = "binary_crossentropy", (28, 28, 1)
RECIPES = {
    "dense-32": Recipe(joined("784-32-784"), adam, BCE, 256, (784,)),
    "deep-tanh-2": Recipe(joined("784-500-300-100-2"), rmsprop, BCE, 128, (784,)),
    "conv-upsampling": Recipe(joined("conv-upsampling"), adam, BCE, 256, PICTURE),
    "denoising": Recipe(joined("conv-upsampling"), adam, BCE, 256, PICTURE, noisy=True),
    "variational": Recipe(variational, adam, pixels_squared, 128, PICTURE),
}


def figure(name: str, model: keras.Model, test: np.ndarray, given: np.ndarray) -> float:
    if name != "variational":
        return job.cross_entropy(test, model.predict(given, batch_size=1000, verbose=0))
    posterior = keras.Model(
        model.inputs, [model.get_layer("mean").output, model.get_layer("log_var").output]
    )
    mean, log_var = posterior.predict(test, batch_size=1000, verbose=0)
    rebuilt = model.get_layer("decoder").predict(mean, batch_size=1000, verbose=0)
    return job.negative_elbo(test, rebuilt, mean, log_var)


def main() -> None:
    task = job.read()
    recipe = RECIPES[task.recipe]
    keras.utils.set_random_seed(0)
    train, test = job.mnist(task.data, task.rows, shape=recipe.shape)
    given = [job.noisy(x, seed=i) if recipe.noisy else x for i, x in enumerate((train, test))]
    model = recipe.build()
    model.compile(optimizer=recipe.optimizer(), loss=recipe.loss)
    clock = Clock()
    began = time.perf_counter()
    model.fit(
        *(given[0], train),
        batch_size=recipe.batch,
        epochs=task.epochs,
        verbose=0,
        callbacks=[clock],
    )
    job.report(
        epoch_seconds=clock.seconds,
        fit_seconds=time.perf_counter() - began,
        figure=figure(task.recipe, model, test, given[1]),
    )


if __name__ == "__main__":
    main()
