"""Worker: `keras.Model.fit` on the backend in KERAS_BACKEND.

job: data, net, rows, batch, epochs
"""

import time

import job
import keras
from keras_nets import KERAS_LOSS, Clock, pair
from nets import NETS


def main() -> None:
    task = job.read()
    net = NETS[task.net]
    train, test = job.mnist(task.data, task.rows, shape=net.shape)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(pair(task.net))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=KERAS_LOSS[net.loss])
    clock = Clock()
    began = time.perf_counter()
    history = model.fit(
        train, train, batch_size=task.batch, epochs=task.epochs, verbose=0, callbacks=[clock]
    )
    seconds = time.perf_counter() - began
    job.report(
        epoch_seconds=clock.seconds,
        fit_seconds=seconds,
        loss=history.history["loss"],
        test_loss=job.LOSSES[net.loss](test, model.predict(test, batch_size=1000, verbose=0)),
    )


if __name__ == "__main__":
    main()
