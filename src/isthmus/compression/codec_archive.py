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


def from_artifact(stored: Artifact) -> tuple[Any, Ranges, EmbeddedModel | None]:
    """Return the parameters, the ranges and the model of an untrusted archive.

    Raises
    ------
    InvalidArchive
        The archive does not contain a valid codec.
    """
    content = config_checks.entries(stored.manifest, ("params", "ranges", "coder"), "codec")
    ranges = stored.arrays.get("ranges", content["ranges"])
    if not _valid_ranges(ranges):
        config_checks.refuse("ranges", "finite numbers of at least 0", content["ranges"])
    if content["coder"] is None:
        return content["params"], ranges, None
    name = config_checks.one_of(content, "coder", tuple(LEARNED))
    arrays = without_prefix(stored.arrays, _MODEL)
    return content["params"], ranges, EmbeddedModel(LEARNED[name].from_arrays(arrays))


def _valid_ranges(ranges: Any) -> bool:
    if isinstance(ranges, dict):
        return all(type(size) is float and 0 <= size < np.inf for size in ranges.values())
    if isinstance(ranges, np.ndarray):
        one_each = ranges.dtype == np.float64 and ranges.ndim == 1
        return one_each and bool(((ranges >= 0) & (ranges < np.inf)).all())
    return ranges is None
