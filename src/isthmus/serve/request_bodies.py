"""Reads the bodies of requests, within limits of bytes and time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isthmus.serve.bodies import JSON
from isthmus.serve.failures import CLOSES, RequestRefused, overloaded
from isthmus.serve.limits import BODIES_AT_ONCE, MOST_JSON_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from isthmus.serve.limits import Limits


class BodyReader:
    """Reads bodies, and limits the bytes of all that are in memory.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._free = BODIES_AT_ONCE * limits.bytes

    @contextmanager
    def room(self) -> Iterator[BodyRoom]:
        """Return what counts the bytes of a body, until its request is answered."""
        room = BodyRoom(self)
        try:
            yield room
        finally:
            self._free += room.taken

    def take(self, count: int) -> None:
        """Count bytes as used; raises RequestRefused if too many are."""
        if count > self._free:
            raise overloaded("large bodies that fill the memory", closes=True)
        self._free -= count

    async def read(self, request: Request, form: str, room: BodyRoom) -> bytes:
        """Return the body of a request.

        Raises
        ------
        RequestRefused
            It is too large, also if its length was not announced, or too slow.
        """
        most = min(self._limits.bytes, MOST_JSON_BYTES) if form == JSON else self._limits.bytes
        announced = request.headers.get("content-length", "0")
        if int(announced) > most:
            raise _too_large(f"{announced} bytes", most, form)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise _too_large("more", most, form)
                    room.take(len(part))
                    parts.append(part)
        except TimeoutError:
            raise RequestRefused(
                "the body",
                expected=f"all of it within {self._limits.seconds:g} s",
                received=f"{size} bytes",
                remedy="send fewer rows at once",
                status=408,
                headers=CLOSES,
            ) from None
        return b"".join(parts)


class BodyRoom:
    """The bytes of one body."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self.taken = 0

    def take(self, count: int) -> None:
        """Count more bytes."""
        self._reader.take(count)
        self.taken += count


def _too_large(received: str, most: int, form: str) -> RequestRefused:
    remedy = "send the rows in several requests"
    return RequestRefused(
        "the body",
        expected=f"at most {most} bytes",
        received=received,
        remedy=f"{remedy}, or as Arrow or NPY" if form == JSON else remedy,
        status=413,
    )
