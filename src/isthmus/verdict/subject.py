"""What is known about a live model or a model file before the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.verdict.graph import Graph
    from isthmus.verdict.live_models import Live
    from isthmus.verdict.parameter_table import ParameterTable
    from isthmus.verdict.weight_layout import Parts


@dataclass
class Subject:
    """A model to be judged."""

    name: str
    graph: Graph | None = None
    """None if the model runs custom code, so that its graph is not known."""
    parameters: ParameterTable | None = None
    notes: list[str] = field(default_factory=list)
    """Remarks on how the model was read."""
    compiled: bool = False
    loss: Any = None
    """As passed to `compile`, or as Keras stores it in a file."""
    live: Live | None = None
    parts: Parts | None = None
    """What the shapes of the weights say if the graph is not known."""
    author_class: str = ""
    """The name of the author's class if the graph is not known."""
    has_parts: bool = False
    """Whether a model without a graph has parts named ``encoder`` and ``decoder``."""
