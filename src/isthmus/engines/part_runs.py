"""Runs the parts of a folder on the cores of this machine or on a cluster.

An engine is a function of the parts, the job and the number of workers. It yields the result of
each part when it is done, in any order. A part whose worker died is named like one that could not
be read.
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import sys
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import MissingExtra
from isthmus.engines.parts import PartResult, run_part
from isthmus.engines.worker_threads import prepare_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from isthmus.engines.parts import PartFile, PartJob

_AHEAD = 4
"""Parts that are waiting for each of Ray's workers."""


def _with_processes(parts: Sequence[PartFile], job: PartJob, workers: int) -> Iterator[PartResult]:
    """Use new processes of this machine; a fork of one that runs JAX would hang."""
    left = list(reversed(parts))
    while left:
        yield from _until_one_dies(left, job, min(workers, len(left)))


def _until_one_dies(left: list[PartFile], job: PartJob, workers: int) -> Iterator[PartResult]:
    """Take parts from the end of `left` until there are none, or until a process dies.

    The executor then does not say which one did: all parts under way are named. There is one for
    each process, so that few are.
    """
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=prepare_process,
    )
    names: dict[Future[PartResult], str] = {}
    try:
        while left or names:
            while left and len(names) < workers:
                future = pool.submit(run_part, left[-1], job)
                names[future] = left.pop().name
            for future in wait(names, return_when=FIRST_COMPLETED).done:
                yield _outcome(names.pop(future), future)
    except BrokenExecutor:  # from submit: what is under way has failed, too
        yield from (_outcome(name, future) for future, name in names.items())
    finally:  # also when the command is interrupted: parts that have begun are finished
        pool.shutdown(cancel_futures=True)


def _with_ray(parts: Sequence[PartFile], job: PartJob, workers: int) -> Iterator[PartResult]:
    """Use the cluster that RAY_ADDRESS or `ray.init` names, or start one on this machine."""
    own = "RAY_ADDRESS" not in os.environ
    if own and "ray" not in sys.modules:  # Ray reads them when it is imported
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # It listens on all addresses, and whoever reaches it may run code.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    ray = _library("ray")
    began = not ray.is_initialized()
    if began:
        cores = {"num_cpus": workers} if own else {}
        ray.init(**cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield from _ray_results(ray, parts, job, _AHEAD * workers)
    finally:
        if began:
            ray.shutdown()


def _ray_results(
    ray: Any, parts: Sequence[PartFile], job: PartJob, most: int
) -> Iterator[PartResult]:
    run = ray.remote(num_cpus=1)(run_part)
    names: dict[Any, str] = {}
    left = list(reversed(parts))
    while left or names:
        while left and len(names) < most:
            part = left.pop()
            names[run.remote(part, job)] = part.name
        (done,), _ = ray.wait(list(names))
        yield _outcome(names.pop(done), done.future())


def _with_dask(parts: Sequence[PartFile], job: PartJob, workers: int) -> Iterator[PartResult]:
    """Use the cluster of the present client or of DASK_SCHEDULER_ADDRESS, or start one here."""
    distributed = _library("distributed")
    try:
        client, began = distributed.get_client(), False
    except ValueError:
        client, began = _new_dask_client(distributed, workers), True
    try:
        futures = client.map(run_part, parts, job=job, pure=False)
        names = {future.key: part.name for future, part in zip(futures, parts, strict=True)}
        for future in distributed.as_completed(futures):
            yield _outcome(names[future.key], future)
    finally:
        if began:
            client.close()
            if client.cluster is not None:
                client.cluster.close()


def _new_dask_client(distributed: Any, workers: int) -> Any:
    if "DASK_SCHEDULER_ADDRESS" in os.environ:
        return distributed.Client()
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=logging.ERROR,
    )
    return distributed.Client(cluster)


ENGINES: Catalogue[Callable[[Sequence[PartFile], PartJob, int], Iterator[PartResult]]] = Catalogue(
    "engine", {"processes": _with_processes, "ray": _with_ray, "dask": _with_dask}
)
"""The engines by name."""


def run_parts(
    parts: Sequence[PartFile], job: PartJob, engine: str, workers: int | None = None
) -> Iterator[PartResult]:
    """Yield the result of each part when it is done.

    Parameters
    ----------
    parts : sequence of PartFile
        What `parts.unfinished` returned.
    job : PartJob
        What is done with them.
    engine : str
        A name in `ENGINES`.
    workers : int, optional
        The number of processes, which a cluster that runs already ignores; by default, that of
        cores.

    Raises
    ------
    InvalidParameter
        There is no such engine.
    MissingExtra
        It is not installed.
    """
    run = ENGINES[engine]
    return run(parts, job, workers or _cores()) if parts else iter(())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _outcome(name: str, future: Future[PartResult]) -> PartResult:
    """Return the result of a part, with a fault if its worker died."""
    try:
        return future.result()
    except Exception as error:  # each engine has its own
        lines = str(error).splitlines() or [""]
        return PartResult(
            name,
            fault=f"{name}: the worker died ({type(error).__name__}: {lines[0][:200]}). Try: check "
            "its memory, and run the command again with fewer workers",
        )


def _library(name: str) -> Any:
    extra = {"distributed": "dask"}.get(name, name)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(
            f"the engine {extra!r}",
            expected=f"the package {name}",
            received=str(error),
            remedy=f"pip install 'isthmus[{extra}]', or use --engine processes",
        ) from None
