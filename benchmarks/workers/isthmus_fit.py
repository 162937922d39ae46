"""Worker: isthmus on the same networks. Prints one line of JSON.

usage: isthmus_fit.py DATA NET BATCH EPOCHS
"""

import json
import sys
import time

import numpy as np

import isthmus as ist


def main() -> None:
    data, net, batch, epochs = sys.argv[1:]
    arrays = np.load(data)
    train, test = (
        arrays[k].reshape(-1, 784).astype("float32") / 255 for k in ("x_train", "x_test")
    )
    from nets import pair

    encoder, decoder = pair(net)
    began = time.perf_counter()
    model = ist.Autoencoder(
        encoder=encoder,
        decoder=decoder,
        loss="bce",
        optimizer="adam",
        learning_rate=1e-3,
        schedule="constant",
        clip_norm=None,
        validation_fraction=0,
        epochs=int(epochs),
        batch_size=int(batch),
        random_state=0,
        verbose=0,
    ).fit(train)
    seconds = time.perf_counter() - began
    rebuilt = np.clip(model.reconstruct(test), 1e-7, 1 - 1e-7)
    test_bce = float(-(test * np.log(rebuilt) + (1 - test) * np.log1p(-rebuilt)).mean())
    print(
        json.dumps(
            {
                "backend": "isthmus",
                "epoch_seconds": model.history_["seconds"],
                "fit_seconds": seconds,
                "loss": model.history_["loss"],
                "test_bce": test_bce,
            }
        )
    )


if __name__ == "__main__":
    main()
