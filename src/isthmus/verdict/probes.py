"""Probe a live model with rows: whether it reconstructs them, and what affects its code.

The model is called on the rows without training. It is not changed: Keras' stateless scope restores
the states of its random layers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from isthmus.core.errors import InvalidData, InvalidParameter
from isthmus.core.number_format import percent
from isthmus.verdict.model_runs import values_of

if TYPE_CHECKING:
    from isthmus.verdict.live_models import Live
    from isthmus.verdict.rules import ModelEvidence
    from isthmus.verdict.structure import Structure
    from isthmus.verdict.subject import Subject

_MOST_ROWS = 256
_ALIKE = 0.3
"""Correlation from which one array counts as a form of another."""
_SLOPES = (0.3, 1.3)
"""Range of the slope of a corrupted input on its clean form.

Masking scales the input down; added noise does not."""


def probe(
    subject: Subject, structure: Structure | None, evidence: ModelEvidence, X: Any, y: Any
) -> ModelEvidence:
    """Add to the evidence what the rows show.

    Raises
    ------
    InvalidData
        The rows do not fit the model.
    InvalidParameter
        There is no live model with a graph to probe.
    """
    live = subject.live
    if live is None or structure is None:
        raise InvalidParameter(
            "X",
            expected="a live functional or sequential model to probe",
            received="a file, or a model without a graph of layers",
            remedy="leave X and y out",
        )
    inputs, goal = _arrays(live, X, y)
    notes = list(evidence.notes)
    if not structure.pairs:
        return evidence
    source, output = structure.pairs[0]
    place = live.graph.inputs.index(source)
    given = _flat(inputs[place])
    tensors = structure.cut.tensors if structure.cut else ()
    values = values_of(live, inputs, (output, *tensors))
    if live.graph.vocabularies.get(source) is None:
        rebuilt = _flat(values[output])
        explained = _explained(given, rebuilt)
        notes.append(_says(explained))
        evidence = replace(evidence, reproduces=explained)
        if evidence.target is None and goal is not None and goal.size == given.size:
            evidence = _compared(evidence, given, _flat(goal))
    notes += _other_inputs(live, structure, inputs, values)
    notes += _gradient(subject, structure, inputs, place, output)
    return replace(evidence, notes=tuple(notes))


def _arrays(live: Live, X: Any, y: Any) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Return an array for each input, and the target."""
    graph = live.graph
    if isinstance(X, dict):
        X = [X[key] for key in sorted(X)]
    given = list(X) if isinstance(X, (list, tuple)) and len(graph.inputs) > 1 else [X]
    if len(given) == len(graph.inputs) - 1 and y is not None:
        given, y = [*given, y], None
    if len(given) != len(graph.inputs):
        raise InvalidData(
            "X",
            expected=f"arrays for the {len(graph.inputs)} inputs: {', '.join(graph.input_names)}",
            received=f"{len(given)}",
            remedy="pass a list with an array for each input",
        )
    arrays = [
        _array(array, name, graph.shapes[tensor])
        for array, name, tensor in zip(given, graph.input_names, graph.inputs, strict=True)
    ]
    goal = None if y is None else np.asarray(y)
    if len({len(array) for array in arrays + ([] if goal is None else [goal])}) > 1:
        raise InvalidData("X and y", expected="equally many rows", received="different numbers")
    return [array[:_MOST_ROWS] for array in arrays], None if goal is None else goal[:_MOST_ROWS]


def _array(value: Any, name: str, shape: Any) -> np.ndarray:
    array = np.asarray(value)
    fits = array.dtype.kind in "fiub" and array.ndim == len(shape) + 1 and len(array) > 1
    fits = fits and all(a in (None, b) for a, b in zip(shape, array.shape[1:], strict=True))
    if not fits or not np.isfinite(array).all():
        wanted = ", ".join("?" if axis is None else str(axis) for axis in shape)
        raise InvalidData(
            f"X for the input {name}",
            expected=f"finite numbers of shape (n, {wanted}), two rows or more",
            received=f"{array.dtype} {array.shape}",
            remedy="pass rows as the model is fed them",
        )
    return array.astype("float32") if array.dtype.kind == "f" else array


