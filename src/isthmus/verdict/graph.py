"""A model as a plain graph of layers and tensors, and its narrowest cut.

Live models and configurations in files are converted to the same graph, so that one analysis
serves both. Tensors are numbered; their shapes are those of one sample, without the batch axis.
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
"""The length that an axis of unknown length counts as when sizes are compared."""
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
    """Whether its computation is not known: it is a Lambda layer or of a custom class."""

    @property
    def learns(self) -> bool:
        """Whether the call has or may have parameters."""
        return self.custom or self.kind in PARAMETRIC


@dataclass
class Graph:
    """A model with nested models expanded; calls are in data-flow order."""

    name: str
    nodes: list[Node] = field(default_factory=list)
    shapes: list[Shape | None] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    boundaries: set[int] = field(default_factory=set)
    """Outputs of nested models."""
    vocabularies: dict[int, int] = field(default_factory=dict)
    """The vocabulary size of each input that contains token numbers."""

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
        """Add a call of a layer and return its output tensors."""
        made = [self.tensor(shape) for shape in shapes]
        self.nodes.append(Node(layer, kind, tuple(inputs), tuple(made), settings, custom))
        for tensor in inputs:
            if kind == "Embedding" and tensor in self.inputs:
                self.vocabularies[tensor] = int(settings.get("input_dim") or 0)
        return made

    def size(self, tensor: int) -> int | None:
        """Return the numbers in a tensor of one sample; None if an axis is unknown.

        A token counts as the output that a network gives for it: one number for each entry of the
        vocabulary.
        """
        shape = self.shapes[tensor]
        if shape is None or any(axis is None for axis in shape):
            return None
        return math.prod(axis or 0 for axis in shape) * self.vocabularies.get(tensor, 1)

    def measures(self) -> list[int]:
        """Return the size of every tensor, with `STAND_IN` for axes of unknown length."""
        if all(shape is None or None not in shape for shape in self.shapes):
            shapes = list(self.shapes)
        else:
            shapes = self._supposed()
        sizes = [_UNLIMITED if shape is None else _product(shape) for shape in shapes]
        for tensor, tokens in self.vocabularies.items():
            sizes[tensor] = min(sizes[tensor] * max(tokens, 1), _UNLIMITED)
        return sizes

    def _supposed(self) -> list[Shape | None]:
        """Return the shapes, computed from inputs whose unknown axes have length `STAND_IN`."""
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
        """Map each tensor to the first tensor that carries the same numbers.

        A reshape, an activation, noise or a normalisation neither mixes nor drops numbers.
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
    """The narrowest cut between the ends of a graph."""

    size: int
    """In numbers, with `STAND_IN` for unknown axes."""
    tensors: tuple[int, ...]
    """The tensors that all data pass through; several if there are parallel paths."""


def narrowest(
    graph: Graph, sources: Sequence[int], sinks: Sequence[int], *, ends_too: bool
) -> Cut | None:
    """Find the smallest set of tensors that all paths from `sources` to `sinks` pass through.

    The set has the fewest numbers in total. It is the minimum cut of a flow network (Ford and
    Fulkerson, 1956) with the sizes of the tensors as capacities. Of several single tensors of that
    size, an output of the graph or of a nested model is preferred, then the earliest tensor.

    Parameters
    ----------
    ends_too : bool
        Whether the cut may contain sources and sinks.

    Returns
    -------
    Cut or None
        None if no tensor lies between sources and sinks, or no path connects them.
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
    """A flow network in which each group of tensors with the same numbers is an arc."""

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
        """Saturate the network and return the maximum flow."""
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
        """Return a shortest augmenting path, found by breadth-first search."""
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
        """Return the single tensor that is a minimum cut, if there is one."""
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
        """Return the saturated groups between the reachable and the unreachable part."""
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
        """Return the last tensor of a group before a reshape or noise, where the decoder begins."""
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
