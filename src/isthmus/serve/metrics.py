"""Figures of the service for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.drift import Drift

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = tuple(4**power for power in range(8))
_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 8)
_ERRORS = tuple(10 ** (power / 2) for power in range(-10, 5))


class Metrics:
    """The figures of one service, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        of_operation = ("model", "operation")
        self.requests = Counter(
            "isthmus_requests",
            "Requests by HTTP status.",
            (*of_operation, "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "isthmus_request_seconds",
            "Seconds from the headers of a request to the end of its response.",
            of_operation,
            buckets=_SECONDS,
            registry=registry,
        )
        self.batches = Histogram(
            "isthmus_batch_rows",
            "Rows that the model computed at once.",
            ("model",),
            buckets=_ROWS,
            registry=registry,
        )
        self.alarms = Counter(
            "isthmus_alarms", "Rows that raised an alarm.", ("model",), registry=registry
        )
        self.warnings = Counter(
            "isthmus_warnings",
            "Warnings of the library, such as values that fit did not see.",
            registry=registry,
        )
        self.loads = Counter(
            "isthmus_loads",
            "Attempts to load a model's file, by result.",
            ("model", "result"),
            registry=registry,
        )
        self._drift = Gauge(
            "isthmus_drift_p_value",
            "p-value of recent rows against held-out ones of the training data.",
            ("model",),
            registry=registry,
        )
        self._drift_columns = Gauge(
            "isthmus_drift_column_p_value",
            "The same for each column, after Holm's correction.",
            ("model", "column"),
            registry=registry,
        )
        self.scores = ValueHistograms(
            "isthmus_score_ratio", "Anomaly scores divided by the threshold.", _RATIOS
        )
        self.errors = ValueHistograms(
            "isthmus_reconstruction_error", "Reconstruction errors in scaled units.", _ERRORS
        )
        for collector in (self.scores, self.errors):
            registry.register(collector)
        ProcessCollector(registry=registry)

    def saw_drift(self, model: str, found: Drift) -> None:
        """Set the figures of drift."""
        self._drift.labels(model).set(found.p_value)
        for column, value in found.adjusted.items():
            self._drift_columns.labels(model, column).set(value)

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)


class ValueHistograms(Collector):
    """A histogram of many values at once for each model; that of prometheus_client takes one.

    Parameters
    ----------
    name, about : str
    bounds : sequence of float
        The upper bounds of the buckets, in ascending order.
    """

    def __init__(self, name: str, about: str, bounds: Sequence[float]) -> None:
        self._name, self._about, self._bounds = name, about, np.asarray(bounds)
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, model: str, values: NDArray[np.float64]) -> None:
        """Count values; NaN is left out."""
        values = values[np.isfinite(values)]
        size = len(self._bounds) + 1
        counts = np.bincount(np.searchsorted(self._bounds, values), minlength=size)
        self._counts[model] = self._counts.get(model, np.zeros(size, dtype=np.int64)) + counts
        self._sums[model] = self._sums.get(model, 0.0) + float(values.sum())

    def collect(self) -> Iterator[Any]:
        """Yield the histograms, as prometheus_client expects."""
        family = HistogramMetricFamily(self._name, self._about, labels=["model"])
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        for model, counts in self._counts.items():
            buckets = list(zip(bounds, np.cumsum(counts).tolist(), strict=True))
            family.add_metric([model], buckets, self._sums[model])
        yield family
