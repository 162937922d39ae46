"""A model as a plain graph of layers and tensors, and its narrowest place.

The same graph is made of a live model and of a file's configuration, so that one analysis serves
both. Tensors are numbered; their shapes are those of one sample, without the batch axis.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from isthmus.verdict.shapes import NOISE, PARAMETRIC, PASSING, Shape, output_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STAND_IN = 64
"""What an axis of unknown length counts as, where sizes are compared."""
_UNLIMITED = 2**62


@dataclass(frozen=True)
class Node:
    """One call of a layer."""

    layer: str
    """Its path: ``"encoder/dense"``."""
    kind: str
    """Its class."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    settings: Mapping[str, Any]
    """Its configuration, as plain values."""
    custom: bool = False
    """Whether what it computes is not known: its class is the author's own, or it is a Lambda."""

    @property
    def learns(self) -> bool:
        """Whether the call has parameters, or may have."""
        return self.custom or self.kind in PARAMETRIC


@dataclass
class Graph:
    """A model, nested models opened; calls are in data-flow order."""

    name: str
    nodes: list[Node] = field(default_factory=list)
    shapes: list[Shape | None] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    boundaries: set[int] = field(default_factory=set)
    """Tensors that a nested model hands on."""
    vocabularies: dict[int, int] = field(default_factory=dict)
    """Of inputs that are numbers of tokens, how many tokens there are."""

    def tensor(self, shape: Shape | None) -> int:
        """Add a tensor and return its number."""
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def call(
        self,
        layer: str,
        kind: str,
        inputs: Sequence[int],
        shapes: Sequence[Shape | None],
        settings: Mapping[str, Any],
        *,
        custom: bool = False,
    ) -> list[int]:
        """Add a call of a layer, and return the tensors that it makes."""
        made = [self.tensor(shape) for shape in shapes]
        self.nodes.append(Node(layer, kind, tuple(inputs), tuple(made), settings, custom))
        for tensor in inputs:
            if kind == "Embedding" and tensor in self.inputs:
                self.vocabularies[tensor] = int(settings.get("input_dim") or 0)
        return made

    def size(self, tensor: int) -> int | None:
        """Return the numbers in a tensor of one sample; None where an axis is unknown.

        Tokens count as what a network gives back for them: a share for each in the vocabulary.
        """
        shape = self.shapes[tensor]
        if shape is None or any(axis is None for axis in shape):
            return None
        return math.prod(axis or 0 for axis in shape) * self.vocabularies.get(tensor, 1)

    def measures(self) -> list[int]:
        """Return the size of every tensor, with the stand-in for axes of unknown length."""
        if all(shape is None or None not in shape for shape in self.shapes):
            shapes = list(self.shapes)
        else:
            shapes = self._supposed()
        sizes = [_UNLIMITED if shape is None else _product(shape) for shape in shapes]
        for tensor, tokens in self.vocabularies.items():
            sizes[tensor] = min(sizes[tensor] * max(tokens, 1), _UNLIMITED)
        return sizes

    def _supposed(self) -> list[Shape | None]:
        """Return the shapes, worked out anew from inputs of the stand-in's length."""
        shapes: list[Shape | None] = [
            None if s is None else tuple(STAND_IN if a is None else a for a in s)
            for s in self.shapes
        ]
        for node in self.nodes:
            made = output_shape(node.kind, node.settings, [shapes[i] for i in node.inputs])
            if made is not None and None not in made and len(node.outputs) == 1:
                shapes[node.outputs[0]] = made
        return shapes

    def downstream(self, starts: Iterable[int]) -> set[int]:
        """Return the tensors that depend on `starts`, themselves included."""
        reached = set(starts)
        for node in self.nodes:
            if not reached.isdisjoint(node.inputs):
                reached.update(node.outputs)
        return reached

    def upstream(self, ends: Iterable[int]) -> set[int]:
        """Return the tensors that `ends` depend on, themselves included."""
        reached = set(ends)
        for node in reversed(self.nodes):
            if not reached.isdisjoint(node.outputs):
                reached.update(node.inputs)
        return reached

    def same(self) -> list[int]:
        """Give tensors that hold the same numbers, in whatever form, the number of the first.

        A reshaping, an activation, noise or a normalisation neither mixes nor drops numbers.
        """
        root = list(range(len(self.shapes)))
        measures = self.measures()
        for node in self.nodes:
            if len(node.inputs) == 1 == len(node.outputs) and not node.custom:
                before, after = node.inputs[0], node.outputs[0]
                if node.kind in PASSING and measures[before] == measures[after]:
                    root[after] = root[before]
        return root


def _product(shape: Shape) -> int:
    return min(math.prod(axis or STAND_IN for axis in shape), _UNLIMITED)


@dataclass(frozen=True)
class Cut:
    """The narrowest place between the ends of a graph."""

    size: int
    """In numbers, with the stand-in for unknown axes."""
    tensors: tuple[int, ...]
    """Through which everything passes; several where the data flow around each other."""


