"""Cuts a model at its bottleneck into an encoder and a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.verdict.live_models import has_graph, read_live
from isthmus.verdict.model_runs import replay
from isthmus.verdict.structure import look

if TYPE_CHECKING:
    from isthmus.verdict.graph import Graph
    from isthmus.verdict.live_models import Live


def split(model: Any) -> tuple[keras.Model, keras.Model]:
    """Cut a model at its bottleneck into an encoder and a decoder, which share its weights.

    The encoder ends at the narrowest place of all ways from the input to the output, the decoder
    begins there; one after the other they give what the model gives.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, models in it included, of any author.

    Returns
    -------
    encoder : keras.Model
        (n, *sample_shape) -> code.
    decoder : keras.Model
        Code -> output (n, *output_shape). Where inputs reach the output past the code, as a
        condition does, ``[code, *those inputs]`` -> output.

    Raises
    ------
    InvalidParameter
        It is no such model, or has no single tensor that everything passes through.

    Examples
    --------
    >>> import isthmus, keras
    >>> net = keras.Sequential([keras.Input((784,)), *map(keras.layers.Dense, (32, 784))])
    >>> encoder, decoder = isthmus.split(net)
    >>> encoder.output_shape, decoder.output_shape
    ((None, 32), (None, 784))
    """
    if not isinstance(model, keras.Model) or not has_graph(model):
        raise InvalidParameter(
            "model",
            expected="a built functional or sequential keras.Model",
            received=f"{type(model).__name__}, whose graph of layers is not known",
            remedy="build it with keras.Model(inputs, outputs), or split it by hand",
        )
    live = read_live(model)
    code, outputs = _bottleneck(live.graph)
    past = [
        tensor
        for tensor in live.graph.inputs
        if tensor in _upstream_past(live.graph, outputs, code)
    ]
    before = [tensor for tensor in live.graph.inputs if tensor in live.graph.upstream([code])]
    try:
        encoder = _between(live, before, [code], "encoder")
        decoder = _between(live, [code, *past], outputs, "decoder")
    except ValueError as error:
        raise InvalidParameter(
            f"the model {model.name!r} cannot be split: {str(error).splitlines()[0]}",
            remedy="give its layers different names, and build it of layers only",
        ) from error
    return encoder, decoder


def _bottleneck(graph: Graph) -> tuple[int, list[int]]:
    """Return the code and the outputs that it is decoded to."""
    structure = look(graph)
    outputs = [output for _, output in structure.pairs] or list(graph.outputs)
    cut = structure.cut
    decodes = bool(structure.pairs) or structure.narrows
    if cut is None or len(cut.tensors) != 1 or structure.around or not decodes:
        received = "none between its inputs and outputs"
        if structure.around:
            received = f"a way around {structure.around}"
        elif cut and len(cut.tensors) > 1:
            ways = ", ".join(structure.bottleneck)
            received = f"{len(cut.tensors)} ways around each other, by {ways}"
        raise InvalidParameter(
            f"the model {graph.name!r} cannot be split",
            expected="one tensor that everything passes through on its way to the output",
            received=received,
            remedy="remove the connections that lead around the bottleneck, or build encoder and "
            "decoder with keras.Model(inputs, outputs) where you want the cut",
        )
    return cut.tensors[0], outputs


def _upstream_past(graph: Graph, outputs: list[int], code: int) -> set[int]:
    """Return what the outputs depend on other than by the code."""
    reached = set(outputs)
    for node in reversed(graph.nodes):
        if not reached.isdisjoint(node.outputs) and code not in node.outputs:
            reached.update(node.inputs)
    return reached - {code}


def _between(live: Live, starts: list[int], ends: list[int], name: str) -> keras.Model:
    makers = {tensor: node for node in live.graph.nodes for tensor in node.outputs}
    inputs = {}
    for tensor in starts:
        if tensor in makers:
            label = "code"
        else:
            label = live.graph.input_names[live.graph.inputs.index(tensor)]
        shape = live.graph.shapes[tensor]
        inputs[tensor] = keras.Input(shape, name=label, dtype=live.dtypes.get(tensor))
    made = replay(live, inputs, ends)
    given = list(inputs.values())
    outputs = [made[tensor] for tensor in ends]
    return keras.Model(
        given[0] if len(given) == 1 else given,
        outputs[0] if len(outputs) == 1 else outputs,
        name=name,
    )
