"""Worker: isthmus with the same pair of Keras models as the other workers.

job: data, net, rows, batch, epochs
"""

import time

import job
from nets import NETS

import isthmus as ist


def main() -> None:
    task = job.read()
    net = NETS[task.net]
    train, test = job.mnist(task.data, task.rows, shape=net.shape)
    model = given_pair(task.net, net.loss, task.batch, task.epochs)
    began = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - began
    job.report(
        epoch_seconds=model.history_["seconds"],
        fit_seconds=seconds,
        loss=model.history_["loss"],
        test_loss=job.LOSSES[net.loss](test, model.reconstruct(test)),
    )


def given_pair(name: str, loss: str, batch: int, epochs: int) -> ist.Autoencoder:
    """Return an estimator that trains a pair in the same way as Keras' `fit`."""
    from keras_nets import pair

    encoder, decoder = pair(name)
    return ist.Autoencoder(
        encoder=encoder,
        decoder=decoder,
        loss=loss,
        optimizer="adam",
        learning_rate=1e-3,
        schedule="constant",
        clip_norm=None,
        validation_fraction=0,
        epochs=epochs,
        batch_size=batch,
        random_state=0,
        verbose=0,
    )


if __name__ == "__main__":
    main()
