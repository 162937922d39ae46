"""Histograms of many values at once agree with counts one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.serve.metrics import Metrics, ValueHistograms

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=20)


@given(VALUES, VALUES)
def test_buckets_are_cumulative_counts(first, second):
    bounds = (0.5, 1.0, 2.0)
    histograms = ValueHistograms("name", "about", bounds)
    histograms.observe("a", np.array(first))
    histograms.observe("a", np.array(second))
    (family,) = histograms.collect()
    values = [value for value in first + second if np.isfinite(value)]
    found = {
        sample.labels.get("le", sample.name): sample.value
        for sample in family.samples
        if sample.name != "name_sum"
    }
    expected = {f"{bound:g}": sum(value <= bound for value in values) for bound in bounds}
    assert found == expected | {"+Inf": len(values), "name_count": len(values)}


def test_services_do_not_share_figures():
    first, second = Metrics(), Metrics()
    first.warnings.inc()
    assert b"isthmus_warnings_total 1.0" in first.text()
    assert b"isthmus_warnings_total 0.0" in second.text()
