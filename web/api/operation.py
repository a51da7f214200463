"""What an operation of the API is, and how a request becomes its checked arguments. The routes and the OpenAPI document
are both made from the same `Operation`s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from web.accounts import KnownToken
from web.api.schema import Fault, Schema, check, from_text
from web.api.shapes import COMPONENTS
from web.db import read
from web.errors import problem


@dataclass(frozen=True)
class Param:
    """A query or path parameter. `convert` turns the checked value into what the view wants (ValueError: refused)."""

    name: str
    schema: Schema
    words: str
    place: str = "query"
    required: bool = False
    convert: Callable[[Any], Any] | None = None
    example: Any = None


@dataclass(frozen=True)
class Answer:
    """A possible answer: what it means, its schema (None: no body) and an example that the tests validate."""

    words: str
    schema: Schema | None = None
    example: Any = None
    media: str = "application/json"


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    name: str
    method: str
    path: str
    """With `{name}` for path parameters, below /api/v1."""
    summary: str
    view: Callable[..., ResponseReturnValue]
    answers: dict[int, Answer]
    params: tuple[Param, ...] = ()
    body: Schema | None = None
    body_example: Any = None
    body_required: bool = True
    tokens: tuple[str, ...] = ()
    """Kinds of bearer token that may do this; empty: everybody may."""
    roles: tuple[str, ...] = ()
    """Roles of staff who may do this, signed in as on the pages."""
    raw_body: bool = False
    """The view reads token, parameters and body itself (devices send several shapes)."""
    errors: tuple[int, ...] = field(default=())
    """Problem statuses it can answer, beside those that every operation has."""

    @property
    def rule(self) -> str:
        """The path in Flask's writing."""
        rule = self.path
        for param in self.params:
            if param.place == "path":
                kind = "int:" if param.schema.get("type") == "integer" else ""
                rule = rule.replace("{" + param.name + "}", f"<{kind}{param.name}>")
        return rule


KINDS = ("kiosk", "board", "desk", "device")
"""Kinds of token that this API knows at all."""


class Refused(Exception):
    """An answer in the middle of a view: a problem with a stable code."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.response: Response = problem(status, code, detail, **more)


def handler(operation: Operation) -> Callable[..., ResponseReturnValue]:
    """The Flask view of an operation: token, parameters and body are checked before its own view runs."""

    def serve(**path: Any) -> ResponseReturnValue:
        try:
            if operation.raw_body:
                return operation.view()
            if operation.tokens:
                g.token = bearer_token(operation.tokens)
            if operation.roles:
                _signed_in(operation)
            args, faults = _arguments(operation, path)
            if operation.body is not None:
                args["body"], more = _body(operation)
                faults += more
            if faults:
                raise Refused(
                    422,
                    "invalid_request",
                    "; ".join(f"{f.field} {f.detail}" for f in faults),
                    errors=[f._asdict() for f in faults],
                )
            return operation.view(**args)
        except Refused as refused:
            return refused.response

    serve.__name__ = operation.name
    serve.__doc__ = operation.summary
    return serve


def bearer_token(kinds: tuple[str, ...]) -> KnownToken:
    """The token of this request. Raises Refused: 401 without a valid one, 403 for one of another kind."""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise _unauthorized("token_missing", "send a token: Authorization: Bearer ...")
    return known_token(text.strip(), kinds)


def known_token(text: str, kinds: tuple[str, ...]) -> KnownToken:
    """The valid token with this text. Raises Refused as `bearer_token` does."""
    token: KnownToken | None
    token = current_app.extensions["writer"].tokens.find(text, read)
    if token is None or token.kind not in KINDS:
        raise _unauthorized("token_unknown", "this token is not known or was taken back")
    if token.kind not in kinds:
        raise Refused(
            403, "token_kind", f"this needs a token of kind {' or '.join(kinds)}, yours is {token.kind}"
        )
    return token


def _signed_in(operation: Operation) -> None:
    """Refuse whoever is not signed in with one of the operation's roles: 401, 403. What changes something must come as
    JSON: no page of another site can send that with somebody's session."""
    if not current_user.is_authenticated:
        raise _unauthorized("sign_in", "sign in first")
    if current_user.role not in operation.roles:
        raise Refused(403, "role", f"this is for {' and '.join(operation.roles)}s")
    if operation.body is not None and not request.is_json:
        raise Refused(400, "malformed_json", "send JSON with Content-Type: application/json")


def _unauthorized(code: str, detail: str) -> Refused:
    refused = Refused(401, code, detail)
    refused.response.headers["WWW-Authenticate"] = 'Bearer realm="api"'
    return refused


def _arguments(operation: Operation, path: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    args: dict[str, Any] = {}
    faults: list[Fault] = []
    for param in operation.params:
        raw = path.get(param.name) if param.place == "path" else request.args.get(param.name)
        if raw is None or raw == "":
            if param.required:
                faults.append(Fault(param.name, "is missing"))
            args[_python_name(param.name)] = param.schema.get("default")
            continue
        value = from_text(param.schema, raw) if isinstance(raw, str) else raw
        wrong = check(param.schema, value, COMPONENTS, param.name)
        if not wrong and param.convert is not None:
            try:
                value = param.convert(value)
            except ValueError as error:
                wrong = [Fault(param.name, str(error))]
        faults += wrong
        args[_python_name(param.name)] = value
    return args, faults


def _python_name(name: str) -> str:
    return "date_from" if name == "from" else name


def _body(operation: Operation) -> tuple[dict[str, Any], list[Fault]]:
    assert operation.body is not None
    if not request.get_data(cache=True):
        if operation.body_required:
            return {}, [Fault("body", "is missing: send a JSON object")]
        return {}, []
    body = request.get_json(force=True, silent=True)
    if body is None:
        raise Refused(400, "malformed_json", "the body is not JSON")
    faults = check(operation.body, body, COMPONENTS)
    return (body if isinstance(body, dict) else {}), [
        f if f.field else Fault("body", f.detail) for f in faults
    ]
