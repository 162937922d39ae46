"""A series over a WebSocket: a row in each message, and what is known after it in each answer."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from isthmus.core.errors import InvalidData, IsthmusError
from isthmus.serve import failures
from isthmus.serve.bodies import parsed_json
from isthmus.serve.failures import RequestRefused
from isthmus.serve.guard import refused_response
from isthmus.serve.service_log import log

if TYPE_CHECKING:
    import fastapi

    from isthmus.serve.served_model import ServedModel
    from isthmus.serve.served_models import ServedModels


def add(app: fastapi.FastAPI, models: ServedModels) -> None:
    """Add the endpoint to an application."""

    @app.websocket("/v1/models/{name}/stream")
    async def stream(socket: WebSocket, name: str) -> None:
        try:
            model = models[name]
            if not model.is_stream:
                raise _no_stream(model)
        except RequestRefused as refused:
            await socket.send_denial_response(refused_response(refused))
            return
        socket.state.model, socket.state.operation = name, "stream"
        await socket.accept()
        with model.used(), contextlib.suppress(WebSocketDisconnect):
            await _answer_rows(socket, model)


async def _answer_rows(socket: WebSocket, model: ServedModel) -> None:
    """Answer each row; a stream goes on with the model with which it began."""
    stream = model.new_stream()
    while True:
        try:
            row, time = _row(await socket.receive_text())
            update = await model.thread.run(lambda given: stream.update(*given), (row, time))
            await socket.send_json(_plain(update))
        except IsthmusError as error:
            # The row is not part of the stream, which goes on.
            await socket.send_json(RequestRefused.of(error).content())
        except WebSocketDisconnect:
            raise
        except Exception:
            log.exception("internal error")
            await socket.send_json(failures.internal().content())
            await socket.close(1011)
            return


def _row(text: str) -> tuple[Any, Any]:
    message = parsed_json(text)
    if not isinstance(message, dict) or not {"row"} <= message.keys() <= {"row", "time"}:
        raise InvalidData(
            "a message",
            expected='an object with the key "row", and "time" if fit was given times',
            received=text[:100],
            remedy='send {"row": {"sensor": value, ...}, "time": "2026-01-31T12:00:00"}',
        )
    row, time = message["row"], message.get("time")
    if isinstance(row, list):
        row = [math.nan if value is None else value for value in row]
    return row, None if time is None else _time(time)


def _time(text: Any) -> datetime.datetime | datetime.timedelta:
    """Return a time written as in ISO 8601, or seconds as a duration."""
    try:
        if isinstance(text, int | float):
            return datetime.timedelta(seconds=text)
        return datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError, OverflowError):
        raise InvalidData(
            "the time of a row",
            expected="a date with time as in ISO 8601, or a number of seconds",
            received=repr(text)[:100],
        ) from None


def _no_stream(model: ServedModel) -> RequestRefused:
    return RequestRefused(
        f"what {model.name!r} can do",
        expected=f"one of {', '.join(model.operations)}",
        received="stream, which is for detectors of one series",
        remedy="see /openapi.json",
        status=404,
    )


def _plain(update: Any) -> dict[str, Any]:
    """Return an update as JSON values; a score that is not known yet is null."""
    return {
        "row": update.row,
        "alarm": bool(update.alarm),
        "score": _number(update.score),
        "threshold": _number(update.threshold),
        "window_score": _number(update.window_score),
        "began": [_interval(interval) for interval in update.began],
        "ended": [_interval(interval) for interval in update.ended],
    }


def _interval(interval: Any) -> dict[str, Any]:
    return {name: _value(value) for name, value in dataclasses.asdict(interval).items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return _number(value)
    return value.item() if hasattr(value, "item") else value


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
