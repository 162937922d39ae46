import copy
import pickle

import pytest

from isthmus.core import errors
from isthmus.core.errors import IsthmusError, IsthmusWarning

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


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidParameter, ValueError),
        (errors.InvalidData, ValueError),
        (errors.SchemaMismatch, errors.InvalidData),
        (errors.UnreadableFile, ValueError),
        (errors.InvalidArchive, ValueError),
        (errors.CannotWrite, OSError),
        (errors.TrainingDiverged, ArithmeticError),
        (errors.MissingExtra, ImportError),
        (errors.DataWarning, IsthmusWarning),
        (errors.TrainingWarning, UserWarning),
    ],
)
def test_kinds_can_be_caught_as_what_python_people_expect(kind, builtin):
    assert issubclass(kind, builtin)


def test_the_tree_in_the_docstring_names_every_error():
    assert all(kind.__name__ in errors.__doc__ for kind in ERRORS)


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
