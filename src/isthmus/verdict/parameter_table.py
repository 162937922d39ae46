"""Table of the parameters of every layer, with the compression of the code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.core.number_format import ratio, text_table
from isthmus.estimators.fitted_check import require_fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class ParameterRow:
    """The parameters of one layer."""

    part: str
    """The model inside the model that holds the layer: ``"encoder"``; ``""`` at the top."""
    name: str
    kind: str
    """The layer's class: ``"Dense"``."""
    output_shape: tuple[int | None, ...] | None
    """Of one sample, without the batch axis; None if the layer does not define it."""
    weights: int
    """Kernels and embeddings."""
    biases: int
    other: int
    """Scales, shifts and moving statistics of normalisation, and all other variables."""

    @property
    def total(self) -> int:
        """All parameters of the layer."""
        return self.weights + self.biases + self.other

    @property
    def shape_text(self) -> str:
        """The output's shape as text: ``"28 × 28 × 1"``."""
        if self.output_shape is None:
            return "?"
        return " × ".join("?" if size is None else str(size) for size in self.output_shape) or "1"


@dataclass(frozen=True)
class ParameterTable:
    """The parameters of a network, layer by layer.

    ``str()`` returns an aligned plain-text table. `input_cells` and `code_cells` are set for
    isthmus estimators only.
    """

    rows: tuple[ParameterRow, ...]
    trainable: int
    frozen: int
    """Parameters that training does not change by gradient, such as moving averages."""
    input_cells: int | None = None
    code_cells: int | None = None

    @property
    def total(self) -> int:
        """All parameters."""
        return self.trainable + self.frozen

    @property
    def compression(self) -> float | None:
        """Input cells per code cell; None if `input_cells` or `code_cells` is not set."""
        if not self.input_cells or not self.code_cells:
            return None
        return self.input_cells / self.code_cells

    @property
    def code_not_smaller(self) -> bool:
        """Whether the code has at least as many numbers as the input."""
        return self.compression is not None and self.compression <= 1

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON can represent."""
        rows = [{**vars(row), "total": row.total} for row in self.rows]
        return {
            "rows": rows,
            "total": self.total,
            "trainable": self.trainable,
            "frozen": self.frozen,
            "input_cells": self.input_cells,
            "code_cells": self.code_cells,
            "compression": self.compression,
        }

    def __str__(self) -> str:
        headers = ["layer", "kind", "output", "weights", "biases", "other", "total"]
        body = [
            [
                f"{row.part}/{row.name}" if row.part else row.name,
                row.kind,
                row.shape_text,
                *(f"{n:,}" for n in (row.weights, row.biases, row.other, row.total)),
            ]
            for row in self.rows
        ]
        sums = [sum(getattr(row, key) for row in self.rows) for key in ("weights", "biases")]
        sums += [sum(row.other for row in self.rows), self.total]
        body.append(["total", "", "", *(f"{n:,}" for n in sums)])
        lines = [text_table(headers, body, left=2, rule_above=1)]
        lines.append(f"{self.trainable:,} trainable, {self.frozen:,} not trainable")
        if self.compression is not None:
            lines.append(
                f"{self.input_cells:,} input cells to {self.code_cells:,} code cells: "
                f"{ratio(self.compression)}"
            )
        return "\n".join(lines)


def parameter_table(model: Any) -> ParameterTable:
    """Count the parameters of every layer.

    The rows are the layers of nested models, and not these models themselves. A layer that is used
    twice is counted once. Input layers, which have no parameters, are left out.

    Parameters
    ----------
    model : keras.Model or fitted estimator
        A built Keras model, or any object with a fitted ``network_``.

    Returns
    -------
    ParameterTable
        For an estimator, also with the numbers of input and code cells.

    Raises
    ------
    InvalidParameter
        `model` is of another type, is not fitted or is not built.

    Examples
    --------
    >>> import isthmus, keras
    >>> net = keras.Sequential([keras.Input((784,)), keras.layers.Dense(32)])
    >>> isthmus.parameter_table(net).total
    25120
    """
    if isinstance(model, keras.Model):
        return _tabulate([("", model)])
    require_fitted(model, "network_", "a keras.Model or a fitted isthmus estimator")
    network = model.network_
    parts = [("encoder", network.encoder), ("decoder", network.decoder)]
    known = {id(variable) for _, part in parts for variable in part.weights}
    if any(id(variable) not in known for variable in network.full.weights):
        parts.append(("", network.full))  # a head beside the decoder
    return _tabulate(
        parts,
        input_cells=math.prod(model.schema_.sample_shape),
        code_cells=int(model.latent_dim_),
    )


def _tabulate(
    parts: Sequence[tuple[str, keras.Model]],
    *,
    input_cells: int | None = None,
    code_cells: int | None = None,
) -> ParameterTable:
    for _, model in parts:
        if not model.built:
            raise InvalidParameter(
                f"model {model.name!r}",
                expected="a model that has been built",
                received="one whose input shape is not known yet",
                remedy="give its first layer an Input, or call the model on a batch",
            )
    seen: set[int] = set()
    rows = tuple(row for part, model in parts for row in _rows(model, part, seen, top=part == ""))
    trainable = {id(v): _size(v) for _, model in parts for v in model.trainable_weights}
    every = {id(v): _size(v) for _, model in parts for v in model.weights}
    learned = sum(trainable.values())
    return ParameterTable(rows, learned, sum(every.values()) - learned, input_cells, code_cells)


def _rows(model: keras.Model, part: str, seen: set[int], *, top: bool) -> Iterator[ParameterRow]:
    for layer in model.layers:
        if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
            continue
        seen.add(id(layer))
        if isinstance(layer, keras.Model):
            yield from _rows(layer, f"{part}/{layer.name}" if part else layer.name, seen, top=False)
        else:
            yield _row(layer, part, [v for v in layer.weights if not _counted(v, seen)])
    # A subclassed model may have variables that belong to none of its layers.
    own = [v for v in model.weights if not _counted(v, seen)]
    if own:
        yield _row(model, part if top else part.rpartition("/")[0], own)


def _counted(variable: Any, seen: set[int]) -> bool:
    if id(variable) in seen:
        return True
    seen.add(id(variable))
    return False


def _row(layer: keras.Layer, part: str, variables: Sequence[Any]) -> ParameterRow:
    counts = {"weights": 0, "biases": 0, "other": 0}
    for variable in variables:
        counts[_role(variable.name)] += _size(variable)
    return ParameterRow(part, layer.name, type(layer).__name__, _output_shape(layer), **counts)


def _role(name: str) -> str:
    if "kernel" in name or "embedding" in name or name in ("w", "weight", "weights"):
        return "weights"
    return "biases" if "bias" in name or name == "b" else "other"


def _size(variable: Any) -> int:
    return math.prod(variable.shape)


def _output_shape(layer: keras.Layer) -> tuple[int | None, ...] | None:
    try:
        output = layer.output
    except (AttributeError, ValueError):
        return None
    first = output if hasattr(output, "shape") else next(iter(keras.tree.flatten(output)), None)
    return None if first is None else tuple(first.shape[1:])