def _flat(array: Any) -> np.ndarray:
    return np.asarray(array, dtype=np.float64).reshape(len(array), -1)


def _explained(truth: np.ndarray, guess: np.ndarray) -> float:
    """Return the fraction of the variance around the mean row that a guess explains."""
    spread = ((truth - truth.mean(axis=0)) ** 2).sum()
    return float(1 - ((truth - guess) ** 2).sum() / spread) if spread > 0 else 0.0


def _says(explained: float) -> str:
    if explained > 0:
        return f"Probed: its output explains {percent(explained)} of the variance of your rows."
    return "Probed: its output is no closer to your rows than their mean row is."


def _compared(evidence: ModelEvidence, given: np.ndarray, goal: np.ndarray) -> ModelEvidence:
    """Decide whether y is X itself, its clean form or something else."""
    if np.allclose(given, goal):
        return replace(evidence, target="input", source=" (y equals X)")
    one, other = given - given.mean(axis=0), goal - goal.mean(axis=0)
    product, power = (one * other).sum(), (other**2).sum()
    alike = product / max(np.sqrt((one**2).sum() * power), 1e-12)
    slope = product / max(power, 1e-12)
    if alike >= _ALIKE and _SLOPES[0] <= slope <= _SLOPES[1]:
        return replace(
            evidence, target="input", source=" in a clean form (X is y with noise)", noisy=True
        )
    return replace(evidence, target="other", source=" (y is not a form of X)")


def _other_inputs(
    live: Live, structure: Structure, inputs: list[np.ndarray], values: dict[int, Any]
) -> list[str]:
    """Shift the rows of each other input by one, and report whether code and output change."""
    notes = []
    sources = {i for i, _ in structure.pairs}
    output = structure.pairs[0][1]
    tensors = structure.cut.tensors if structure.cut else ()
    for place, (tensor, name) in enumerate(
        zip(live.graph.inputs, live.graph.input_names, strict=True)
    ):
        if tensor in sources:
            continue
        moved = [np.roll(a, 1, axis=0) if i == place else a for i, a in enumerate(inputs)]
        again = values_of(live, moved, (output, *tensors))
        code = any(not np.allclose(again[t], values[t], atol=1e-6) for t in tensors)
        result = not np.allclose(again[output], values[output], atol=1e-6)
        notes.append(
            f"Probed: permuting the rows of the input {name} "
            f"{'changes' if code else 'does not change'} the code, and "
            f"{'changes' if result else 'does not change'} the output."
        )
    return notes


def _gradient(
    subject: Subject,
    structure: Structure,
    inputs: list[np.ndarray],
    place: int,
    output: int,
) -> list[str]:
    """Check that the gradient of the reconstruction error reaches the layers that make the code."""
    live = subject.live
    if live is None or live.graph.vocabularies or not structure.cut:
        return []
    wanted = {*structure.encoder, *structure.bottleneck}
    layers = {
        id(step.operation): step.operation
        for node, step in zip(live.graph.nodes, live.steps, strict=True)
        if node.layer in wanted and getattr(step.operation, "weights", None)
    }
    variables = list(
        {id(v): v for layer in layers.values() for v in layer.trainable_variables}.values()
    )
    if not variables:
        return [] if not layers else ["The layers that make the code are frozen."]

    def error(weights: list[Any]) -> Any:
        taken = zip(variables, weights, strict=True)
        made = values_of(live, inputs, (output,), weights=taken)[output]
        return ((made.reshape(len(made), -1) - _flat(inputs[place]).astype("float32")) ** 2).mean()

    slopes = jax.grad(error)([variable.value for variable in variables])
    if any(np.abs(np.asarray(slope)).max() > 0 for slope in slopes):
        return []
    return [
        "Probed: no gradient of the reconstruction error reaches the layers that make the code, "
        "so it does not train them."
    ]
