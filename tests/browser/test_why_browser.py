"""Why, where else and what would more bring, in a real browser: opened in the drawer, carried out by one press."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.store import Plan, PlanVisit
from tests.browser.conftest import Live
from tests.web import world as cast
from tests.web.planned import WEEK, make_planned
from web.planner import whatif_runs as runs

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast with a solved draft of the coming week."""
    made, world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_planned(made, tmp_path_factory.mktemp("planned")), world


def read(live: Live, look: Callable[[Session], Any]) -> Any:
    with Session(live.app.extensions["writer"].engine) as session:
        return look(session)


def movable(session: Session) -> tuple[int, Any]:
    """A visit and the best other place for it."""
    for visit in session.scalars(select(PlanVisit).order_by(PlanVisit.id)):
        elsewhere = planner.why_this(session, visit, now=cast.NOW).elsewhere
        if elsewhere:
            return visit.id, elsewhere[0].placed
    raise AssertionError("no visit of this week could go anywhere else")


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_visit_goes_where_the_drawer_says(live: Live, open_page: Callable[..., Any], language: str) -> None:
    """Board, visit, why, press: four presses, and the visit stands in its new cell."""
    number, placed = read(live, movable)
    english = language == "en"
    page = open_page(f"/planner?week={WEEK}", user="planner", language=language)
    page.locator(f'#grid td a[href$="/{number}"]').click()
    page.get_by_text("Why here? Where else?" if english else "لماذا هنا؟ وأين غير ذلك؟").click()
    page.locator("#drawer .option button").first.click()
    page.wait_for_selector(".flash-good")
    now = read(live, lambda s: s.get_one(PlanVisit, number))
    assert (now.center_id, now.day, now.start_minute) == (placed.center_id, placed.day, placed.start_minute)
    cell = page.locator(f'#grid td a[href$="/{number}"]')
    assert cell.evaluate("e => e.closest('td').cellIndex") - 1 == (placed.day - WEEK).days


def test_without_scripts_the_same_by_plain_pages(live: Live, open_page: Callable[..., Any]) -> None:
    """Board, visit, the link to the reasons, press."""
    number, placed = read(live, movable)
    page = open_page(f"/planner?week={WEEK}", user="planner", language="en", scripts=False)
    page.locator(f'#grid td a[href$="/{number}"]').click()
    page.get_by_text("Why here? Where else?").click()
    page.get_by_role("link", name="See the reasons and the other places for it").click()
    page.get_by_role("button", name="Move it there").first.click()
    page.wait_for_selector(".flash-good")
    now = read(live, lambda s: s.get_one(PlanVisit, number))
    assert (now.center_id, now.day) == (placed.center_id, placed.day)


def test_a_place_without_a_visit_gets_one(live: Live, open_page: Callable[..., Any]) -> None:
    """From the list of places without a visit to its reasons to a visit."""

    def servable(session: Session) -> int:
        plan = session.scalars(select(Plan)).one()
        for one in planner.unserved(session, plan):
            if planner.why_none(session, plan, one.site_id, now=cast.NOW).options:
                return one.site_id
        raise AssertionError("no place could be served")

    site_id = read(live, servable)
    page = open_page("/planner/plans/1/unserved", user="planner", language="en")
    page.locator(f'a[href$="/plans/1/places/{site_id}"]').click()
    assert page.get_by_role("heading", name="What stands in the way").is_visible()
    page.get_by_role("button", name="Do this").first.click()
    page.wait_for_selector(".flash-good")
    visited = read(live, lambda s: set(s.scalars(select(PlanVisit.site_id))))
    assert site_id in visited


def test_estimates_appear_by_themselves_and_an_answer_too(
    live: Live, open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reloads: the estimates come, a press is made, the answer takes their place."""
    monkeypatch.setattr(runs, "SECONDS", 2.0)
    page = open_page("/planner/plans/1/whatif", user="planner")
    press = page.get_by_role("button", name="احسبها بدقة").first
    press.wait_for(timeout=60_000)
    press.click()
    page.get_by_text("نتيجة تخطيط جديد").first.wait_for(timeout=60_000)


@pytest.mark.parametrize("language", ["ar", "en"])
def test_no_page_scrolls_sideways_on_a_small_phone(
    live: Live, open_page: Callable[..., Any], no_sideways_scroll: Callable[[Any], None], language: str
) -> None:
    """The pages of reasons fit 320 pixels."""
    number, _ = read(live, movable)
    page = open_page("/planner/plans/1/unserved", user="planner", language=language, width=320)
    for path in (
        f"/planner/visits/{number}/why",
        "/planner/plans/1/places/4",
        "/planner/plans/1/whatif?site=4",
    ):
        page.goto(("" if language == "ar" else "/en") + path)
        no_sideways_scroll(page)
