"""The interface that the detectors for rows, for pictures, for series and for fleets share.

`AnomalyDetector` picks one kind in `fit` and on loading, and delegates to it::

    fitted = fit_rows(request)                   # row_training.py -> RowDetector
    fitted = fit_pictures(request)               # picture_training.py -> PictureDetector
    fitted = fit_series_detector(request)        # series_training.py -> SeriesDetector
    fitted = fit_fleet(request)                  # fleet_training.py -> FleetDetector
    fitted = RowDetector.from_archive(stored)    # the others, too

Features of one kind only (`repair`, `intervals`, ...) are methods of that kind alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]


@dataclass(frozen=True)
class FitRequest:
    """The arguments of `AnomalyDetector.fit`; each kind of detector reads what it needs."""

    estimator: Any
    """The `AnomalyDetector`, for scikit-learn's input checks."""
    X: Any
    y: Any
    autoencoder: Any
    """An isthmus estimator, one in scikit-learn's ``FrozenEstimator``, or None for the default."""
    false_alarm_rate: float
    contaminated: bool
    """Whether some of the rows may be anomalies."""
    window: Any
    group: Any
    """The column that says which unit each row belongs to, or None."""
    longest_gap: Any
    unknown: Any
    """Whether a value that `X` does not have later counts as anomalous or is refused."""
    seed: int


@dataclass(frozen=True)
class StoredDetector:
    """The contents of a detector's archive. Untrusted: only `autoencoder` has been checked."""

    autoencoder: Any
    arrays: Mapping[str, np.ndarray]
    schema: Any
    """The result of `own_schema`."""
    window: Any
    unknown: Any
    group: Any = None


@runtime_checkable
class FittedDetector(Protocol):
    """A fitted detector of any kind."""

    is_series: ClassVar[bool]
    """Whether rows are successive measurements, so that their scores depend on each other."""

    @property
    def autoencoder(self) -> Any:
        """The fitted autoencoder."""

    def prepare(self, X: Any, estimator: Any) -> Any:
        """Convert the user's rows for the other methods, so that it is done only once.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows, or a series.
        estimator : AnomalyDetector
            The estimator that scikit-learn's input checks refer to.
        """

    def score(self, rows: Any) -> Scores:
        """Return the anomaly score of each row, (n,); higher is worse, NaN where there is none."""

    def p_values(self, scores: Scores) -> Scores:
        """Return the p-values of anomaly scores, (n,); NaN where there is no score."""

    def threshold(self, rate: float) -> float:
        """Return the score above which an alarm is raised at a false-alarm rate."""

    def thresholds(self, scores: Scores, rate: float, rows: Any) -> Scores:
        """Return the threshold for each of the scores of successive rows, (n,).

        Parameters
        ----------
        scores : array of shape (n,)
            The result of `score`.
        rate : float
            As in `threshold`.
        rows
            The result of `prepare`, which says which unit the rows of a fleet belong to, and their
            order in time. The other kinds do not need it.
        """

    def explain(self, rows: Any, like: Any) -> Any:
        """Return what each cell contributes to the score, in the container and shape of `like`.

        Parameters
        ----------
        rows
            The result of `prepare`.
        like : array, DataFrame or Arrow table
            The argument of `prepare`.
        """

    def expected(self, rows: Any, like: Any) -> Any:
        """Return the expected value of each cell, in the container, shape and units of `like`."""

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents for this kind."""

    def check_settings(
        self, *, window: Any, group: Any, longest_gap: Any, contaminated: bool
    ) -> None:
        """Check parameters against what was learned.

        Parameters
        ----------
        window, longest_gap : int or None
            As in `FitRequest`.
        group : str or None
            As in `FitRequest`.
        contaminated : bool
            As in `FitRequest`.

        Raises
        ------
        InvalidParameter
            One of them contradicts it.
        """

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything learned except the autoencoder, for an archive."""

    def own_schema(self) -> dict[str, Any] | None:
        """Return the schema to store if it differs from the autoencoder's, otherwise None."""

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Rebuild the detector from the output of `to_arrays` and `own_schema`.

        Raises
        ------
        InvalidArchive
            The archive does not contain such a detector.
        """


class DetectorKind(NamedTuple):
    """A kind of detector: its class, and the function that fits one."""

    detector: type[FittedDetector]
    fit: Callable[[FitRequest], FittedDetector]
