"""Runs the command line and turns what comes of it into an exit code."""

import os
import sys
from collections.abc import Sequence

import typer

from isthmus.cli.command_wrapper import BROKEN_PIPE, INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; those of the process when left out.

    Returns
    -------
    int
        0: done. 1: something is wrong with the data, a file or the model. 2: the command was
        misspelt. 130: interrupted; what `fit` had learned is kept. 141: nobody reads the
        output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that knows no "×" gets a "?" and not an error.
            stream.reconfigure(errors="replace")
    try:
        return _flushed(_run(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    from isthmus.cli.app import app

    try:
        # Not standalone: a misspelt command is answered below in one line, like any other error.
        return int(app(args=arguments, prog_name="isthmus", standalone_mode=False) or 0)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "isthmus"
        message = " ".join(error.format_message().split())
        stop = "" if message.endswith((".", "?")) else "."
        typer.echo(f"{command}: {message}{stop} Try '{command} --help'.", err=True)
        return 2


def _flushed(code: int) -> int:
    """Flush what was printed, so that a reader who left is met here and not at shutdown."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at exit; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


if __name__ == "__main__":
    sys.exit(main())
