"""Rules that decide whether a model is an autoencoder, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from isthmus.core.number_format import count
from isthmus.verdict.likely import Signs, signs, signs_of_names
from isthmus.verdict.losses import compares_classes, is_crossentropy, per_output
from isthmus.verdict.structure import Structure, ending, expands, look
from isthmus.verdict.weight_layout import signs_of_parts

if TYPE_CHECKING:
    from isthmus.verdict.graph import Graph
    from isthmus.verdict.subject import Subject

Target = Literal["input", "labels", "other"]


class Kind(StrEnum):
    """The kinds of models."""

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
    """The decision on a model, with its reasons."""

    is_autoencoder: bool | None
    kind: Kind
    reasons: list[str] = field(default_factory=list)
    likely: Kind | None = None
    """What the model probably is, if that is not decided."""
    evidence: list[str] = field(default_factory=list)
    """For what is likely, as clauses."""


@dataclass(frozen=True)
class ModelEvidence:
    """What the user stated and what probes with data showed."""

    target: Target | None = None
    """What the loss compares the reconstruction with."""
    source: str = ""
    """How that is known, such as ``" (y equals X)"``."""
    reproduces: float | None = None
    """Fraction of X's variance that the output explains."""
    noisy: bool = False
    """Whether the input is a corrupted form of the target."""
    notes: tuple[str, ...] = ()


def rule(subject: Subject, structure: Structure | None, evidence: ModelEvidence) -> Ruling:
    """Decide whether a model is an autoencoder, and of which kind."""
    graph = subject.graph
    if graph is None or structure is None:
        return _unseen(subject, evidence)
    ends = (*graph.inputs, *(() if structure.endpoint else graph.outputs))
    if any(graph.shapes[tensor] is None for tensor in ends):
        return _unmeasured(subject, graph)
    losses = per_output(subject.loss, graph.output_names)
    if not structure.pairs:
        return _unlike(graph, structure, evidence, losses)
    if subject.compiled and subject.loss is not None:
        unreached = _unreached(graph, structure, losses)
        if unreached is not None:
            return unreached
    return _alike(graph, structure, evidence, losses)


def _unseen(subject: Subject, evidence: ModelEvidence) -> Ruling:
    """Decide nothing on a model without a graph, but say what its weights speak for."""
    ruling = Ruling(None, Kind.UNDECIDED, ["Missing: the graph of its layers."])
    if evidence.target in ("labels", "other"):
        return ruling
    loss = per_output(subject.loss, ["output"])[0]
    kind, found = ("", Signs()) if subject.parts is None else signs_of_parts(subject.parts, loss)
    if not kind:
        kind, found = signs_of_names(subject.author_class, has_parts=subject.has_parts)
    if evidence.target == "input":
        found.add(f"the loss compares the output with the input{evidence.source}")
    if kind and found.suffice:
        ruling.likely, ruling.evidence = Kind(f"{kind} autoencoder"), found.clauses
    return ruling


def _alike(
    graph: Graph, structure: Structure, evidence: ModelEvidence, losses: list[str | None]
) -> Ruling:
    """Decide on a model that has an output of its input's shape."""
    rebuilt = structure.pairs[0][1]
    ahead = graph.downstream([rebuilt])
    loss = losses[next(place for place, tensor in enumerate(graph.outputs) if tensor in ahead)]
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
            f"The loss compares the output with labels{evidence.source}; the output has the "
            "input's shape by coincidence."
        )
        return Ruling(False, kind, [reason])
    if told == "other":
        reason = (
            f"The loss compares the output with something other than the input{evidence.source}: "
            "the model has an encoder and a decoder, but translates."
        )
        return Ruling(False, Kind.TRANSLATOR, [reason])
    if evidence.reproduces is not None and evidence.reproduces >= 0.5 and structure.narrows:
        kind, reasons = _kind(graph, structure, noisy=False)
        first = (
            "It reconstructs the rows in X from a code that is smaller than a row, which a "
            "network does only if it was trained to."
        )
        return Ruling(True, kind, [first, *reasons])
    return _undecided(graph, structure, loss)