def narrowest(
    graph: Graph, sources: Sequence[int], sinks: Sequence[int], *, ends_too: bool
) -> Cut | None:
    """Find the fewest numbers that all ways from `sources` to `sinks` pass through.

    By max-flow and min-cut (Ford and Fulkerson, 1956), with the sizes of the tensors as capacities.
    Of several single tensors of that size, one between nested models or among the outputs is taken
    before the others, then the earliest.

    Parameters
    ----------
    ends_too : bool
        Whether sources and sinks themselves may be that place.

    Returns
    -------
    Cut or None
        None where nothing lies between, or nothing leads from sources to sinks.
    """
    network = _Network(graph, sources, sinks, ends_too=ends_too)
    flow = network.flow()
    if flow == 0 or flow >= _UNLIMITED:
        return None
    single = network.single(flow)
    if single is None:
        return Cut(flow, tuple(network.cut()))
    return Cut(flow, (single,))


class _Network:
    """Capacities between the two halves of each group of tensors that hold the same numbers."""

    def __init__(
        self, graph: Graph, sources: Sequence[int], sinks: Sequence[int], *, ends_too: bool
    ) -> None:
        self._graph = graph
        self._group = graph.same()
        self._sources = {self._group[tensor] for tensor in sources}
        self._sinks = {self._group[tensor] for tensor in sinks}
        useful = graph.downstream(sources) & graph.upstream(sinks)
        measures = graph.measures()
        self._between = useful
        self._room: dict[int, dict[int, int]] = {-1: {}, -2: {}}
        self._sizes: dict[int, int] = {}
        for tensor in sorted(useful):
            group = self._group[tensor]
            fixed = not ends_too and group in (self._sources | self._sinks)
            self._sizes[group] = _UNLIMITED if fixed else measures[group]
            self._arc(2 * group, 2 * group + 1, self._sizes[group])
        for node in graph.nodes:
            for before in useful.intersection(node.inputs):
                for after in useful.intersection(node.outputs):
                    one, other = self._group[before], self._group[after]
                    if one != other:
                        self._arc(2 * one + 1, 2 * other, _UNLIMITED)
        for group in self._sources & set(self._sizes):
            self._arc(-1, 2 * group, _UNLIMITED)
        for group in self._sinks & set(self._sizes):
            self._arc(2 * group + 1, -2, _UNLIMITED)
        self._capacity = {start: dict(ends) for start, ends in self._room.items()}

    def _arc(self, start: int, end: int, capacity: int) -> None:
        self._room.setdefault(start, {})[end] = capacity
        self._room.setdefault(end, {}).setdefault(start, 0)

    def flow(self) -> int:
        """Fill the network and return what passes."""
        total = 0
        while (way := self._way(self._room)) is not None and total < _UNLIMITED:
            least = min(self._room[start][end] for start, end in way)
            for start, end in way:
                self._room[start][end] -= least
                self._room[end][start] += least
            total += least
        return total

    def _way(
        self, room: dict[int, dict[int, int]], without: int | None = None
    ) -> list[tuple[int, int]] | None:
        """Return a shortest way with room left, breadth first."""
        came: dict[int, int] = {-1: -1}
        queue = deque([-1])
        while queue:
            here = queue.popleft()
            for there, left in room[here].items():
                if left > 0 and there not in came and there != without:
                    came[there] = here
                    if there == -2:
                        return _retraced(came)
                    queue.append(there)
        return None

    def single(self, flow: int) -> int | None:
        """Return the one tensor that everything passes through at the narrowest place."""
        groups = [
            group
            for group, size in self._sizes.items()
            if size == flow and self._way(self._capacity, without=2 * group) is None
        ]
        members = [(g, [t for t in sorted(self._between) if self._group[t] == g]) for g in groups]
        named = self._graph.boundaries.union(self._graph.outputs)
        for _, tensors in members:
            for tensor in tensors:
                if tensor in named:
                    return tensor
        return self._representative(members[0][1]) if members else None

    def cut(self) -> list[int]:
        """Return the full groups that part what can still be reached from the rest."""
        reached, queue = {-1}, deque([-1])
        while queue:
            for there, left in self._room[queue.popleft()].items():
                if left > 0 and there not in reached:
                    reached.add(there)
                    queue.append(there)
        groups = [g for g in self._sizes if 2 * g in reached and 2 * g + 1 not in reached]
        return [
            self._representative([t for t in sorted(self._between) if self._group[t] == group])
            for group in groups
        ]

    def _representative(self, tensors: list[int]) -> int:
        """Return the last of a group before the decoder begins to give it another form."""
        makers = {tensor: node for node in self._graph.nodes for tensor in node.outputs}
        kept = tensors[0]
        for tensor in tensors[1:]:
            maker = makers[tensor]
            if maker.kind == "Reshape" or maker.kind in NOISE or kept not in maker.inputs:
                break
            kept = tensor
        return kept


def _retraced(came: dict[int, int]) -> list[tuple[int, int]]:
    way, here = [], -2
    while here != -1:
        way.append((came[here], here))
        here = came[here]
    return way
