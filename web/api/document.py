"""The OpenAPI 3.1 document, made from the table of operations."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from web.api.operation import Answer, Operation, Param
from web.api.shapes import COMPONENTS, ref

VERSION = "1.0.0"
PREFIX = "/api/v1"
WORDS = (
    "Where mobile government service centers will be, waiting lines, tickets and positions. Instants carry their "
    "offset. Errors are RFC 9457 problems with a stable `code`. Tokens are given out by whoever runs the installation."
)
PROBLEMS = {
    400: "The body is not JSON.",
    401: "No valid token, or not signed in.",
    403: "The token is for something else, or the account has another role.",
    404: "There is no such thing.",
    409: "Not possible as things are now; `state` is the ticket's present state.",
    422: "A parameter or field is wrong; `errors` lists each.",
    429: "Too much from one address; try again in a few minutes.",
    503: "The database does not answer; nothing was changed.",
}


def build(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The document as JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mobile service centers", "version": VERSION, "description": WORDS},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {
                "staff": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "session",
                    "description": "The session of a signed-in account; 403 tells whose role an operation is for.",
                },
                **{
                    kind: {"type": "http", "scheme": "bearer", "description": f"A token of kind {kind}."}
                    for kind in ("kiosk", "desk", "device")
                },
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_parameter(param) for param in operation.params],
        "responses": {str(status): _answer(answer) for status, answer in operation.answers.items()},
        "security": [{kind: []} for kind in operation.tokens] + ([{"staff": []}] if operation.roles else []),
    }
    if operation.body is not None:
        content = {"schema": operation.body, "example": operation.body_example}
        made["requestBody"] = {"required": operation.body_required, "content": {"application/json": content}}
        if operation.raw_body:
            made["requestBody"]["content"]["application/x-www-form-urlencoded"] = {
                "schema": {"type": "object"}
            }
    for status in sorted(_problem_statuses(operation)):
        made["responses"][str(status)] = {
            "description": PROBLEMS[status],
            "content": {"application/problem+json": {"schema": ref("Problem"), "example": _problem(status)}},
        }
    return made


def _problem_statuses(operation: Operation) -> set[int]:
    statuses = {422, 503, *operation.errors}
    if operation.tokens or operation.roles:
        statuses |= {401, 403}
    if operation.body is not None:
        statuses.add(400)
    return statuses


def _problem(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": title.lower().replace(" ", "_"),
        "detail": PROBLEMS[status],
    }


def _parameter(param: Param) -> dict[str, Any]:
    made = {
        "name": param.name,
        "in": param.place,
        "required": param.required,
        "description": param.words,
        "schema": param.schema,
    }
    return made if param.example is None else {**made, "example": param.example}


def _answer(answer: Answer) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.words}
    if answer.schema is not None:
        made["content"] = {answer.media: {"schema": answer.schema, "example": answer.example}}
    return made
