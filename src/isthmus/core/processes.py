"""The processes that train one model together, as ``jax.distributed`` joined them.

Without ``jax.distributed.initialize`` there is one process, and nothing here starts JAX.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.errors import ProcessLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DONE, _FAILED, _INTERRUPTED = range(3)


def count() -> int:
    """Return the number of processes."""
    import jax

    return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
    """Return the number of this process, from 0."""
    import jax

    return jax.process_index() if jax.distributed.is_initialized() else 0


def gathered(values: Sequence[float]) -> np.ndarray:
    """Return the numbers of every process, (processes, values), float64.

    All processes have to call this at the same point, with as many values.
    """
    own = np.asarray(values, np.float64)
    if count() == 1:
        return own[None]
    from jax.experimental import multihost_utils

    with lost():
        # Bytes, because JAX would round float64 to float32.
        rows = multihost_utils.process_allgather(own.view(np.uint8))
    return np.ascontiguousarray(rows).view(np.float64)


def gathered_bytes(data: bytes) -> list[bytes]:
    """Return the bytes of every process, which may be of different lengths.

    All processes have to call this at the same point.
    """
    if count() == 1:
        return [data]
    from jax.experimental import multihost_utils

    sizes = gathered([len(data)])[:, 0].astype(int)
    padded = np.zeros(max(1, *sizes), np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    with lost():
        rows = np.asarray(multihost_utils.process_allgather(padded))
    return [row[:size].tobytes() for row, size in zip(rows, sizes, strict=True)]


@contextmanager
def together(work: str) -> Iterator[None]:
    """End the work of all processes, each of which does its own part, if that of one fails.

    Without it, the others would wait for the one that failed. All processes have to come here at
    the same point.

    Parameters
    ----------
    work : str
        Names it in messages, such as "reading the rows".

    Raises
    ------
    ProcessLost, KeyboardInterrupt
        Another process failed, or was interrupted.
    """
    if count() == 1:
        yield
        return
    failure: BaseException | None = None
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:  # raised again below
        failure = error
    outcome = _DONE
    if failure is not None:
        outcome = _INTERRUPTED if isinstance(failure, KeyboardInterrupt) else _FAILED
    outcomes = gathered([outcome])[:, 0]
    if failure is not None:
        raise failure
    if (outcomes == _FAILED).any():
        raise ProcessLost(
            f"{work}: process {int((outcomes == _FAILED).argmax())} of {count()} failed",
            remedy="see what it says, and start all again",
        )
    if (outcomes == _INTERRUPTED).any():
        raise KeyboardInterrupt


@contextmanager
def lost() -> Iterator[None]:
    """Turn the failure of a computation that other processes take part in into `ProcessLost`."""
    import jax

    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if count() == 1:
            raise
        first = str(error).partition("\n")[0]
        raise ProcessLost(
            f"training: process {index()} of {count()} received no answer from another ({first})",
            remedy="see the output of the others, and start all again: with a checkpoint, training "
            "goes on from its last epoch",
        ) from error


def leave() -> bool:
    """Part from the other processes once all have come here; return whether this is the first.

    The first can then take as long as it likes, for example to write a report.
    """
    import jax

    first = index() == 0
    if count() > 1:
        jax.distributed.shutdown()  # type: ignore[no-untyped-call]
    return first
