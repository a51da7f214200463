"""An SMS gateway over HTTP: one request a message, in the form that the gateway's papers ask for.

    SMS_URL      https://gateway.example/send, or with the fields in it: ...?to={number}&text={text}
    SMS_FORM     json (the default), form, or none (all stands in the address)
    SMS_FIELDS   a JSON object; default {"to": "{number}", "text": "{text}", "id": "{id}"}
    SMS_HEADERS  a JSON object, such as {"Authorization": "Bearer ..."}

`{number}` is E.164 (+2010...), `{digits}` the same without the plus, `{id}` the message's number: the same message
tried again carries the same one.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

PATIENCE_S = 5.0
PUSH_HOSTS = (
    "fcm.googleapis.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    ".push.apple.com",
)
_LATER = (408, 425, 429)
_DEFAULT_FIELDS = {"to": "{number}", "text": "{text}", "id": "{id}"}


class Refused(Exception):
    """The gateway will never take this message: asking again is of no use."""


class Gone(Refused):
    """Nobody listens at this address any more."""


class Away(Exception):
    """The gateway cannot be reached or cannot work just now: ask again later."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: its status and the beginning of its body."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """How messages are handed to a gateway."""

    url: str
    form: str = "json"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_FIELDS))
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, number: str, text: str, message_id: str) -> None:
        """Hand one message over. Raises Refused where it will never be taken, Away where it may be later."""
        values = {"number": number, "digits": number.lstrip("+"), "text": text, "id": message_id}
        url = _filled(self.url, {name: quote(value, safe="") for name, value in values.items()})
        headers, body = dict(self.headers), b""
        if self.form != "none":
            fields = {name: _filled(value, values) for name, value in self.fields.items()}
            body = (
                json.dumps(fields, ensure_ascii=False).encode()
                if self.form == "json"
                else urlencode(fields).encode()
            )
            kind = "application/json" if self.form == "json" else "application/x-www-form-urlencoded"
            headers.setdefault("Content-Type", f"{kind}; charset=utf-8")
        answer = post(url, body, headers, method="GET" if self.form == "none" else "POST")
        judge(answer)


def judge(answer: Answer) -> None:
    """Raise what an answer means: nothing for 2xx."""
    if 200 <= answer.status < 300:
        return
    said = f"{answer.status} {answer.body[:200]}"
    if answer.status in (404, 410):
        raise Gone(said)
    if 400 <= answer.status < 500 and answer.status not in _LATER and answer.status not in (401, 403):
        raise Refused(said)
    # 401 and 403 are our key, not the message: it waits until somebody has put the key right.
    raise Away(said)


def post(url: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST") -> Answer:
    """One request, within PATIENCE_S a step; redirects are not followed. Raises Away where nobody answers."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        if parts.scheme == "https":
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=PATIENCE_S, context=ssl.create_default_context()
            )
        else:
            line = http.client.HTTPConnection(host, parts.port, timeout=PATIENCE_S)
        try:
            line.request(method, path, body=body or None, headers=dict(headers))
            answer = line.getresponse()
            return Answer(answer.status, answer.read(2000).decode("utf-8", "replace"))
        finally:
            line.close()
    except (OSError, http.client.HTTPException) as error:
        raise Away(str(error) or error.__class__.__name__) from error


def read_gateway(env: Mapping[str, str]) -> tuple[Gateway | None, list[str]]:
    """The gateway that the environment names, and what is wrong with it."""
    url = env.get("SMS_URL", "").strip()
    faults: list[str] = []
    form = env.get("SMS_FORM", "").strip() or "json"
    if form not in ("json", "form", "none"):
        faults.append(f"SMS_FORM must be json, form or none, it is {form!r}")
    fields, headers = (_object(env, name, faults) for name in ("SMS_FIELDS", "SMS_HEADERS"))
    if not url:
        return None, faults
    if not url.startswith(("http://", "https://")):
        faults.append("SMS_URL must start with http:// or https://")
    return Gateway(url, form, fields or dict(_DEFAULT_FIELDS), headers), faults


def _object(env: Mapping[str, str], name: str, faults: list[str]) -> dict[str, str]:
    raw = env.get(name, "").strip()
    try:
        value = json.loads(raw) if raw else {}
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        faults.append(f"{name} must be a JSON object of texts")
        return {}
    return value


def _filled(pattern: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        pattern = pattern.replace("{" + name + "}", value)
    return pattern
