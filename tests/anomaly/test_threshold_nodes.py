"""Thresholds in ONNX follow alarms as in Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.anomaly.alarm_threshold import AlarmThreshold, thresholds
from isthmus.anomaly.threshold_nodes import thresholds as threshold_nodes
from isthmus.export.graph import OnnxGraph
from isthmus.export.parity import open_session


@pytest.fixture(scope="module")
def sessions():
    made = {}

    def session(setting):
        if setting not in made:
            graph = OnnxGraph()
            scores = graph.input("scores", np.float64, ())
            found = threshold_nodes(graph, AlarmThreshold(*setting), scores)
            graph.output("thresholds", found, np.float64, ())
            made[setting] = open_session(graph.model("thresholds", "0").SerializeToString())
        return made[setting]

    return session


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(0, 3000),
    seed=st.integers(0, 999),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    setting=st.sampled_from([(2.0, 0.1, 5.0, 0.3), (1.0, 0.01, 40.0, 1.0), (0.5, 0.4, 1.0, 2.0)]),
)
def test_they_are_those_of_python(sessions, rows, seed, missing, setting):
    rng = np.random.default_rng(seed)
    drift = np.repeat(rng.normal(size=rows // 20 + 1), 20)[:rows]
    scores = np.exp(drift + 0.3 * rng.normal(size=rows))
    scores[rng.random(rows) < missing] = np.nan
    (found,) = sessions(setting).run(None, {"scores": scores})
    np.testing.assert_allclose(found, thresholds(scores, *setting), rtol=1e-9)
