"""Runs a command and returns its exit code."""

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
        The arguments after the program's name; by default, those of the process.

    Returns
    -------
    int
        0: success. 1: an error in the data, a file or the model. 2: an error in the arguments.
        130: interrupted; `fit` has saved the model as trained so far. 141: the reader of the output
        has closed the pipe.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show "×" shows "?" instead of failing.
            stream.reconfigure(errors="replace")
    try:
        return _flushed(_run(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    from isthmus.cli.app import app

    try:
        # Not standalone: errors in arguments are printed below in one line, like other errors.
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
    """Flush the output, so that a closed pipe is noticed here rather than at shutdown."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes again at exit; redirect that to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


if __name__ == "__main__":
    sys.exit(main())
