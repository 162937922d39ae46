"""Measure the likelihood of binarised MNIST digits under a model of two levels.

usage: scripts/bench likelihood MNIST.npz FOLDER

The model is trained for 50 epochs with one code for each picture, and for 45 with the importance
weighted bound of ten, at rates that fall. FOLDER gets an archive after each part, and a run that
was stopped goes on after the last one. Then 1,000 codes are drawn for each of the 10,000 test
digits. It takes one to two hours on two cores.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import isthmus as ist
from isthmus.recipes.digits import from_file

PARTS = ((50, 0.002, 1), (15, 0.001, 10))
PARTS += tuple((5, rate, 10) for rate in (7e-4, 5e-4, 3e-4, 2e-4, 1e-4, 5e-5))
"""Epochs, learning rate and importance samples."""


def trained(digits: np.ndarray, folder: Path) -> ist.VariationalAutoencoder:
    """Return the model after all parts."""
    model = ist.VariationalAutoencoder(
        50,
        levels=2,
        likelihood="binarized",
        hidden=(400, 400),
        batch_size=128,
        validation_fraction=0.02,
        patience=None,
        random_state=0,
        verbose=0,
        warmup=0.1,
    )
    for number, (epochs, rate, samples) in enumerate(PARTS):
        path = folder / f"part-{number}.isthmus"
        if path.exists():
            model = ist.load(path)
            continue
        began = time.process_time()
        model.set_params(epochs=epochs, learning_rate=rate, importance_samples=samples)
        if number:
            model.set_params(warm_start=True, schedule="constant", warmup=0.0, random_state=number)
        model.fit(digits).save(path)
        loss = digits[0].size * model.history_["val_loss"][-1]
        seconds = time.process_time() - began
        print(f"part {number}: {loss:.2f} nats, {seconds:.0f} s of processor time", flush=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path, help="an existing folder")
    options = parser.parse_args()
    data = from_file(options.data)
    evidence = trained(data.x_train, options.folder).log_likelihood(
        data.x_test, samples=1000, random_state=0
    )
    error = evidence.std() / np.sqrt(len(evidence))
    print(f"{-evidence.mean():.2f} nats, standard error {error:.2f}")


if __name__ == "__main__":
    main()
