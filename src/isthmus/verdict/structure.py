"""The structure of a graph: outputs that may be reconstructions, and the parts that lead to them.

Structure alone does not show what a model was trained for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isthmus.verdict.graph import narrowest
from isthmus.verdict.pairs import SAMPLING
from isthmus.verdict.shapes import EXPANDING, NOISE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isthmus.verdict.graph import Cut, Graph, Node

_SPREADS = frozenset({"exponential", "softplus", "exp"})
_SAMPLERS = ("sampl", "repar", "stochastic", "gaussian", "posterior")
_POSTERIORS = ("mean", "mu", "var", "sigma", "std", "scale")
_LOSSES = ("loss", "endpoint", "elbo", "objective", "variational")
_UNLIMITED = 2**60
_MOST_TWINS = 200


@dataclass
class Structure:
    """The structure of a graph, with tensors by number and layers by name."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of an input and the output that has its shape and depends on it."""
    cut: Cut | None = None
    """The narrowest cut. If it is not narrower than the input, it excludes input and output."""
    narrows: bool = False
    """Whether the narrowest cut has fewer numbers than the input."""
    input_size: int | None = None
    code_size: int | None = None
    compression: float | None = None
    encoder: tuple[str, ...] = ()
    bottleneck: tuple[str, ...] = ()
    decoder: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    head_outputs: list[int] = field(default_factory=list)
    """Positions of the outputs that are no reconstruction and do not lead to one."""
    noise: str | None = None
    """The layer that corrupts the input before the first layer with parameters."""
    sampled: str | None = None
    """The layer that draws the code from its posterior."""
    halved: bool = False
    """Whether the mean and the spread are halves of one layer's output."""
    around: str | None = None
    """A layer with fewer numbers than the narrowest cut, because another path bypasses it."""
    endpoint: str | None = None
    """The layer that compares the reconstruction with the input, as its last layer."""
    copies: bool = False
    """Whether no layer with parameters lies between an input and its output."""


def look(graph: Graph, *, own_loss: bool = False) -> Structure:
    """Return the structure of a graph.

    Parameters
    ----------
    own_loss : bool
        Whether the model is compiled without a loss, so that its layers add the loss.
    """
    found = Structure()
    _compared(graph, found, own_loss=own_loss)
    found.pairs = found.pairs or _pairs(graph)
    sources = [i for i, _ in found.pairs] or list(graph.inputs)
    sinks = [o for _, o in found.pairs] or list(graph.outputs)
    _measure(graph, found, sources, sinks)
    _divide(graph, found, sinks)
    same = graph.same()
    roots = {same[tensor] for tensor in sources}
    found.copies = any(same[i] == same[o] for i, o in found.pairs)
    found.noise = next(
        (n.layer for n in graph.nodes if n.kind in NOISE and same[n.inputs[0]] in roots), None
    )
    found.sampled = _sampling(graph, found)
    return found


def _compared(graph: Graph, found: Structure, *, own_loss: bool) -> None:
    """Find a last layer of unknown content that takes the input and its reconstruction.

    Such a layer adds the loss. Its name says so, or there is no other loss.
    """
    measures, same = graph.measures(), graph.same()
    inputs = {same[tensor]: tensor for tensor in graph.inputs}
    for node in graph.nodes:
        named = any(word in f"{node.kind} {_last(node)}".lower() for word in _LOSSES)
        if not node.custom or not (own_loss or named):
            continue
        if not set(node.outputs) <= set(graph.outputs):
            continue
        for source in (inputs[same[i]] for i in node.inputs if same[i] in inputs):
            ahead = graph.downstream([source])
            rebuilt = [
                t
                for t in node.inputs
                if t in ahead and same[t] not in inputs and _alike(graph, measures, source, t)
            ]
            if rebuilt:
                found.pairs, found.endpoint = [(source, rebuilt[0])], node.layer
                return


def _pairs(graph: Graph) -> list[tuple[int, int]]:
    """Pair inputs with outputs of their shape; skip outputs that lead to another such output."""
    measures = graph.measures()
    outputs = list(dict.fromkeys(graph.outputs))
    likely = [(i, o) for i in graph.inputs for o in outputs if _alike(graph, measures, i, o)]
    ahead = {i: graph.downstream([i]) for i in graph.inputs}
    likely = [(i, o) for i, o in likely if o in ahead[i] and o != i] or [
        (i, o) for i, o in likely if o == i
    ]
    ends = {o for _, o in likely}
    last = {o for o in ends if graph.downstream([o]).isdisjoint(ends - {o})}
    likely = [(i, o) for i, o in likely if o in last]
    likely.sort(key=lambda pair: graph.shapes[pair[0]] != graph.shapes[pair[1]])
    pairs: list[tuple[int, int]] = []
    for i, o in likely:
        if all(i != one and o != other for one, other in pairs):
            pairs.append((i, o))
    return pairs


