"""``isthmus detect FOLDER --engine``: the tables of a folder, one by one on all cores."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.command_wrapper import FAILED, note
from isthmus.core.errors import CannotWrite, InvalidParameter
from isthmus.core.number_format import count, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from isthmus.engines.parts import PartResult

_PANEL = "Folders of tables"
_MOST_NOTES = 10

Engine = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="DATA is a folder of tables: apply the model to each, on the cores of this machine "
        "(processes) or on a cluster (ray or dask), and write a Parquet file for each to the "
        "folder OUTPUT. What is finished is skipped when the command is run again.",
        show_default="none; DATA is one file, or a folder of images",
        rich_help_panel=_PANEL,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The number of processes.",
        show_default="one for each core",
        rich_help_panel=_PANEL,
    ),
]


def refuse_other_options(engine: str | None, given: Mapping[str, Any]) -> None:
    """Refuse --workers without --engine, and options that are for a single file.

    Raises
    ------
    InvalidParameter
        There is no engine, or one of the options `given`, by name, has a value.
    """
    if engine is None:
        raise InvalidParameter(
            "--workers",
            expected="an --engine to use them",
            received="none",
            remedy="add --engine processes, or leave --workers out",
        )
    for name, value in given.items():
        if value is not None:
            raise InvalidParameter(
                name,
                expected="none with --engine, which works on each row by itself",
                received=str(value),
                remedy=f"leave {name} out, or apply the command to one file without --engine",
            )


def run(
    task: str,
    model: Path,
    data: Path,
    output: Path,
    engine: str,
    workers: int | None,
    *,
    force: bool,
) -> None:
    """Apply a task of a model to the tables of a folder.

    Parameters
    ----------
    task : str
        The name of the task.
    model, data, output : Path
        The model's file, the folder of tables, and the folder of results.
    engine : str
        The name of the engine.
    workers : int or None
        The number of processes; None for one on each core.
    force : bool
        Whether all results are written again.

    Raises
    ------
    InvalidParameter, InvalidArchive, UnreadableFile, CannotWrite, MissingExtra
        Nothing can be done.
    typer.Exit
        Some tables could not be processed; they are listed.
    """
    from isthmus.cli import output_checks
    from isthmus.engines.arrow_function import arrow_function
    from isthmus.engines.part_runs import ENGINES, run_parts
    from isthmus.engines.parts import PartJob, find_parts, strays, unfinished

    _ = ENGINES[engine]
    _check_output(output)
    parts = find_parts(data, output)
    function = arrow_function(model, task)  # checks the model before any worker starts
    job = PartJob(function.path, function.checksum, task, again=force)
    output_checks.make_folder(output)
    left = unfinished(parts, job)
    results = sorted(_shown(run_parts(left, job, engine, workers), len(left)), key=_name)
    _tell_notes(results)
    if others := strays(parts, output):
        note(
            f"{output} also has {count(len(others), 'Parquet file')} that no table in {data} "
            f"belongs to, such as {others[0]}."
        )
    _summarise(results, len(parts) - len(left), output, task)


def _check_output(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise CannotWrite(
            f"cannot write {str(output)!r}",
            expected="a folder, because of --engine",
            received="a file",
            remedy="choose another name",
        )
    if output.is_dir() and not os.access(output, os.W_OK | os.X_OK):
        raise CannotWrite(
            f"cannot write to {str(output)!r}",
            expected="a folder that you may write to",
            received="a read-only one",
            remedy="choose another folder",
        )


def _shown(results: Iterable[PartResult], total: int) -> list[PartResult]:
    """Return the results; on a terminal, show how many parts are done."""
    if not sys.stderr.isatty() or not total:
        return list(results)
    done = []
    with typer.progressbar(length=total, label="tables", file=sys.stderr, show_pos=True) as bar:
        for result in results:
            done.append(result)
            bar.update(1)
    return done


def _name(result: PartResult) -> str:
    return result.name


def _tell_notes(results: Sequence[PartResult]) -> None:
    """Print each different note once, with the first of its parts."""
    where = defaultdict(list)
    for result in results:
        for text in result.notes:
            where[text].append(result.name)
    for text, names in list(where.items())[:_MOST_NOTES]:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        note(f"{names[0]}{more}: {text}")
    if len(where) > _MOST_NOTES:
        note(f"{len(where) - _MOST_NOTES:,} other notes are not shown.")


def _summarise(results: Sequence[PartResult], skipped: int, output: Path, task: str) -> None:
    written = [result for result in results if not result.fault]
    rows = sum(result.rows for result in written)
    if skipped:
        typer.echo(f"Skipped {count(skipped, 'table')}, finished earlier.")
    typer.echo(f"Wrote {count(rows, 'row')} in {count(len(written), 'file')} to {output}")
    if task == "detect" and rows:
        alarms = sum(result.alarms for result in written)
        typer.echo(f"{count(alarms, 'alarm')} on {count(rows, 'row')} ({percent(alarms / rows)}).")
    faults = [result.fault for result in results if result.fault]
    if faults:
        typer.echo(f"{count(len(faults), 'table')} could not be processed:", err=True)
        for fault in faults:
            typer.echo(f"  {' '.join(fault.split())}", err=True)
        typer.echo("Run the same command again to process only these.", err=True)
        raise typer.Exit(FAILED)
