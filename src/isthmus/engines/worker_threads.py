"""Limits the threads of a worker process, of which there is one for each core."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_XLA = "--xla_cpu_multi_thread_eigen=false"
_done: list[Any] = []


def limit() -> None:
    """Let XLA and BLAS use one thread in this process; only the first call has an effect.

    XLA reads its settings when JAX is imported. If it has been already, as in a worker that also
    does other work, its threads stay as they are.
    """
    if _done:
        return
    if "jax" not in sys.modules:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_XLA}".strip()
    from threadpoolctl import threadpool_limits

    _done.append(threadpool_limits(limits=1))


def prepare_process() -> None:
    """Prepare a process of a pool: limit its threads, and let Ctrl-C end it without a traceback."""
    limit()
    signal.signal(signal.SIGINT, _leave)


def _leave(*_: Any) -> None:
    raise SystemExit(130)
