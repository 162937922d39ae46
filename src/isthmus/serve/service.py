"""Runs the service until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn

from isthmus.core.errors import IsthmusWarning
from isthmus.serve import service_log
from isthmus.serve.application import application
from isthmus.serve.connections import limited_protocol
from isthmus.serve.guard import LOOPBACK, Guard
from isthmus.serve.limits import MOST_MESSAGE_BYTES, Limits
from isthmus.serve.metrics import Metrics
from isthmus.serve.served_models import ServedModels
from isthmus.serve.service_log import log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_SECONDS_OF_A_THREAD = 0.005


@dataclass(frozen=True)
class Place:
    """Where a service listens, and who may use it.

    Parameters
    ----------
    host : str
    port : int
        0: any free one.
    token : str, optional
        What clients must send.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)


class Service(uvicorn.Server):
    """An HTTP service of saved models.

    Parameters
    ----------
    paths : sequence of path
        The models' files.
    place : Place
    limits : Limits

    Raises
    ------
    InvalidArchive, InvalidParameter
        A file is no model that can be served.

    Attributes
    ----------
    port : int
        Where it listens, once it has started.
    """

    def __init__(self, paths: Sequence[Path], place: Place, limits: Limits) -> None:
        self.port = place.port
        self._metrics = metrics = Metrics()
        self._models = ServedModels(paths, limits, metrics)
        guarded = Guard(
            application(self._models, limits, metrics),
            place.token,
            is_local=place.host in LOOPBACK and place.token is None,
            metrics=metrics,
        )
        super().__init__(
            uvicorn.Config(
                guarded,
                host=place.host,
                port=place.port,
                http=limited_protocol(limits),
                ws="websockets-sansio",
                ws_max_size=MOST_MESSAGE_BYTES,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=round(3 * limits.seconds),
            )
        )

    def run(self, sockets: Any = None) -> None:
        """Answer requests until a signal asks the process to end.

        SIGTERM and SIGINT: no further connections are accepted, and open requests are answered.
        SIGHUP: all files are loaded again.
        """
        service_log.configure()
        _open_more_files()
        # uvicorn raises the signal again when it is done; without this it would kill the process.
        signal.signal(signal.SIGTERM, lambda *_: None)
        # A thread that computes keeps Python's lock for this long, while the event loop waits.
        sys.setswitchinterval(_SECONDS_OF_A_THREAD)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", IsthmusWarning)
            warnings.showwarning = self._count_warning
            super().run(sockets)

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen, and say where."""
        await super().startup(sockets)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and hasattr(signal, "SIGHUP"):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                names = [model.name for model in self._models]
                self.port = port
                log.info("listening", extra={"host": host, "port": port, "models": names})

    def _reload(self) -> None:
        self._reloading = asyncio.create_task(self._models.reload())

    def _count_warning(self, *_: Any, **__: Any) -> None:
        # Not logged: a client could fill the log, with values that it sends.
        self._metrics.warnings.inc()


def _open_more_files() -> None:
    """Allow as many open files, and with them connections, as the process may have."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
