"""Part pictures: are defects of pictures found, and where?

Textures and aligned objects of `made_pictures`, 64 x 64 x 3, with made defects. A third of the
kinds of defects and two of the sources were not looked at before the method was final; they are
shown by themselves.

Peers, in the same process:

- ``pca``: the largest residual of 8 x 8 patches under a PCA that keeps 95 % of their variance;
- ``patchcore``: the recipe of PatchCore (Roth et al., 2022) with random convolutional features
  instead of those of a pretrained network: two layers, features averaged over 3 x 3, a coreset of
  10 %, the distance to the nearest. It learns from at most 150 pictures, to keep its search short.

Times are those of the processor: the seconds of all cores together.

usage: scripts/bench anomalies pictures [--only NAME,NAME] [--train 1000] [--normal 200] [--each 30]
           [--seeds 1] [--methods isthmus,pca,patchcore] [--kinds all|developed]
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

import isthmus as ist
from anomalies_parts import made_pictures as made
from isthmus.anomaly.patch_memory import coreset, nearest_distance

RATE = 0.05
PATCH, STEP = 8, 2
PEER_PICTURES = 150


def patches_of(pictures: np.ndarray) -> np.ndarray:
    """Return the 8 x 8 patches at every second pixel, (n, rows, columns, cells)."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (PATCH, PATCH), axis=(1, 2))
    chosen = windows[:, ::STEP, ::STEP]
    return np.ascontiguousarray(chosen).reshape(*chosen.shape[:3], -1)


