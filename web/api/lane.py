"""The two requests that come by the thousand, taking a ticket and calling the next, answered without Flask around them.

What is plain (a token seen lately, a body as the document says, an answer that is new) is answered here, with the same
command, the same check of the body and the same words as the views of web/api/tickets.py. Everything else, each
refusal included, goes on to Flask as it came: commands are idempotent, so one that was refused here is refused again
there, with the problem's full answer.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from io import BytesIO
from json import JSONEncoder, loads
from typing import Any

from flask import Flask

from queueing.counter import CallNext, Issue
from queueing.order import HIGHEST
from web.accounts import KnownToken
from web.api.operation import Operation
from web.api.operations import OPERATIONS
from web.api.schema import check
from web.api.shapes import COMPONENTS
from web.api.tickets import PREFIXES, actor_of, for_desk, light_json, prefix_key, service_code
from web.i18n import LANGUAGES

_PATH = re.compile(r"/api/v1/(?:queues/([0-9]{1,9})/tickets|desks/([0-9]{1,9})/next)\Z")
_BEARER = re.compile(r"[Bb]earer +([\w.~+/=-]+) *\Z")
_OPERATIONS = {operation.name: operation for operation in OPERATIONS}
_ISSUE, _NEXT = _OPERATIONS["issue_ticket"], _OPERATIONS["call_next"]
MOST_BYTES = 4_000
Start = Callable[..., Any]
Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers, body."""
_ASKED_BY = {
    "HOST": "HTTP_HOST",
    "AUTHORIZATION": "HTTP_AUTHORIZATION",
    "CONTENT-LENGTH": "CONTENT_LENGTH",
    **{
        f"X-FORWARDED-{name}": f"HTTP_X_FORWARDED_{name}"
        for name in ("FOR", "PROTO", "HOST", "PORT", "PREFIX")
    },
}
"""Headers that an answer here follows from -> their names in WSGI."""
_NOT_PLAIN = frozenset(("CONNECTION", "EXPECT", "SCRIPT_NAME", "TRANSFER-ENCODING", "UPGRADE"))
"""Headers that the server itself does something about."""


