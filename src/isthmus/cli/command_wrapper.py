"""Shared by all commands: ``--debug``, ``--no-cache``, errors in one line, warnings as notes."""

import errno
import functools
import inspect
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any

import typer

from isthmus.cli import compilation_cache
from isthmus.core.errors import IsthmusError, IsthmusWarning

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 141

_COMMON = "For every command"

_running: ContextVar[tuple[str, bool]] = ContextVar("running", default=("isthmus", False))

_DEBUG = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_COMMON)
]
_NO_CACHE = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Do not use the cache of compiled programs.",
        rich_help_panel=_COMMON,
    ),
]


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """Turn a function into a command that reports errors in one line, with an exit code.

    The command has the options ``--debug`` and ``--no-cache`` in addition to its own.
    """
    shared = {"context": typer.Context, "debug": _DEBUG, "no_cache": _NO_CACHE}

    @functools.wraps(function)
    def command(*, context: typer.Context, debug: bool, no_cache: bool, **own: Any) -> None:
        debug = debug or bool(context.obj)
        with reporting(context.command_path, debug=debug):
            if not no_cache:
                compilation_cache.enable()
            function(**own)

    # Typer reads a command's options from its signature and annotations.
    own = inspect.signature(function).parameters.values()
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotation,
            default=inspect.Parameter.empty if annotation is typer.Context else False,
        )
        for name, annotation in shared.items()
    ]
    command.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    command.__annotations__ = {**function.__annotations__, **shared}
    return command


@contextmanager
def reporting(command: str, *, debug: bool) -> Iterator[None]:
    """Report errors in one line, with an exit code, and warnings as notes."""
    token = _running.set((command, debug))
    try:
        with _errors_as_lines(command, debug=debug), _warnings_as_notes(debug=debug):
            yield
    finally:
        _running.reset(token)


def running() -> tuple[str, bool]:
    """Return the command that is running, such as ``isthmus fit``, and whether it debugs."""
    return _running.get()


def note(message: str) -> None:
    """Print a note in one line on the error stream."""
    typer.echo(f"note: {' '.join(message.split())}", err=True)


@contextmanager
def _errors_as_lines(command: str, *, debug: bool) -> Iterator[None]:
    try:
        yield
    except IsthmusError as error:
        _fail(command, str(error), debug=debug)
    except KeyboardInterrupt:
        typer.echo(f"{command}: interrupted.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except MemoryError:
        _fail(command, "out of memory. Try: use fewer rows or a smaller model.", debug=debug)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise typer.Exit(BROKEN_PIPE) from None
        _fail(command, str(error), debug=debug)
    except Exception as error:
        if _ends_the_command(error):
            raise
        _fail(
            command,
            f"internal error, {type(error).__name__}: {str(error).rstrip('.')}. "
            "Try: report it, with the output of --debug.",
            debug=debug,
        )


def _ends_the_command(error: Exception) -> bool:
    """Tell whether Typer raised this to end the command or to report an error in its options."""
    return isinstance(error, (typer.Exit, typer.Abort)) or hasattr(error, "format_message")


def _fail(command: str, message: str, *, debug: bool) -> None:
    if debug:
        typer.echo(traceback.format_exc(), err=True, nl=False)
    typer.echo(f"{command}: {' '.join(message.split())}", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def _warnings_as_notes(*, debug: bool) -> Iterator[None]:
    """Show each isthmus warning once, as a note; other libraries' warnings only with --debug."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = str(message)
        if text in shown:
            return
        shown.add(text)
        note(text if issubclass(category, IsthmusWarning) else f"{category.__name__}: {text}")

    with warnings.catch_warnings():
        warnings.simplefilter("always" if debug else "ignore")
        warnings.simplefilter("always", IsthmusWarning)
        warnings.showwarning = show
        yield
