"""The constructor parameters of the anomaly detector, each declared once.

As those of the estimators in `isthmus.estimators.parameters`. Nothing heavy is imported here.
"""

from __future__ import annotations

from isthmus.estimators.constraints import Integer, Model, OneOf, Real, Seed
from isthmus.estimators.parameters import UNKNOWN, Parameter

_KINDS = ("detector",)
_PANEL = "A detector, --kind detector"

DETECTOR_PARAMETERS = (
    Parameter(
        "autoencoder",
        "isthmus estimator",
        None,
        Model(),
        "None: a linear denoising autoencoder for numbers and images alike, which is trained in a "
        "moment and sees the standardized data. One of your own is cloned and fitted, unless it is "
        "in scikit-learn's ``FrozenEstimator``: then the false-alarm rate holds for rows of X that "
        "it was not trained on.",
        kinds=_KINDS,
    ),
    Parameter(
        "false_alarm_rate",
        "float",
        0.01,
        Real(above=0, below=1),
        "Fraction of normal rows that may raise an alarm. The held-out rows are a quarter of all, "
        "or more where the rate needs it, up to half: 1% takes about 200 rows in all. With fewer, "
        "`fit` warns, and the threshold is set by extrapolation.",
        kinds=_KINDS,
        summary="The fraction of normal rows that may raise an alarm.",
        panel=_PANEL,
    ),
    Parameter(
        "mode",
        '{"novelty", "outlier"}',
        "novelty",
        OneOf(names=("novelty", "outlier")),
        '"novelty": the training rows are normal. "outlier": some are not; those far out are left '
        "out of training, and of the held-out rows that set the threshold. The rate is then met as "
        "far as those are found. Not for series, which may hold a few anomalies in any case.",
        kinds=_KINDS,
        summary="novelty, where DATA are normal rows; outlier, where some may be anomalies.",
        panel=_PANEL,
    ),
    Parameter(
        "window",
        "int or None",
        None,
        Integer(optional=True, at_least=2),
        "Of a series: rows of X are successive measurements, and so many make a sample. None: rows "
        "are independent.",
        kinds=_KINDS,
        summary="DATA is a series, seen through windows of so many rows.",
        panel=_PANEL,
        metavar="ROWS",
    ),
    UNKNOWN,
    Parameter(
        "random_state",
        "None, int, RandomState or Generator",
        None,
        Seed(),
        "An integer makes `fit` repeat its bits; for an autoencoder of your own, set its own too.",
        kinds=_KINDS,
    ),
)
"""All of them, in the order of the signature."""
