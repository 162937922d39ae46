"""The public face: every name is there and explained, and importing it costs nothing."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus
from isthmus.core import errors
from isthmus.persistence.loading import KINDS

RAISED = [
    item
    for item in vars(errors).values()
    if isinstance(item, type) and issubclass(item, (errors.IsthmusError, errors.IsthmusWarning))
]
STUB = Path(isthmus.__file__).with_suffix(".pyi")
DECLARED = {
    alias.asname: (statement.module, alias.name)
    for statement in ast.parse(STUB.read_text(encoding="utf-8")).body
    if isinstance(statement, ast.ImportFrom)
    for alias in statement.names
}
METHODS = {
    f"{name}.{method}": getattr(getattr(isthmus, name), method)
    for name in isthmus.__all__
    if isinstance(getattr(isthmus, name), type)
    for method in dir(getattr(isthmus, name))
    if not method.startswith("_") and inspect.isfunction(getattr(getattr(isthmus, name), method))
}
HEAVY = ("jax", "keras", "sklearn", "pandas", "polars", "pyarrow", "numpy", "rich.console")


def test_the_names_are_those_that_the_stub_declares() -> None:
    """What a type checker sees is what there is: every name, and no other."""
    assert sorted(isthmus.__all__) == sorted(DECLARED)
    for name, (module, original) in DECLARED.items():
        source = importlib.import_module(f"isthmus.{module}")
        assert getattr(isthmus, name) is getattr(source, original)
    beside = {name for name in dir(isthmus) if not name.startswith("_")} - set(DECLARED)
    assert all(inspect.ismodule(getattr(isthmus, name)) for name in beside)


@pytest.mark.parametrize("name", isthmus.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    thing = getattr(isthmus, name)
    assert name in dir(isthmus)
    # A class is explained by itself, not by the class it inherits from.
    explained = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert len(explained.strip()) > 20


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_a_method_that_explains_its_parameters_explains_them_all(method: object) -> None:
    section = re.search(
        r"Parameters\n-+\n(.*?)(\n\n[A-Z]\w+\n-+\n|$)", inspect.getdoc(method), re.S
    )
    if section is None or not method.__module__.startswith("isthmus."):
        return
    entries = re.findall(r"^(\w[\w, *]*?)(?: :|$)", section[1], re.M)
    explained = [name.strip(" *") for entry in entries for name in entry.split(",")]
    taken = [name for name in inspect.signature(method).parameters if name != "self"]
    assert explained == taken


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
