"""Worker: `transform` and `reconstruct`, or `keras.Model.predict`, of the same network on JAX.

job: who ("isthmus" or "keras"), rows, columns, calls, batches (of predict)
"""

import os
import time
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import job
import keras
import numpy as np
from keras import layers


def pair(columns: int) -> tuple[keras.Model, keras.Model]:
    inputs, code = keras.Input((columns,)), keras.Input((8,))
    encoder = keras.Sequential([inputs, layers.Dense(64, "relu"), layers.Dense(8)])
    return encoder, keras.Sequential([code, layers.Dense(64, "relu"), layers.Dense(columns)])


def isthmus(task: Any, some: np.ndarray) -> dict[str, tuple[Callable, Callable]]:
    import isthmus as ist

    encoder, decoder = pair(task.columns)
    model = ist.Autoencoder(
        encoder=encoder, decoder=decoder, epochs=1, random_state=0, verbose=0
    ).fit(some)
    return {"isthmus": (model.transform, model.reconstruct)}


def predict(task: Any, _: np.ndarray) -> dict[str, tuple[Callable, Callable]]:
    encoder, decoder = pair(task.columns)
    whole = keras.Sequential([encoder, decoder])

    def calls(batch: int) -> tuple[Callable, Callable]:
        return (
            lambda rows: encoder.predict(rows, batch_size=batch, verbose=0),
            lambda rows: whole.predict(rows, batch_size=batch, verbose=0),
        )

    return {f"batches of {batch}": calls(batch) for batch in task.batches}


def main() -> None:
    task = job.read()
    some = job.table(2_000, task.columns)
    ways = {"isthmus": isthmus, "keras": predict}[task.who](task, some)
    rows = job.table(task.rows, task.columns)
    answers = {}
    for name, (encode, rebuild) in ways.items():
        for call in (encode, rebuild):  # compile
            call(rows[:20_000])
            call(rows[:1])
        answers[name] = {
            "transform": seconds(lambda encode=encode: encode(rows)),
            "one": seconds(lambda encode=encode: [encode(rows[:1]) for _ in range(task.calls)])
            / task.calls,
        }
        before = job.memory()
        job.forget_peak()
        answers[name]["reconstruct"] = seconds(lambda rebuild=rebuild: rebuild(rows))
        answers[name]["extra_bytes"] = job.memory("VmHWM") - before
    job.report(ways=answers, data_bytes=rows.nbytes)


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