def _alike(graph: Graph, measures: list[int], i: int, o: int) -> bool:
    one, other = graph.shapes[i], graph.shapes[o]
    if one is None or other is None or measures[i] != measures[o]:
        return False
    if i in graph.vocabularies:
        return (*one, graph.vocabularies[i]) == other
    return one == other or None not in one + other


def _measure(graph: Graph, found: Structure, sources: list[int], sinks: list[int]) -> None:
    measures = graph.measures()
    ends = sum(measures[tensor] for tensor in sources)
    sizes = [graph.size(tensor) for tensor in sources]
    found.input_size = None if None in sizes else sum(size or 0 for size in sizes)
    found.cut = narrowest(graph, sources, sinks, ends_too=bool(found.pairs))
    found.narrows = found.cut is not None and found.cut.size < ends
    if found.pairs and not found.narrows:
        found.cut = narrowest(graph, sources, sinks, ends_too=False)
    if not found.pairs:
        goal = sum(measures[tensor] for tensor in sinks)
        found.narrows = found.cut is not None and found.cut.size < min(ends, goal)
        return
    if found.cut is None:
        found.around = _bypassed(graph, sources, sinks, ends)
        found.code_size = found.input_size
        found.compression = 1.0 if found.input_size else None
        return
    if not found.narrows:
        found.around = _bypassed(graph, sources, sinks, ends)
    sizes = [graph.size(tensor) for tensor in found.cut.tensors]
    found.code_size = None if None in sizes else sum(size or 0 for size in sizes)
    if ends < _UNLIMITED:
        found.compression = ends / found.cut.size


def _bypassed(graph: Graph, sources: list[int], sinks: list[int], ends: int) -> str | None:
    """Return the layer with the smallest output, if that is smaller than the input."""
    measures = graph.measures()
    useful = graph.downstream(sources) & graph.upstream(sinks)
    made = [(measures[t], n.layer) for n in graph.nodes for t in n.outputs if t in useful]
    least, layer = min(made, default=(ends, ""))
    return layer if least < ends else None


def _divide(graph: Graph, found: Structure, sinks: list[int]) -> None:
    """List the layers before, at and after the narrowest cut, and those that feed other outputs."""
    wanted = graph.upstream(sinks)
    cut = set(found.cut.tensors) if found.cut and (found.pairs or found.narrows) else set()
    before = graph.upstream(cut)
    encoder: list[str] = []
    bottleneck: list[str] = []
    decoder: list[str] = []
    heads: list[str] = []
    for node in graph.nodes:
        made = set(node.outputs)
        if made & cut:
            bottleneck.append(node.layer)
        elif made & before:
            encoder.append(node.layer)
        elif made & wanted:
            (decoder if cut or found.pairs else encoder).append(node.layer)
        else:
            heads.append(node.layer)
    found.encoder, found.bottleneck = _once(encoder), _once(bottleneck)
    found.decoder, found.heads = _once(decoder), _once(heads)
    if found.pairs:
        beside = graph.upstream(sinks)
        same = graph.same()
        kept = {same[tensor] for tensor in sinks}
        found.head_outputs = [
            place
            for place, tensor in enumerate(graph.outputs)
            if tensor not in beside and same[tensor] not in kept
        ]


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _sampling(graph: Graph, found: Structure) -> str | None:
    """Find the layer that draws the code from two layers, one for the mean and one for the spread.

    Both have the same shape and take the same features. Kingma and Welling (2014), "Auto-encoding
    variational Bayes", section 2.4.
    """
    same = graph.same()
    makers = {tensor: node for node in graph.nodes for tensor in node.outputs}
    cut = {same[tensor] for tensor in found.cut.tensors} if found.cut and found.pairs else set()
    for node in graph.nodes:
        if node.kind == SAMPLING and len(node.inputs) == 1 and same[node.outputs[0]] in cut:
            found.halved = True
            return node.layer
    for heads in _twins(graph, same):
        shape = graph.shapes[heads[0]]
        reached = [_without_learning(graph, head) for head in heads]
        for node in graph.nodes:
            joins = all(any(i in r for i in node.inputs) for r in reached)
            made = node.outputs[0]
            single = len(node.outputs) == 1 and len(node.inputs) > 1
            if not (joins and single and graph.shapes[made] == shape):
                continue
            named = _draws(node, [makers[head] for head in heads])
            placed = node.custom and len(node.inputs) == 2 and same[made] in cut
            if named or placed or _spread(graph, reached, node):
                return node.layer
    return None


