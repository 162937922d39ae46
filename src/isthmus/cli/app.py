"""The commands of ``isthmus``, one file each."""

import sys
from typing import Annotated

import typer

from isthmus._version import __version__
from isthmus.cli import tasks
from isthmus.cli.apply import decode, encode, reconstruct
from isthmus.cli.codec import compress, decompress
from isthmus.cli.command_wrapper import guarded
from isthmus.cli.demo import demo
from isthmus.cli.detect import detect
from isthmus.cli.explain import explain
from isthmus.cli.explore import explore
from isthmus.cli.export import export
from isthmus.cli.fit import fit
from isthmus.cli.inspect import inspect
from isthmus.cli.recipe import recipe
from isthmus.cli.report import report
from isthmus.cli.serve import serve

COMMANDS = (
    *(demo, fit, encode, decode, reconstruct),
    *(tasks.map, tasks.search, tasks.sample),
    *(detect, explain),
    *(compress, decompress),
    *(report, explore, inspect, export, serve),
)

app = typer.Typer(
    name="isthmus",
    help="Autoencoders you can trust: train fast, judge honestly, save safely, put to work.",
    epilog="Start with 'isthmus demo', or with a file of your own: 'isthmus fit data.csv'.",
    add_completion=False,
    pretty_exceptions_enable=False,
    # A terminal gets panels and colours; a pipe gets plain text, in half the start-up time.
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in COMMANDS:
    app.command()(guarded(_command))
app.add_typer(recipe, name="recipe")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isthmus {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _before_every_command(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    del version  # handled by its callback
    context.obj = debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
