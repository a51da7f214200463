"""How the product is served: what is refused before anything starts, and sections that are asked for again."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.web import world as cast
from web import serve


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`shipped(WORKERS="2", ...)` -> web.serve as gunicorn reads it in such an environment."""

    def read(**variables: str) -> Any:
        for name in ("WORKERS", "WORKER_CLASS", "DATABASE_URL", "REDIS_URL", "PORT", "HOST"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return importlib.reload(serve)

    yield read
    monkeypatch.undo()
    importlib.reload(serve)


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"WORKERS": "2"}, "PostgreSQL"),
        ({"WORKERS": "2", "DATABASE_URL": "postgresql://x/y"}, "REDIS_URL"),
        ({"WORKERS": "2", "REDIS_URL": "redis://x"}, "SQLite serves one process"),
        ({"WORKER_CLASS": "eventlet"}, "gevent or gthread"),
    ],
)
def test_what_cannot_work_is_refused_in_words(shipped: Any, variables: dict[str, str], word: str) -> None:
    with pytest.raises(SystemExit, match=word):
        shipped(**variables).on_starting(None)


def test_one_process_needs_nothing_and_several_both(shipped: Any) -> None:
    shipped().on_starting(None)
    assert shipped().bind == "127.0.0.1:8000"
    both = {"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://x"}
    made = shipped(WORKERS="3", HOST="0.0.0.0", PORT="9000", **both)
    made.on_starting(None)
    assert (made.workers, made.bind) == (3, "0.0.0.0:9000")


def test_every_request_lets_others_have_their_turn_first() -> None:
    """Under gevent: what was ready before runs before the request goes on."""
    gevent = pytest.importorskip("gevent", reason="gevent is not installed")
    order: list[str] = []
    application = serve.fair(lambda _environ, _start: order.append("request"))
    greenlets = [gevent.spawn(application, {}, None), gevent.spawn(order.append, "another")]
    gevent.joinall(greenlets)
    assert order == ["another", "request"]


def test_a_section_that_has_not_changed_costs_304(login: Callable[..., Any]) -> None:
    """Pages without a socket ask every few seconds: the second answer has no body."""
    client = login("supervisor")
    first = client.get("/supervisor/parts/numbers", headers={"X-Part": "1"})
    assert first.status_code == 200 and first.headers["ETag"]
    again = {"X-Part": "1", "If-None-Match": first.headers["ETag"]}
    assert client.get("/supervisor/parts/numbers", headers=again).status_code == 304
    assert "ETag" not in client.get("/supervisor/parts/numbers").headers


def test_a_picture_that_a_phone_has_is_not_drawn_again(
    client: Any, world: cast.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.citizen import centers

    path = f"/centers/{world.site_a}/status"
    tag = client.get(path).headers["ETag"]

    def never(*_given: Any, **_more: Any) -> str:
        raise AssertionError("drawn for nothing")

    monkeypatch.setattr(centers, "render_template", never)
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