def _undecided(graph: Graph, structure: Structure, loss: str | None) -> Ruling:
    kind, reasons = _kind(graph, structure, noisy=False)
    compared = (
        f"the compiled loss, {loss}, does not show what the output is compared with"
        if loss is not None
        else "equal shapes do not show what the output was compared with"
    )
    missing = (
        f"Its output has the shape of its input, as in an autoencoder, but {compared}. "
        f'Missing: the training target. If that was the input, the model is of the kind "{kind}"; '
        'pass target="input" to say so.'
    )
    hint = []
    if ending(graph, structure.pairs[0][1]) == "softmax":
        hint = ["The output ends in a softmax, as in a classifier."]
    found = signs(graph, structure, loss)
    likely = kind if found.suffice else None
    if not likely and hint and len(graph.shapes[structure.pairs[0][1]] or ()) == 1:
        likely = Kind.CLASSIFIER if is_crossentropy(loss) else None
        found.clauses = [f"the output ends in a softmax, and the compiled loss is {loss}"]
    evidence = found.clauses if likely else []
    return Ruling(None, Kind.UNDECIDED, [missing, *hint, *reasons], likely, evidence)


def _unmeasured(subject: Subject, graph: Graph) -> Ruling:
    """Decide nothing on a model whose output has an unknown shape, but say what it may be."""
    ruling = Ruling(None, Kind.UNDECIDED, ["Missing: the shapes of its inputs and outputs."])
    if not len(graph.inputs) == 1 == len(graph.outputs) or graph.shapes[graph.inputs[0]] is None:
        return ruling
    shapes = list(graph.shapes)
    shapes[graph.outputs[0]] = shapes[graph.inputs[0]]
    supposed = replace(graph, shapes=shapes)
    structure = look(supposed)
    if not structure.pairs:
        return ruling
    found = signs(supposed, structure, per_output(subject.loss, graph.output_names)[0])
    if found.suffice:
        ruling.likely = _kind(supposed, structure, noisy=False)[0]
        first = "the shape of the output is not known, but if it is that of the input"
        ruling.evidence = [first, *found.clauses[1:]]
    return ruling


def _unreached(graph: Graph, structure: Structure, losses: list[str | None]) -> Ruling | None:
    """Reject a model if no loss applies to the reconstruction or to an output made from it."""
    rebuilt = [output for _, output in structure.pairs]
    same, ahead = graph.same(), graph.downstream(rebuilt)
    kept = {same[tensor] for tensor in rebuilt}
    with_loss = [tensor for tensor, loss in zip(graph.outputs, losses, strict=True) if loss]
    if any(tensor in ahead or same[tensor] in kept for tensor in with_loss):
        return None
    named = [n for n, loss in zip(graph.output_names, losses, strict=True) if loss]
    where = f"only {', '.join(named)} {'has' if len(named) == 1 else 'have'} a loss"
    classes = any(
        ending(graph, t) == "softmax" or is_crossentropy(loss)
        for t, loss in zip(graph.outputs, losses, strict=True)
        if loss and t not in graph.upstream(rebuilt)
    )
    return Ruling(
        False,
        Kind.CLASSIFIER if classes else Kind.ENCODER,
        [
            "No loss reaches the output that has the input's shape: "
            f"{where if named else 'no output has one'}. "
            "So that output is not trained to reconstruct the input."
        ],
    )


