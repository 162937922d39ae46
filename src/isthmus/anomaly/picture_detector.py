"""The fitted detector for pictures, used by `AnomalyDetector` for arrays with image shape.

See `picture_score` for the map, `conformal` for p-values and the threshold, and `picture_training`
for fitting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from isthmus.anomaly.conformal_rows import ConformalRows, check_settings_of_rows
from isthmus.anomaly.picture_grid import is_picture_shape
from isthmus.anomaly.picture_regions import Region, regions
from isthmus.anomaly.picture_score import PictureScore
from isthmus.anomaly.picture_space import PictureSpace
from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.estimators import input_checks
from isthmus.persistence.array_checks import check_arrays
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector
    from isthmus.core.types import Floats

    Scores = NDArray[np.float64]

_SCORE = "score/"
_FLAT = 1e-6
"""What is less above the median of a map, relative to the highest value, is rounding."""
PICTURES = "pictures"
"""An array that only archives of detectors for pictures have."""


class PreparedPictures(NamedTuple):
    """Pictures as the detector works on them."""

    matrix: Floats
    """(n, *sample_shape), in the autoencoder's units; NaN marks a missing value."""


@dataclass(frozen=True, eq=False)
class PictureDetector(ConformalRows):
    """A fitted detector of anomalous pictures; implements `FittedDetector`.

    Parameters
    ----------
    picture_score : PictureScore
        Makes the anomaly maps.
    calibration : float64 array of shape (held-out pictures,)
        Anomaly scores of held-out pictures, in ascending order.
    contaminated : bool
        Whether some of the pictures may have been anomalies.
    """

    is_series: ClassVar[bool] = False

    picture_score: PictureScore
    calibration: Scores
    contaminated: bool

    @property
    def autoencoder(self) -> Any:
        """The fitted autoencoder."""
        return self.picture_score.space.autoencoder

    def prepare(self, X: Any, estimator: Any) -> PreparedPictures:
        """Return pictures in the autoencoder's units, checked in the name of `estimator`.

        Raises
        ------
        InvalidData
            A picture has no pixel with a value.
        """
        X = input_checks.checked(estimator, X, reset=False)
        return PreparedPictures(with_some_pixels(self.autoencoder.schema_.to_matrix(X)))

    def anomaly_map(self, pictures: PreparedPictures) -> Scores:
        """Return the map of each picture, (n, h, w), in units of the score."""
        return self.picture_score.maps(pictures.matrix)

    def score(self, pictures: PreparedPictures) -> Scores:
        """Return the anomaly score of each picture, (n,): the maximum of its map."""
        maxima: Scores = np.nanmax(self.anomaly_map(pictures), axis=(1, 2))
        return maxima

    def regions(
        self, pictures: PreparedPictures, threshold: float
    ) -> tuple[tuple[Region, ...], ...]:
        """Return the regions of each picture above a threshold."""
        maps = self.anomaly_map(pictures)
        return tuple(regions(each, threshold, self.calibration) for each in maps)

    def explain(self, pictures: PreparedPictures, like: Any) -> Any:  # noqa: ARG002
        """Return what each value adds to its picture's score, in the shape of `like`.

        A pixel's part is proportional to the square of what its map is above the picture's median;
        if the map is flat, all parts are equal. It is divided among the bands by the square of what
        the autoencoder leaves over.
        """
        maps = self.anomaly_map(pictures)
        scores = np.nanmax(maps, axis=(1, 2))
        shares, tiny = _shares(maps), np.finfo(np.float64).tiny
        blocks = self.picture_score.space.blocks(pictures.matrix)
        left = np.concatenate([block.residuals for block in blocks]).astype(np.float64)
        bands = np.square(left) + tiny
        bands /= bands.sum(axis=3, keepdims=True)
        parts = scores[:, None, None, None] * shares[..., None] * bands
        return parts.reshape(pictures.matrix.shape)

    def expected(self, pictures: PreparedPictures, like: Any) -> Any:
        """Return the autoencoder's reconstruction, in the units of `like`."""
        space = self.picture_score.space
        blocks = [block.pictures - block.residuals for block in space.blocks(pictures.matrix)]
        rebuilt = np.concatenate(blocks).reshape(pictures.matrix.shape)
        return self.autoencoder.schema_.from_matrix(rebuilt, like)

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents for pictures."""
        estimator.schema_ = self.autoencoder.schema_
        estimator.calibration_scores_ = self.calibration
        input_checks.remember_columns(estimator, estimator.schema_)

    def check_settings(
        self, *, window: Any, group: Any, longest_gap: Any, contaminated: bool
    ) -> None:
        """Check that it is not for series, and whether pictures may be anomalies."""
        series = {"window": window, "group": group, "longest_gap": longest_gap}
        check_settings_of_rows(
            series, contaminated=contaminated, learned_contaminated=self.contaminated
        )

    def own_schema(self) -> None:
        """Return None: the schema is the autoencoder's."""
        return

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned beside the autoencoder."""
        return {
            PICTURES: np.array([self.contaminated]),
            "calibration": self.calibration,
            **with_prefix(self.picture_score.to_arrays(), _SCORE),
        }

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Rebuild the detector from an archive.

        Raises
        ------
        InvalidArchive
            The archive does not contain such a detector.
        """
        shape = stored.autoencoder.schema_.sample_shape
        if stored.schema is not None or not is_picture_shape(shape):
            raise InvalidArchive(
                "the archive's autoencoder",
                expected="one for pictures, with its own schema",
                received=f"samples of shape {shape}",
            )
        own = outside_prefixes(stored.arrays, _SCORE)
        check_arrays(own, {PICTURES: ("bool", (1,)), "calibration": ("float64", (None,))})
        calibration = own["calibration"]
        if (np.diff(calibration) < 0).any() or calibration[0] < 0:
            raise InvalidArchive(
                "the archive's detector", expected="calibration scores in ascending order"
            )
        arrays = without_prefix(stored.arrays, _SCORE)
        usual = {"usual": arrays["usual"]} if "usual" in arrays else {}
        check_arrays(usual, {"usual": ("float32", (shape[2] if len(shape) > 2 else 1,))})
        space = PictureSpace(stored.autoencoder, usual["usual"])
        score = PictureScore.from_arrays(space, arrays)
        return cls(score, calibration, bool(own[PICTURES][0]))


def _shares(maps: Scores) -> Scores:
    """Return which share of its picture's score each pixel has, (n, h, w)."""
    usual = np.nanmedian(maps, axis=(1, 2), keepdims=True)
    highest = np.nanmax(maps, axis=(1, 2), keepdims=True)
    above = np.nan_to_num(maps - usual, nan=0.0)
    shares = np.square(np.where(above > _FLAT * highest, above, 0))
    flat = ~shares.any(axis=(1, 2))
    shares[flat] = ~np.isnan(maps[flat])
    return np.asarray(shares / shares.sum(axis=(1, 2), keepdims=True))


def with_some_pixels(matrix: Floats) -> Floats:
    """Return the pictures; refuse those in which every value is missing.

    Raises
    ------
    InvalidData
        There is one.
    """
    blank = np.isnan(matrix.reshape(len(matrix), -1)).all(axis=1)
    if blank.any():
        raise InvalidData(
            f"picture {int(blank.argmax())}",
            expected="at least one pixel with a value",
            received="only missing values",
            remedy="leave such pictures out",
        )
    return matrix
