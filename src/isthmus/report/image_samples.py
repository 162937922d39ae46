"""Image samples: originals, reconstructions, differences, and samples decoded from a plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.core.number_format import number
from isthmus.estimators.variational import VariationalAutoencoder
from isthmus.report.image_data import SMALL, data_uri, heat_uri, mosaic, shares_of_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isthmus.evaluation.comparison import Comparison

Floats = NDArray[np.float32]

PER_GROUP = 10
_PATHS = 3
"""Interpolations that are shown."""
_TRAVERSALS = 4
_DEVIATIONS = 2.0
"""Traversals that are shown, and how far from the mean they go."""
GRID = 15
"""Number of decoded samples along each side of the plane."""
_FLAT_PICTURE = 64  # fewest cells of a flat row that is shown as a square image


class SamplePicture(NamedTuple):
    """An image with its alternative text."""

    uri: str
    alt: str
    caption: str = ""


class SampleStrip(NamedTuple):
    """One row of images."""

    name: str
    images: list[SamplePicture]


class SampleGroup(NamedTuple):
    """Samples with their reconstructions by each method."""

    name: str
    strips: list[SampleStrip]
    errors: list[str]
    labels: list[str]
    """Row numbers, or names."""


class SamplePictures(NamedTuple):
    """All pictures of samples."""

    note: str
    groups: list[SampleGroup]
    heats: list[SamplePicture]
    label: str
    """What `labels` are."""
    smooth: bool
    """Whether the images are too large for the pixels to be shown as squares."""


class GeneratedPictures(NamedTuple):
    """Samples that a model generates."""

    note: str
    strips: list[SampleStrip]
    smooth: bool


def image_shape(schema: Any) -> tuple[int, ...] | None:
    """Return the shape in which samples can be shown as images, or None.

    Flat rows of fractions of one range are shown as square images if their length is a square.
    """
    if schema.is_image:
        return tuple(schema.sample_shape)
    if schema.kind != "array" or schema.values != "unit" or len(schema.sample_shape) != 1:
        return None
    side = math.isqrt(schema.sample_shape[0])
    square = side * side == schema.sample_shape[0] >= _FLAT_PICTURE
    return (side, side) if square else None


def _shown_shape(schema: Any) -> tuple[int, ...] | None:
    """Return what `image_shape` does, and for volumes the shape of a plane."""
    volumes = len(schema.sample_shape) == 4
    return tuple(schema.sample_shape[1:]) if volumes else image_shape(schema)


def _as_images(matrix: Floats, shape: tuple[int, ...]) -> Floats:
    """Return rows as images of this shape, (n, *shape); the middle plane of volumes."""
    planes = matrix.reshape(len(matrix), -1, *shape)
    return planes[:, planes.shape[1] // 2]


def pictures(
    contest: Comparison, schema: Any, names: Sequence[str] | None = None
) -> SamplePictures | None:
    """Show the best, typical and worst samples; return None if samples are not images.

    Parameters
    ----------
    contest : Comparison
    schema : Schema
    names : sequence of str, optional
        The names of the rows that were compared; by default, their numbers are shown.
    """
    shape = _shown_shape(schema)
    if shape is None:
        return None
    order = np.argsort(contest.autoencoder.errors, kind="stable")
    groups = []
    chosen = _choose(order)
    largest = max(float(np.nanmax(_difference(contest, rows))) for _, rows in chosen)
    low, high = _limits(contest, schema)

    def strip(name: str, alt: str, matrix: Floats, rows: NDArray[np.intp]) -> SampleStrip:
        images = shares_of_range(_as_images(matrix[rows], shape), low, high)
        return SampleStrip(
            name, [SamplePicture(data_uri(x), f"{alt} {i}") for i, x in enumerate(images, 1)]
        )

    for name, rows in chosen:
        strips = [
            strip("original", "Original", contest.target, rows),
            strip("autoencoder", "Reconstruction", contest.autoencoder.prediction, rows),
            _heat_strip(contest, rows, shape, largest),
            strip("PCA", "PCA's reconstruction", contest.pca.prediction, rows),
        ]
        errors = [number(contest.autoencoder.errors[i]) for i in rows]
        own = [int(contest.rows[i]) for i in rows]
        labels = [f"{row:,}" if names is None else names[row] for row in own]
        groups.append(SampleGroup(name, strips, errors, labels))
    note = (
        "Held-out samples by the autoencoder's error, compared with PCA of the same code size. The "
        f"difference is absolute; its brightest colour is {number(largest)}"
        f"{' of the range' if schema.values == 'unit' else ' in scaled units'}."
    )
    if len(schema.sample_shape) == 4:
        note += f" Of each volume, the middle one of {schema.sample_shape[0]} planes is shown."
    elif not schema.is_image:
        note += (
            f" Rows of {schema.sample_shape[0]} cells are shown as {shape[0]} × {shape[1]} pixels."
        )
    label = ("image" if schema.is_image else "row") if names is None else "file"
    return SamplePictures(note, groups, _heats(contest, shape), label, max(shape[:2]) > SMALL)


def plane(model: Any, codes: NDArray[np.float64]) -> tuple[str, str] | None:
    """Decode an even grid of two-dimensional codes; return None if samples are not images.

    Returns
    -------
    (str, str) or None
        The picture's address and its caption.
    """
    shape = _shown_shape(model.schema_)
    if shape is None or codes.shape[1] != 2 or len(codes) < 2 or max(shape[:2]) > SMALL:
        return None
    low, high = np.quantile(codes, [0.02, 0.98], axis=0)
    across = np.linspace(low[0], high[0], GRID)
    down = np.linspace(high[1], low[1], GRID)
    grid = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2).astype(np.float32)
    decoded = model.schema_.to_matrix(model.inverse_transform(grid))
    images = _as_images(decoded, shape)
    unit = model.schema_.values == "unit"
    limits = (0.0, 1.0) if unit else (np.nanmin(images), np.nanmax(images))
    joined = mosaic(shares_of_range(images, *limits), GRID)
    caption = (
        f"Samples decoded from a grid of codes: dimension 1 from {number(low[0])} to "
        f"{number(high[0])} across, dimension 2 from {number(low[1])} to {number(high[1])} upwards."
    )
    return data_uri(joined, exact=True), caption


def generated(model: Any, contest: Comparison) -> GeneratedPictures | None:
    """Show samples of a variational model from its prior, traversals, and interpolations.

    Returns None for other models, and for samples that are not images.
    """
    shape = _shown_shape(model.schema_)
    if shape is None or not isinstance(model, VariationalAutoencoder):
        return None
    low, high = _limits(contest, model.schema_)

    def strip(name: str, alt: str, samples: Any) -> SampleStrip:
        matrix = model.schema_.to_matrix(samples)
        images = shares_of_range(_as_images(matrix, shape), low, high)
        return SampleStrip(
            name, [SamplePicture(data_uri(x), f"{alt} {i}") for i, x in enumerate(images, 1)]
        )

    strips = [strip("prior", "Sample", model.sample(PER_GROUP, random_state=0))]
    order = np.argsort(contest.autoencoder.errors, kind="stable")
    ends = contest.codes[order[np.linspace(0, len(order) - 1, 2 * _PATHS).astype(int)]]
    share = np.linspace(0, 1, PER_GROUP)[:, None]
    for number_of, (start, end) in enumerate(zip(ends[::2], ends[1::2], strict=True), 1):
        line = (start + share * (end - start)).astype(np.float32)
        strips.append(
            strip(f"path {number_of}", f"Path {number_of}, step", model.inverse_transform(line))
        )
    for dimension, codes in _traversals(model, contest):
        name = f"dimension {dimension + 1}"
        made = model.inverse_transform(codes)
        strips.append(strip(name, f"{name.capitalize()}, step", made))
    note = (
        "Decoded from codes drawn from the prior; from codes on straight paths between those of "
        "two held-out samples, which are the ends of each path; and from the code of a typical "
        "sample in which one dimension changes from two standard deviations below its mean to two "
        "above. These are the dimensions with the largest divergence from the prior."
    )
    return GeneratedPictures(note, strips, max(shape[:2]) > SMALL)


def _traversals(
    model: VariationalAutoencoder, contest: Comparison
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield dimensions, and codes (n, latent_dim) that differ in this dimension only."""
    codes = contest.codes
    order = np.argsort(contest.autoencoder.errors, kind="stable")
    typical = codes[order[len(order) // 2]]
    used = np.argsort(-model.kl_[: codes.shape[1]], kind="stable")[:_TRAVERSALS]
    steps = np.linspace(-_DEVIATIONS, _DEVIATIONS, PER_GROUP)
    for dimension in used:
        line = np.tile(typical, (PER_GROUP, 1))
        column = codes[:, dimension]
        line[:, dimension] = column.mean() + steps * column.std()
        yield int(dimension), line.astype(np.float32)


def _choose(order: NDArray[np.intp]) -> list[tuple[str, NDArray[np.intp]]]:
    n = len(order)
    if n < 3 * PER_GROUP:
        return [("Held-out samples, best first", order[:PER_GROUP])]
    middle = n // 2 - PER_GROUP // 2
    return [
        ("Best", order[:PER_GROUP]),
        ("Typical", order[middle : middle + PER_GROUP]),
        ("Worst", order[-PER_GROUP:][::-1]),
    ]


def _heat_strip(
    contest: Comparison, rows: NDArray[np.intp], shape: tuple[int, ...], largest: float
) -> SampleStrip:
    differences = _as_images(_difference(contest, rows), shape)
    named = [
        SamplePicture(heat_uri(image, largest), f"Absolute difference {i}")
        for i, image in enumerate(differences, 1)
    ]
    return SampleStrip("difference", named)


def _difference(contest: Comparison, rows: NDArray[np.intp]) -> Floats:
    difference = contest.target[rows] - contest.autoencoder.prediction[rows]
    return np.asarray(np.abs(np.nan_to_num(difference)))


def _heats(contest: Comparison, shape: tuple[int, ...]) -> list[SamplePicture]:
    maps = []
    for entry in (contest.autoencoder, contest.pca):
        squares = np.square(contest.target - entry.prediction).reshape(len(contest.rows), -1)
        observed = np.maximum((~np.isnan(squares)).sum(axis=0), 1)
        root = np.sqrt(np.nansum(squares, axis=0) / observed)
        maps.append(_as_images(root[None], shape)[0])
    largest = float(max(each.max() for each in maps))
    return [
        SamplePicture(
            heat_uri(each, largest),
            f"Root mean squared error of each pixel, {name}",
            f"{name}: error of each pixel, at most {number(float(each.max()))}",
        )
        for name, each in zip(("Autoencoder", "PCA"), maps, strict=True)
    ]


def _limits(contest: Comparison, schema: Any) -> tuple[float, float]:
    if schema.values == "unit":
        return 0.0, 1.0
    return float(np.nanmin(contest.target)), float(np.nanmax(contest.target))
