"""``isthmus serve``: saved models as an HTTP service."""

import importlib.util
import os
from pathlib import Path
from typing import Annotated

import typer

from isthmus.core.errors import InvalidParameter, MissingExtra

_NEEDED = ("fastapi", "uvicorn", "httptools", "websockets", "prometheus_client")


def serve(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL...", help="One or more .isthmus files.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on. 0.0.0.0: all, for which a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on. 0: any free one.")
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the token that clients must send. Default: ISTHMUS_TOKEN, if set."
        ),
    ] = None,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of a request.")] = 10_000,
    max_bytes: Annotated[
        int, typer.Option(min=1, help="Bytes of a body; of JSON, at most 1 MiB.")
    ] = 16 << 20,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, help="Seconds for a client to send a request, and for the model."),
    ] = 10.0,
    connections: Annotated[int, typer.Option(min=1, help="Open connections.")] = 512,
) -> None:
    """Answer HTTP requests with what models can do.

    Rows are sent as JSON, Arrow or NPY. The addresses, the columns of each model and an example row
    are in /openapi.json. A changed file replaces its model without a pause. The log is JSON, on the
    error stream.
    """
    _require_extra()
    from isthmus.serve.guard import LOOPBACK

    token = _token(token_file)
    if token is None and host not in LOOPBACK:
        raise InvalidParameter(
            "--host",
            expected="a token, if other computers can reach the service",
            received=f"{host!r} and no token",
            remedy="set ISTHMUS_TOKEN or --token-file",
        )
    from isthmus.engines import worker_threads

    worker_threads.limit()  # before JAX is imported: rows come one by one, and threads would wait

    from isthmus.serve.limits import Limits
    from isthmus.serve.service import Place, Service

    limits = Limits(max_rows, max_bytes, timeout, connections)
    Service(models, Place(host, port, token), limits).run()


def _require_extra() -> None:
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingExtra(
            "a service",
            expected=f"the package {absent[0].replace('_', '-')}",
            received="it is not installed",
            remedy="pip install 'isthmus[serve]'",
        )


def _token(path: Path | None) -> str | None:
    """Return the token in a file or the environment; an option would show it to other users."""
    token = os.environ.get("ISTHMUS_TOKEN") if path is None else path.read_text("utf-8").strip()
    if token == "" or (token is not None and not token.isascii()):
        raise InvalidParameter(
            "the token",
            expected="letters, digits and signs of ASCII",
            received="nothing" if not token else "others",
            remedy="python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return token
