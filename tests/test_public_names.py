"""The public face: every name is there and explained, and importing it costs nothing."""

import subprocess
import sys

import pytest

import isthmus
from isthmus.core import errors
from isthmus.persistence.loading import KINDS

RAISED = [
    item
    for item in vars(errors).values()
    if isinstance(item, type) and issubclass(item, (errors.IsthmusError, errors.IsthmusWarning))
]
HEAVY = ("jax", "keras", "sklearn", "pandas", "polars", "pyarrow", "numpy", "rich.console")


@pytest.mark.parametrize("name", isthmus.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    thing = getattr(isthmus, name)
    assert name in dir(isthmus)
    # A class is explained by itself, not by the class it inherits from.
    explained = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert len(explained.strip()) > 20


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_what_may_be_raised_or_warned_can_be_caught_by_a_public_name(kind: type) -> None:
    assert getattr(isthmus, kind.__name__) is kind


@pytest.mark.parametrize("place", KINDS.values(), ids=list(KINDS))
def test_what_can_be_loaded_has_a_public_name(place: str) -> None:
    module, _, name = place.partition(":")
    assert getattr(isthmus, name).__module__ == module


@pytest.mark.parametrize(
    "statement",
    [
        "import isthmus",
        "from isthmus.cli.__main__ import main; main(['--help'])",
        "from isthmus.cli.__main__ import main; main(['fit', '--help'])",
    ],
)
def test_start_up_loads_nothing_heavy(statement: str) -> None:
    loaded = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{loaded}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Autoencodr"):
        isthmus.Autoencodr  # noqa: B018
