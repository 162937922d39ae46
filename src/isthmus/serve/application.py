"""The endpoints of the service."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fastapi
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from isthmus._version import __version__
from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter, IsthmusError
from isthmus.serve import bodies, failures, series_socket
from isthmus.serve.api_description import described
from isthmus.serve.failures import RequestRefused
from isthmus.serve.guard import refused_response
from isthmus.serve.request_bodies import BodyReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from isthmus.serve.limits import Limits
    from isthmus.serve.metrics import Metrics
    from isthmus.serve.operations import Operation
    from isthmus.serve.served_model import ServedModel
    from isthmus.serve.served_models import ServedModels

_LARGE_BODY, _MANY_ROWS = 1 << 14, 100
"""Bytes and rows above which the event loop leaves reading and writing to another thread."""


def application(models: ServedModels, limits: Limits, metrics: Metrics) -> fastapi.FastAPI:
    """Return the application of a service, without its guard.

    Parameters
    ----------
    models : ServedModels
    limits : Limits
    metrics : Metrics
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(task()) for task in (models.watch, models.test_for_drift)]
        yield
        for task in tasks:
            task.cancel()
        models.close()

    # Without the pages that load their scripts from another host.
    app = fastapi.FastAPI(
        title="isthmus", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.openapi = lambda: described(models, limits)  # type: ignore[method-assign]
    _answer_errors(app)
    _add_states(app, models, metrics)
    _add_models(app, models, limits)
    series_socket.add(app, models)
    return app


def _answer_errors(app: fastapi.FastAPI) -> None:
    async def refuse(_: fastapi.Request, error: Any) -> Response:
        return refused_response(RequestRefused.of(error))

    async def unknown(request: fastapi.Request, error: Any) -> Response:
        subject = f"{request.method} {request.url.path}"[:200]
        refused = RequestRefused(
            subject, expected="an address in /openapi.json", status=error.status_code
        )
        return refused_response(refused)

    async def fail(_: fastapi.Request, __: Exception) -> Response:
        return refused_response(failures.internal())  # uvicorn logs the traceback

    app.add_exception_handler(Exception, fail)
    app.add_exception_handler(IsthmusError, refuse)
    app.add_exception_handler(HTTPException, unknown)


def _add_states(app: fastapi.FastAPI, models: ServedModels, metrics: Metrics) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        ready = models.are_ready
        return JSONResponse({"status": "ready" if ready else "failed"}, 200 if ready else 503)

    @app.get("/metrics")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")


def _add_models(app: fastapi.FastAPI, models: ServedModels, limits: Limits) -> None:
    reader = BodyReader(limits)

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"models": [_about(model) for model in models]}

    @app.get("/v1/models/{name}")
    async def show_model(name: str) -> dict[str, Any]:
        return _about(models[name])

    async def apply(request: fastapi.Request) -> Response:
        name, operation = request.path_params["name"], request.path_params["operation"]
        model = models[name]
        with model.used(), reader.room() as room:
            wanted = _operation(model, operation)
            request.state.model, request.state.operation = name, operation
            choices = _choices(wanted, request)
            form = bodies.JSON
            if wanted.rows is not None:
                form = bodies.body_format(request.headers.get("content-type", ""))
            accepted = bodies.response_format(request.headers.get("accept", ""), form)
            body = await reader.read(request, form, room)
            return await _answered(request, model, wanted, choices, (body, form, accepted))

    async def _answered(
        request: fastapi.Request,
        model: ServedModel,
        operation: Operation,
        choices: dict[str, int],
        given: tuple[bytes, str, str],
    ) -> Response:
        body, form, accepted = given
        rows = None
        if operation.rows is not None:
            read = bodies.FORMATS[form].read
            is_large = len(body) > _LARGE_BODY
            rows = await _beside_loop(read, body, operation.rows, limits, is_large=is_large)
            request.state.rows = len(rows)
        takes_json, gives_json = form == bodies.JSON, accepted == bodies.JSON
        answer = model.answer(
            operation, rows, choices, takes_json=takes_json, gives_json=gives_json
        )
        results = await _in_time(answer, limits)
        is_large = len(results.values) > _MANY_ROWS
        written = await _beside_loop(bodies.FORMATS[accepted].write, results, is_large=is_large)
        return Response(written, media_type=accepted)

    # A plain route: FastAPI reads parameters by their types, which takes longer than the rest.
    app.add_route("/v1/models/{name}/{operation}", apply, methods=["POST"])


async def _in_time(answer: Any, limits: Limits) -> Any:
    try:
        async with asyncio.timeout(limits.seconds):
            return await answer
    except TimeoutError:
        raise RequestRefused(
            "the model",
            expected=f"an answer within {limits.seconds:g} s",
            received="none",
            remedy="send fewer rows at once, or send them later",
            status=504,
        ) from None


async def _beside_loop(function: Any, *arguments: Any, is_large: bool) -> Any:
    """Return the result of a function, in a thread if it may take long."""
    if not is_large:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


def _operation(model: ServedModel, name: str) -> Operation:
    if name in model.operations:
        return model.operations[name]
    known = list(model.operations)
    stream = "" if known else f"open a WebSocket at /v1/models/{model.name}/stream"
    raise RequestRefused(
        f"what {model.name!r} can do",
        expected=f"one of {', '.join(known)}" if known else "a stream",
        received=name[:100],
        remedy=stream or nearest(name[:100], known) or "see /openapi.json",
        status=404,
    )


def _choices(operation: Operation, request: fastapi.Request) -> dict[str, int]:
    """Return the integers of the query, or their defaults."""
    given = request.query_params
    unknown = [name for name in given if name not in operation.choices]
    if unknown:
        raise InvalidParameter(
            f"the query of {operation.name!r}",
            expected=f"one of {', '.join(operation.choices)}" if operation.choices else "nothing",
            received=unknown[0][:100],
        )
    found = {}
    for name, choice in operation.choices.items():
        text = given.get(name, str(choice.default))
        valid = text.removeprefix("-").isdecimal() and len(text) < 12
        if not valid or not choice.least <= int(text) <= choice.most:
            raise InvalidParameter(
                name,
                expected=f"an integer from {choice.least} to {choice.most}",
                received=text[:100],
            )
        found[name] = int(text)
    return found


def _about(model: ServedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "operations": {name: made.summary for name, made in model.operations.items()},
        "stream": model.is_stream,
        "sha256": model.digest,
    }
