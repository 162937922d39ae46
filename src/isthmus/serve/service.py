"""Runs the service until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn

from isthmus.core.errors import InvalidParameter, IsthmusWarning
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


_SWITCH_SECONDS = 5e-4


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

    def bound(self) -> socket.socket:
        """Return a socket that is bound, but does not listen yet.

        Raises
        ------
        InvalidParameter
            The port is in use, or the host is none of this computer.
        """
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with ExitStack() as on_error:
                bound = on_error.enter_context(socket.socket(family, kind, protocol))
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind(address)
                on_error.pop_all()
        except OSError as error:
            raise InvalidParameter(
                "--host and --port",
                expected="an address of this computer that is free",
                received=f"{self.host}:{self.port} ({error.strerror})",
                remedy="choose another port, or 0 for any",
            ) from None
        return bound


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
        A file is no model that can be served, or the address is in use.

    Attributes
    ----------
    port : int
        Where it listens.
    """

    def __init__(self, paths: Sequence[Path], place: Place, limits: Limits) -> None:
        # First, because loading models takes seconds.
        self._listener = place.bound()
        self.port: int = self._listener.getsockname()[1]
        self._metrics = metrics = Metrics()
        with ExitStack() as on_error:
            on_error.callback(self._listener.close)
            self._models = ServedModels(paths, limits, metrics)
            on_error.pop_all()
        guarded = Guard(
            application(self._models, limits, metrics),
            place.token,
            is_local=place.host in LOOPBACK and place.token is None,
            metrics=metrics,
        )
        super().__init__(
            uvicorn.Config(
                guarded,
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
        _avoid_pauses()
        # uvicorn raises the signal again when it is done; without this it would kill the process.
        signal.signal(signal.SIGTERM, lambda *_: None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", IsthmusWarning)
            warnings.showwarning = self._count_warning
            super().run(sockets)

    async def serve(self, sockets: Any = None) -> None:
        """Answer requests until `should_exit` is set."""
        await super().serve(sockets or [self._listener])

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen, and say where."""
        await super().startup(sockets)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and hasattr(signal, "SIGHUP"):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        host, names = self._listener.getsockname()[0], [model.name for model in self._models]
        log.info("listening", extra={"host": host, "port": self.port, "models": names})

    def _reload(self) -> None:
        self._reloading = asyncio.create_task(self._models.reload())

    def _count_warning(self, *_: Any, **__: Any) -> None:
        # Not logged: a client could fill the log, with values that it sends.
        self._metrics.warnings.inc()


def _avoid_pauses() -> None:
    """Keep Python from holding up requests.

    A full garbage collection looks at all objects of the libraries for a quarter of a second; those
    that exist now stay until the end, and are left out. And while the model's thread waits for
    Python's lock, the event loop may keep it for this interval, by default ten times as long.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_SECONDS)


def _open_more_files() -> None:
    """Allow as many open files, and with them connections, as the process may have."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
