"""Worker: isthmus' defaults at a code of 2. Prints one line of JSON.

usage: isthmus_quality.py DATA EPOCHS   (EPOCHS may be "auto")
"""

import json
import sys

import numpy as np

import isthmus as ist


def main() -> None:
    data, epochs = sys.argv[1:]
    arrays = np.load(data)
    train, test = arrays["x_train"], arrays["x_test"]
    model = ist.Autoencoder(
        2, epochs=epochs if epochs == "auto" else int(epochs), random_state=0, verbose=0
    ).fit(train)
    target = test.astype(np.float32) / 255
    rebuilt = np.clip(model.reconstruct(test) / 255, 1e-7, 1 - 1e-7)
    test_bce = float(-(target * np.log(rebuilt) + (1 - target) * np.log1p(-rebuilt)).mean())
    # What is not in an epoch (reading, scaling, building) comes before the first one.
    before = model.fit_seconds_ - sum(model.history_["seconds"])
    print(
        json.dumps(
            {
                "backend": "isthmus defaults",
                "fit_seconds": model.fit_seconds_,
                "clock": (before + np.cumsum(model.history_["seconds"])).tolist(),
                "val_loss": model.history_["val_loss"],
                "test_bce": test_bce,
            }
        )
    )


if __name__ == "__main__":
    main()
