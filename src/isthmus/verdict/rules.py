"""The rules by which a model is called an autoencoder, or not, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from isthmus.core.number_format import count
from isthmus.verdict.losses import compares_classes, is_crossentropy, per_output
from isthmus.verdict.structure import Structure, ending, expands

if TYPE_CHECKING:
    from isthmus.verdict.graph import Graph
    from isthmus.verdict.subject import Subject

Target = Literal["input", "labels", "other"]


class Kind(StrEnum):
    """What a model is."""

    UNDERCOMPLETE = "undercomplete autoencoder"
    OVERCOMPLETE = "overcomplete autoencoder"
    DENOISING = "denoising autoencoder"
    VARIATIONAL = "variational autoencoder"
    SUPERVISED = "supervised autoencoder"
    ENCODER = "encoder only"
    DECODER = "decoder only"
    TRANSLATOR = "encoder-decoder that is no autoencoder"
    CLASSIFIER = "classifier"
    REGRESSOR = "regressor"
    UNDECIDED = "not decidable from this"


@dataclass
class Ruling:
    """What was found about a model, and why."""

    is_autoencoder: bool | None
    kind: Kind
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ModelEvidence:
    """What was told, and what probes with data showed."""

    target: Target | None = None
    """What the loss compares the reconstruction with."""
    source: str = ""
    """How that is known: ``"as you said"``."""
    reproduces: float | None = None
    """Share of X's variance that the output explains."""
    noisy: bool = False
    """Whether the input was seen to be a corrupted form of the target."""
    notes: tuple[str, ...] = ()


def rule(subject: Subject, structure: Structure | None, evidence: ModelEvidence) -> Ruling:
    """Say what a model is."""
    graph = subject.graph
    if graph is None or structure is None:
        return Ruling(None, Kind.UNDECIDED, ["Missing: the graph of its layers."])
    if any(graph.shapes[tensor] is None for tensor in (*graph.inputs, *graph.outputs)):
        return Ruling(None, Kind.UNDECIDED, ["Missing: the shapes of its inputs and outputs."])
    losses = per_output(subject.loss, graph.output_names)
    if not structure.pairs:
        return _unlike(graph, structure, evidence, losses)
    if subject.compiled and subject.loss is not None:
        unreached = _unreached(graph, structure, losses)
        if unreached is not None:
            return unreached
    return _alike(graph, structure, evidence, losses)


def _alike(
    graph: Graph, structure: Structure, evidence: ModelEvidence, losses: list[str | None]
) -> Ruling:
    """Judge a model with an output of its input's shape."""
    rebuilt = structure.pairs[0][1]
    loss = losses[graph.outputs.index(rebuilt)]
    told = evidence.target
    if told is None and compares_classes(loss) and not graph.vocabularies:
        reason = f"Its loss, {loss}, compares the output with class numbers, not with the input."
        return Ruling(False, Kind.CLASSIFIER, [reason])
    if told == "input":
        kind, reasons = _kind(graph, structure, noisy=evidence.noisy)
        first = f"The loss compares the output with the input{evidence.source}."
        return Ruling(True, kind, [first, *reasons])
    if told == "labels":
        kind = _of_labels(graph, structure, rebuilt, loss)
        reason = (
            f"The loss compares the output with labels{evidence.source}; that the output has the "
            "input's shape is chance."
        )
        return Ruling(False, kind, [reason])
    if told == "other":
        reason = (
            f"The loss compares the output with something other than the input{evidence.source}: "
            "it has an encoder and a decoder, but translates."
        )
        return Ruling(False, Kind.TRANSLATOR, [reason])
    if evidence.reproduces is not None and evidence.reproduces >= 0.5 and structure.narrows:
        kind, reasons = _kind(graph, structure, noisy=False)
        first = (
            "It gives back the rows that you passed through a code smaller than they are, which "
            "a network only learns by being trained to."
        )
        return Ruling(True, kind, [first, *reasons])
    return _undecided(graph, structure, loss)


def _undecided(graph: Graph, structure: Structure, loss: str | None) -> Ruling:
    kind, reasons = _kind(graph, structure, noisy=False)
    compared = (
        f"a compiled loss, {loss}, does not tell what it compares the output with"
        if loss is not None
        else "equal shapes do not tell what the output was compared with"
    )
    missing = (
        f"Its output has the shape of its input, as an autoencoder's has, but {compared}. "
        f'Missing: the target of its training; if that was the input, it is of the kind "{kind}" '
        '(target="input" says so).'
    )
    hint = []
    if ending(graph, structure.pairs[0][1]) == "softmax":
        hint = ["The output ends in a softmax, as a classifier's does."]
    return Ruling(None, Kind.UNDECIDED, [missing, *hint, *reasons])


def _unreached(graph: Graph, structure: Structure, losses: list[str | None]) -> Ruling | None:
    """Refuse a model whose losses are all on other outputs than the reconstruction."""
    rebuilt = [output for _, output in structure.pairs]
    same, ahead = graph.same(), graph.downstream(rebuilt)
    kept = {same[tensor] for tensor in rebuilt}
    with_loss = [tensor for tensor, loss in zip(graph.outputs, losses, strict=True) if loss]
    if any(tensor in ahead or same[tensor] in kept for tensor in with_loss):
        return None
    named = [n for n, loss in zip(graph.output_names, losses, strict=True) if loss]
    where = f"only {', '.join(named)} {'has' if len(named) == 1 else 'have'} one"
    classes = any(
        ending(graph, t) == "softmax" or is_crossentropy(loss)
        for t, loss in zip(graph.outputs, losses, strict=True)
        if loss and t not in graph.upstream(rebuilt)
    )
    return Ruling(
        False,
        Kind.CLASSIFIER if classes else Kind.ENCODER,
        [
            f"No loss reaches the output that has the input's shape: {where if named else 'none'}. "
            "So nothing trains it to give back the input."
        ],
    )