def _kind(graph: Graph, structure: Structure, *, noisy: bool) -> tuple[Kind, list[str]]:
    """Return the kind of an autoencoder, with reasons."""
    reasons = [_width(structure)]
    if structure.endpoint:
        reasons.append(
            f"{structure.endpoint}, the last layer, takes the input and its reconstruction, and "
            "adds the loss."
        )
    if structure.halved:
        reasons.append(
            "The encoder's output has twice the size of the decoder's input, as the mean and the "
            "spread that the code is drawn from."
        )
    elif structure.sampled:
        reasons.append(
            f"Two layers on the same features feed {structure.sampled}, which draws the code "
            "from the distribution that they parametrize."
        )
    supervised = _heads(graph, structure, reasons)
    if structure.noise:
        reasons.append(f"{structure.noise} corrupts the input before features are learned from it.")
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
    """Describe the other outputs, and return whether one of them is computed from the code."""
    rebuilt = graph.downstream(output for _, output in structure.pairs)
    coded = graph.downstream(structure.cut.tensors if structure.cut else ())
    supervised = False
    for place in structure.head_outputs:
        tensor, name = graph.outputs[place], graph.output_names[place]
        if tensor in rebuilt:
            reasons.append(f"The output {name} is computed from the reconstruction.")
        elif tensor in coded or structure.cut is None:
            supervised = True
            reasons.append(
                f"Besides the reconstruction, it has the output {name}, computed from the code. "
                "The code is trained for that output too."
            )
        else:
            reasons.append(f"The output {name} branches off before the code.")
    return supervised


def _width(structure: Structure) -> str:
    if structure.copies:
        return "It copies its input: no layer with parameters lies between input and output."
    if structure.cut is None:
        return "The input reaches the output directly, so no layer compresses it."
    names = ", ".join(structure.bottleneck)
    if structure.code_size is None:
        size = f"one number for every {structure.compression or 0:.3g} of the input"
    else:
        size = count(structure.code_size, "number")
    parts = len(structure.cut.tensors)
    ways = f" on {parts} parallel paths together" if parts > 1 else ""
    if structure.input_size is not None:
        ways += f"; the input has {structure.input_size:,}"
    ends = "." if structure.narrows else ". The code is not smaller than the input."
    if structure.around:
        ends += f" A path bypasses {structure.around}, which is narrower."
    return f"The code, the output of {names}, has {size}{ways}{ends}"


def _beside(graph: Graph, structure: Structure) -> list[str]:
    """Describe how other inputs and penalties affect the code."""
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
                f"The input {name} bypasses the code on its way to the output, so the code need "
                "not represent it."
            )
    for node in graph.nodes:
        penalty = node.settings.get("activity_regularizer") or node.kind == "ActivityRegularization"
        if penalty and node.layer in (*structure.encoder, *structure.bottleneck):
            reasons.append(f"The output of {node.layer} has a penalty, as in sparse autoencoders.")
    return reasons


def _of_labels(graph: Graph, structure: Structure, output: int, loss: str | None) -> Kind:
    if ending(graph, output) == "softmax" or is_crossentropy(loss):
        return Kind.CLASSIFIER
    return Kind.TRANSLATOR if structure.narrows else Kind.REGRESSOR


def _unlike(
    graph: Graph, structure: Structure, evidence: ModelEvidence, losses: list[str | None]
) -> Ruling:
    """Decide on a model that has no output with the shape of an input that it depends on."""
    reasons = ["No output has the shape of an input that it depends on, so none rebuilds it."]
    if evidence.target == "input":
        reasons.append("So the loss cannot compare an output with the input, despite the target.")
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
        reasons.append("It ends in class probabilities.")
        return Ruling(False, Kind.CLASSIFIER, reasons)
    if (widens and out < into) or structure.narrows:
        reasons.append("It narrows and widens again, but not to the shape of its input.")
        return Ruling(False, Kind.TRANSLATOR, reasons)
    if out > into:
        reasons.append("Its output is larger than its input, as in a decoder.")
        return Ruling(False, Kind.DECODER, reasons)
    if evidence.target == "labels":
        return Ruling(False, Kind.REGRESSOR, [*reasons, "It is trained on labels."])
    reasons.append("Its output is not larger than its input, and nothing decodes the output.")
    return Ruling(False, Kind.ENCODER, reasons)
