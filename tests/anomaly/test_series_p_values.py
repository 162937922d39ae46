"""The p-values of a series in ONNX are those of Python."""

import numpy as np
import pytest

from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_p_values import p_values
from isthmus.export.graph import OnnxGraph
from isthmus.export.parity import open_session


@pytest.mark.parametrize("rows", [1, 37, 5000])
@pytest.mark.parametrize("tau", [1.0, 12.0, 500.0])
def test_they_agree_from_the_centre_to_far_out(rows, tau):
    rng = np.random.default_rng(0)
    calibration = SeriesCalibration(np.sort(np.exp(rng.normal(size=rows) / 3)), tau)
    graph = OnnxGraph()
    given = graph.input("scores", np.float64, ())
    graph.output("p", p_values(graph, calibration, given), np.float64, ())
    session = open_session(graph.model("p", "0").SerializeToString())
    scores = np.append(np.exp(rng.uniform(-30, 60, 3000)), [0.0, np.nan])
    (found,) = session.run(None, {"scores": scores})
    np.testing.assert_allclose(found, calibration.p_values(scores), rtol=1e-6, atol=1e-300)