def on_pixels(values: np.ndarray, margin: int, step: int) -> np.ndarray:
    """Return values of points, whose first is `margin` from the edge, as values of pixels."""
    place = np.clip((np.arange(made.SIZE) - margin + step / 2) // step, 0, values.shape[1] - 1)
    place = place.astype(int)
    return gaussian_filter(values[:, place[:, None], place], (0, 1, 1))


def fit_pca(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from pictures to maps."""
    rng = np.random.default_rng(0)
    flat = patches_of(train[:PEER_PICTURES])
    flat = flat.reshape(-1, flat.shape[3])
    flat = flat[rng.permutation(len(flat))[:40_000]]
    center = flat.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((flat - center).T.astype(np.float64)))
    kept = np.searchsorted(np.cumsum(variances[::-1]) / variances.sum(), 0.95) + 1
    axes = axes[:, ::-1][:, :kept].astype(np.float32)

    def maps(pictures: np.ndarray) -> np.ndarray:
        found = []
        for part in np.array_split(pictures, max(1, len(pictures) // 20)):
            away = patches_of(part) - center
            left = np.square(away).sum(axis=3) - np.square(away @ axes).sum(axis=3)
            found.append(on_pixels(np.sqrt(np.maximum(left, 0)), PATCH // 2, STEP))
        return np.concatenate(found)

    return maps


def fit_patchcore(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from pictures to maps."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(5 * 5 * 3, 32)).astype(np.float32) / 8
    second = rng.normal(size=(3 * 3 * 32, 64)).astype(np.float32) / 17

    def layer(maps: np.ndarray, weights: np.ndarray, side: int) -> np.ndarray:
        half = side // 2
        padded = np.pad(maps, ((0, 0), (half, half), (half, half), (0, 0)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        rows = np.ascontiguousarray(windows[:, ::2, ::2])
        return np.maximum(rows.reshape(*rows.shape[:3], -1) @ weights, 0)

    def features(pictures: np.ndarray) -> np.ndarray:
        low = layer(pictures - np.float32(0.5), first, 5)
        high = layer(low, second, 3)
        low = uniform_filter(low, (0, 3, 3, 0))[:, ::2, ::2]
        return np.concatenate([low, uniform_filter(high, (0, 3, 3, 0))], axis=3)

    known = features(train[:PEER_PICTURES])
    flat = known.reshape(-1, known.shape[3])
    memory = coreset(flat, len(flat) // 10, rng)

    def maps(pictures: np.ndarray) -> np.ndarray:
        found = []
        for part in np.array_split(pictures, max(1, len(pictures) // 20)):
            own = features(part)
            distances = nearest_distance(memory, own.reshape(-1, own.shape[3]))
            found.append(on_pixels(distances.reshape(own.shape[:3]), 2, 4))
        return np.concatenate(found)

    return maps


def fit_isthmus(train: np.ndarray, seed: int) -> tuple[ist.AnomalyDetector, float]:
    """Return a detector, and the processor's seconds to fit it."""
    started = time.process_time()
    detector = ist.AnomalyDetector(false_alarm_rate=RATE, random_state=seed).fit(train)
    return detector, time.process_time() - started


def figures(
    maps: np.ndarray, normal: np.ndarray, masks: np.ndarray
) -> tuple[float | None, float, float]:
    """Return image AUROC, and AUPRO, of maps of one kind of defect beside normal ones."""
    truth = np.concatenate([np.zeros(normal.shape, dtype=bool), masks])
    found = ist.evaluate_maps(truth, np.concatenate([normal, maps]))
    return found.image_auroc, found.aupro, found.pixel_auroc


def measured(name: str, seed: int, given: argparse.Namespace) -> dict[str, dict[str, tuple]]:
    """Return for each method and kind of defect the figures, and print them."""
    kinds = made.DEVELOPED if given.kinds == "developed" else made.DEFECTS
    train = made.normal(name, given.train, 3 * seed)
    normal = made.normal(name, given.normal, 3 * seed + 1)
    defects = {kind: made.defective(name, kind, given.each, 3 * seed + 2) for kind in kinds}
    result: dict[str, dict[str, tuple]] = {}
    for method in given.methods.split(","):
        note = ""
        if method == "isthmus":
            detector, seconds = fit_isthmus(train, seed)
            maps_of = detector.anomaly_map
        else:
            started = time.process_time()
            maps_of = {"pca": fit_pca, "patchcore": fit_patchcore}[method](train)
            seconds = time.process_time() - started
        started = time.process_time()
        usual = maps_of(normal)
        speed = len(normal) / (time.process_time() - started)
        if method == "isthmus":
            alarms = (usual.max(axis=(1, 2)) > detector.threshold_).mean()
            with tempfile.TemporaryDirectory() as folder:
                detector.save(Path(folder) / "d.isthmus")
                size = (Path(folder) / "d.isthmus").stat().st_size / 1e6
            note = f", {100 * alarms:.1f} % false alarms, {size:.1f} MB"
        own = {k: figures(maps_of(pics), usual, masks) for k, (pics, masks) in defects.items()}
        result[method] = own
        shown = " ".join(f"{kind} {a:.3f}/{p:.3f}" for kind, (a, p, _) in own.items())
        mean = np.mean([each[:2] for each in own.values()], axis=0)
        print(f"{name:8} {method:9} {mean[0]:.3f}/{mean[1]:.3f}  {shown}", flush=True)
        print(f"{'':18} fit {seconds:.1f} s, {speed:.0f} pictures/s of a core{note}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(made.SOURCES))
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--normal", type=int, default=200)
    parser.add_argument("--each", type=int, default=30, help="pictures of each kind of defect")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", default="isthmus,pca,patchcore")
    parser.add_argument("--kinds", choices=("all", "developed"), default="all")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ist.DataWarning)
    found: dict[str, list[tuple[str, str, tuple]]] = {}
    for name in given.only.split(","):
        for seed in range(given.seeds):
            for method, own in measured(name, seed, given).items():
                found.setdefault(method, []).extend((name, k, v) for k, v in own.items())
    print("\nmean image AUROC / AUPRO")
    for title in ("all", "developed on", "held back", "without the photograph"):
        for method, rows in found.items():
            chosen = [value[:2] for name, kind, value in rows if belongs(name, kind, title)]
            if chosen:
                auroc, aupro = np.mean(chosen, axis=0)
                print(f"{title:24} {method:9} {auroc:.3f} / {aupro:.3f}")


def belongs(name: str, kind: str, title: str) -> bool:
    """Return whether a figure belongs to a group of the summary."""
    developed = name in made.DEVELOPED_ON and kind in made.DEVELOPED
    return {"developed on": developed, "held back": not developed}.get(
        title, title == "all" or name != "roofs"
    )


if __name__ == "__main__":
    main()
