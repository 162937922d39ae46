"""Saving a fitted codec as an archive: its parameters, ranges and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.catalogue import LEARNED
from isthmus.compression.embedded_model import EmbeddedModel
from isthmus.persistence import config_checks
from isthmus.persistence.artifact import Artifact
from isthmus.persistence.prefixes import with_prefix, without_prefix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ranges = NDArray[np.float64] | dict[str, float] | None

CONTENT = ("params", "ranges", "coder")
"""The entries of the content of an archive."""
_MODEL = "learned/"


def to_artifact(
    kind: str, params: dict[str, Any], ranges: Ranges, model: EmbeddedModel | None
) -> Artifact:
    """Return the archive, for `from_artifact`."""
    arrays: dict[str, NDArray[Any]] = {}
    if isinstance(ranges, np.ndarray):
        arrays["ranges"] = ranges
    if model is not None:
        arrays |= with_prefix(model.coder.to_arrays(), _MODEL)
    manifest = {
        "params": params,
        "ranges": ranges if isinstance(ranges, dict) else None,
        "coder": None if model is None else model.name,
    }
    return Artifact(kind, manifest, arrays)


def has_ranges(stored: Artifact) -> bool:
    """Tell whether an archive whose content has the right entries has ranges."""
    return "ranges" in stored.arrays or stored.manifest["ranges"] is not None


def from_artifact(stored: Artifact) -> tuple[Ranges, EmbeddedModel | None]:
    """Return the ranges and the model of an untrusted archive.

    Raises
    ------
    InvalidArchive
        The archive does not contain a valid codec.
    """
    content = config_checks.entries(stored.manifest, CONTENT, "codec")
    ranges = stored.arrays.get("ranges", content["ranges"])
    if not _valid_ranges(ranges) or ("ranges" in stored.arrays and content["ranges"] is not None):
        config_checks.refuse("ranges", "finite numbers of at least 0, once", content["ranges"])
    arrays = without_prefix(stored.arrays, _MODEL)
    known = {"ranges", *with_prefix(arrays, _MODEL)}
    if not set(stored.arrays) <= known or (arrays and content["coder"] is None):
        names = sorted(stored.arrays)
        config_checks.refuse("arrays", "ranges, and those of a model if there is one", names)
    if content["coder"] is None:
        return ranges, None
    name = config_checks.one_of(content, "coder", tuple(LEARNED))
    if name == "pixels" and not (ranges is None or np.shape(ranges) == (1,)):
        config_checks.refuse("ranges", "one range, of all pixels", f"shape {np.shape(ranges)}")
    return ranges, EmbeddedModel(LEARNED[name].from_arrays(arrays))


def _valid_ranges(ranges: Any) -> bool:
    if isinstance(ranges, dict):
        return all(type(size) is float and 0 <= size < np.inf for size in ranges.values())
    if isinstance(ranges, np.ndarray):
        one_each = ranges.dtype == np.float64 and ranges.ndim == 1
        return one_each and bool(((ranges >= 0) & (ranges < np.inf)).all())
    return ranges is None
