"""``isthmus fit --processes``: several processes of this machine train one model.

Each has its own cores. The first speaks for all; the standard error of the others, and what
libraries below Python print, is kept in a file, and shown for the first process that fails.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from isthmus.cli import command_wrapper
from isthmus.core.errors import ProcessLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.context import SpawnProcess

AUTO = "auto"
_HEARTBEAT_SECONDS = 20
_GRACE_SECONDS = 10.0
"""How long the others may still run after one process has failed."""
_LOG_BYTES = 2000
_LOST = 75
"""The exit code of a process that failed only because another one did."""


@dataclass(frozen=True)
class _Member:
    """A process of the group."""

    index: int
    processes: int
    address: str
    log: Path
    command: str
    debug: bool


def join_cluster() -> None:
    """Join the processes that SLURM, Open MPI or Kubernetes started.

    Raises
    ------
    typer.BadParameter
        No such processes were found.
    """
    import jax

    try:
        jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise typer.BadParameter(
            "expected a command started by SLURM, Open MPI or Kubernetes, found none "
            f"({reason}). Try: a number of processes, for this machine",
            param_hint="--processes",
        ) from None


def run(count: int, function: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a number of new processes that ``jax.distributed`` joins.

    Parameters
    ----------
    count : int
        The processes, at least 2.
    function : callable
        Can be pickled, as can its arguments.

    Raises
    ------
    typer.Exit
        A process failed. The others are stopped.
    """
    context = multiprocessing.get_context("spawn")
    command, debug = command_wrapper.running()
    with tempfile.TemporaryDirectory(prefix="isthmus-") as folder:
        address = f"localhost:{_free_port()}"
        members = [
            _Member(i, count, address, Path(folder) / f"{i}.log", command, debug)
            for i in range(count)
        ]
        group = [
            context.Process(target=_start, args=(member, function, arguments)) for member in members
        ]
        for process in group:
            process.start()
        with _forwarded_interrupts(group):
            code = _exit_code(group, members)
    if code:
        raise typer.Exit(code)


def _exit_code(group: list[SpawnProcess], members: list[_Member]) -> int:
    """Wait for all processes; say which one failed, and return the exit code of the command."""
    codes = _exit_codes(group)
    failed = {member.index: code for member, code in zip(members, codes, strict=True) if code}
    if not failed:
        return 0
    causes = [index for index, code in failed.items() if code != _LOST]
    if failed.get(0) not in (command_wrapper.FAILED, command_wrapper.INTERRUPTED):
        # Otherwise the first process has said why.
        _explain(members[causes[0] if causes else 0], failed[causes[0] if causes else 0])
    code = failed.get(0, command_wrapper.FAILED)
    return code if code in (command_wrapper.FAILED, command_wrapper.INTERRUPTED) else 1


def _exit_codes(group: list[SpawnProcess]) -> list[int]:
    """Wait for all processes, not long after one has failed; those killed for it are `_LOST`."""
    running, killed = list(group), set()
    while running:
        failed = any(process.exitcode for process in group if process not in running)
        ready = wait([process.sentinel for process in running], _GRACE_SECONDS if failed else None)
        if not ready:
            killed |= {process.pid for process in running}
            for process in running:
                process.kill()
        for process in running:
            if process.sentinel in ready:
                process.join()
        running = [process for process in running if process.sentinel not in ready]
    return [_LOST if process.pid in killed else process.exitcode or 0 for process in group]


def _explain(member: _Member, code: int) -> None:
    said = member.log.read_text(errors="replace")[-_LOG_BYTES:] if member.log.exists() else ""
    how = f"was stopped by signal {-code}" if code < 0 else f"ended with exit code {code}"
    typer.echo(
        f"{member.command}: process {member.index} of {member.processes} {how}. The others were "
        "stopped. Try: start it again; with --checkpoint, it goes on from the last epoch.",
        err=True,
    )
    if said and (code > 0 or member.debug):
        typer.echo(said, err=True)


@contextmanager
def _forwarded_interrupts(group: list[SpawnProcess]) -> Iterator[None]:
    """Pass Ctrl-C on to each process, once: they are not in the terminal's group."""

    def forward(_signum: int, _frame: Any) -> None:
        for process in group:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGINT)

    before = signal.signal(signal.SIGINT, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _start(member: _Member, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run the function in this process as one of the group; the target of the new process."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own_cores(member)
    _redirect(member)
    code, lost = 0, False
    try:
        with command_wrapper.reporting(member.command, debug=member.debug):
            import jax

            jax.distributed.initialize(
                member.address,
                member.processes,
                member.index,
                heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            )
            try:
                function(*arguments)
            except ProcessLost:
                lost = True
                raise
    except typer.Exit as end:
        code = _LOST if lost else end.exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    # Not through the handlers of JAX: after a failure they wait for processes that are gone.
    os._exit(code)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(command_wrapper.FAILED)


def _own_cores(member: _Member) -> None:
    """Keep this process to its part of the cores, so that the processes do not compete."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    own = cores[member.index :: member.processes] if member.processes <= len(cores) else cores
    os.sched_setaffinity(0, own)


def _redirect(member: _Member) -> None:
    """Keep libraries below Python from writing to the terminal, and all but the first process."""
    log = os.open(member.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if member.index == 0:
        sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    else:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        sys.stderr = os.fdopen(os.dup(log), "w", buffering=1)
    os.dup2(log, 1)
    os.dup2(log, 2)
