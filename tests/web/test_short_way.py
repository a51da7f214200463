"""The two busiest requests answered without WSGI around them: byte by byte what the usual way gives, over the server's
own parser; whatever is out of the ordinary goes the usual way, with its body whole."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create

from tests.web import world as cast
from tests.web.test_api import API, give, tokens, working  # noqa: F401  (fixtures)
from web.app import create_app
from web.serve import short_way

PEER, SERVER = ("127.0.0.1", 4321), ("127.0.0.1", 8000)


class Wire:
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


class Worker:
    """As much of gunicorn's worker as the short way touches: the usual way is the application through WSGI."""

    def __init__(self, application: Any) -> None:
        self.alive, self.usual = True, 0
        self._application = application

    def handle_request(self, _listener: Any, request: Any, connection: Wire, address: Any) -> bool:
        self.usual += 1
        response, environ = create(request, connection, address, SERVER, Config())
        for part in self._application(environ, response.start_response):
            response.write(part)
        response.close()
        return True


def ask(
    app: Any, raw: bytes, *, short: bool = True, alive: bool = True
) -> tuple[str, dict[str, str], bytes, bool]:
    """Status line, headers and body of the answer to these bytes, and whether it took the usual way."""
    worker = Worker(app.wsgi_app)
    worker.alive = alive
    handle = short_way(worker, app.extensions["lane"].whole) if short else worker.handle_request
    wire = Wire()
    handle(None, next(RequestParser(Config(), io.BytesIO(raw), PEER)), wire, PEER)
    head, _, body = wire.sent.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines), body, bool(worker.usual)


def post(path: str, token: dict[str, str], body: str, *more: str, version: str = "1.1") -> bytes:
    """A request as a kiosk or a desk sends it."""
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", f"Authorization: {token['Authorization']}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture
def line(working: Any, world: Any, tokens: Any, app: Any) -> Any:  # noqa: F811
    """The application with both tokens seen before, three people waiting, and the two addresses."""
    for number in range(3):
        give(working, world, tokens, f"before-{number}")
    desk = f"{API}/desks/{world.desks_a[0]}/next"
    working.post(desk, json={"request_id": "before"}, headers=tokens["desk"])
    return app, f"{API}/queues/{world.queue_a}/tickets", desk


def test_the_short_way_answers_as_the_usual_one(line: Any, tokens: Any) -> None:  # noqa: F811
    """A ticket and a call by either way: the same status line, headers and fields."""
    app, queue, desk = line
    for path, token, body in (
        (queue, tokens["kiosk"], '{"service": "NID-01", "request_id": "%s"}'),
        (desk, tokens["desk"], '{"request_id": "c-%s"}'),
    ):
        status, headers, said, usual = ask(app, post(path, token, body % "short"))
        status_2, headers_2, said_2, usual_2 = ask(app, post(path, token, body % "long"), short=False)
        assert (usual, usual_2) == (False, True)
        assert status == status_2
        own = {"Location", "Content-Length", "Date"}
        assert {k: v for k, v in headers.items() if k not in own} == {
            k: v for k, v in headers_2.items() if k not in own
        }
        assert headers.keys() == headers_2.keys()
        assert int(headers["Content-Length"]) == len(said)
        made, made_2 = app.json.loads(said), app.json.loads(said_2)
        assert made.keys() == made_2.keys()
        if "Location" in headers:
            assert headers["Location"] == f"http://localhost{API}/tickets/{made['ticket']}"


@pytest.mark.parametrize(
    ("more", "version"),
    [
        ("Connection: close", "1.1"),
        ("Connection: upgrade", "1.1"),
        ("Expect: 100-continue", "1.1"),
        ("Authorization: Bearer other", "1.1"),
        ("X-Nothing: special", "1.0"),
    ],
)
def test_what_the_server_has_to_see_to_goes_the_usual_way(
    line: Any,
    tokens: Any,  # noqa: F811
    more: str,
    version: str,
) -> None:
    """Ends of connections, upgrades, doubled headers, old clients."""
    app, queue, _desk = line
    raw = post(queue, tokens["kiosk"], '{"service": "NID-01", "request_id": "x"}', more, version=version)
    if more.startswith("Expect"):
        pytest.importorskip("gunicorn")
        assert app.extensions["lane"].whole(next(RequestParser(Config(), io.BytesIO(raw), PEER))) is None
        return
    assert ask(app, raw)[3]


def test_a_request_that_is_left_to_the_usual_way_is_whole(line: Any, tokens: Any, world: Any) -> None:  # noqa: F811
    """A repeat is known only once the body has been read; Flask reads it from its beginning and answers with the first
    ticket. A worker that is ending takes no short ways; other addresses never do."""
    app, queue, desk = line
    body = '{"service": "NID-01", "request_id": "twice"}'
    _status, _headers, first, _ = ask(app, post(queue, tokens["kiosk"], body))
    status, _headers, again, usual = ask(app, post(queue, tokens["kiosk"], body))
    assert (status, usual) == ("HTTP/1.1 200 OK", True)
    assert app.json.loads(again)["ticket"] == app.json.loads(first)["ticket"]
    assert ask(app, post(desk, tokens["desk"], '{"request_id": "ending"}'), alive=False)[3]
    finish = f"{API}/tickets/{app.json.loads(first)['ticket']}/leave"
    assert ask(app, post(finish, tokens["kiosk"], '{"request_id": "gone"}'))[3]
    refused, _headers, said, usual = ask(app, post(queue, tokens["kiosk"], "{"))
    assert (refused, usual, app.json.loads(said)["code"]) == (
        "HTTP/1.1 400 BAD REQUEST",
        True,
        "malformed_json",
    )


def test_behind_a_proxy_addresses_are_those_that_people_see(
    line: Any,
    tokens: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    """With one trusted proxy the links of an answer follow its headers, by the short way as by the usual one; without a
    trusted proxy nobody's headers count."""
    app, queue, _desk = line
    seen = ("X-Forwarded-Proto: https", "X-Forwarded-Host: tickets.example")
    body = '{"service": "NID-01", "request_id": "%s"}'
    proxied = create_app(
        replace(cast.settings_for(tmp_path), trusted_proxies=1), time_source=cast.StillClock()
    )
    try:
        usual = ask(proxied, post(queue, tokens["kiosk"], body % "p0", *seen))
        short = ask(proxied, post(queue, tokens["kiosk"], body % "p1", *seen))
        assert (usual[3], short[3]) == (True, False)  # the first of a token and of a host goes through Flask
        for answer in (usual, short):
            assert answer[1]["Location"].startswith(f"https://tickets.example{API}/tickets/")
            assert proxied.json.loads(answer[2])["url"].startswith("https://tickets.example/")
    finally:
        proxied.extensions["relay"].stop()
        proxied.extensions["writer"].engine.dispose()
    unproxied = ask(app, post(queue, tokens["kiosk"], body % "p2", *seen))[1]["Location"]
    assert "//localhost/" in unproxied
