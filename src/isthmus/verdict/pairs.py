"""Join the encoder and the decoder of a model whose code between them is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.verdict.graph import Graph
    from isthmus.verdict.shapes import Shape

SAMPLING = "Sampling"
"""The kind of a call that stands for code which draws the code outside of both parts."""


def code_between(graph: Graph, made: Sequence[int], taken: Shape | None) -> int | None:
    """Return the tensor that the decoder takes; None if no output of the encoder fits.

    If several outputs fit, the decoder takes the one that is computed from the others, such as the
    code of a variational autoencoder. If there are two and neither is, or one of twice the size,
    they are a mean and a spread, and a call that draws the code is added.

    Parameters
    ----------
    made : sequence of int
        The encoder's outputs.
    taken : shape
        Of the decoder's input.
    """
    if taken is None or None in taken:
        return None
    outputs = list(dict.fromkeys(made))
    fitting = {tensor for tensor in outputs if graph.shapes[tensor] == taken}
    codes = [t for t in outputs if t in fitting and fitting <= graph.upstream([t])]
    if codes:
        return codes[0]
    twice = (*taken[:-1], 2 * (taken[-1] or 0))
    drawn_from_both = len(outputs) == 2 == len(fitting)
    drawn_from_halves = len(outputs) == 1 and graph.shapes[outputs[0]] == twice
    if not (drawn_from_both or drawn_from_halves):
        return None
    return graph.call("sampling", SAMPLING, outputs, [taken], {}, custom=True)[0]
