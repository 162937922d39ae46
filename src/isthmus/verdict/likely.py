"""What a model probably is if nothing proves it, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isthmus.core.number_format import count, ratio
from isthmus.verdict.losses import compares_classes, compares_values
from isthmus.verdict.structure import ending, expands

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isthmus.verdict.graph import Graph
    from isthmus.verdict.structure import Structure

_ENOUGH = 2
"""Signs that are needed beside an output of the input's shape."""
_WORDS = ("autoenc", "encod", "decod", "latent", "bottleneck", "reconstruct", "vae", "z_mean")
_MOST_NAMES = 3
_KINDS = {
    "vae": "variational",
    "variational": "variational",
    "denois": "denoising",
    "mask": "denoising",
}
"""Words in the names of authors' classes, with the kinds that they mean."""


@dataclass
class Signs:
    """Evidence for an autoencoder, as clauses of a sentence."""

    clauses: list[str] = field(default_factory=list)
    weight: int = 0

    def add(self, clause: str, weight: int = 1) -> None:
        """Add a clause, with how many signs it counts as."""
        self.clauses.append(clause)
        self.weight += weight

    @property
    def suffice(self) -> bool:
        """Whether they make an autoencoder likely."""
        return self.weight >= _ENOUGH


def signs(graph: Graph, structure: Structure, loss: str | None) -> Signs:
    """Return the evidence that a model with an output of its input's shape is an autoencoder."""
    source, output = structure.pairs[0]
    found = Signs()
    shape = graph.shapes[source]
    found.add(f"the output has the shape of the input {_shown(shape or ())}", 0)
    if structure.endpoint:
        found.add(f"its last layer, {structure.endpoint}, takes both", 2)
    tokens = source in graph.vocabularies
    if compares_values(loss) or (tokens and compares_classes(loss)):
        found.add(f"the compiled loss is {loss}")
    if ending(graph, output) == "softmax" and not tokens:
        found.weight -= 2
    if structure.sampled:
        found.add(f"{structure.sampled} draws a code from a mean and a spread", 2)
    if structure.narrows:
        found.add(_narrow(structure))
    elif expands(graph) and not structure.around and structure.cut is not None:
        found.add("its layers shrink the input and then expand it again")
    widths = _mirrored(graph, structure)
    if widths:
        found.add(f"its layers mirror each other ({', '.join(map(str, widths))})")
    if structure.noise and structure.narrows:
        found.add(f"{structure.noise} corrupts the input")
    named = named_like_parts([graph.name, *(node.layer for node in graph.nodes)])
    if named:
        found.add(named)
    return found


def _narrow(structure: Structure) -> str:
    if structure.code_size is None or structure.input_size is None:
        return f"the code is smaller than the input, {ratio(structure.compression or 1)}"
    return (
        f"the code has {count(structure.code_size, 'number')} where the input has "
        f"{structure.input_size:,}"
    )


def _mirrored(graph: Graph, structure: Structure) -> list[int]:
    """Return the sizes from input to output if they are the same in reverse; else none."""
    if not structure.narrows or structure.cut is None or len(structure.cut.tensors) != 1:
        return []
    before = graph.upstream(structure.cut.tensors)
    way = graph.upstream(output for _, output in structure.pairs)
    sizes: tuple[list[int], list[int]] = ([], [])
    for node in graph.nodes:
        size = graph.size(node.outputs[0])
        if node.learns and node.outputs[0] in way and size is not None:
            sizes[node.outputs[0] not in before].append(size)
    down, up = sizes[0][:-1], sizes[1][:-1]
    return [*down, *sizes[0][-1:], *up] if down and down == up[::-1] else []


def signs_of_names(author_class: str, *, has_parts: bool) -> tuple[str, Signs]:
    """Return the kind that the name of an author's class speaks for, and the evidence.

    The kind is empty if the name says none.
    """
    found = Signs()
    name = author_class.lower()
    kind = next((kind for word, kind in _KINDS.items() if word in name), "")
    if "autoenc" not in name and "vae" not in name:
        return "", found
    found.add(f'its class is named "{author_class}"')
    if has_parts:
        found.add('it has parts named "encoder" and "decoder"')
    return kind, found


def named_like_parts(names: Iterable[str]) -> str:
    """Return a clause on the names that parts of autoencoders have; empty if there are none."""
    parts = dict.fromkeys(part for name in names for part in name.split("/"))
    found = [part for part in parts if any(word in part.lower() for word in _WORDS)]
    if not found:
        return ""
    shown = ", ".join(f'"{part}"' for part in found[:_MOST_NAMES])
    more = " and others" if len(found) > _MOST_NAMES else ""
    return (
        f"the model has parts named {shown}{more}" if len(found) > 1 else f"a part is named {shown}"
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('?' if axis is None else str(axis) for axis in shape)})"
