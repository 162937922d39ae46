"""The anomaly detector."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly import conformal, exporting
from isthmus.anomaly.parameters import DETECTOR_PARAMETERS
from isthmus.anomaly.picture_detector import PICTURES, PictureDetector
from isthmus.anomaly.picture_grid import is_picture_shape
from isthmus.anomaly.protocol import DetectorKind, FitRequest, StoredDetector
from isthmus.anomaly.row_detector import RowDetector
from isthmus.anomaly.row_training import fit_rows
from isthmus.anomaly.sampled_rows import rows_in_memory
from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import DataWarning
from isthmus.core.randomness import resolve_seed
from isthmus.estimators import input_checks, parameter_checks, parameters
from isthmus.estimators.batched import in_batches
from isthmus.estimators.resolved_settings import is_for_series
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords
from isthmus.plots.alarms import alarms
from isthmus.tasks.base import Task, unwrapped

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from isthmus.anomaly.blind_spots import BlindSpots
    from isthmus.anomaly.drift import Drift
    from isthmus.anomaly.intervals import Intervals
    from isthmus.anomaly.output_shapes import Repaired
    from isthmus.anomaly.picture_regions import Region
    from isthmus.anomaly.protocol import FittedDetector
    from isthmus.anomaly.series_stream import StreamUpdate
    from isthmus.persistence.artifact import Artifact

    Scores = NDArray[np.float64]

Method = TypeVar("Method")

_OF_ONE_SERIES = "a detector of one series: with a window, and without a group"

MODES = Catalogue("mode", {"novelty": False, "outlier": True})
"""For each mode, whether the training rows may contain anomalies."""


def kind_for(window: Any, group: Any, *, pictures: bool = False) -> DetectorKind:
    """Return the kind of detector for a `window` and a `group`; no other code makes this choice.

    Parameters
    ----------
    window, group
        The parameters of the detector.
    pictures : bool
        Whether it is for pictures, if there is no window.
    """
    if window is None and pictures:
        from isthmus.anomaly.picture_training import fit_pictures

        return DetectorKind(PictureDetector, fit_pictures)
    if window is None:
        return DetectorKind(RowDetector, fit_rows)
    if group is not None:
        from isthmus.anomaly.fleet_detector import FleetDetector
        from isthmus.anomaly.fleet_training import fit_fleet

        return DetectorKind(FleetDetector, fit_fleet)
    from isthmus.anomaly.series_detector import SeriesDetector  # not needed for rows
    from isthmus.anomaly.series_training import fit_series_detector

    return DetectorKind(SeriesDetector, fit_series_detector)


def _are_pictures(X: Any, autoencoder: Any) -> bool:
    """Return whether X is an array of pictures, not of stacked series.

    Parameters
    ----------
    X : object
        What was passed to `fit`, read if it is a path.
    autoencoder : object
        The parameter: one for sequences takes series.
    """
    if hasattr(X, "columns"):
        return False
    if autoencoder is not None and is_for_series(unwrapped(autoencoder)[0]):
        return False
    return is_picture_shape(input_checks.shape_of(X)[1:])


def _if_kind_has(name: str, *, where: str = "") -> Callable[[Method], Method]:
    """Return a decorator that hides a method unless the kind of detector has one of that name.

    Parameters
    ----------
    name : str
        The name of the method.
    where : str, optional
        Which detectors have it; named as the cause of the error of the others.
    """

    def has(detector: AnomalyDetector) -> bool:
        if hasattr(detector._kind, name):
            return True
        if where:
            raise AttributeError(f"{name}: expected {where}")
        return False

    decorator: Callable[[Method], Method] = available_if(has)
    return decorator


class AnomalyDetector(OutlierMixin, Task):
    """Detects anomalous rows, images, or periods of one sensor series or of many.

    Accepts the same data as the autoencoders: arrays, images, and tables with categories and
    missing cells. You do not have to guess a contamination rate: some rows are held out from
    training, and the threshold is the score that normal rows exceed at the false-alarm rate you
    choose. The score combines distances to the nearest rows, in the data and in code space, with
    the norms of the code and the residual and with the local outlier factor (see
    `isthmus.anomaly.row_score`).

    Arrays of pictures with sides of 8 pixels or more are compared patch by patch
    (`isthmus.anomaly.picture_score`), and have `anomaly_map` and `regions`. Stacks of series of the
    same shape are taken as rows if the autoencoder's architecture is one for series.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    autoencoder_ : isthmus estimator
        The fitted autoencoder. The default one sees ``sign(x) log(1 + |x|)`` of standardised
        columns; that for pictures holds their principal components.
    threshold_, offset_ : float
        `predict` raises an alarm where the anomaly score is above `threshold_`, that is, where
        `score_samples` is below `offset_`. With `window`, the threshold begins there (see
        `thresholds_of`).
    calibration_scores_ : array of shape (held-out rows,)
        Anomaly scores of held-out rows, in ascending order. Not for series.
    schema_ : Schema
        Maps the data to numbers and back. Not for series.
    sensors_ : tuple of str
        Names of the columns that were learned. Only for series.
    window_ : int
        Rows of a window. Only for series.
    longest_gap_ : int
        The most consecutive missing rows that are filled. Only for series.
    units_ : tuple of str or int
        The units that were learned from. Only with `group`.
    unit_levels_ : array of shape (units,)
        What the scores of each unit are divided by, so that the thresholds of all units begin at
        `threshold_`. Only with `group`.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_wine
    >>> X = load_wine().data
    >>> detector = ist.AnomalyDetector(false_alarm_rate=0.05, random_state=0).fit(X[:150])
    >>> detector.predict(X[:1] * 3)
    array([-1])
    """

    kind = "anomaly detector"
    _parameters = DETECTOR_PARAMETERS

    def __init__(
        self,
        autoencoder: Any = None,
        *,
        false_alarm_rate: float = 0.01,
        mode: str = "novelty",
        window: int | str | None = None,
        longest_gap: int | None = None,
        group: str | None = None,
        unknown: str = "warn",
        random_state: Any = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.false_alarm_rate = false_alarm_rate
        self.mode = mode
        self.window = window
        self.longest_gap = longest_gap
        self.group = group
        self.unknown = unknown
        self.random_state = random_state

    @without_keywords
    def fit(self, X: Any, y: Any = None, **unsupported: Any) -> Self:
        """Fit to normal rows or, with ``mode="outlier"``, to contaminated rows.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape); at least 3 rows. With `window`, a series:
            (timestamps, sensors), or a DataFrame with a time index or a column of times. Times
            may be irregular. With `group`, too, a table of the series of all units, in any order of
            rows. A path is read by `isthmus.data.reading.read`, and sources of batches as by
            `Autoencoder.fit`. All other methods accept the same.
        y : array of shape (n,), optional
            Labels, for an autoencoder that learns from them; otherwise ignored.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile, TrainingDiverged
            A parameter, the data or the file is not valid, or the autoencoder's `fit` fails.

        Warns
        -----
        DataWarning
            There are too few rows to guarantee the false-alarm rate, or more than fit in memory, of
            which a random sample is used. With `window`: rows are not in
            order of time or share their times, columns of text are left out, or sensors have no
            values. With `group`: units are shorter than a window.
        """
        refuse_keywords(unsupported)
        parameters.check(self, DETECTOR_PARAMETERS)
        rows = rows_in_memory(input_checks.opened(X), is_series=self.window is not None)
        if self.autoencoder is None or self.window is not None:
            input_checks.refuse_samples(y, rows)
        request = FitRequest(
            estimator=self,
            X=rows,
            y=y,
            autoencoder=self.autoencoder,
            false_alarm_rate=float(self.false_alarm_rate),
            contaminated=MODES[self.mode],
            window=self.window,
            group=self.group,
            longest_gap=self.longest_gap,
            unknown=self.unknown,
            seed=resolve_seed(self.random_state),
        )
        before = self.__dict__.copy()
        try:
            pictures = _are_pictures(request.X, self.autoencoder)
            self._keep_fitted(kind_for(self.window, self.group, pictures=pictures).fit(request))
        except BaseException:
            self.__dict__ = before
            raise
        return self

    @property
    def is_series(self) -> bool:
        """Whether this detector is fitted to a series, or has a `window` and will be."""
        return self._kind.is_series

    @in_batches
    def anomaly_score(self, X: Any) -> Scores:
        """Return the anomaly score of each row, (n,), above 0; higher is more anomalous.

        A training row is not compared with itself. With `window`, each row has a score, which is
        NaN where nothing was measured and where no window fits between two gaps.
        With `group`, scores of different units can be compared.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        rows = self._prepared(X)
        scores: Scores = self._fitted.score(rows)
        return scores

    def score_samples(self, X: Any) -> Scores:
        """Return the negative `anomaly_score`: as in scikit-learn, higher is more normal."""
        return -self.anomaly_score(X)

    @in_batches
    def decision_function(self, X: Any) -> Scores:
        """Return `score_samples` minus ``offset_``: values below 0 are alarms.

        With `window`, the offset follows slow changes (see `thresholds_of`).
        """
        rows = self._prepared(X)
        scores: Scores = self._fitted.score(rows)
        limits: Scores = self._fitted.thresholds(scores, self.false_alarm_rate, rows)
        return limits - scores

    def p_values(self, X: Any) -> Scores:
        """Return the p-value of each row's score among those of normal rows, (n,), in (0, 1].

        The p-values are conformal: for a new normal row, the p-value is at most `alpha` with
        probability at most `alpha`, averaged over the choice of training rows. The smallest
        possible value is 1 / (1 + held-out rows). With `window`, rows depend on their neighbours:
        p-values are then valid in the long run, and small ones are extrapolated
        (`isthmus.anomaly.series_calibration`).

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        return self.p_values_of(self.anomaly_score(X))

    def p_values_of(self, scores: Scores) -> Scores:
        """Return the p-values of scores from `anomaly_score`, (n,)."""
        check_is_fitted(self)
        values: Scores = self._fitted.p_values(scores)
        return values

    def thresholds_of(self, scores: Scores, X: Any = None) -> Scores:
        """Return the threshold for each of the scores from `anomaly_score`, (n,).

        It is ``threshold_`` for rows. With `window`, it is ``threshold_`` for the first of the
        scores, which are in order of time, and then follows slow changes so that the false-alarm
        rate is kept (`isthmus.anomaly.alarm_threshold`). With `group`, it does so in each unit.

        Parameters
        ----------
        scores : array of shape (n,)
            The scores of rows.
        X : DataFrame or Arrow table, optional
            The rows. Needed with `group`, because they have the unit of each score, and with times
            that are not in order.

        Raises
        ------
        InvalidData, SchemaMismatch
            With `group`, `X` is missing, is no table of series of units, or has not one row for
            each score.
        """
        check_is_fitted(self)
        rows = None
        if self.group is not None or (X is not None and self._fitted.is_series):
            with warnings.catch_warnings():  # given for the scores already
                warnings.simplefilter("ignore", DataWarning)
                rows = self._prepared(X)
        values: Scores = self._fitted.thresholds(scores, self.false_alarm_rate, rows)
        return values

    def predict(self, X: Any, *, fdr: float | None = None) -> NDArray[np.int64]:
        """Return -1 for each anomaly and +1 for each normal row, (n,), as scikit-learn does.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        fdr : float, optional
            None: each row is judged by itself, at the false-alarm rate. A number: the false
            discovery rate. All rows are then judged together, so that at most this fraction of the
            alarms is expected to be false (Benjamini and Hochberg, 1995; Bates et al., 2023). The
            smallest p-value is about one over the number of held-out rows, so finding `k` anomalies
            among `n` rows takes about ``n / (fdr * k)`` held-out rows.
        """
        if fdr is None:
            alarms = self.decision_function(X) < 0
        else:
            rate = parameter_checks.number("fdr", fdr, above=0, below=1)
            alarms = conformal.discoveries(np.nan_to_num(self.p_values(X), nan=1.0), rate)
        return np.where(alarms, -1, 1)

    def explain(self, X: Any) -> Any:
        """Return the contribution of each cell, in X's shape; each row sums to its anomaly score.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        X = self._read(X)
        rows = self._prepared(X)
        return self._fitted.explain(rows, like=X)

    def expected(self, X: Any) -> Any:
        """Return each cell's expected value given the rest of its row, in X's units and shape.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        X = self._read(X)
        rows = self._prepared(X)
        return self._fitted.expected(rows, like=X)

    @_if_kind_has("anomaly_map", where="a detector that was fitted to pictures")
    def anomaly_map(self, X: Any) -> NDArray[np.float64]:
        """Return the heat map of each picture, (n, h, w); its maximum is the anomaly score.

        Missing pixels are NaN.

        Parameters
        ----------
        X : array of shape (n, h, w) or (n, h, w, bands)
            Pictures like those given to `fit`.
        """
        pictures = self._prepared(X)
        maps: NDArray[np.float64] = self._fitted.anomaly_map(pictures)
        return maps

    @_if_kind_has("regions", where="a detector that was fitted to pictures")
    def regions(self, X: Any) -> tuple[tuple[Region, ...], ...]:
        """Return the regions of each picture whose map is above ``threshold_``.

        A normal picture has a region with probability at most `false_alarm_rate`.

        Parameters
        ----------
        X : array of shape (n, h, w) or (n, h, w, bands)
            Pictures like those given to `fit`.

        Returns
        -------
        tuple of tuple of Region
            For each picture its regions, the highest first: bounding box, area, peak and p-value.
        """
        pictures = self._prepared(X)
        found: tuple[tuple[Region, ...], ...] = self._fitted.regions(pictures, self.threshold_)
        return found

    @_if_kind_has("repair")
    def repair(self, X: Any, k: int = 1) -> Repaired:
        """Change up to `k` cells of each row that raises an alarm, to make it look normal.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        k : int, default=1
            Most cells to change. Stops when the row no longer raises an alarm or no change helps.

        Returns
        -------
        Repaired
            The rows, which cells were changed, and the scores before and after.
        """
        X = self._read(X)
        rows, most = self._prepared(X), parameter_checks.count("k", k)
        repaired: Repaired = self._fitted.repair(rows, like=X, most=most, threshold=self.threshold_)
        return repaired

    @_if_kind_has("blind_spots")
    def blind_spots(self) -> BlindSpots:
        """Inject faults of known size into held-out rows and measure the detection rate."""
        check_is_fitted(self)
        spots: BlindSpots = self._fitted.blind_spots(self.threshold_)
        return spots

    @_if_kind_has("drift")
    def drift(self, X: Any) -> Drift:
        """Compare new rows with held-out ones: an overall p-value, and one for each column.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            A batch of rows like those given to `fit`.
        """
        rows = self._prepared(X)
        result: Drift = self._fitted.drift(rows)
        return result

    @_if_kind_has("intervals")
    def intervals(self, X: Any) -> Intervals:
        """Return the alarms of a series merged into intervals, with peaks and responsible sensors.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            A series like the one given to `fit`.

        Returns
        -------
        Intervals
            In chronological order. With `group`, unit by unit, and each has its `unit`.
        """
        rows = self._prepared(X)
        intervals: Intervals = self._fitted.intervals(rows, self.false_alarm_rate)
        return intervals

    @_if_kind_has("update", where=_OF_ONE_SERIES)
    def update(self, row: Any, time: Any = None) -> StreamUpdate:
        """Take the next row of a series as it is measured, and return what is known after it.

        Scores, thresholds and alarms are those of the whole series up to this row. They are
        known with a delay: the score of a row is the mean score of the windows that cover it, so it
        is final `window_` - 1 rows later, or more if a missing cell may still be filled. `save`
        keeps the state, and a detector that is loaded goes on from there.

        Parameters
        ----------
        row : array of shape (sensors,), or mapping of str to number
            In the units and the order of `fit`, or by name, such as a dictionary or a row of a
            DataFrame; NaN or None for a missing value.
        time : datetime or timedelta, optional
            The time of the row, if `fit` was given times, not before that of the last row. None in
            all rows: they are evenly spaced.

        Returns
        -------
        StreamUpdate
            The alarms that began or ended, and the rows whose scores are final now.

        Raises
        ------
        InvalidData, SchemaMismatch
            The row or its time is not valid; it is then not part of the stream.
        """
        check_is_fitted(self)
        result: StreamUpdate = self._fitted.update(row, time, float(self.false_alarm_rate))
        return result

    @_if_kind_has("reset", where=_OF_ONE_SERIES)
    def reset(self) -> None:
        """Forget the rows passed to `update`; the next one begins a new stream."""
        check_is_fitted(self)
        self._fitted.reset()

    def plot_alarms(self, X: Any, ax: Any = None) -> Axes:
        """Draw the anomaly score of each row, the threshold, and the alarms.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `anomaly_score`. If it is a DataFrame with an index of times, they are the
            horizontal axis.
        ax : matplotlib Axes, optional
            Where to draw; None for a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        MissingExtra
            matplotlib is not installed.
        """
        scores = self.anomaly_score(X)
        places = np.asarray(getattr(X, "index", np.arange(len(scores))))
        if places.dtype.kind != "M":
            places = np.arange(len(scores))
        limits = self.thresholds_of(scores, X)
        return alarms(scores, limits, places, ax, connected=self.is_series)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write an ONNX file that scores rows, pictures or series without isthmus.

        It takes them in their original units. Its outputs are the anomaly score, its p-value,
        whether it is an alarm, and the threshold, (n,) each, and for pictures the anomaly map. They
        are compared with those of Python before the file is written. Needs the extra ``onnx``.

        With `window`, the file takes a whole series, (n, columns), of evenly spaced rows, and gives
        what `detect` does: levels and thresholds begin with its first row. With `group`, it is that
        of one unit, and its name is an input, too.

        Parameters
        ----------
        path : path
            The file to write.

        Raises
        ------
        InvalidParameter
            A layer of the network cannot be exported.
        MissingExtra
            onnx or ONNX Runtime is not installed.
        CannotWrite
            The file could not be written; an existing file is unchanged.
        """
        check_is_fitted(self)
        exporting.export(self, path)

    @property
    def _kind(self) -> FittedDetector | type[FittedDetector]:
        """The fitted detector or, before `fit`, the class it will have."""
        return (
            self._fitted if hasattr(self, "_fitted") else kind_for(self.window, self.group).detector
        )

    def _prepared(self, X: Any) -> Any:
        """Return rows checked and converted for the fitted detector."""
        X = self._read(X)  # checks that the detector is fitted
        return self._fitted.prepare(X, self)

    def _read(self, X: Any) -> Any:
        """Return the rows of the file, if `X` is a path."""
        check_is_fitted(self)
        return input_checks.in_memory(X, getattr(self, "schema_", None))

    def _keep_fitted(self, fitted: FittedDetector) -> None:
        # Any, because some methods exist for one kind only; `_if_kind_has` guards their calls.
        self._fitted: Any = fitted
        self.autoencoder_ = fitted.autoencoder
        fitted.set_attributes(self)
        self.threshold_ = float(fitted.threshold(self.false_alarm_rate))
        self.offset_ = -self.threshold_

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = self._fitted.to_arrays()
        return arrays

    def _to_artifact(self) -> Artifact:
        plain = super()._to_artifact()
        return replace(plain, manifest={**plain.manifest, "schema": self._fitted.own_schema()})

    @classmethod
    def _from_artifact(cls, stored: Artifact) -> Self:
        content = dict(stored.manifest)
        schema = content.pop("schema", None)
        detector, arrays = cls._opened(replace(stored, manifest=content))
        detector._restore(arrays, schema)
        detector._vet_learned()
        return detector

    def _check_learned(self) -> None:
        self._fitted.check_settings(
            window=self.window,
            group=self.group,
            longest_gap=self.longest_gap,
            contaminated=MODES[self.mode],
        )

    def _restore(self, arrays: Mapping[str, np.ndarray], schema: Any = None) -> None:
        stored = StoredDetector(
            self.autoencoder_, arrays, schema, self.window, self.unknown, self.group
        )
        kind = kind_for(self.window, self.group, pictures=PICTURES in arrays)
        self._keep_fitted(kind.detector.from_archive(stored))

    def __copy__(self) -> Self:
        """Return a detector that shares what was learned, with a stream of its own."""
        copied = object.__new__(type(self))
        copied.__dict__ |= self.__dict__
        if hasattr(self, "_fitted"):
            copied._fitted = copy.copy(self._fitted)
        return copied

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "outlier_detector"
        return tags


AnomalyDetector.__doc__ = parameters.documented(
    AnomalyDetector.__doc__, "detector", DETECTOR_PARAMETERS
)
