"""Rerun the calls of a live model's graph, on arrays or on symbolic tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isthmus.verdict.live_models import Live


def values_of(
    live: Live,
    inputs: Sequence[Any],
    wanted: Iterable[int],
    *,
    weights: Iterable[tuple[Any, Any]] = (),
) -> dict[int, Any]:
    """Return the values of tensors for arrays given as the model's inputs.

    The model is not changed. Its buffers are not donated, as they are by `predict`.

    Parameters
    ----------
    live : Live
        The model.
    inputs : sequence of ndarray
        One (n, *sample_shape) for each input.
    wanted : iterable of int
        The numbers of the tensors in the graph.
    weights : iterable of (variable, value)
        Values that replace those of the variables.
    """
    with keras.StatelessScope(state_mapping=list(weights)):
        given = {
            tensor: keras.ops.convert_to_tensor(array)
            for tensor, array in zip(live.graph.inputs, inputs, strict=True)
        }
        return replay(live, given, wanted)


def replay(live: Live, known: dict[int, Any], wanted: Iterable[int]) -> dict[int, Any]:
    """Return the values of tensors, given the values of tensors that they depend on.

    With symbolic tensors, Keras records the calls again; with arrays, it records nothing.
    """
    values = dict(known)
    needed = _needed(live, values, wanted)
    for place, (node, step) in enumerate(zip(live.graph.nodes, live.steps, strict=True)):
        if place not in needed:
            continue
        tensors = {identity: values[tensor] for identity, tensor in step.filled.items()}
        args, kwargs = step.arguments.fill_in(tensors)
        made = keras.tree.flatten(step.operation(*args, **kwargs))
        values.update(zip(node.outputs, made, strict=True))
    return {tensor: values[tensor] for tensor in wanted}


def _needed(live: Live, known: dict[int, Any], wanted: Iterable[int]) -> set[int]:
    """Return the positions of the calls between the known and the wanted tensors."""
    open_, places = set(wanted) - set(known), set()
    for place in range(len(live.graph.nodes) - 1, -1, -1):
        node = live.graph.nodes[place]
        if not open_.isdisjoint(node.outputs):
            places.add(place)
            open_ |= set(node.inputs) - set(known)
    return places
