"""The narrowest place of a graph, against trying every set of tensors."""

import itertools
import random

import pytest

from isthmus.verdict.graph import Graph, narrowest
from isthmus.verdict.structure import look

SEEDS = range(60)


def drawn(seed, *, ends=None):
    """A graph of a few layers, each fed by one to three tensors that were made before it."""
    rng = random.Random(seed)
    graph = Graph("drawn")
    for _ in range(rng.choice([1, 1, 2])):
        graph.inputs.append(graph.tensor((ends or rng.randint(4, 9),)))
    for number in range(rng.randint(4, 8)):
        recent = range(max(0, len(graph.shapes) - 4), len(graph.shapes))
        fed = rng.sample(recent, min(rng.choice([1, 1, 2, 3]), len(recent)))
        if len(fed) == 1 and rng.random() < 0.3:
            kind = rng.choice(["Activation", "Dropout", "Reshape"])
            shape = graph.shapes[fed[0]]
        else:
            kind = "Dense" if len(fed) == 1 else "Concatenate"
            shape = (rng.randint(1, 8),)
        graph.call(f"{kind}_{number}", kind, fed, [shape], {})
    last = rng.sample(range(len(graph.shapes) - 3, len(graph.shapes)), rng.choice([1, 2]))
    for number in range(1 if ends else rng.choice([1, 1, 2])):
        graph.outputs += graph.call(f"out_{number}", "Concatenate", last, [(ends or 9,)], {})
    return graph


def holders(graph):
    """Sets of tensors that hold the same numbers: layers that only pass them on join them."""
    sets = [{tensor} for tensor in range(len(graph.shapes))]
    for node in graph.nodes:
        if node.kind in ("Activation", "Dropout", "Reshape"):
            one = next(s for s in sets if node.inputs[0] in s)
            other = next(s for s in sets if node.outputs[0] in s)
            sets.remove(other)
            one |= other
    return sets


def passes(graph, sources, sinks, closed):
    """Whether something of the sources reaches a sink without the closed tensors."""
    reached = set(sources) - closed
    for node in graph.nodes:
        if reached & set(node.inputs):
            reached |= set(node.outputs) - closed
    return bool(reached & set(sinks))


def slow_narrowest(graph, sources, sinks, *, ends_too):
    """The fewest numbers in any sets of tensors without which nothing passes; None if none do."""
    if not passes(graph, sources, sinks, set()):
        return None
    ends = set() if ends_too else set(sources) | set(sinks)
    open_sets = [held for held in holders(graph) if not held & ends]
    best = None
    for many in range(len(open_sets) + 1):
        for chosen in itertools.combinations(open_sets, many):
            size = sum(graph.shapes[min(held)][0] for held in chosen)
            closed = set().union(*chosen)
            if (best is None or size < best) and not passes(graph, sources, sinks, closed):
                best = size
    return best


@pytest.mark.parametrize("ends_too", [True, False], ids=["with the ends", "between"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_set_of_tensors_is_narrower(seed, ends_too):
    graph = drawn(seed)
    expected = slow_narrowest(graph, graph.inputs, graph.outputs, ends_too=ends_too)
    cut = narrowest(graph, graph.inputs, graph.outputs, ends_too=ends_too)
    if expected is None:
        assert cut is None
        return
    assert cut is not None
    assert cut.size == expected
    # And the tensors that are named are such a place.
    named = [held for held in holders(graph) if held & set(cut.tensors)]
    assert len(named) == len(cut.tensors)
    assert sum(graph.shapes[min(held)][0] for held in named) == expected
    assert not passes(graph, graph.inputs, graph.outputs, set().union(*named))


def test_most_graphs_that_are_drawn_say_something():
    found = [
        slow_narrowest(graph, graph.inputs, graph.outputs, ends_too=False)
        for graph in map(drawn, SEEDS)
    ]
    assert sum(size is not None for size in found) > len(SEEDS) / 3
    assert len({size for size in found if size is not None}) > 4


@pytest.mark.parametrize("seed", SEEDS)
def test_a_model_narrows_if_some_place_is_narrower_than_its_input(seed):
    graph = drawn(seed, ends=6)
    structure = look(graph)
    if not structure.pairs:
        return
    sources, sinks = zip(*structure.pairs, strict=True)
    least = slow_narrowest(graph, sources, sinks, ends_too=True)
    assert structure.narrows == (least < 6 * len(sources))
    if structure.narrows:
        assert structure.code_size == least
        assert structure.compression == pytest.approx(6 * len(sources) / least)
    else:
        between = slow_narrowest(graph, sources, sinks, ends_too=False)
        assert structure.code_size == (6 * len(sources) if between is None else between)
