"""Writes an ONNX file: a graph with a description of what it came from."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus._version import __version__
from isthmus.core.atomic_files import atomic_write
from isthmus.export.graph import OPSET
from isthmus.export.parity import check_parity

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from isthmus.export.graph import OnnxGraph
    from isthmus.export.parity import Expected


class Check(NamedTuple):
    """Inputs of a graph, and the outputs for them."""

    inputs: Mapping[str, Any]
    expected: Mapping[str, Expected]


class CheckedGraph(NamedTuple):
    """A complete graph, and what to compare it on."""

    graph: OnnxGraph
    schema: Mapping[str, Any]
    """A description of the data as JSON."""
    checks: Sequence[Check]
    at_once: int | None = None
    """How many rows are run together; None for all."""


def write_onnx(
    path: str | os.PathLike[str], checked: CheckedGraph, description: Mapping[str, str]
) -> None:
    """Write a graph whose outputs are as expected.

    The file's metadata has the entries of the description, the version of isthmus, the opset, the
    schema as JSON, and the SHA-256 of the graph, all under names that begin with ``isthmus.``.

    Parameters
    ----------
    path : path
        The file to write.
    checked : CheckedGraph
        The graph.
    description : mapping of str to str
        What it is.

    Raises
    ------
    IsthmusError
        An output differs from what is expected; nothing is written.
    MissingExtra
        onnx or ONNX Runtime is not installed.
    CannotWrite
        The file could not be written; an existing file is unchanged.
    """
    model = checked.graph.model("isthmus", __version__)
    checksum = hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()
    metadata = {
        **description,
        "version": __version__,
        "opset": str(OPSET),
        "schema": json.dumps(checked.schema),
        "sha256": checksum,
    }
    for key, value in metadata.items():
        model.metadata_props.add(key=f"isthmus.{key}", value=value)
    content = model.SerializeToString()
    for check in checked.checks:
        check_parity(content, *check, checked.at_once)
    atomic_write(path, content)
