"""The detector with PyOD's interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.errors import InvalidParameter
from isthmus.estimators import input_checks, parameter_checks
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]


class PyODAdapter(BaseEstimator):
    """Gives an `AnomalyDetector` the method names and sign conventions of PyOD.

    Higher scores are worse; labels are 1 for anomalies and 0 otherwise.

    Parameters
    ----------
    detector : AnomalyDetector, default=None
        Cloned and fitted. None: a detector with ``mode="outlier"``, because PyOD's detectors are
        fitted to rows that include some anomalies.
    contamination : float or None, default=None
        As in PyOD: the fraction of training rows to label as anomalies, above 0 and at most 0.5.
        None: use the detector's own threshold, which needs no such guess.
    random_state : None, int, RandomState or Generator, default=None
        For the default detector; ignored if `detector` is given.

    Attributes
    ----------
    decision_scores_ : array of shape (n,)
        Scores of the training rows, none compared with itself; higher is worse.
    threshold_ : float
        Scores above it are anomalies.
    labels_ : array of shape (n,)
        Labels of the training rows: 1 for anomalies, 0 otherwise.
    detector_ : AnomalyDetector
        The fitted detector.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_wine
    >>> model = ist.PyODAdapter(contamination=0.1, random_state=0).fit(load_wine().data)
    >>> int(model.labels_.sum())
    18
    """

    def __init__(
        self, detector: Any = None, *, contamination: float | None = None, random_state: Any = None
    ) -> None:
        self.detector = detector
        self.contamination = contamination
        self.random_state = random_state

    @without_keywords
    def fit(self, X: Any, y: Any = None, **unsupported: Any) -> Self:
        """Fit the detector and label the training rows.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape).
        y : ignored
            Present for compatibility with PyOD.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, TrainingDiverged
            The detector's `fit` fails, or `contamination` is out of range.
        """
        refuse_keywords(unsupported)
        fraction = self.contamination
        if fraction is not None:
            fraction = parameter_checks.number("contamination", fraction, above=0, at_most=0.5)
        X = input_checks.in_memory(X)
        self.detector_ = self._unfitted().fit(X, y)
        self.decision_scores_ = self.detector_.anomaly_score(X)
        self.threshold_ = (
            self.detector_.threshold_
            if fraction is None
            else float(np.quantile(self.decision_scores_, 1 - fraction))
        )
        self.labels_ = self._labels(self.decision_scores_)
        return self

    def decision_function(self, X: Any) -> Scores:
        """Return the anomaly score of each row, (n,); higher is worse."""
        check_is_fitted(self)
        scores: Scores = self.detector_.anomaly_score(X)
        return scores

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return 1 for each anomaly and 0 for each other row, (n,)."""
        return self._labels(self.decision_function(X))

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Fit the detector and return the labels of the training rows."""
        return self.fit(X, y).labels_

    def predict_proba(self, X: Any) -> Scores:
        """Return a value for "normal" and one for "anomaly", (n, 2), which sum to 1.

        The first is the conformal p-value: how rare a score this high is among normal rows. Unlike
        PyOD's rescaled scores, it is calibrated. It is not the probability that the row is normal,
        which would depend on how common anomalies are.
        """
        check_is_fitted(self)
        values = self.detector_.p_values(X)
        return np.stack([values, 1 - values], axis=1)

    def _unfitted(self) -> AnomalyDetector:
        if self.detector is None:
            return AnomalyDetector(mode="outlier", random_state=self.random_state)
        if not isinstance(self.detector, AnomalyDetector):
            raise InvalidParameter(
                "detector",
                expected="an AnomalyDetector or None",
                received=repr(self.detector)[:200],
                remedy="leave it out to use the default",
            )
        unfitted: AnomalyDetector = clone(self.detector)
        return unfitted

    def _labels(self, scores: Scores) -> NDArray[np.int64]:
        return (scores > self.threshold_).astype(np.int64)
