"""Exports a detector as an ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.anomaly import picture_export, row_export
from isthmus.anomaly.picture_detector import PictureDetector
from isthmus.anomaly.row_detector import RowDetector
from isthmus.export.onnx_file import write_onnx

if TYPE_CHECKING:
    import os

    from isthmus.export.onnx_file import CheckedGraph


def export(detector: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted detector; see `AnomalyDetector.export`."""
    description = {"kind": "detector", "part": "detect"}
    write_onnx(path, _checked_graph(detector), description)


def _checked_graph(detector: Any) -> CheckedGraph:
    fitted = detector._fitted
    if isinstance(fitted, RowDetector):
        return row_export.checked_graph(detector, fitted)
    if isinstance(fitted, PictureDetector):
        return picture_export.checked_graph(detector, fitted)
    from isthmus.anomaly import fleet_export, series_export  # not needed for rows
    from isthmus.anomaly.fleet_detector import FleetDetector

    if isinstance(fitted, FleetDetector):
        return fleet_export.checked_graph(detector, fitted)
    return series_export.checked_graph(detector, fitted)
