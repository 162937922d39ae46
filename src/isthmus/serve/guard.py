"""Who may use the service: bearer tokens, and pages of browsers; and the log of requests."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from isthmus.serve.failures import CLOSES, RequestRefused, overloaded
from isthmus.serve.service_log import log

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from isthmus.serve.metrics import Metrics

OPEN = ("/healthz", "/readyz")
"""Paths that need no token: an orchestrator asks them."""
SURPLUS = "is_surplus"
"""Set in the state of requests on connections above the limit."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Guard:
    """Wraps the application: refuses strangers, logs requests and counts them.

    Parameters
    ----------
    app : ASGI application
    token : str, optional
        What clients must send as ``Authorization: Bearer TOKEN``. None: nothing.
    is_local : bool
        Whether the service is for programs of this computer. Requests that name another host are
        then refused: a page in a browser can send them by letting its own name point here.
    metrics : Metrics
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        *,
        is_local: bool,
        metrics: Metrics,
    ) -> None:
        self._app, self._is_local, self._metrics = app, is_local, metrics
        self._expected = None if token is None else _digest(token.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            status = _status(message, status)
            await send(message)

        try:
            refused = self._refusal(scope)
            if refused is None:
                await self._app(scope, receive, noting)
            else:
                await _refuse(refused, scope, receive, noting)
        finally:
            self._note(scope, state, status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> RequestRefused | None:
        headers = Headers(scope=scope)
        host = _host(headers.get("host", ""))
        if self._is_local and host not in LOOPBACK:
            return _forbidden("the host", "a name of this computer", host)
        origin = headers.get("origin")
        if scope["type"] == "websocket" and origin is not None:
            # Pages of other sites can open streams, unlike other requests.
            return _forbidden("the origin", "a program, not a page in a browser", origin)
        if scope["path"] in OPEN:
            return None
        if scope["state"].get(SURPLUS):
            return overloaded("more connections than it accepts", closes=True)
        if self._expected is None:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(_digest(given.strip().encode("utf-8")), self._expected)
        if scheme.lower() == "bearer" and same:
            return None
        return RequestRefused(
            "the header authorization",
            expected="the token of the service",
            received="another token" if given else "none",
            remedy="send 'Authorization: Bearer TOKEN'",
            status=401,
            headers={"www-authenticate": "Bearer", **CLOSES},
        )

    def _note(self, scope: Scope, state: dict[str, Any], status: int, seconds: float) -> None:
        model, operation = state.get("model", ""), state.get("operation", "")
        self._metrics.requests.labels(model, operation, status).inc()
        if operation and scope["type"] == "http":
            self._metrics.seconds.labels(model, operation).observe(seconds)
        if scope["path"] in OPEN:
            return
        log.info(
            "request",
            extra={
                "method": scope.get("method", "WEBSOCKET"),
                "path": scope["path"],
                "status": status,
                "ms": round(1000 * seconds, 2),
                "client": (scope.get("client") or ("",))[0],
                **({"rows": state["rows"]} if "rows" in state else {}),
            },
        )


def refused_response(refused: RequestRefused) -> JSONResponse:
    """Return the response to a request that is refused."""
    return JSONResponse(refused.content(), refused.status, headers=refused.headers)


async def _refuse(refused: RequestRefused, scope: Scope, receive: Receive, send: Send) -> None:
    response = refused_response(refused)
    if scope["type"] == "http":
        await response(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    await socket.receive()  # the request for a connection
    await socket.send_denial_response(response)


def _forbidden(subject: str, expected: str, received: str) -> RequestRefused:
    return RequestRefused(
        subject,
        expected=expected,
        received=received[:100] or "none",
        remedy="use the address 127.0.0.1, or start the service with a token",
        status=403,
        headers=CLOSES,
    )


def _host(header: str) -> str:
    """Return the host of a Host header without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def _digest(token: bytes) -> bytes:
    """Return a digest, so that the time of a comparison does not even depend on the length."""
    return hashlib.sha256(token).digest()


def _status(message: Message, before: int) -> int:
    """Return the status that a message sets, for a stream 101 once it is open."""
    if message["type"] in ("http.response.start", "websocket.http.response.start"):
        return int(message["status"])
    return 101 if message["type"] == "websocket.accept" else before
