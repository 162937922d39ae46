"""POLY, Sub-PCA and AutoEncoder with the settings that TSB-AD chose on its tuning series.

Liu and Paparrizos, NeurIPS 2024. The settings are those of `Optimal_Uni_algo_HP_dict` in their
code, and so are the details that the paper leaves open.
"""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from speed_parts.harness import Contestant, run

DEGREE = 4


def autoencoder(
    values: Mapping[str, NDArray[np.float64]], training: Mapping[str, int], seeds: int
) -> dict[str, NDArray[np.float64]]:
    """Return scores (seeds, n) of each series (n,), from PyTorch in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        series, scores = str(Path(folder, "series.npz")), str(Path(folder, "scores.npz"))
        np.savez(series, **values)
        job = {"series": series, "training": dict(training), "seeds": seeds, "scores": scores}
        run(Contestant("AutoEncoder", "tsb_ad_autoencoder.py", job, environment="torch"))
        with np.load(scores) as found:
            return dict(found)


def sub_pca(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return scores (n,) of a series: the distances of its windows to the principal axes.

    The windows are standardised, lag by lag. The score is the sum of a window's distances to the
    unit vectors of all axes, each divided by the axis's fraction of the variance (Shyu et al.,
    2003, as PyOD implements it). A window's score is that of its middle row. The first and last
    rows get the scores of the first and last window.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    scaled = StandardScaler().fit_transform(windows)
    pca = PCA().fit(scaled)
    # The distances depend on the axes' signs. The published values follow from the rule of
    # scikit-learn before 1.5: the window farthest along an axis is on its positive side.
    along = scaled @ pca.components_.T
    farthest = along[np.abs(along).argmax(axis=0), np.arange(along.shape[1])]
    axes = np.sign(farthest)[:, None] * pca.components_
    scores = (cdist(scaled, axes) / pca.explained_variance_ratio_).sum(axis=1)
    return np.pad(scores, (window // 2, (window - 1) // 2), mode="edge")


def poly(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return scores (n,) of a series: how far each block is from a polynomial through its sides.

    A block has `window` rows. The polynomial is fitted to the rows around it, 10 windows in all,
    without the block itself. The score of all its rows is the root of the mean squared difference.
    The first tenth of the rows, at most 500, has the score 0, and so has the rest of that block.
    """
    rows = len(values)
    scaled = (values - values.min()) / (values.max() - values.min())
    scores, around = np.zeros(rows), min(max(10 * window, 100), rows)
    scored_from = -(-min(500, rows // 10) // window) * window
    for start in range(scored_from, rows, window):
        stop = min(start + window, rows)
        low = min(max(start - around // 2, 0), rows - around)
        sides = np.concatenate([np.arange(low, start), np.arange(stop, low + around)])
        # A whole block is compared with the polynomial at places that run up to the next block's
        # first row, and rows are counted from the start of the series, for which the system of
        # equations is so ill-conditioned that polyfit reduces its rank. The published values need
        # both.
        places = np.arange(start, stop) if stop == rows else np.linspace(start, stop, window)
        with warnings.catch_warnings(action="ignore", category=np.exceptions.RankWarning):
            polynomial = np.polyfit(sides, scaled[sides], DEGREE)
        left = scaled[start:stop] - np.polyval(polynomial, places)
        scores[start:stop] = np.sqrt(np.mean(left**2))
    return scores
