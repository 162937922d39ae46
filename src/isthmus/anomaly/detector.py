"""The anomaly detector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly import conformal, output_shapes, row_archive, row_training
from isthmus.anomaly.blind_spots import BlindSpots, blind_spots
from isthmus.anomaly.contributions import contributions
from isthmus.anomaly.drift import Drift, drift
from isthmus.anomaly.modes import MODES, method_of, not_for_series
from isthmus.anomaly.output_shapes import Repaired
from isthmus.anomaly.repair import repaired
from isthmus.core.randomness import resolve_seed
from isthmus.estimators import input_checks, parameter_checks
from isthmus.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.anomaly.intervals import Intervals
    from isthmus.anomaly.row_training import LearnedRows
    from isthmus.persistence.artifact import Artifact

    Scores = NDArray[np.float64]


class AnomalyDetector(OutlierMixin, Task):
    """Finds rows, pictures or stretches of a series that are not like those it was trained on.

    Takes what the autoencoders take: arrays, images, and tables with categories and missing cells.
    There is no contamination to guess: a part of the rows is held out from training, and an alarm
    is a score that normal rows exceed at a stated rate. The score joins distances to the nearest
    rows, in the data and among the autoencoder's codes, with the lengths of code and residual and
    the local outlier factor (`isthmus.anomaly.row_score` says how).

    Parameters
    ----------
    autoencoder : isthmus estimator, default=None
        None: a linear denoising autoencoder for numbers and pictures alike, which is learned in a
        moment and sees the standardised data. One of your own is cloned and fitted, unless it is in
        scikit-learn's ``FrozenEstimator``: then what is promised holds for rows of X that it was
        not trained on.
    false_alarm_rate : float, default=0.01
        Share of normal rows that may raise an alarm. The held-out rows are a quarter of all, or
        more where the rate needs it, up to half: 1% takes about 200 rows in all. With fewer,
        `fit` warns, and the threshold is set by extrapolation.
    mode : {"novelty", "outlier"}, default="novelty"
        "novelty": the training rows are normal. "outlier": some are not; those far out are left
        out of training, and of the held-out rows that set the threshold. The rate is then met as
        far as those are found. Not for series, which may hold a few anomalies in any case.
    window : int, default=None
        Of a series: rows of X are successive measurements, and so many make a sample. None: rows
        are independent.
    random_state : None, int, RandomState or Generator, default=None
        An integer makes `fit` repeat its bits; for an autoencoder of your own, set its own too.

    Attributes
    ----------
    autoencoder_ : isthmus estimator
        The fitted one. The default one sees ``sign(x) log(1 + |x|)`` of standardised columns.
    threshold_, offset_ : float
        `predict` raises an alarm where the anomaly score is above `threshold_`, which is where
        `score_samples` is below `offset_`.
    calibration_scores_ : array of shape (held-out rows,)
        Their anomaly scores, in ascending order. Not for series.
    schema_ : Schema
        The map between the data and numbers. Not for series.
    sensors_ : tuple of str
        Of series: what the columns are called.
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

    def __init__(
        self,
        autoencoder: Any = None,
        *,
        false_alarm_rate: float = 0.01,
        mode: str = "novelty",
        window: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.false_alarm_rate = false_alarm_rate
        self.mode = mode
        self.window = window
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            (n, columns) or (n, *image shape); at least 3 rows. With `window`, a series:
            (timestamps, sensors), or a DataFrame with a time index.
        y : array of shape (n,), optional
            For an autoencoder that learns from labels; otherwise ignored.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, TrainingDiverged
            A setting cannot work, or as the autoencoder's `fit`.

        Warns
        -----
        DataWarning
            There are too few rows for the promised rate.
        """
        rate = parameter_checks.number("false_alarm_rate", self.false_alarm_rate, above=0, below=1)
        contaminated, seed = MODES[self.mode], resolve_seed(self.random_state)
        before = self.__dict__.copy()
        try:
            if self.window is None:
                self._fit_rows(X, y, rate, contaminated, seed)
            else:
                self._fit_series(X, rate, contaminated, seed)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def anomaly_score(self, X: Any) -> Scores:
        """Return how unlike the training rows each row is, (n,), above 0, higher is worse.

        A row that was in the training set is not compared with itself. With `window`, there is a
        score for each timestamp, NaN where no window covers it.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        check_is_fitted(self)
        if self.window is not None:
            found: Scores = self._series.anomaly_score(X)
            return found
        scores: Scores = self._learned.score.score(self._matrix(X))
        return scores

    def score_samples(self, X: Any) -> Scores:
        """Return minus `anomaly_score`: scikit-learn's sign, higher is more normal."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> Scores:
        """Return `score_samples` less ``offset_``: below 0 is an alarm."""
        return self.score_samples(X) - self.offset_

    def p_values(self, X: Any) -> Scores:
        """Return how rare among normal rows a score as high as each row's is, (n,), in (0, 1].

        They are conformal: for new normal rows, at most `alpha` with probability at most `alpha`,
        averaged over the choice of training rows. The smallest there is, is one over the number of
        held-out rows and 1. With `window`, rows depend on their neighbours: then p-values are of
        the long run, and small ones are extrapolated (`isthmus.anomaly.series_calibration`).

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        return self.p_values_of(self.anomaly_score(X))

    def p_values_of(self, scores: Scores) -> Scores:
        """Return `p_values` of rows whose scores, (n,), are known from `anomaly_score`."""
        check_is_fitted(self)
        if self.window is not None:
            found: Scores = self._series.p_values(scores)
            return found
        return conformal.p_values(scores, self.calibration_scores_)

    def predict(self, X: Any, *, fdr: float | None = None) -> NDArray[np.int64]:
        """Return -1 for each anomaly and +1 for each normal row, (n,), as scikit-learn does.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        fdr : float, optional
            None: each row is judged by itself, at the false-alarm rate. A number: all are judged
            together so that at most this fraction of the alarms is expected to be false (Benjamini
            and Hochberg, 1995; Bates et al., 2023). p-values have steps of one over the number of
            held-out rows, so a few anomalies among many rows are found only with many of these:
            to find `k` among `n` rows, it takes about ``n / (fdr * k)`` held-out ones.
        """
        if fdr is None:
            alarms = self.decision_function(X) < 0
        else:
            rate = parameter_checks.number("fdr", fdr, above=0, below=1)
            alarms = conformal.discoveries(np.nan_to_num(self.p_values(X), nan=1.0), rate)
        return np.where(alarms, -1, 1)

    def explain(self, X: Any) -> Any:
        """Return what each cell adds to its row's score: X's shape, each row sums to the score.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        check_is_fitted(self)
        if self.window is not None:
            return self._series.explain(X)
        matrix = self._matrix(X)
        learned = self._learned
        return self._shaped(contributions(learned.score, learned.cells, matrix), X)

    def expected(self, X: Any) -> Any:
        """Return the value that the rest of its row suggests for each cell, in X's units and kind.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        """
        check_is_fitted(self)
        if self.window is not None:
            return self._series.expected(X)
        expected = self._learned.cells.expected(self._matrix(X))
        return self._learned.space.restore(expected, X)

    @method_of(series=False)
    def repair(self, X: Any, k: int = 1) -> Repaired:
        """Change up to `k` cells of each row that raises an alarm, so that it looks normal.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            Rows like those given to `fit`.
        k : int, default=1
            Cells to change at most. A row is left once it raises no alarm, or if no change helps.

        Returns
        -------
        Repaired
            The rows, which cells are changed, and the scores before and after.
        """
        check_is_fitted(self)
        learned, count = self._learned, parameter_checks.count("k", k)
        matrix = self._matrix(X)
        found = repaired(learned.score, learned.cells, matrix, count, threshold=self.threshold_)
        new = learned.space.restore(found.matrix, X)
        rows = output_shapes.merged(found.changed, new, X, self.schema_)
        return Repaired(rows, self._shaped(found.changed, X), found.before, found.after)

    @method_of(series=False)
    def blind_spots(self) -> BlindSpots:
        """Put faults of known kind and size into held-out rows, and count how many are found."""
        check_is_fitted(self)
        learned = self._learned
        return blind_spots(
            learned.score,
            learned.cells,
            learned.held_out,
            threshold=self.threshold_,
            names=output_shapes.names(self.schema_),
        )

    @method_of(series=False)
    def drift(self, X: Any) -> Drift:
        """Compare new rows with held-out ones: an overall p-value, and one for each column.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            A batch of rows like those given to `fit`.
        """
        check_is_fitted(self)
        learned, names = self._learned, output_shapes.names(self.schema_)
        return drift(learned.score, learned.cells, learned.held_out, self._matrix(X), names=names)

    @method_of(series=True)
    def intervals(self, X: Any) -> Intervals:
        """Return the alarms of a series, merged: start, end, peak, score and sensors responsible.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            A series like the one given to `fit`.
        """
        check_is_fitted(self)
        found: Intervals = self._series.intervals(X, self.false_alarm_rate)
        return found

    @method_of(series=True)
    def score_next(self, row: Any) -> float:
        """Take the next row of a series and return its score; NaN until a window is full.

        Parameters
        ----------
        row : array of shape (sensors,)
            In the series' units.
        """
        check_is_fitted(self)
        score: float = self._live.score_next(row)
        return score

    @method_of(series=True)
    def reset(self) -> None:
        """Forget the rows that `score_next` was given, as after a gap."""
        check_is_fitted(self)
        self._live.reset()

    def _fit_rows(self, X: Any, y: Any, rate: float, contaminated: bool, seed: int) -> None:
        X = input_checks.checked(self, X, reset=True)
        rows = X.num_rows if hasattr(X, "num_rows") else len(X)
        if rows < 3:
            raise row_training.too_few(rows)
        input_checks.check_length(y, rows)
        kind: dict[str, Any] = {"contaminated": contaminated, "seed": seed}
        learned = row_training.learn(X, y, self.autoencoder, false_alarm_rate=rate, **kind)
        row_training.warn_if_few(len(learned.calibration), rate)
        self._keep_learned(learned)

    def _keep_learned(self, learned: LearnedRows) -> None:
        self._learned: Any = learned
        self._series: Any = None
        self.autoencoder_, self.schema_ = learned.space.autoencoder, learned.space.schema
        input_checks.remember_columns(self, self.schema_)
        self.calibration_scores_ = learned.calibration
        self.threshold_ = conformal.threshold(learned.calibration, self.false_alarm_rate)
        self.offset_ = -self.threshold_

    def _fit_series(self, X: Any, rate: float, contaminated: bool, seed: int) -> None:
        from isthmus.anomaly.series_training import fit_series

        window = parameter_checks.count("window", self.window, at_least=2)
        if contaminated:
            raise not_for_series()
        self._keep_series(fit_series(X, self.autoencoder, window, seed), rate)

    def _keep_series(self, series: Any, rate: float) -> None:
        from isthmus.anomaly.online import Online

        self._series, self._live, self._learned = series, Online(series), None
        self.autoencoder_ = series.autoencoder
        self.sensors_, self.n_features_in_ = series.sensors, len(series.sensors)
        self.threshold_ = float(series.threshold(rate))
        self.offset_ = -self.threshold_

    def _matrix(self, X: Any) -> Any:
        return self._learned.space.matrix(input_checks.checked(self, X, reset=False))

    def _shaped(self, values: NDArray[Any], X: Any) -> Any:
        return output_shapes.shaped(values, self.schema_, X)

    def _arrays(self) -> dict[str, np.ndarray]:
        if self.window is not None:
            from isthmus.anomaly.series_archive import to_arrays

            return to_arrays(self._series)
        return row_archive.to_arrays(self._learned)

    def _to_artifact(self) -> Artifact:
        plain = super()._to_artifact()
        own = None if self.window is not None else row_archive.own_schema(self._learned)
        return replace(plain, manifest={**plain.manifest, "schema": own})

    @classmethod
    def _from_artifact(cls, stored: Artifact) -> Self:
        content = dict(stored.manifest)
        own = content.pop("schema", None)
        detector = super()._from_artifact(replace(stored, manifest=content))
        arrays = detector.__dict__.pop("_stored")
        rate = row_archive.checked_rate(detector.false_alarm_rate)
        if detector.window is None:
            detector._keep_learned(row_archive.from_arrays(detector.autoencoder_, own, arrays))
            return detector
        from isthmus.anomaly.series_archive import from_arrays

        window = row_archive.checked_window(detector.window)
        detector._keep_series(from_arrays(detector.autoencoder_, window, arrays), rate)
        return detector

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._stored = arrays

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "outlier_detector"
        return tags
