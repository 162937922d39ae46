"""Folders of files: each file is a part, and has a part of the results.

A part of the results is a Parquet file of the same name. It is written completely or not at all,
and its metadata say which model and which file it was made from, so a later run can skip it.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isthmus.core import error_context
from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import (
    CannotWrite,
    DataWarning,
    InvalidData,
    IsthmusError,
    IsthmusWarning,
    UnreadableFile,
)
from isthmus.core.name_lists import name_list
from isthmus.data import reading
from isthmus.data.formats.catalogue import FORMATS
from isthmus.engines import open_models, worker_threads
from isthmus.engines.arrow_function import ArrowFunction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_KEY = b"isthmus"


@dataclass(frozen=True)
class PartFile:
    """A file, and where its results are written.

    Parameters
    ----------
    name : str
        The path of the file within its folder.
    source, target : str
        The file, and the Parquet file of its results.
    """

    name: str
    source: str
    target: str


@dataclass(frozen=True)
class PartJob:
    """What is done with each part.

    Parameters
    ----------
    path, digest, task : str
        The model's file, its checksum, and the name of the task.
    again : bool
        Whether results are written again that are finished or that this job did not write.
    """

    path: str
    digest: str
    task: str
    again: bool = False


@dataclass
class PartResult:
    """What became of a part.

    Parameters
    ----------
    name : str
        The part's name.
    rows, alarms : int
        Rows written, and how many of them raise an alarm.
    fault : str
        Why nothing was written; "" if it was.
    notes : list of str
        Warnings.
    """

    name: str
    rows: int = 0
    alarms: int = 0
    fault: str = ""
    notes: list[str] = field(default_factory=list)


def find_parts(folder: Path, output: Path) -> list[PartFile]:
    """Return the tables in a folder and its subfolders, in order of their names.

    Names that begin with a dot or an underscore are skipped, as other engines do.

    Raises
    ------
    UnreadableFile
        The path is no folder, or contains no tables.
    CannotWrite
        One folder contains the other, or two files have results of the same name.
    """
    tables = [form for form in FORMATS.values() if form.holds == "table"]
    if not folder.is_dir():
        raise UnreadableFile(
            str(folder),
            expected="a folder of tables",
            received="a file" if folder.exists() else "a path that does not exist",
            remedy="leave --engine out" if folder.exists() else "check the path",
        )
    _check_apart(folder.resolve(), output.resolve())
    parts = []
    targets: dict[Path, str] = {}
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        hidden = any(piece.startswith((".", "_")) for piece in within.parts)
        if hidden or not path.is_file() or not any(form.fits(path.name) for form in tables):
            continue
        plain = FORMATS["parquet"].fits(path.name)
        target = output / (within if plain else within.with_name(f"{within.name}.parquet"))
        if target in targets:
            raise CannotWrite(
                f"{str(target)!r} is where the results of two files would be written: "
                f"{name_list([targets[target], str(within)])}",
                remedy="rename one of them",
            )
        targets[target] = str(within)
        parts.append(PartFile(str(within), str(path.resolve()), str(target.absolute())))
    if not parts:
        endings = ", ".join(ending for form in tables for ending in form.endings)
        raise UnreadableFile(
            str(folder),
            expected=f"a folder with files that end in {endings}",
            received="none",
            remedy="check the path",
        )
    return parts


def _check_apart(folder: Path, output: Path) -> None:
    if folder == output or folder in output.parents or output in folder.parents:
        raise CannotWrite(
            f"cannot write to {str(output)!r}",
            expected="a folder apart from that of the data",
            received=f"one that contains {str(folder)!r} or is in it",
            remedy="choose another folder",
        )


def unfinished(parts: Sequence[PartFile], job: PartJob) -> list[PartFile]:
    """Return the parts whose results are missing or were made from another file or model."""
    return [part for part in parts if job.again or _written_stamp(part.target) != _stamp(part, job)]


def strays(parts: Sequence[PartFile], output: Path) -> list[str]:
    """Return the names of Parquet files in the folder of results that belong to no part."""
    known = {part.target for part in parts}
    found = sorted(output.rglob("*.parquet"))
    return [str(path.relative_to(output)) for path in found if str(path.absolute()) not in known]


def run_part(part: PartFile, job: PartJob) -> PartResult:
    """Read a part, apply the model and write the results; called in a worker process."""
    worker_threads.limit()
    result = PartResult(part.name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", IsthmusWarning)
        try:
            _check_target(part, job)
            _write(part, job, result)
        except IsthmusError as error:
            said = str(error).replace(part.source, part.name)
            result.fault = said if said.startswith(part.name) else f"{part.name}: {said}"
        except Exception as error:  # one part must not end the run
            result.fault = f"{part.name}: internal error, {type(error).__name__}: {error}"
    if result.fault:
        result.rows = result.alarms = 0
    result.notes = list(dict.fromkeys(str(warning.message) for warning in caught))
    return result


def _check_target(part: PartFile, job: PartJob) -> None:
    target = Path(part.target)
    if target.exists() and not job.again and not _written_stamp(part.target):
        raise CannotWrite(
            f"{part.target!r} exists and was not written by this command; it was not changed",
            remedy="choose another folder, or add --force to replace it",
        )
    target.parent.mkdir(parents=True, exist_ok=True)


def _write(part: PartFile, job: PartJob, result: PartResult) -> None:
    stamp = _stamp(part, job)
    batches = _results(part, job, result)
    first = next(batches)
    schema = first.schema.with_metadata({_KEY: json.dumps(stamp).encode()})

    def encode(file: BinaryIO) -> None:
        with pq.ParquetWriter(file, schema) as writer:
            writer.write_table(first)
            for batch in batches:
                writer.write_table(batch)
        if _stamp(part, job) != stamp:
            raise UnreadableFile(
                part.source,
                expected="a file that does not change while it is read",
                received="a changed one",
                remedy="run the command again",
            )

    atomic_write(part.target, encode)


def _results(part: PartFile, job: PartJob, result: PartResult) -> Iterator[pa.Table]:
    function = None
    text = open_models.opened(job.path, job.digest, job.task).text
    for batch in reading.stream(part.source, text=text):
        rows: Any = batch  # of a table
        if function is None:
            function = ArrowFunction(job.path, job.digest, job.task, rows.schema)
            _tell_of_others(function, rows.column_names)
        with error_context.adding(error_context.batch_name(part.name, result.rows, len(rows))):
            made = function(rows)
        if job.task == "detect":
            made = _with_row_numbers(made, result.rows)
            result.alarms += pc.sum(made.column("alarm")).as_py()
        result.rows += len(rows)
        yield made


def _tell_of_others(function: ArrowFunction, names: Sequence[str]) -> None:
    others = [name for name in names if name not in function.input_columns]
    if others:
        warnings.warn(
            f"The model was not trained on {name_list(others)}; passed on unchanged.",
            DataWarning,
            stacklevel=2,
        )


def _with_row_numbers(alarms: pa.Table, start: int) -> pa.Table:
    """Add the column ``row`` after those that were passed on; rows count from `start`."""
    if "row" in alarms.column_names:
        raise InvalidData(
            "column 'row'",
            expected="a name that the result does not use",
            received="the same name twice",
            remedy="rename the column in the file",
        )
    numbers = pa.array(np.arange(start, start + len(alarms)))
    return alarms.add_column(alarms.column_names.index("score"), "row", numbers)


def _stamp(part: PartFile, job: PartJob) -> dict[str, Any]:
    """Return what the results of a part depend on."""
    try:
        status = Path(part.source).stat()
    except OSError:  # it was removed: reading it says so
        return {}
    made_from = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    return {"task": job.task, "model": job.digest, **made_from}


def _written_stamp(target: str) -> Any:
    """Return the stamp in a file of results; None if there is none."""
    try:
        return json.loads((pq.read_schema(target).metadata or {})[_KEY])
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None
