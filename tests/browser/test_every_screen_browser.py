"""Every screen in both languages and at three widths: it opens, mirrors, fits, and breaks no rule of accessibility."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from queueing import paper
from queueing.counter import issue
from queueing.store import Queue
from tests.web.world import TODAY
from web.accounts import new_token

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (320, 768, 1366)
RUN_AXE = """axe.run(document).then(found =>
  found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).join(' | ')))"""
SCREENS: tuple[tuple[str, str, str | None], ...] = (
    ("home", "/", None),
    ("results", "/?near=24.09,32.90", None),
    ("visit", "/visits/{visit}", None),
    ("take", "/queues/{queue}/take", None),
    ("ticket", "/tickets/{ticket}", None),
    ("login", "/login", None),
    ("kiosk", "/kiosk/{kiosk}", None),
    ("board", "/board/{board}", None),
    ("desk", "/desk", "clerk"),
    ("supervisor", "/supervisor", "supervisor"),
    ("day", "/supervisor/day", "supervisor"),
    ("trail", "/supervisor/tickets?label=A001", "supervisor"),
    ("audit", "/supervisor/audit?all=1", "supervisor"),
    ("setup", "/supervisor/setup", "supervisor"),
    ("change", "/supervisor/queues/{queue}/change", "supervisor"),
    ("appointments", "/supervisor/queues/{queue}/appointments", "supervisor"),
    ("paper", "/desk/paper", "clerk"),
    ("unsent", "/desk/unsent", "clerk"),
    ("book", "/queues/{queue}/book", None),
    ("laptops", "/planner/vans", "planner"),
    ("agency", "/agency", "agency"),
    ("week", "/planner", "planner"),
    ("congestion", "/planner/congestion", "planner"),
    ("forecast", "/planner/forecast", "planner"),
    ("events", "/planner/events", "planner"),
    ("live", "/planner/live", "planner"),
    ("nights", "/planner/nights", "planner"),
    ("missing", "/no-such-page", None),
)


@pytest.fixture
def addresses(live: Any) -> dict[str, str]:
    """What the paths of SCREENS name: a waiting ticket, a visit, tokens."""
    now = live.clock.now()
    queue_id = live.world.queue_a

    def make(session: Session) -> dict[str, str]:
        queue = session.get_one(Queue, queue_id)
        tickets = [
            issue(
                session,
                queue,
                next(iter(live.world.services)),
                request_id=f"screen-{n}",
                actor="test",
                now=now,
            ).ticket
            for n in range(3)
        ]
        paper.reserve(session, queue, TODAY, 20, request_id="strip", actor="clerk", now=now)
        return {
            "ticket": tickets[1].code,
            "kiosk": new_token(session, "kiosk", now=now, queue_id=queue_id),
            "board": new_token(session, "board", now=now, queue_id=queue_id),
        }

    return {**live.write(make), "queue": str(queue_id), "visit": str(live.world.visit_a)}


@pytest.mark.browser
@pytest.mark.parametrize("language", ["ar", "en"])
@pytest.mark.parametrize(("name", "path", "user"), SCREENS, ids=[name for name, _path, _user in SCREENS])
def test_screen(
    name: str,
    path: str,
    user: str | None,
    language: str,
    addresses: dict[str, str],
    open_page: Callable[..., Any],
) -> None:
    """The screen has its language and direction, never scrolls sideways, and axe-core finds nothing wrong with it."""
    page = open_page(path.format(**addresses), user=user, language=language, width=WIDTHS[-1])
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 768 if width > 500 else 640})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"scrolls sideways at {width} px: {wide} px"
        if AXE.exists() and width != WIDTHS[1]:
            if not page.evaluate("'axe' in window"):
                page.evaluate(AXE.read_text(encoding="utf-8"))
            faults = page.evaluate(RUN_AXE)
            assert faults == [], f"at {width} px"
