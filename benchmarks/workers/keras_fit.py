"""Worker: keras.Model.fit on the backend that KERAS_BACKEND names. Prints one line of JSON.

usage: keras_fit.py DATA NET BATCH EPOCHS OPTIMIZER
"""

import json
import sys
import time

import keras
import numpy as np
from nets import pair


class Clock(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, *_: object) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, *_: object) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def main() -> None:
    data, net, batch, epochs, optimizer = sys.argv[1:]
    arrays = np.load(data)
    train, test = (
        arrays[k].reshape(-1, 784).astype("float32") / 255 for k in ("x_train", "x_test")
    )
    keras.utils.set_random_seed(0)
    encoder, decoder = pair(net)
    model = keras.Sequential([encoder, decoder])
    chosen = {
        "adam": lambda: keras.optimizers.Adam(1e-3),
        "textbook": lambda: keras.optimizers.RMSprop(0.002, momentum=0.01),
    }[optimizer]()
    model.compile(optimizer=chosen, loss="binary_crossentropy")
    clock = Clock()
    began = time.perf_counter()
    history = model.fit(
        train, train, batch_size=int(batch), epochs=int(epochs), verbose=0, callbacks=[clock]
    )
    seconds = time.perf_counter() - began
    test_bce = float(model.evaluate(test, test, batch_size=1000, verbose=0))
    print(
        json.dumps(
            {
                "backend": keras.config.backend(),
                "epoch_seconds": clock.seconds,
                "fit_seconds": seconds,
                "loss": history.history["loss"],
                "test_bce": test_bce,
            }
        )
    )


if __name__ == "__main__":
    main()
