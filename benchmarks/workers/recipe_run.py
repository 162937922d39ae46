"""Worker: a complete recipe, or only its layers, trained by isthmus or plain Keras.

job: data, recipe, by ("recipe", "isthmus" or "keras"), rows, epochs, seed
"""

from collections.abc import Callable
from typing import Any

import job
import keras
import numpy as np
import textbook
from keras import layers

import isthmus as ist
from isthmus.recipes import denoising, supervised_2
from isthmus.recipes.catalogue import RECIPES
from isthmus.recipes.digits import from_file
from isthmus.recipes.keras_pair import KerasPair
from isthmus.recipes.plan import RecipePlan

KERAS_LOSSES = {"bce": "binary_crossentropy", "mse": "mean_squared_error"}
Rows = np.ndarray


def by_isthmus(
    name: str, system: KerasPair, plan: RecipePlan, train: Rows, y: Rows, test: Rows
) -> float:
    settings = system.settings(plan)
    if name == "variational":
        model = ist.VariationalAutoencoder(**settings, likelihood="mse").fit(train)
        noise = np.zeros((len(test), model.latent_dim_), np.float32)
        said = model.network_.full.predict([test, noise], batch_size=1000, verbose=0)
        return job.negative_elbo(test, said["reconstruction"], said["mean"], said["log_variance"])
    settings["loss"] = system.loss
    if name == "denoising":
        model = ist.DenoisingAutoencoder(**settings, noise_level=denoising.NOISE).fit(train)
        return job.cross_entropy(test, model.denoise(job.noisy(test, seed=1)))
    if name == "supervised-2":
        model = ist.SupervisedAutoencoder(**settings, **supervised_2.HEAD).fit(train, y)
    else:
        scale = "none" if name == "dense-25-elu" else "auto"
        model = ist.Autoencoder(**settings, scale=scale).fit(train)
    return figure_of(name, system)(test, model.reconstruct(test))


def by_keras(
    name: str, system: KerasPair, plan: RecipePlan, train: Rows, y: Rows, test: Rows
) -> float:
    keras.utils.set_random_seed(plan.seed)
    run = {"batch_size": system.batch_size, "epochs": plan.epochs, "verbose": 0}
    if name == "variational":
        model = textbook.variational()
        model.compile(optimizer=system.optimizer(), loss=textbook.pixels_squared)
        model.fit(train, train, **run)
        return textbook.figure(name, model, test, test)
    encoder, decoder = system.pair(plan.seed)
    model = keras.Sequential([encoder, decoder])
    loss = KERAS_LOSSES.get(system.loss, system.loss)
    if name == "supervised-2":
        both = keras.Model(encoder.inputs, [model(encoder.inputs[0]), head(encoder.outputs[0])])
        both.compile(
            optimizer=system.optimizer(),
            loss=[loss, "sparse_categorical_crossentropy"],
            loss_weights=[1.0, supervised_2.HEAD["classification_weight"]],
        )
        both.fit(train, [train, y], **run)
    else:
        noisy = name == "denoising"
        model.compile(optimizer=system.optimizer(), loss=loss)
        model.fit(job.noisy(train) if noisy else train, train, **run)
    given = job.noisy(test, seed=1) if name == "denoising" else test
    return figure_of(name, system)(test, model.predict(given, batch_size=1000, verbose=0))


def head(code: Any) -> Any:
    for size in supervised_2.HEAD["head_hidden"]:
        code = layers.Dense(size, activation="tanh")(code)
        code = layers.Dropout(supervised_2.HEAD["head_dropout"])(code)
    return layers.Dense(10, activation="softmax")(code)


def figure_of(name: str, system: KerasPair) -> Callable[[Rows, Rows], float]:
    if name == "linear-2":
        return lambda target, logits: job.cross_entropy(target, 1 / (1 + np.exp(-logits)))
    return job.cross_entropy if system.loss == "bce" else job.squared_error


def layers_alone(task: Any) -> dict[str, Any]:
    system = RECIPES[task.recipe].system
    train, test = job.mnist(task.data, task.rows, shape=system.shape)
    with np.load(task.data) as arrays:
        labels = arrays["y_train"][: task.rows]
    if task.recipe == "dense-25-elu":
        train, test = train * 255, test * 255
    trained = {"isthmus": by_isthmus, "keras": by_keras}[task.by]
    plan = RecipePlan(task.epochs, task.seed)
    return {"loss": trained(task.recipe, system, plan, train, labels, test)}


def whole(task: Any) -> dict[str, Any]:
    result = RECIPES[task.recipe].run(from_file(task.data), epochs=task.epochs, seed=task.seed)
    figures = [(f.name, f.text, f.claim, f.holds) for f in result.figures]
    return {"figures": figures, "seconds": result.seconds}


def main() -> None:
    task = job.read()
    job.report(**(whole(task) if task.by == "recipe" else layers_alone(task)))


if __name__ == "__main__":
    main()
