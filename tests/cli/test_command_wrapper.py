"""Errors become one line and an exit code; warnings become notes."""

import warnings
from collections.abc import Callable

import pytest
import typer

from isthmus.cli.command_wrapper import guarded
from isthmus.core.errors import DataWarning, InvalidData

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a function as a command and return its exit code and what it said on stderr."""

    def run(function: Callable[[], None], *arguments: str) -> tuple[int, str]:
        app = typer.Typer()
        app.command("work")(guarded(function))
        app.callback()(lambda: None)
        code = app(["work", "--no-cache", *arguments], prog_name="isthmus", standalone_mode=False)
        return code or 0, capsys.readouterr().err

    return run


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InvalidData("column 'a'", expected="numbers", received="text"), 1, "expected numbers"),
        (PermissionError(13, "Permission denied", "a.csv"), 1, "Permission denied: 'a.csv'"),
        (MemoryError(), 1, "out of memory"),
        (KeyError("x"), 1, "internal error, KeyError: 'x'"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_error_is_one_line(run: Run, error: BaseException, code: int, said: str) -> None:
    received, shown = run(raising(error))
    assert received == code
    assert shown.startswith("isthmus work: ")
    assert said in shown
    assert shown.count("\n") == 1


def test_debug_shows_the_traceback_and_then_the_line(run: Run) -> None:
    code, shown = run(raising(InvalidData("these rows")), "--debug")
    assert code == 1
    assert shown.startswith("Traceback")
    assert shown.endswith("isthmus work: these rows\n")


def test_a_reader_who_left_is_no_error(run: Run) -> None:
    assert run(raising(BrokenPipeError(32, "Broken pipe"))) == (141, "")


def test_our_warnings_are_notes_shown_once_and_those_of_others_are_not(run: Run) -> None:
    def command() -> None:
        for _ in range(2):
            warnings.warn("column 'a' is\nconstant", DataWarning, stacklevel=1)
        warnings.warn("internal matters", DeprecationWarning, stacklevel=1)

    assert run(command) == (0, "note: column 'a' is constant\n")
    _, shown = run(command, "--debug")
    assert "DeprecationWarning: internal matters" in shown
