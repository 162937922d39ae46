"""What detectors of independent rows and of pictures share: conformal alarms and few settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly import conformal
from isthmus.estimators.learned_checks import contradicted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isthmus.anomaly.conformal import Scores


class ConformalRows:
    """A detector whose scores are compared with those of held-out rows."""

    calibration: Scores
    """Scores of held-out rows, in ascending order."""

    def p_values(self, scores: Scores) -> Scores:
        """Return the conformal p-values of anomaly scores, (n,)."""
        return conformal.p_values(scores, self.calibration)

    def threshold(self, rate: float) -> float:
        """Return the score above which an alarm is raised at a false-alarm rate."""
        return conformal.threshold(self.calibration, rate)

    def thresholds(self, scores: Scores, rate: float, rows: Any = None) -> Scores:  # noqa: ARG002
        """Return `threshold` for each of the scores, (n,)."""
        return np.full(len(scores), self.threshold(rate))


def check_settings_of_rows(
    series: Mapping[str, Any], *, contaminated: bool, learned_contaminated: bool
) -> None:
    """Check that no setting is for series, and whether training rows may contain anomalies.

    Parameters
    ----------
    series : mapping of str to object
        The settings that are for series.
    contaminated, learned_contaminated : bool
        What the settings say, and what was learned.
    """
    for name, value in series.items():
        if value is not None:
            raise contradicted(name, value, None)
    if contaminated != learned_contaminated:
        modes = {False: "novelty", True: "outlier"}
        raise contradicted("mode", modes[contaminated], modes[not contaminated])
