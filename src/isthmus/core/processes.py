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
