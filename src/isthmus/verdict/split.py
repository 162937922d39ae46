"""Split a model at its bottleneck into an encoder and a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.verdict.live_models import has_graph, read_live, read_pair
from isthmus.verdict.model_runs import replay
from isthmus.verdict.structure import look

if TYPE_CHECKING:
    from isthmus.verdict.graph import Graph
    from isthmus.verdict.live_models import Live


def split(model: Any) -> tuple[keras.Model, keras.Model]:
    """Split a model at its bottleneck into an encoder and a decoder that share its weights.

    The bottleneck is the narrowest cut of all paths from input to output; it must be a single
    tensor. The encoder ends there, and the decoder begins there. Applied in turn, they return the
    model's output.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model, with or without nested models; or a subclassed model with
        the attributes ``encoder`` and ``decoder``, each a built model or layer of Keras.

    Returns
    -------
    encoder : keras.Model
        (n, *sample_shape) -> code.
    decoder : keras.Model
        Code -> output (n, *output_shape). If some inputs bypass the code, as conditions do, the
        decoder maps ``[code, *those inputs]`` to the output.

    Raises
    ------
    InvalidParameter
        The model is of another kind, or no single tensor lies on all paths to the output.

    Examples
    --------
    >>> import isthmus, keras
    >>> net = keras.Sequential([keras.Input((784,)), *map(keras.layers.Dense, (32, 784))])
    >>> encoder, decoder = isthmus.split(net)
    >>> encoder.output_shape, decoder.output_shape
    ((None, 32), (None, 784))
    """
    live = _read(model)
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
            remedy="give its layers different names, and build it from layers only",
        ) from error
    return encoder, decoder


def _read(model: Any) -> Live:
    live = None
    if isinstance(model, keras.Model):
        live = read_live(model) if has_graph(model) else read_pair(model)
    if live is None:
        raise InvalidParameter(
            "model",
            expected="a built functional or sequential keras.Model, or a model with an encoder and "
            "a decoder of Keras' own layers",
            received=f"{type(model).__name__}, whose graph of layers is not known",
            remedy="build it with keras.Model(inputs, outputs), or split it by hand",
        )
    if any(step.operation is None for step in live.steps):
        raise InvalidParameter(
            f"the model {live.graph.name!r} cannot be split",
            expected="an encoder that returns the code",
            received="an encoder that returns a mean and a spread, from which custom code draws "
            "the code",
            remedy="use model.encoder and model.decoder",
        )
    return live


def _bottleneck(graph: Graph) -> tuple[int, list[int]]:
    """Return the code tensor and the output tensors that are decoded from it."""
    structure = look(graph)
    outputs = [output for _, output in structure.pairs] or list(graph.outputs)
    cut = structure.cut
    decodes = bool(structure.pairs) or structure.narrows
    if cut is None or len(cut.tensors) != 1 or structure.around or not decodes:
        received = "none between its inputs and outputs"
        if structure.around:
            received = f"a path around {structure.around}"
        elif cut and len(cut.tensors) > 1:
            ways = ", ".join(structure.bottleneck)
            received = f"{len(cut.tensors)} parallel paths, through {ways}"
        raise InvalidParameter(
            f"the model {graph.name!r} cannot be split",
            expected="one tensor that everything passes through on its way to the output",
            received=received,
            remedy="remove the connections that bypass the bottleneck, or build encoder and "
            "decoder with keras.Model(inputs, outputs) where you want the cut",
        )
    return cut.tensors[0], outputs


def _upstream_past(graph: Graph, outputs: list[int], code: int) -> set[int]:
    """Return the tensors that the outputs depend on without passing through the code."""
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
