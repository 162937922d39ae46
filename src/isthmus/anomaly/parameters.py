"""The constructor parameters of the anomaly detector, each declared once.

They have the format of `isthmus.estimators.parameters`. This module imports nothing heavy.
"""

from __future__ import annotations

from isthmus.estimators.constraints import Integer, Label, Model, OneOf, Real, Seed
from isthmus.estimators.parameters import UNKNOWN, Parameter

_MOST_ROWS = 2**24
"""Rows of a window: so many cells may a sample have in an archive (`isthmus.data.array_schema`)."""
_KINDS = ("detector",)
_PANEL = "A detector, --kind detector"

DETECTOR_PARAMETERS = (
    Parameter(
        "autoencoder",
        "isthmus estimator",
        None,
        Model(),
        "None: a linear denoising autoencoder on standardised data or, for pictures, their "
        "principal components; it trains in seconds. Your own autoencoder is cloned and fitted, "
        "unless it is wrapped in scikit-learn's ``FrozenEstimator``. In that case the false-alarm "
        "rate is only valid if X contains no rows that it was trained on.",
        kinds=_KINDS,
    ),
    Parameter(
        "false_alarm_rate",
        "float",
        0.01,
        Real(above=0, below=1),
        "Fraction of normal rows that may raise an alarm. A quarter of the rows is held out, or up "
        "to half if the rate requires it: a rate of 1% takes about 200 rows in total. With fewer, "
        "`fit` warns and extrapolates the threshold.",
        kinds=_KINDS,
        summary="The fraction of normal rows that may raise an alarm.",
        panel=_PANEL,
    ),
    Parameter(
        "mode",
        '{"novelty", "outlier"}',
        "novelty",
        OneOf(names=("novelty", "outlier")),
        '"novelty": the training rows are normal. "outlier": some are not, so far outliers are '
        "excluded from training and from the held-out rows that set the threshold. The false-alarm "
        "rate is then only as accurate as that exclusion. A series may contain a few anomalies in "
        "either mode.",
        kinds=_KINDS,
        summary="novelty if all rows of DATA are normal; outlier if some may be anomalies.",
        panel=_PANEL,
    ),
    Parameter(
        "window",
        'int, "auto" or None',
        None,
        Integer(auto=True, optional=True, at_least=2, at_most=_MOST_ROWS),
        "For a series: the rows of X are successive measurements, and this many form one sample. "
        '"auto": a sixteenth of the rows, from 50 to 250, and a multiple of the period if the '
        "series repeats itself (`window_` is what was chosen). None: rows are independent.",
        kinds=_KINDS,
        summary="Treat DATA as a series, with windows of this many rows, or auto.",
        panel=_PANEL,
        metavar="ROWS",
    ),
    Parameter(
        "longest_gap",
        "int or None",
        None,
        Integer(optional=True, at_least=0, at_most=_MOST_ROWS),
        "For a series: the most consecutive missing rows that are filled by interpolation, at most "
        "`window`. Rows are missing where the time between two rows is longer than the usual step, "
        "the median. Windows do not cross longer gaps, and filled rows count neither as normal nor "
        "as anomalous. None: a tenth of a window, but at least 3 rows; up to half a window, if "
        "many rows would be in no window otherwise (`longest_gap_` is what was chosen).",
        kinds=_KINDS,
        summary="For a series: the most missing rows in succession that are filled.",
        panel=_PANEL,
        metavar="ROWS",
    ),
    Parameter(
        "group",
        "str or None",
        None,
        Label(optional=True),
        "For the series of several units, such as machines, in one table: the column that says "
        "which unit each row belongs to. No window contains rows of two units. All units share one "
        "network; sensors are standardised, and alarms calibrated, for each unit. Needs `window`.",
        kinds=_KINDS,
        summary="For series of several units, such as machines: the column that names the unit.",
        panel=_PANEL,
        metavar="COLUMN",
    ),
    UNKNOWN,
    Parameter(
        "random_state",
        "None, int, RandomState or Generator",
        None,
        Seed(),
        "An integer makes `fit` reproducible; if you pass an autoencoder, set its seed too.",
        kinds=_KINDS,
    ),
)
"""All parameters, in the order of the signature."""
