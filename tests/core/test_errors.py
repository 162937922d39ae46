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
    assert str(error) == "epochs: expected a number, received 'x'. Remedy: pass epochs=10."


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "the whole message"),
        ({"received": "2"}, "the whole message: received 2."),
        ({"expected": "1"}, "the whole message: expected 1."),
        ({"remedy": "wait!"}, "the whole message. Remedy: wait!"),
        ({"expected": "1", "received": "2?"}, "the whole message: expected 1, received 2?"),
    ],
)
def test_parts_may_be_left_out(parts, message):
    assert str(IsthmusError("the whole message", **parts)) == message


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_survive_pickle_and_copy_as_workers_need(kind):
    error = kind("width", expected="3", received="4", remedy="drop one")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is kind
        assert str(other) == str(error)


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
