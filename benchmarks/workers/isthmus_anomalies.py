"""Worker: isthmus' detector with its defaults on ADBench, with or without the network's measures.

job: data, sets, protocol, seeds, without ("", "network")
"""

import warnings

import adbench
import job
import numpy as np

import isthmus as ist
from isthmus.anomaly.row_score import _mean
from isthmus.core.errors import DataWarning

MODES = {"S": "novelty", "U": "outlier"}
OF_NETWORK = [2, 3, 4]
"""Measures of the score that need the network: distances of codes, lengths of code, residual."""


def main() -> None:
    task = job.read()
    detector = ist.AnomalyDetector  # imports before the timing starts, as for the peers
    warnings.simplefilter("ignore", DataWarning)  # too few rows for a threshold; scores have none

    def fitted(rows: np.ndarray, seed: int) -> ist.AnomalyDetector:
        return detector(mode=MODES[task.protocol], random_state=seed).fit(rows)

    def score(fitted: ist.AnomalyDetector, rows: np.ndarray) -> np.ndarray:
        if not task.without:
            return fitted.anomaly_score(rows)
        fitted_score = fitted._fitted.row_score
        logs = fitted_score._logs(fitted._prepared(rows))
        z = (logs - fitted_score.center) / fitted_score.scale
        return _mean(np.delete(z, OF_NETWORK, axis=1))

    job.report(sets=adbench.measure(task, fitted, score))


if __name__ == "__main__":
    main()
