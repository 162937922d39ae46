"""The public face: every name is there and explained, and importing it costs nothing."""

import subprocess
import sys

import pytest

import isthmus

HEAVY = ("jax", "keras", "sklearn", "pandas", "polars", "pyarrow", "numpy", "rich.console")


@pytest.mark.parametrize("name", isthmus.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    thing = getattr(isthmus, name)
    assert name in dir(isthmus)
    # A class is explained by itself, not by the class it inherits from.
    explained = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert len(explained.strip()) > 20


def test_the_names_are_those_of_the_plan() -> None:
    assert {"Autoencoder", "load", "parameter_table", "referee", "write_report"} <= set(
        isthmus.__all__
    )


@pytest.mark.parametrize(
    "statement",
    ["import isthmus", "from isthmus.cli.__main__ import main; main(['--help'])"],
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
