"""The evaluation of anomaly maps."""

import numpy as np
import pytest
from scipy.ndimage import label

import isthmus as ist
from isthmus.core.errors import InvalidData, InvalidParameter


def masks_of(count=6, seed=0):
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, 16, 16), dtype=bool)
    for mask in masks[1:]:
        row, column = rng.integers(0, 10, 2)
        mask[row : row + 5, column : column + 3] = True
    return masks


def test_a_perfect_map():
    masks = masks_of()
    found = ist.evaluate_maps(masks, masks.astype(float))
    assert found == ist.MapEvaluation(1.0, 1.0, 1.0, 0.3, 5)
    assert "AUPRO 1.000" in str(found)


def test_a_map_of_noise():
    maps = np.random.default_rng(1).random((40, 16, 16))
    found = ist.evaluate_maps(masks_of(40), maps)
    assert abs(found.aupro - 0.15) < 0.05  # the mean of the diagonal up to 0.3
    assert abs(found.pixel_auroc - 0.5) < 0.05


def slow_aupro(masks, maps, limit):
    """The definition, threshold by threshold."""
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        above = maps >= threshold
        rates.append(above[~masks].mean())
        own = []
        for mask, shown in zip(masks, above, strict=True):
            numbered, count = label(mask, structure=np.ones((3, 3)))
            own += [shown[numbered == number].mean() for number in range(1, count + 1)]
        overlaps.append(np.mean(own))
    at = np.linspace(0, limit, 2000)
    return np.trapezoid(np.interp(at, rates, overlaps), at) / limit


@pytest.mark.parametrize(("seed", "limit"), [(0, 0.1), (1, 0.3), (2, 1.0)])
def test_the_definition(seed, limit):
    masks = masks_of(8, seed)
    maps = np.random.default_rng(seed).random(masks.shape) + 0.5 * masks
    found = ist.evaluate_maps(masks, maps, limit=limit)
    assert abs(found.aupro - slow_aupro(masks, maps, limit)) < 0.01


def test_missing_pixels_are_left_out():
    masks = masks_of()
    maps = masks.astype(float)
    maps[:, 0] = np.nan
    assert ist.evaluate_maps(masks, maps).pixel_auroc == 1


def test_only_anomalous_pictures():
    masks = masks_of()[1:]
    assert ist.evaluate_maps(masks, masks.astype(float)).image_auroc is None


def test_what_cannot_be_evaluated():
    masks = masks_of()
    with pytest.raises(InvalidData, match="the same shape"):
        ist.evaluate_maps(masks, np.zeros((6, 16, 15)))
    with pytest.raises(InvalidData, match="only one kind"):
        ist.evaluate_maps(np.zeros_like(masks), np.zeros(masks.shape))
    with pytest.raises(InvalidData, match="only NaN in map 0"):
        ist.evaluate_maps(masks, np.full(masks.shape, np.nan))
    with pytest.raises(InvalidParameter, match="limit"):
        ist.evaluate_maps(masks, masks.astype(float), limit=0)
