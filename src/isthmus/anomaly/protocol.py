"""What a fitted detector does, whether it is one of independent rows or of a series.

`AnomalyDetector` picks one kind in `fit` and on loading, and hands every question to it::

    fitted = fit_rows(request)                   # row_training.py -> RowDetector
    fitted = fit_series_detector(request)        # series_training.py -> SeriesDetector
    fitted = RowDetector.from_archive(stored)    # so does SeriesDetector

What only one kind can do (`repair`, `intervals`, ...) is a method of that kind alone.
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
    """What `AnomalyDetector.fit` was given; a kind of detector reads what concerns it."""

    estimator: Any
    """The `AnomalyDetector`, in whose name scikit-learn checks the input."""
    X: Any
    y: Any
    autoencoder: Any
    """An isthmus estimator, one in scikit-learn's ``FrozenEstimator``, or None for the default."""
    false_alarm_rate: float
    contaminated: bool
    """Whether some of the rows may be anomalies."""
    window: Any
    unknown: Any
    """Whether a value that `X` does not have later counts as anomalous or is refused."""
    seed: int


@dataclass(frozen=True)
class StoredDetector:
    """What an archive holds of a detector. It may be untrusted: only `autoencoder` is checked."""

    autoencoder: Any
    arrays: Mapping[str, np.ndarray]
    schema: Any
    """What `own_schema` returned."""
    window: Any
    unknown: Any


@runtime_checkable
class FittedDetector(Protocol):
    """A fitted detector of either kind."""

    is_series: ClassVar[bool]
    """Whether rows are successive measurements, so that scores depend on each other."""

    @property
    def autoencoder(self) -> Any:
        """The fitted autoencoder."""

    def prepare(self, X: Any, estimator: Any) -> Any:
        """Return the user's rows as the other methods take them, converted once.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows, or a series.
        estimator : AnomalyDetector
            In whose name scikit-learn checks the input.
        """

    def score(self, rows: Any) -> Scores:
        """Return the anomaly score of each row, (n,), higher is worse; NaN where there is none."""

    def p_values(self, scores: Scores) -> Scores:
        """Return the p-values of anomaly scores, (n,); NaN where there is no score."""

    def threshold(self, rate: float) -> float:
        """Return the score above which an alarm is raised at a false-alarm rate."""

    def explain(self, rows: Any, like: Any) -> Any:
        """Return what each cell adds to the score, in the container and shape of `like`.

        Parameters
        ----------
        rows
            What `prepare` returned.
        like : array, DataFrame or Arrow table
            What `prepare` was given.
        """

    def expected(self, rows: Any, like: Any) -> Any:
        """Return the expected value of each cell, in the container, shape and units of `like`."""

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents of this kind."""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned beside the autoencoder, for an archive."""

    def own_schema(self) -> dict[str, Any] | None:
        """Return the schema to store where the autoencoder has another; None where it has not."""

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Return the detector that `to_arrays` and `own_schema` described.

        Raises
        ------
        InvalidArchive
            The archive holds no such detector.
        """


class DetectorKind(NamedTuple):
    """A kind of detector: its class, and the function that fits one."""

    detector: type[FittedDetector]
    fit: Callable[[FitRequest], FittedDetector]
