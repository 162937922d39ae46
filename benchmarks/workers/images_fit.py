"""Worker: the default convolutional network for pictures, trained by Keras or by isthmus.

job: who ("keras" or "isthmus"), side, channels, rows, batch, epochs, code

Both train the same Keras models from the same weights, with squared error and Adam at 0.001.
"""

import time

import job
import numpy as np

import isthmus as ist


def main() -> None:
    task = job.read()
    rows = _pictures(task.rows, task.side, task.channels)
    encoder, decoder = _pair(rows[:64], task.code)
    began = time.perf_counter()
    if task.who == "isthmus":
        model = ist.Autoencoder(
            encoder=encoder,
            decoder=decoder,
            loss="mse",
            scale="none",
            learning_rate=1e-3,
            schedule="constant",
            clip_norm=None,
            validation_fraction=0,
            epochs=task.epochs,
            batch_size=task.batch,
            random_state=0,
            verbose=0,
        ).fit(rows)
        seconds, losses = model.history_["seconds"], model.history_["loss"]
    else:
        seconds, losses = _keras(encoder, decoder, rows, task)
    job.report(epoch_seconds=seconds, fit_seconds=time.perf_counter() - began, loss=losses)


def _pictures(n: int, side: int, channels: int) -> np.ndarray:
    """Make smooth pictures, (n, side, side, channels)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    waves = rng.uniform(0, 12, (n, 1, 1, channels, 3))
    angles = waves[..., 0] * x[..., None] + waves[..., 1] * y[..., None] + waves[..., 2]
    return (0.5 + 0.5 * np.sin(angles)).astype(np.float32)


def _pair(rows: np.ndarray, code: int) -> tuple:
    """Return the encoder and the decoder of the default network, after one epoch."""
    # With this loss, unscaled pictures are fractions, so the decoder ends in a sigmoid.
    model = ist.Autoencoder(
        code, architecture="convolutional", scale="none", loss="bce", epochs=1, batch_size=64,
        random_state=0, verbose=0,
    )  # fmt: skip
    model.fit(rows)
    return model.encoder_, model.decoder_


def _keras(encoder, decoder, rows, task) -> tuple[list[float], list[float]]:
    import keras
    from keras_nets import Clock

    keras.utils.set_random_seed(0)
    model = keras.Sequential([encoder, decoder])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    clock = Clock()
    history = model.fit(
        rows, rows, batch_size=task.batch, epochs=task.epochs, verbose=0, callbacks=[clock]
    )
    return clock.seconds, history.history["loss"]


if __name__ == "__main__":
    main()
