"""What the service accepts before it refuses."""

from __future__ import annotations

from dataclasses import dataclass

MOST_JSON_BYTES = 1 << 20
"""Python parses JSON while all other requests wait: about 10 ms for a body of this size."""
BODIES_AT_ONCE = 16
"""Bodies of the largest size that may be in memory together."""
MOST_MESSAGE_BYTES = 1 << 16
"""Bytes of a message of a stream, which is one row."""
MOST_HEAD_BYTES = 1 << 16
"""Bytes of the line and the headers of a request."""


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Parameters
    ----------
    rows : int
        Rows of a request, or samples of a response.
    bytes : int
        Bytes of a body. Those of JSON are limited further, see `MOST_JSON_BYTES`.
    seconds : float
        Seconds within which a client must send its headers and, after that, its body, and within
        which the model must answer.
    connections : int
        Open connections. Requests on further ones get the status 503. Above twice as many,
        connections are closed without reading a request.
    """

    rows: int = 10_000
    bytes: int = 16 << 20
    seconds: float = 10.0
    connections: int = 512