def _twins(graph: Graph, same: list[int]) -> list[tuple[int, int]]:
    """Return pairs of tensors of equal shape that trainable layers compute from the same input."""
    by_source: dict[tuple[int, object], list[int]] = {}
    for node in graph.nodes:
        if node.learns and len(node.inputs) == 1 == len(node.outputs) and not node.custom:
            key = (same[node.inputs[0]], graph.shapes[node.outputs[0]])
            by_source.setdefault(key, []).append(node.outputs[0])
    return [
        (a, b)
        for made in by_source.values()
        if len(made) <= 8
        for place, a in enumerate(made)
        for b in made[place + 1 :]
    ][:_MOST_TWINS]


def _without_learning(graph: Graph, start: int) -> set[int]:
    """Return the tensor and all that depend on it through calls without parameters.

    A layer of unknown content that returns as many tensors of the same shapes as it takes, such as
    one that adds a divergence to the loss, is taken to pass on each of them.
    """
    reached = {start}
    for node in graph.nodes:
        if reached.isdisjoint(node.inputs):
            continue
        if not node.learns:
            reached.update(node.outputs)
        elif node.custom and _keeps_shapes(graph, node):
            kept = zip(node.inputs, node.outputs, strict=True)
            reached.update(made for taken, made in kept if taken in reached)
    return reached


def _keeps_shapes(graph: Graph, node: Node) -> bool:
    if len(node.inputs) != len(node.outputs):
        return False
    pairs = zip(node.inputs, node.outputs, strict=True)
    return all(graph.shapes[made] in (None, graph.shapes[taken]) for taken, made in pairs)


def _draws(node: Node, heads: list[Node]) -> bool:
    """Whether the name of a custom layer, or the names of its inputs, suggest sampling."""
    if not node.custom:
        return False
    own = f"{node.kind} {_last(node)}".lower()
    return any(word in own for word in _SAMPLERS) or all(
        any(word in _last(head).lower() for word in _POSTERIORS) for head in heads
    )


def _last(node: Node) -> str:
    return node.layer.rpartition("/")[2]


def _spread(graph: Graph, reached: list[set[int]], joint: Node) -> bool:
    """Whether an exponential and a multiplication each lie on only one of two paths to `joint`."""
    back = graph.upstream(joint.inputs)
    ways = reached[0] ^ reached[1]
    nodes = [n for n in graph.nodes if not back.isdisjoint(n.outputs)]
    beside = [node for node in nodes if not ways.isdisjoint(node.inputs)]
    scaled = [node for node in beside if node.kind == "Multiply"]
    if any(_is_spread(node) for node in beside):
        return bool(scaled)
    # A layer of unknown content may be the exponential if the noise comes from elsewhere.
    noisy = any(not set(node.inputs) <= reached[0] | reached[1] for node in scaled)
    return noisy and any(node.custom and len(node.inputs) == 1 for node in beside)


def _is_spread(node: Node) -> bool:
    activation = node.settings.get("activation")
    return node.kind.lower() in _SPREADS or (
        node.kind == "Activation" and isinstance(activation, str) and activation in _SPREADS
    )


def expands(graph: Graph) -> bool:
    """Whether the graph has a layer that enlarges its input, as decoders do."""
    return any(node.kind in EXPANDING for node in graph.nodes)


def ending(graph: Graph, output: int) -> str:
    """Return the last activation before an output, such as ``"softmax"`` or ``"sigmoid"``."""
    makers = {tensor: node for node in graph.nodes for tensor in node.outputs}
    tensor: int | None = output
    while tensor is not None and (node := makers.get(tensor)) is not None:
        activation = node.settings.get("activation")
        if node.kind == "Softmax":
            return "softmax"
        if node.kind == "TimeDistributed":
            inner = node.settings.get("layer")
            inner = inner.get("config") if isinstance(inner, dict) else None
            activation = inner.get("activation") if isinstance(inner, dict) else None
        if isinstance(activation, str) and activation != "linear":
            return activation
        if node.learns or len(node.inputs) != 1:
            return "linear"
        tensor = node.inputs[0]
    return "linear"
