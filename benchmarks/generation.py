"""Measure variational autoencoders of pictures: densities, reconstructions and samples.

usage: scripts/bench generation [--only NAME,NAME] [--likelihoods NAME,NAME] [--levels 1,2]
                                [--importance-samples 1,5] [--epochs 12] [--data FOLDER]
                                [--pictures FOLDER]

Prints, for each set of pictures, the log likelihood of held-out pictures in nats per cell (only
comparable between densities, so not with "bernoulli"; that of "binarized" is of values 0 or 1), the
squared error of their reconstructions, and the Fréchet distance of as many samples to them, from
the prior and by `LatentSampler`. The distance of training pictures is what perfect samples would
have. k is the number of importance samples. FOLDER gets a picture for each model: held-out
pictures, reconstructions, samples from the prior, and samples by `LatentSampler`.
"""

import argparse
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from images_parts.pictures import SETS, Absent, Pictures, PictureSet
from isthmus.core.errors import TrainingWarning

COLUMNS = (
    *("set", "likelihood", "levels", "k", "nats / cell", "squared error"),
    *("training rows", "prior", "LatentSampler", "s"),
)
SHOWN = 16


def measure(each: PictureSet, pictures: Pictures, options: argparse.Namespace, **settings) -> list:
    if options.epochs:
        settings["epochs"] = options.epochs
    began = time.perf_counter()
    model = ist.VariationalAutoencoder(each.code, random_state=0, verbose=0, **settings)
    model.fit(pictures.train)
    seconds = time.perf_counter() - began
    held, n = pictures.test, len(pictures.test)
    sampler = ist.LatentSampler(FrozenEstimator(model), random_state=0).fit(pictures.train)
    prior, density = (source.sample(n, random_state=0) for source in (model, sampler))
    rebuilt = model.reconstruct(held)
    if options.pictures:
        name = f"{each.name}-{model.loss_}-{model.levels}-{model.importance_samples}.png"
        show(options.pictures / name, held, rebuilt, prior, density)
    evidence = model.log_likelihood(held, 20, random_state=0) / held[0].size
    nearest = ist.frechet_distance(held, pictures.train[:n])
    distances = (nearest, *(ist.frechet_distance(held, made) for made in (prior, density)))
    return [
        each.name + (" (held back)" if each.held_back else ""),
        model.loss_,
        str(model.levels),
        str(model.importance_samples),
        "" if model.loss_ == "bernoulli" else f"{evidence.mean():.4f}",
        f"{-model.score(held):.5f}",
        *(f"{distance:.3g}" for distance in distances),
        f"{seconds:.0f}",
    ]


def show(path: Path, *parts: np.ndarray) -> None:
    """Draw rows of pictures, each on the range of the first."""
    low, high = float(parts[0].min()), float(parts[0].max())
    rows = [np.concatenate(list(part[:SHOWN]), axis=1) for part in parts]
    shares = np.clip((np.concatenate(rows) - low) / (high - low), 0, 1)
    Image.fromarray(np.round(255 * shares).astype(np.uint8)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parents[2]
    parser.add_argument("--data", type=Path, default=here / "shared" / "data")
    parser.add_argument("--only", default="", help="names of sets")
    parser.add_argument("--likelihoods", default="bernoulli,gaussian")
    parser.add_argument("--levels", default="1,2")
    parser.add_argument("--importance-samples", default="1")
    parser.add_argument("--epochs", type=int, help="instead of the default number")
    parser.add_argument("--pictures", type=Path, help="an existing folder")
    options = parser.parse_args()
    warnings.simplefilter("ignore", TrainingWarning)
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|{'--:|' * 8}")
    wanted = options.only.split(",") if options.only else [each.name for each in SETS]
    for each in SETS:
        if each.name not in wanted:
            continue
        try:
            pictures = each.load(options.data)
        except Absent as reason:
            print(f"Skipped {each.name}: needs {reason}.", flush=True)
            continue
        for likelihood in options.likelihoods.split(","):
            for levels, samples in product(
                options.levels.split(","), options.importance_samples.split(",")
            ):
                settings = {"levels": int(levels), "importance_samples": int(samples)}
                row = measure(each, pictures, options, likelihood=likelihood, **settings)
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