def _kind(graph: Graph, structure: Structure, *, noisy: bool) -> tuple[Kind, list[str]]:
    """Return which autoencoder this is, given that it is one."""
    reasons = [_width(structure)]
    if structure.sampled:
        reasons.append(
            f"Two heads on the same features meet in {structure.sampled}, which draws the code "
            "from the distribution that they describe."
        )
    supervised = _heads(graph, structure, reasons)
    if structure.noise:
        reasons.append(f"{structure.noise} corrupts the input before anything is learned from it.")
    elif noisy:
        reasons.append("The input is a corrupted form of the target.")
    reasons += _beside(graph, structure)
    if structure.sampled:
        return Kind.VARIATIONAL, reasons
    if supervised:
        return Kind.SUPERVISED, reasons
    if structure.noise or noisy:
        return Kind.DENOISING, reasons
    return (Kind.UNDERCOMPLETE if structure.narrows else Kind.OVERCOMPLETE), reasons


def _heads(graph: Graph, structure: Structure, reasons: list[str]) -> bool:
    """Say what other outputs there are, and return whether one is made of the code."""
    rebuilt = graph.downstream(output for _, output in structure.pairs)
    coded = graph.downstream(structure.cut.tensors if structure.cut else ())
    supervised = False
    for place in structure.head_outputs:
        tensor, name = graph.outputs[place], graph.output_names[place]
        if tensor in rebuilt:
            reasons.append(f"The output {name} is made of the reconstruction.")
        elif tensor in coded or structure.cut is None:
            supervised = True
            reasons.append(
                f"Beside the reconstruction it has the output {name}, made of the code, which is "
                "trained for that too."
            )
        else:
            reasons.append(f"The output {name} is taken off before the code.")
    return supervised


def _width(structure: Structure) -> str:
    if structure.copies:
        return "It copies its input: no layer with parameters lies between input and output."
    if structure.cut is None:
        return "The input reaches the output directly, past every layer: nothing is squeezed."
    names = ", ".join(structure.bottleneck)
    if structure.code_size is None:
        size = f"one number passes for {structure.compression or 0:.3g} of the input"
    else:
        size = f"{count(structure.code_size, 'number')} pass"
    parts = len(structure.cut.tensors)
    ways = f" by {parts} ways around each other, all of which count" if parts > 1 else ""
    if structure.input_size is not None:
        ways += f"; the input has {structure.input_size:,}"
    ends = "." if structure.narrows else ". The code is not smaller than the input."
    if structure.around:
        ends += f" A way leads around {structure.around}, which would be narrower."
    return f"At the narrowest place, {names}, {size}{ways}{ends}"


def _beside(graph: Graph, structure: Structure) -> list[str]:
    """Say what other inputs and penalties have to do with the code."""
    reasons = []
    cut = set(structure.cut.tensors) if structure.cut else set()
    sources = {i for i, _ in structure.pairs}
    into_code, into_output = graph.upstream(cut), graph.upstream(o for _, o in structure.pairs)
    for tensor, name in zip(graph.inputs, graph.input_names, strict=True):
        if tensor in sources or tensor not in into_output:
            continue
        if tensor in into_code:
            reasons.append(f"The code depends on the input {name} too.")
        else:
            reasons.append(
                f"The input {name} reaches the output past the code, which need not hold what it "
                "says."
            )
    for node in graph.nodes:
        penalty = node.settings.get("activity_regularizer") or node.kind == "ActivityRegularization"
        if penalty and node.layer in (*structure.encoder, *structure.bottleneck):
            reasons.append(f"A penalty on what {node.layer} gives, as of a sparse autoencoder.")
    return reasons


def _of_labels(graph: Graph, structure: Structure, output: int, loss: str | None) -> Kind:
    if ending(graph, output) == "softmax" or is_crossentropy(loss):
        return Kind.CLASSIFIER
    return Kind.TRANSLATOR if structure.narrows else Kind.REGRESSOR


def _unlike(
    graph: Graph, structure: Structure, evidence: ModelEvidence, losses: list[str | None]
) -> Ruling:
    """Judge a model none of whose outputs has the shape of an input that it depends on."""
    reasons = ["No output has the shape of an input that it depends on, so it rebuilds none."]
    if evidence.target == "input":
        reasons.append("So its loss cannot compare an output with the input, as was said.")
    measures = graph.measures()
    into = sum(measures[tensor] for tensor in graph.inputs)
    out = sum(measures[tensor] for tensor in graph.outputs)
    endings = [ending(graph, tensor) for tensor in graph.outputs]
    sorts = any(
        end == "softmax" or is_crossentropy(loss) or (end == "sigmoid" and measures[tensor] == 1)
        for end, tensor, loss in zip(endings, graph.outputs, losses, strict=True)
    )
    widens = structure.narrows or expands(graph)
    if sorts and not (widens and out > 0.1 * into):
        reasons.append("It ends in the probabilities of classes.")
        return Ruling(False, Kind.CLASSIFIER, reasons)
    if (widens and out < into) or structure.narrows:
        reasons.append("It narrows, and widens again to something else than its input.")
        return Ruling(False, Kind.TRANSLATOR, reasons)
    if out > into:
        reasons.append("It makes more of less, as a decoder does.")
        return Ruling(False, Kind.DECODER, reasons)
    if evidence.target == "labels":
        return Ruling(False, Kind.REGRESSOR, [*reasons, "It is trained on labels."])
    reasons.append("It makes less of more, and nothing makes the input of that again.")
    return Ruling(False, Kind.ENCODER, reasons)
