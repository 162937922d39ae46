"""The service in OpenAPI, with the columns of each model and an example row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from isthmus._version import __version__
from isthmus.serve.bodies import ARROW, JSON, NPY

if TYPE_CHECKING:
    from isthmus.serve.limits import Limits
    from isthmus.serve.operations import Operation
    from isthmus.serve.served_model import ServedModel
    from isthmus.serve.served_models import ServedModels

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_REFUSALS = {
    "400": "The body cannot be read.",
    "401": "The token is missing or wrong.",
    "404": "There is no such model, or it cannot do this.",
    "406": "The results cannot be written in the format asked for.",
    "408": "The body came too slowly.",
    "413": "There are too many bytes or rows.",
    "415": "The format of the body is unknown.",
    "422": "The rows do not fit the model.",
    "503": "The service has too much to do.",
    "504": "The model took too long.",
}


def described(models: ServedModels, limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI document of a service; it changes when a model is replaced."""
    paths: dict[str, Any] = {
        "/healthz": _plain("Whether the process runs."),
        "/readyz": _plain("Whether the models can answer."),
        "/metrics": _plain("Figures for Prometheus.", "text/plain"),
        "/v1/models": _plain("The models, and what they can do."),
        "/v1/models/{name}": _plain("A model, and what it can do.")
        | {"parameters": [_parameter("name", "path", {"type": "string"})]},
    }
    for model in models:
        for operation in model.operations.values():
            path = f"/v1/models/{model.name}/{operation.name}"
            paths[path] = {"post": _operation(model, operation, limits)}
        if model.is_stream:
            paths[f"/v1/models/{model.name}/stream"] = {"get": _stream(model)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "isthmus", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {"Refusal": _refusal()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _plain(summary: str, form: str = JSON) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string" if form.startswith("text") else "object"}
    content = {form: {"schema": schema}}
    return {
        "get": {
            "summary": summary,
            "responses": {"200": {"description": summary, "content": content}},
        }
    }


def _operation(model: ServedModel, operation: Operation, limits: Limits) -> dict[str, Any]:
    results = {"type": "object", "properties": {"rows": {"type": "array"}}}
    made: dict[str, Any] = {
        "operationId": f"{model.name}_{operation.name}",
        "summary": operation.summary,
        "tags": [model.name],
        "parameters": [
            _parameter(
                name,
                "query",
                {
                    "type": "integer",
                    "default": choice.default,
                    "minimum": choice.least,
                    "maximum": choice.most,
                },
                choice.about,
            )
            for name, choice in operation.choices.items()
        ],
        "responses": {
            "200": {
                "description": "A row of results for each row.",
                "content": {JSON: {"schema": results}, ARROW: _BINARY, NPY: _BINARY},
            },
            **{status: _refused(text) for status, text in _REFUSALS.items()},
        },
    }
    if operation.rows is not None:
        rows = {
            "type": "array",
            "items": operation.rows.json_schema(),
            "minItems": 1,
            "maxItems": limits.rows,
        }
        schema = {
            "type": "object",
            "properties": {"rows": rows},
            "required": ["rows"],
            "additionalProperties": False,
        }
        example = {"rows": [operation.rows.example()]}
        body = {JSON: {"schema": schema, "example": example}, ARROW: _BINARY, NPY: _BINARY}
        made["requestBody"] = {"required": True, "content": body}
    return made


def _stream(model: ServedModel) -> dict[str, Any]:
    row = {"row": dict.fromkeys(model.sensors, 0.0), "time": "2026-01-31T12:00:00"}
    return {
        "operationId": f"{model.name}_stream",
        "summary": "Open a WebSocket for the rows of a series, in order of time.",
        "description": f"A message is a row, such as `{json.dumps(row)}`; null is a missing value, "
        "and the time is left out if fit was given none. Each is answered with what is known "
        "after it.",
        "tags": [model.name],
        "responses": {"101": {"description": "The connection is a WebSocket now."}},
    }


def _parameter(name: str, place: str, schema: dict[str, Any], about: str = "") -> dict[str, Any]:
    described = {"name": name, "in": place, "required": place == "path", "schema": schema}
    return described | ({"description": about} if about else {})


def _refused(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Refusal"}
    return {"description": text, "content": {JSON: {"schema": schema}}}


def _refusal() -> dict[str, Any]:
    parts = ("message", "subject", "expected", "received", "remedy")
    error = {"type": "object", "properties": {name: {"type": "string"} for name in parts}}
    return {"type": "object", "properties": {"error": error}}
