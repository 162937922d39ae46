import copy
import pickle
import re
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as ist
from isthmus.core import errors
from isthmus.core.errors import IsthmusError
from isthmus.data import reading
from isthmus.data.schema import infer_schema
from isthmus.persistence import artifact

X = np.random.default_rng(0).normal(size=(30, 3))
SCHEMA = infer_schema(X)
EMPTY = artifact.Artifact("thing", {}, {})

ERRORS = [
    item
    for item in vars(errors).values()
    if isinstance(item, type) and issubclass(item, IsthmusError)
]


def test_message_gives_expected_received_and_remedy_in_that_order():
    error = IsthmusError("epochs", expected="a number", received="'x'", remedy="pass epochs=10")
    assert str(error) == "epochs: expected a number, received 'x'. Try: pass epochs=10."


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "the whole message"),
        ({"received": "2"}, "the whole message: received 2."),
        ({"expected": "1"}, "the whole message: expected 1."),
        ({"remedy": "wait!"}, "the whole message. Try: wait!"),
        ({"expected": "1", "received": "2?"}, "the whole message: expected 1, received 2?"),
    ],
)
def test_parts_may_be_left_out(parts, message):
    assert str(IsthmusError("the whole message", **parts)) == message


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_survive_pickle_and_copy_as_workers_need(kind):
    error = kind("width", expected="3", received="4", remedy="drop one", context=("a.csv",))
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is kind
        assert str(other) == str(error)
        assert vars(other) == vars(error)


def absent_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    ist.LatentMap(ist.Autoencoder(2, epochs=1, verbose=0), method="umap").fit(X)


def diverging(_monkeypatch):
    ist.Autoencoder(2, epochs=1, verbose=0, loss=lambda t, p: (t - p) * jnp.nan).fit(X)


@pytest.mark.parametrize(
    ("kind", "builtin", "act"),
    [
        (errors.InvalidParameter, ValueError, lambda _: ist.Autoencoder(latent_dim=-1).fit(X)),
        (errors.InvalidData, ValueError, lambda _: infer_schema(np.full((3, 2), np.inf))),
        (errors.SchemaMismatch, errors.InvalidData, lambda _: SCHEMA.to_matrix(X[:, :2])),
        (errors.UnreadableFile, ValueError, lambda _: reading.read("absent.csv")),
        (errors.InvalidArchive, ValueError, lambda _: ist.load("absent.isthmus")),
        (errors.CannotWrite, OSError, lambda _: artifact.write("absent/m.isthmus", EMPTY)),
        (errors.TrainingDiverged, ArithmeticError, diverging),
        (errors.MissingExtra, ImportError, absent_extra),
    ],
    ids=lambda item: item.__name__ if isinstance(item, type) else "",
)
def test_what_goes_wrong_can_be_caught_as_python_people_expect(kind, builtin, act, monkeypatch):
    with pytest.raises(builtin) as caught:
        act(monkeypatch)
    assert type(caught.value) is kind
    assert isinstance(caught.value, IsthmusError)
    assert caught.value.subject


def test_the_tree_in_the_docstring_is_that_of_the_classes():
    parents, drawn = [], {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"([ │├└─]+)(\w+) *(?:\((\w+)\))?", line)
        if not found or not hasattr(errors, found[2]):
            continue
        depth = len(found[1]) // 4 - 1
        parents = [*parents[:depth], found[2]]
        drawn[found[2]] = {*parents[-2:-1], *filter(None, [found[3]])}
    own = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in own if kind.__module__ == errors.__name__]
    assert drawn == {
        kind.__name__: {base.__name__ for base in kind.__bases__} - {"Exception"} for kind in kinds
    }


def test_the_parts_can_be_read_without_the_message():
    error = IsthmusError("epochs", expected="a number", received="'x'", remedy="pass epochs=10")
    assert (error.subject, error.expected, error.received, error.remedy, error.context) == (
        "epochs",
        "a number",
        "'x'",
        "pass epochs=10",
        (),
    )


@pytest.mark.parametrize("kind", ERRORS)
def test_context_is_added_once_from_the_inside_out(kind):
    error = kind("column 'age'", expected="numbers", remedy="mend the cell")
    told = error.about("row 3").about("people.csv")
    assert type(told) is kind
    assert str(told).startswith("people.csv: row 3: column 'age': expected numbers. Try: mend")
    assert str(told.about("people.csv")) == str(told)
    assert str(error).startswith("column 'age'")


def test_a_context_may_know_a_better_remedy():
    error = IsthmusError("a row", received="text", remedy="mend it").about(
        "x.csv", remedy="skip it"
    )
    assert str(error) == "x.csv: a row: received text. Try: skip it."


def test_an_error_takes_the_parts_of_another():
    inner = errors.InvalidParameter("units", expected="3", received="4", context=("layer 1",))
    outer = errors.InvalidArchive.of(inner).about("m.isthmus")
    assert isinstance(outer, errors.InvalidArchive)
    assert str(outer) == "m.isthmus: layer 1: units: expected 3, received 4."
