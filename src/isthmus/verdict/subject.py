"""What is known of a model before it is judged, live or from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.verdict.graph import Graph
    from isthmus.verdict.live_models import Live
    from isthmus.verdict.parameter_table import ParameterTable


@dataclass
class Subject:
    """A model to be judged."""

    name: str
    graph: Graph | None = None
    """None where what it computes is written in code of its author's."""
    parameters: ParameterTable | None = None
    notes: list[str] = field(default_factory=list)
    """What there is to say about how the model was read."""
    compiled: bool = False
    loss: Any = None
    """As `compile` was given it; of a file, as Keras wrote that down."""
    live: Live | None = None
