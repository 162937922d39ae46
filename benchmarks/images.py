"""Compare the default networks for pictures and volumes with PCA, and their speed with Keras.

usage: scripts/bench images defaults [--only NAME,NAME] [--architectures NAME,NAME] [--seeds 1]
                                     [--epochs 12] [--data FOLDER]
       scripts/bench images augmentation [--only NAME,NAME] [--changes flip,crop] [--rows 100,1000]
                                         [--epochs 12] [--architectures NAME] [--data FOLDER]
       scripts/bench images speed [--seeds 3]

Prints, for each set of pictures, the mean squared error of held-out rows in fractions of the range,
with equal sizes of the code and otherwise default settings, and the seconds of the fit. Sets whose
files are not on this machine are skipped, with the reason. FOLDER contains mnist.npz. It only uses
what is public, so an earlier version can be measured by putting it first on PYTHONPATH.

"augmentation" prints the error of held-out rows with each change, divided by that without any, for
the first rows of each set.

"speed" trains the default convolutional network for 64 x 64 x 3 with isthmus and with Keras on JAX.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

import isthmus as ist
from images_parts.pictures import SETS as PICTURE_SETS
from images_parts.pictures import Absent, Pictures, PictureSet
from images_parts.volumes import VOLUME_SETS
from speed_parts import harness

SETS = (*PICTURE_SETS, *VOLUME_SETS)
CHANGES = "auto,flip,flip_vertical,quarter_turns,rotation,crop,contrast,brightness,flip+crop"


def pca_error(train: np.ndarray, test: np.ndarray, code: int) -> float:
    """Return the mean squared error of PCA on held-out rows."""
    train, test = (rows.reshape(len(rows), -1) for rows in (train, test))
    pca = PCA(code, random_state=0).fit(train)
    return float(np.square(pca.inverse_transform(pca.transform(test)) - test).mean())


def measure(pictures: Pictures, code: int, seed: int, settings: dict) -> dict[str, float]:
    """Fit a model; return its error on held-out rows, the seconds, and the size of its archive."""
    model = ist.Autoencoder(code, random_state=seed, verbose=0, **settings)
    began = time.perf_counter()
    model.fit(pictures.train)
    seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.isthmus"
        model.save(path)
        megabytes = path.stat().st_size / 1e6
    known, held = (model.schema_.to_matrix(rows) for rows in (pictures.train, pictures.test))
    rebuilt = model.reconstruct_matrix(held)
    return {
        "error": float(np.square(rebuilt - held).mean()),
        "pca": pca_error(known, held, code),
        "seconds": seconds,
        "megabytes": megabytes,
        "epochs": len(model.history_["epoch"]),
    }


def line(each: PictureSet, name: str, runs: list[dict[str, float]], shape: tuple[int, ...]) -> str:
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    cells = [
        each.name + (" (held back)" if each.held_back else ""),
        " x ".join(map(str, shape)),
        str(each.code),
        name,
        f"{middle['pca']:.4g}",
        f"{middle['error']:.4g}",
        f"{middle['error'] / middle['pca']:.3f}",
        f"{middle['epochs']:.0f}",
        f"{middle['seconds']:.1f}",
        f"{middle['megabytes']:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def defaults(options: argparse.Namespace) -> None:
    columns = "set", "training rows", "code", "architecture", "PCA", "error", "ratio", "epochs"
    print(f"| {' | '.join([*columns, 's', 'MB'])} |\n|---|--:|--:|---{'|--:' * 6}|")
    wanted = options.only.split(",") if options.only else [each.name for each in SETS]
    for each in SETS:
        if each.name not in wanted:
            continue
        try:
            pictures = each.load(options.data)
        except Absent as reason:
            print(f"Skipped {each.name}: needs {reason}.", flush=True)
            continue
        for name in options.architectures.split(","):
            settings = {"architecture": name} if name else {}
            if options.epochs:
                settings["epochs"] = options.epochs
            runs = [measure(pictures, each.code, s, settings) for s in range(options.seeds)]
            print(line(each, name or "default", runs, pictures.train.shape), flush=True)


def augmentation(options: argparse.Namespace) -> None:
    changes = options.changes.split(",")
    print(f"| set | rows | architecture | none | {' | '.join(changes)} |")
    print(f"|---|--:|---|--:|{'--:|' * len(changes)}")
    wanted = options.only.split(",") if options.only else [each.name for each in SETS]
    for each in SETS:
        if each.name not in wanted:
            continue
        try:
            pictures = each.load(options.data)
        except Absent as reason:
            print(f"Skipped {each.name}: needs {reason}.", flush=True)
            continue
        for rows in map(int, options.rows.split(",")):
            few = Pictures(pictures.train[:rows], pictures.test)
            for name in options.architectures.split(","):
                settings = {"architecture": name, "epochs": options.epochs or "auto"}
                print(augmented_line(each, few, settings, changes, options.seeds), flush=True)


def augmented_line(
    each: PictureSet, few: Pictures, settings: dict, changes: list[str], seeds: int
) -> str:
    """Return the errors of held-out rows with changes, divided by that without any."""
    errors = {
        change: statistics.mean(
            measure(few, each.code, seed, {**settings, "augmentation": change})["error"]
            for seed in range(seeds)
        )
        for change in ("none", *changes)
    }
    name = each.name + (" (held back)" if each.held_back else "")
    ratios = [f"{errors[change] / errors['none']:.3f}" for change in changes]
    cells = [name, str(len(few.train)), settings["architecture"], f"{errors['none']:.4g}", *ratios]
    return f"| {' | '.join(cells)} |"


def speed(options: argparse.Namespace) -> None:
    job = {"side": 64, "channels": 3, "rows": 1_024, "batch": 64, "epochs": 4, "code": 64}
    contestants = [
        harness.Contestant(name, "images_fit.py", {**job, "who": who})
        for name, who in (("isthmus", "isthmus"), ("Keras on JAX", "keras"))
    ]
    failures: list[str] = []
    answers = harness.in_turn(contestants, options.seeds, failures)
    rows = [
        [name, f"{harness.after_first(got):.2f}", f"{got[0]['loss'][-1]:.5f}"]
        for name, got in answers.items()
    ]
    print("\n".join([*harness.table(["", "s / epoch", "loss"], rows), *failures]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parents[2]
    parser.add_argument("part", choices=["augmentation", "defaults", "speed"])
    parser.add_argument("--data", type=Path, default=here / "shared" / "data")
    parser.add_argument("--only", default="", help="names of sets")
    parser.add_argument("--architectures", default="convolutional,dense")
    parser.add_argument("--rows", default="100,1000", help="numbers of training rows")
    parser.add_argument("--changes", default=CHANGES, help="augmentations")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="instead of the default number")
    options = parser.parse_args()
    parts = {"augmentation": augmentation, "defaults": defaults, "speed": speed}
    parts[options.part](options)


if __name__ == "__main__":
    main()
