"""How well the anomaly maps of pictures show where the anomalies are, given masks.

The figure is the area under the per-region overlap of Bergmann et al. (2021, "The MVTec Anomaly
Detection Dataset", section 4.2): for each threshold, the fraction of each true region that is above
it, averaged over regions, so that small ones count as much as large ones; against the fraction of
normal pixels above it, up to `limit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import label
from sklearn.metrics import roc_auc_score

from isthmus.core.errors import InvalidData
from isthmus.estimators import parameter_checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEIGHBOURS = np.ones((3, 3), dtype=np.int64)
_THRESHOLDS = 200


@dataclass(frozen=True)
class MapEvaluation:
    """Detection and localisation on pictures with masks.

    Parameters
    ----------
    image_auroc : float or None
        Area under the ROC curve of the maxima of maps; None without normal or anomalous pictures.
    pixel_auroc : float
        The same for single pixels.
    aupro : float
        Area under the per-region overlap up to `limit`, divided by `limit`: 1 is perfect.
    limit : float
        The largest fraction of normal pixels above a threshold.
    regions : int
        Number of true regions.
    """

    image_auroc: float | None
    pixel_auroc: float
    aupro: float
    limit: float
    regions: int

    def __str__(self) -> str:
        image = "" if self.image_auroc is None else f"image AUROC {self.image_auroc:.3f}, "
        return (
            f"{image}pixel AUROC {self.pixel_auroc:.3f}, AUPRO {self.aupro:.3f} "
            f"(up to a false-positive rate of {self.limit:g}, {self.regions:,} regions)"
        )


def evaluate_maps(masks: Any, maps: Any, *, limit: float = 0.3) -> MapEvaluation:
    """Evaluate anomaly maps with masks of the anomalies.

    Parameters
    ----------
    masks : array of bool, shape (n, h, w)
        True, or not 0, where a picture is anomalous. Pixels of normal pictures are all False.
    maps : array of shape (n, h, w)
        The result of ``AnomalyDetector.anomaly_map``. NaN is left out.
    limit : float, default=0.3
        The fraction of normal pixels above a threshold up to which overlaps are averaged.

    Returns
    -------
    MapEvaluation

    Raises
    ------
    InvalidData
        The arrays differ in shape, contain no anomaly or no normal pixel, or a map has no values.
    InvalidParameter
        `limit` is not in (0, 1].
    """
    limit = parameter_checks.number("limit", limit, above=0, at_most=1)
    truth, values = _checked(masks, maps)
    known = ~np.isnan(values)
    normal = np.sort(values[~truth & known])
    rates = np.linspace(0, limit, _THRESHOLDS + 1)
    overlaps = _overlaps(truth, values, normal, rates)
    anomalous, highest = truth.any(axis=(1, 2)), np.nanmax(values, axis=(1, 2))
    both = anomalous.any() and not anomalous.all()
    return MapEvaluation(
        image_auroc=float(roc_auc_score(anomalous, highest)) if both else None,
        pixel_auroc=float(roc_auc_score(truth[known], values[known])),
        aupro=float(np.trapezoid(overlaps.mean(axis=0), rates) / limit),
        limit=limit,
        regions=len(overlaps),
    )


def _overlaps(
    truth: NDArray[np.bool_],
    values: NDArray[np.float64],
    normal: NDArray[np.float64],
    rates: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the fraction of each region above the thresholds of some false-positive rates.

    Returns
    -------
    array of shape (regions, thresholds)
    """
    places = np.clip(np.ceil(len(normal) * (1 - rates)).astype(np.intp) - 1, 0, len(normal) - 1)
    thresholds = normal[places]
    found = []
    for mask, shown in zip(truth, values, strict=True):
        numbered, count = label(mask, structure=_NEIGHBOURS)
        for number in range(1, count + 1):
            inside = shown[numbered == number]
            inside = np.sort(inside[~np.isnan(inside)])
            if len(inside):
                found.append(1 - np.searchsorted(inside, thresholds, side="right") / len(inside))
    return np.array(found).reshape(-1, len(rates))


def _checked(masks: Any, maps: Any) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    values = np.asarray(maps, dtype=np.float64)
    truth = np.asarray(masks) != 0
    if values.ndim != 3 or truth.shape != values.shape:
        raise InvalidData(
            "masks and maps",
            expected="two arrays of the same shape (n, h, w)",
            received=f"shapes {truth.shape} and {values.shape}",
            remedy="pass one mask for each picture; those of normal pictures are all False",
        )
    known = ~np.isnan(values)
    if not known.any(axis=(1, 2)).all():
        raise InvalidData(
            "maps",
            expected="a value in each map",
            received=f"only NaN in map {int((~known.any(axis=(1, 2))).argmax())}",
            remedy="leave these pictures out",
        )
    if not (truth & known).any() or not (~truth & known).any():
        raise InvalidData(
            "masks",
            expected="anomalous and normal pixels",
            received="only one kind",
            remedy="pass the masks of some anomalous pictures, too",
        )
    return truth, values
