"""Connections: how many, how long until a request is complete, and how large its headers may be.

uvicorn limits none of these by itself. A connection without a request would stay open forever, and
10,000 of them would use up the files that a process may open.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isthmus.serve.failures import RequestRefused, overloaded
from isthmus.serve.guard import SURPLUS
from isthmus.serve.limits import MOST_HEAD_BYTES, Limits

if TYPE_CHECKING:
    import asyncio

_SECONDS_TO_READ = 2.0
"""How long a client may take to read an error before its connection is cut."""


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that wait too long, and those above the limit."""

    limits = Limits()

    _timer: asyncio.TimerHandle | None = None
    _read = 0
    """Bytes since the timer was started."""
    _in_body = False

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request, or refuse the connection."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self.limits.connections:
            self._end(overloaded(f"more than {2 * self.limits.connections} connections"))
        else:
            if len(self.connections) > self.limits.connections:
                # Older connections are served as before, so that strangers cannot push them out.
                self.app_state = {**self.app_state, SURPLUS: True}
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read data, and refuse headers that are too large."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._timer is None or self.transport.is_closing():
            return
        self._read += len(data)
        if self._in_body:
            # The rest of a body that was refused is read, because clients that only send would
            # not see the answer if the connection were closed; but there is an end to it.
            if self._read > self.limits.bytes:
                self.transport.close()
        elif self._read > MOST_HEAD_BYTES:
            self._end(_refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "smaller headers"))

    def on_headers_complete(self) -> None:
        """Stop waiting: the application limits how long the body takes."""
        self._stop_waiting()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the body has been read."""
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, and until the response is read."""
        super().on_response_complete()
        if self.cycle.response_complete:  # and no request was sent before the response
            self._wait_for_request()

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._read = 0
        self._timer = self.loop.call_later(self.limits.seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        elif self._read and not self._in_body:
            expected = f"the headers within {self.limits.seconds:g} s"
            self._end(_refused(HTTPStatus.REQUEST_TIMEOUT, expected))
        else:
            self.transport.close()

    def _end(self, refused: RequestRefused) -> None:
        """Answer with an error before there is a request, and close the connection."""
        self._stop_waiting()
        self.transport.write(_bare_response(refused))
        self.transport.close()
        self.loop.call_later(_SECONDS_TO_READ, self.transport.abort)


def limited_protocol(limits: Limits) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


def _refused(status: HTTPStatus, expected: str) -> RequestRefused:
    return RequestRefused("the request", expected=expected, status=status)


def _bare_response(refused: RequestRefused) -> bytes:
    """Return a whole response: there is no request that uvicorn could answer."""
    body = json.dumps(refused.content()).encode()
    status = HTTPStatus(refused.status)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **refused.headers,
    }
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode("ascii") + b"\r\n" + body
