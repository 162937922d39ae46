"""The score of windows in ONNX follows slow changes as in Python."""

import numpy as np
import pytest

from isthmus.anomaly.level_nodes import window_scores
from isthmus.anomaly.series_score import Level, SeriesScore
from isthmus.anomaly.window_nodes import MeasuredWindows
from isthmus.export.graph import OnnxGraph
from isthmus.export.parity import open_session

WIDTH, SENSORS = 4, 3


@pytest.mark.parametrize(("step", "order"), [(8, 2), (3, 1), (0, 2), (5, 3)])
def test_scores_and_moves_are_those_of_python(step, order):
    rng = np.random.default_rng(step)
    levels = rng.normal(size=(5, 3, SENSORS))
    score = SeriesScore(levels, 1 + rng.random((3, SENSORS)), limit=4.0, step=step, order=order)
    graph = OnnxGraph()
    windows = MeasuredWindows(
        "",
        graph.input("statistics", np.float64, (3, SENSORS)),
        graph.input("absent", bool, (SENSORS,)),
    )
    graph.output("scores", window_scores(graph, score, WIDTH, windows), np.float64, ())
    session = open_session(graph.model("level", "0").SerializeToString())
    for rows in (1, step or 7, 401):
        # Drift, and shifts that last longer than the level stands still, and end.
        shifts = np.repeat(rng.choice([0.0, 0.0, 9.0], rows // 60 + 1), 60)[:rows]
        drift = np.linspace(0, 3, rows)
        statistics = rng.normal(size=(rows, 3, SENSORS)) + (shifts + drift)[:, None, None]
        absent = rng.random((rows, SENSORS)) < 0.1
        (found,) = session.run(None, {"statistics": statistics, "absent": absent})
        parts = Level(score, WIDTH).contributions(statistics, absent)
        np.testing.assert_allclose(found, parts.sum(axis=1), rtol=1e-9)
