"""Charts are well-formed SVG inside their frame, whatever they draw."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isthmus.report.charts import (
    WIDTH,
    PlotLine,
    histogram_chart,
    line_chart,
    scatter_chart,
    small_histogram,
)

WORDS = {"name": "c", "title": "T <&>", "description": "D", "x_label": "x", "y_label": "y"}
numbers = st.floats(-1e12, 1e12, allow_subnormal=False)
some = arrays(np.float64, st.integers(1, 30), elements=numbers)


def check(svg):
    root = ET.fromstring(svg)
    height = float(root.get("viewBox").split()[3])
    for path in root.iter("path"):
        for x, y in re.findall(r"(-?[\d.]+)[ ,](-?[\d.]+)", path.get("d")):
            assert -1 <= float(x) <= WIDTH + 1
            assert -1 <= float(y) <= height + 1
    return root


@settings(max_examples=60, deadline=None)
@given(y=some)
def test_lines_and_scatters_stay_inside(y):
    series = [PlotLine("s", np.arange(len(y), dtype=float), y, "--c0")]
    check(line_chart(series, **WORDS, mark=0.0))
    check(scatter_chart(series, **WORDS, labelled=True))


@settings(max_examples=60, deadline=None)
@given(values=some, others=some)
@example(values=np.array([1.0]), others=np.array([0.0, 1.0]))
def test_histograms_stay_inside(values, others):
    samples = [("a", values, "--c0"), ("b", others, "--c1")]
    check(histogram_chart(samples, **WORDS))
    check(histogram_chart(samples, **WORDS, mark=float(others[0]), log=True))
    ET.fromstring(small_histogram(values))


def test_a_wide_range_gets_a_logarithmic_axis_with_round_ticks():
    x = np.arange(5.0)
    root = check(line_chart([PlotLine("s", x, 10.0**-x, "--c0")], **WORDS))
    texts = [node.text for node in root.iter("text")]
    assert "y, log scale" in texts
    assert {"1", "0.1", "0.01", "0.001"} <= set(texts)


@pytest.mark.parametrize(
    ("high", "ticks"),
    [(1.0, ["0", "0.2", "0.4"]), (9.0, ["0", "2", "4"]), (12.0, ["0", "2.5", "5.0"])],
)
def test_ticks_are_round(high, ticks):
    x = np.array([0.0, high])
    root = check(scatter_chart([PlotLine("s", x, x, "--c0")], **WORDS))
    texts = [node.text for node in root.iter("text")]
    assert set(ticks) <= set(texts)


def test_points_that_are_not_finite_are_left_out():
    y = np.array([1.0, np.nan, np.inf, 2.0])
    root = check(line_chart([PlotLine("s", np.arange(4.0), y, "--c0")], **WORDS))
    assert "nan" not in ET.tostring(root, "unicode")
    assert root.find("title").text == "T <&>"
