"""Requests that are refused: the status, and the error as JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from isthmus.core.errors import IsthmusError

CLOSES = {"connection": "close"}
"""For a request whose body is not read to its end: the connection cannot be used again."""


class RequestRefused(IsthmusError):
    """A request that is answered with an error.

    Parameters
    ----------
    subject, expected, received, remedy
        As for `IsthmusError`.
    status : int
        The HTTP status.
    headers : mapping of str to str, optional
        Further headers of the response.
    """

    def __init__(
        self,
        subject: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        headers: dict[str, str] | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(subject, **parts)
        self.status = int(status)
        self.headers = headers or {}

    @classmethod
    def of(cls, error: IsthmusError) -> RequestRefused:
        """Return the error of the library as a refusal: its data do not fit the model."""
        if isinstance(error, RequestRefused):
            return error
        parts = ("subject", "expected", "received", "remedy", "context")
        return cls(
            **{name: getattr(error, name) for name in parts},
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
        )

    def content(self) -> dict[str, Any]:
        """Return the body of the response: the message, and its parts."""
        parts = ("subject", "expected", "received", "remedy")
        return {"error": {"message": str(self), **{name: getattr(self, name) for name in parts}}}


def overloaded(received: str, *, closes: bool = False) -> RequestRefused:
    """Return the refusal of a service that has too much to do, which may close the connection."""
    return RequestRefused(
        "the service",
        expected="fewer requests at once",
        received=received,
        remedy="send the request again later",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"retry-after": "1", **(CLOSES if closes else {})},
    )


def internal() -> RequestRefused:
    """Return what a client is told of an error that nobody expected; the log has its traceback."""
    return RequestRefused(
        "internal error",
        remedy="ask the operator of the service, whose log has the details",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
    )