class Lane:
    """WSGI middleware in front of all others (what they do for a page costs more than all that is done here).

    `inner`: where everything else goes. Addresses with a language (`/en/api/...`) are not looked at here.
    """

    def __init__(self, app: Flask, inner: Callable[..., Any], headers: tuple[tuple[str, str], ...]) -> None:
        self._app, self.inner = app, inner
        self._headers = [*headers, ("Content-Language", next(iter(LANGUAGES)))]
        self._until = 0, ""
        self._below = "SCRIPT_NAME" in os.environ
        """Whether the server takes a part off the beginning of each path."""
        self.through: Callable[[dict[str, Any], Any], Answer | None] = lambda environ, _start: self._answer(
            environ, environ["lane.path"]
        )
        self._encode = JSONEncoder(ensure_ascii=app.json.ensure_ascii, sort_keys=app.json.sort_keys).encode  # type: ignore[attr-defined]

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            found = _PATH.match(environ.get("PATH_INFO", ""))
            answer = self._answer(environ, found) if found else None
            if answer is not None:
                status, more, body = answer
                start_response(status, more + self._headers)
                return [body]
        return self.inner(environ, start_response)  # type: ignore[no-any-return]

    def whole(self, request: Any) -> bytes | None:
        """All bytes of the answer to a request as gunicorn has parsed it, or None where WSGI must be gone through (it
        can be: what was read of the body is there again)."""
        path = _PATH.match(request.path)
        if path is None or request.method != "POST" or request.version != (1, 1) or self._below:
            return None
        environ = {
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": request.scheme,
            "wsgi.input": request.body,
            "lane.path": path,
        }
        for name, value in request.headers:
            key = _ASKED_BY.get(name)
            if key is not None:
                if key in environ:
                    return None
                environ[key] = value
            elif name in _NOT_PLAIN and (name != "CONNECTION" or value.lower() not in ("", "keep-alive")):
                return None
        answer = self.through(environ, None)
        request.body = environ["wsgi.input"]
        if answer is None:
            return None
        status, more, body = answer
        lines = "".join([f"{name}: {value}\r\n" for name, value in more])
        return f"HTTP/1.1 {status}\r\n{self._common()}{lines}\r\n".encode("latin-1") + body

    def _common(self) -> str:
        """The headers that every answer has, the server's own included."""
        second = int(time.time())
        if self._until[0] != second:
            date = formatdate(second, usegmt=True)
            lines = [("Server", "gunicorn"), ("Date", date), ("Connection", "keep-alive"), *self._headers]
            self._until = second, "".join([f"{name}: {value}\r\n" for name, value in lines])
        return self._until[1]

    def _answer(self, environ: dict[str, Any], path: re.Match[str]) -> Answer | None:
        bearer = _BEARER.match(environ.get("HTTP_AUTHORIZATION", ""))
        prefixes = PREFIXES.get(prefix_key(environ))
        length = environ.get("CONTENT_LENGTH") or ""
        if bearer is None or prefixes is None or not length.isascii() or not length.isdigit():
            return None
        token = self._app.extensions["writer"].tokens.known(bearer[1])
        if token is None or int(length) > MOST_BYTES:
            return None
        raw = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(raw)  # whoever comes after us reads it from the beginning
        queue_id, desk_id = path[1], path[2]
        if queue_id is not None:
            return self._issue(raw, token, int(queue_id), prefixes)
        return self._next(raw, token, int(desk_id), prefixes)

    def _issue(
        self, raw: bytes, token: KnownToken, queue_id: int, prefixes: tuple[str, str]
    ) -> Answer | None:
        body = self._body(_ISSUE, token, raw)
        own = token.queue_id if token.kind == "kiosk" else token.desk_queue_id
        if body is None or own != queue_id or body.get("phone"):
            return None
        priority = body.get("priority", 0)
        if token.kind == "kiosk" and priority == HIGHEST:
            return None
        channel = "kiosk" if token.kind == "kiosk" else "staff"
        now = self._app.extensions["clock"].now()
        done = self._carried_out(
            lambda: Issue(
                queue_id,
                body["service"],
                body["request_id"],
                actor_of(token),
                now,
                priority=priority,
                channel=channel,
            )
        )
        made = done and light_json(done, None, prefixes[0], body["service"])
        if not made:
            return None
        location = ("Location", f"{prefixes[1]}/api/v1/tickets/{done.ticket.code}")
        return self._json("201 CREATED", {**made, "repeated": False}, [location])

    def _next(self, raw: bytes, token: KnownToken, desk_id: int, prefixes: tuple[str, str]) -> Answer | None:
        body = self._body(_NEXT, token, raw)
        if body is None or token.desk_id != desk_id or token.desk_queue_id is None:
            return None
        queue_id, now = token.desk_queue_id, self._app.extensions["clock"].now()
        done = self._carried_out(
            lambda: CallNext(
                queue_id, desk_id, body["request_id"], actor_of(token), now, outcome=body.get("outcome", "")
            )
        )
        if done is None:
            return None
        code = self._app.extensions.get("service_codes", {}).get(done.ticket.service_id)
        if code is None:
            with self._app.app_context():
                code = service_code(self._app, done.ticket.service_id)
        made = light_json(done, token.desk_name, prefixes[0], code)
        return self._json("200 OK", for_desk(made, done, now), []) if made else None

    def _carried_out(self, command: Callable[[], Any]) -> Any:
        """The answer, or None where Flask should give it: refused, repeated, nobody there, the database away."""
        try:
            return self._app.extensions["writer"].carry_out(command())
        except Exception:
            return None

    @staticmethod
    def _body(operation: Operation, token: KnownToken, raw: bytes) -> dict[str, Any] | None:
        """The body, when this token may do this and nothing is wrong with it."""
        if token.kind not in operation.tokens or operation.body is None:
            return None
        try:
            body = loads(raw)
        except ValueError:
            return None
        if check(operation.body, body, COMPONENTS):
            return None
        return body  # type: ignore[no-any-return]

    def _json(self, status: str, made: dict[str, Any], more: list[tuple[str, str]]) -> Answer:
        body = (self._encode(made) + "\n").encode()
        return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more], body
