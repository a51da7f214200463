"""Cursors: a page ends with an opaque text that says where the next one begins, right also while rows are added."""

from __future__ import annotations

import base64
import json
from typing import Any

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue

from web.api.operation import Refused

NOT_OURS = "is not a cursor that this list gave out"
DEFAULT_LIMIT = 50
MAX_LIMIT = 200


def encode(key: list[Any]) -> str:
    """The cursor after a row with this sort key (JSON values)."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(text: str) -> list[Any]:
    """The sort key in a cursor. Raises ValueError when it is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(NOT_OURS) from error
    if not isinstance(key, list):
        raise ValueError(NOT_OURS)
    return key


def fits(key: list[Any] | None, *kinds: type) -> None:
    """Make sure that a cursor comes from a list sorted like this one. Raises Refused when it does not."""
    if key is not None and (
        len(key) != len(kinds) or not all(_is(v, k) for v, k in zip(key, kinds, strict=True))
    ):
        fault = {"field": "cursor", "detail": NOT_OURS}
        raise Refused(422, "invalid_request", f"cursor {NOT_OURS}", errors=[fault])


def _is(value: Any, kind: type) -> bool:
    # Within what a database holds, so that a made-up cursor is refused here.
    return isinstance(value, (int, float) if kind is float else int) and abs(value) < 2**62


def answer(items: list[dict[str, Any]], next_cursor: str | None) -> ResponseReturnValue:
    """A page: {items, next} with a Link header to the next one."""
    response = jsonify(items=items, next=next_cursor)
    if next_cursor is not None:
        args: dict[str, Any] = {**request.args.to_dict(), "cursor": next_cursor}
        response.headers["Link"] = f'<{url_for(request.endpoint or "", **args)}>; rel="next"'
    return response
