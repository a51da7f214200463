"""The planner in a real browser: drafts from the solver's process, moves by keyboard and mouse, publishing, the map."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planner import Change
from fleet.store import Plan, PlanVisit, Visit
from tests.browser.conftest import Live
from tests.web import world as cast
from tests.web.planned import WEEK, make_planned
from tests.web.test_solving import WAITS_FOR_STOP

pytestmark = pytest.mark.browser
LEAFLET = Path(__file__).parents[2] / "web" / "static" / "vendor" / "leaflet" / "leaflet.js"
PATHS = (
    "/planner?plan=1",
    "/planner/visits/1",
    "/planner/plans/1",
    "/planner/plans/1/compare",
    "/planner/plans/1/publish",
    "/planner/plans/1/unserved",
    "/planner/congestion",
    "/planner/live",
    "/planner/sites/1",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast with a solved draft of the coming week."""
    made, world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_planned(made, tmp_path_factory.mktemp("planned")), world


def movable(live: Live) -> tuple[int, int]:
    """(visit, days) of a move within its center's week that breaks no rule; the target day is emptied for it."""

    def look(session: Session) -> tuple[int, int]:
        plan = session.scalars(select(Plan)).one()
        visits = session.scalars(
            select(PlanVisit).where(PlanVisit.plan_id == plan.id).order_by(PlanVisit.id)
        ).all()
        for visit in visits:
            for step in (1, -1):
                day = visit.day + timedelta(days=step)
                in_the_way = [v.id for v in visits if v.center_id == visit.center_id and v.day == day]
                if not WEEK <= day <= WEEK + timedelta(days=5) or visit.id in in_the_way:
                    continue
                with session.begin_nested() as attempt:
                    for other in in_the_way:
                        gone = Change("remove", visit_id=other)
                        planner.apply_change(
                            session, plan, gone, revision=plan.revision, actor="t", now=cast.NOW
                        )
                    wanted = Change("move", visit_id=visit.id, day=day)
                    if planner.try_change(session, plan, wanted, now=cast.NOW).feasible:
                        return visit.id, step
                    attempt.rollback()
                session.refresh(plan)
        raise AssertionError("no visit of this week can be moved by a day")

    return live.write(look)  # type: ignore[no-any-return]


def visit_of(live: Live, visit_id: int) -> PlanVisit:
    with Session(live.app.extensions["writer"].engine) as session:
        return session.get_one(PlanVisit, visit_id)


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_visit_is_moved_by_keyboard_in_four_actions(
    live: Live, open_page: Callable[..., Any], language: str
) -> None:
    """Space, an arrow, Enter: the verdict shows before the drop, the row follows, the focus stays on the visit.

    The arrow towards the next day points left in Arabic and right in English.
    """
    number, step = movable(live)
    before = visit_of(live, number).day
    page = open_page(f"/planner?week={WEEK}", user="planner", language=language)
    link = page.locator(f'#grid td a[href$="/{number}"]')
    link.focus()
    page.keyboard.press("Space")
    forward = "ArrowLeft" if language == "ar" else "ArrowRight"
    back = "ArrowRight" if language == "ar" else "ArrowLeft"
    page.keyboard.press(forward if step == 1 else back)
    page.wait_for_selector("#verdict-live .verdict")
    assert visit_of(live, number).day == before
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#grid tr.changed td a[href$="/{number}"]:focus')
    assert visit_of(live, number).day == before + timedelta(days=step)
    at = page.evaluate("document.activeElement.closest('td').cellIndex")
    assert at - 1 == (before - WEEK).days + step


def test_escape_puts_a_visit_back(live: Live, open_page: Callable[..., Any]) -> None:
    """After Escape nothing has changed, the focus is where it was and Enter opens the drawer again."""
    number, _step = movable(live)
    before = visit_of(live, number).day
    page = open_page(f"/planner?week={WEEK}", user="planner")
    page.locator(f'#grid td a[href$="/{number}"]').focus()
    for key in ("Space", "ArrowLeft", "Escape"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.getAttribute('href')").endswith(f"/{number}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer[open] form")
    assert visit_of(live, number).day == before


def test_a_visit_is_dragged_and_the_move_confirmed(live: Live, open_page: Callable[..., Any]) -> None:
    """Dropped by mouse it asks with the verdict in view; 'move it there' moves it."""
    number, step = movable(live)
    stop = visit_of(live, number)
    page = open_page(f"/planner?week={WEEK}", user="planner", language="en")
    column = (stop.day - WEEK).days + step + 2
    target = page.locator(f"#r{stop.center_id} > :nth-child({column})")
    page.locator(f'#grid td a[href$="/{number}"]').drag_to(target)
    page.locator("[data-apply]").click()
    page.wait_for_selector(f'#grid tr.changed td:nth-child({column}) a[href$="/{number}"]')
    assert visit_of(live, number).day == stop.day + timedelta(days=step)


def test_the_drawer_pins_in_place_and_another_screen_follows(
    live: Live, open_page: Callable[..., Any], sockets: None
) -> None:
    """Pinning in one browser marks the visit there without a reload, and in a second one over the socket."""
    page = open_page(f"/planner?week={WEEK}", user="planner", language="en")
    other = open_page(f"/planner?week={WEEK}", user="planner", language="en")
    other.wait_for_selector("[data-connection].tag-good")
    link = page.locator("#grid td a").first
    href = link.get_attribute("href").removeprefix("/en")
    link.click()
    page.get_by_role("button", name="Pin", exact=True).click()
    page.wait_for_selector(f'#grid a.p[href$="{href}"]')
    other.wait_for_selector(f'#grid a.p[href$="{href}"]')


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_week_is_drafted_compared_and_published(
    live: Live, open_page: Callable[..., Any], sockets: None, language: str
) -> None:
    """From the board's button to citizens' visits: the draft's page fills by itself, then compare, confirm, publish."""
    english = language == "en"
    page = open_page("/planner?week=2026-11-28", user="planner", language=language)
    page.get_by_text("Draft a week" if english else "إعداد مسودة أسبوع").click()
    page.fill("input[name=seconds]", "2")
    page.get_by_role("button", name="Start" if english else "ابدأ", exact=True).click()
    ready = page.get_by_role("link", name="Compare and publish" if english else "قارن وانشر")
    ready.wait_for(timeout=60_000)
    ready.click()
    page.get_by_role("link", name=re.compile("Publish" if english else "نشر")).click()
    page.get_by_role("button", name="Publish now" if english else "انشر الآن").click()
    page.wait_for_selector(".flash-good")
    with Session(live.app.extensions["writer"].engine) as session:
        plan = session.scalars(select(Plan).where(Plan.status == "published")).one()
        stops = session.scalars(select(PlanVisit).where(PlanVisit.plan_id == plan.id)).all()
        announced = session.scalars(select(Visit).where(Visit.plan_id == plan.id)).all()
    assert len(announced) == len(stops) > 0


def test_a_search_shows_its_progress_and_stops(
    live: Live, open_page: Callable[..., Any], sockets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says how far the search is without a reload; pages answer meanwhile; the stop button keeps the best."""

    def command(problem_path: Path, out_path: Path, **_: Any) -> list[str]:
        return [sys.executable, "-c", WAITS_FOR_STOP, str(problem_path), str(out_path)]

    monkeypatch.setattr(planner, "solver_command", command)
    page = open_page("/planner?week=2026-11-28", user="planner", language="en")
    page.get_by_text("Draft a week").click()
    page.fill("input[name=seconds]", "600")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("Looking for better routes").wait_for(timeout=30_000)
    meanwhile = open_page("/planner/live", user="planner", language="en")
    assert meanwhile.get_by_role("heading", name="Centers now").is_visible()
    page.get_by_role("button", name="Stop and keep the best").click()
    page.get_by_text("The draft is ready.").wait_for(timeout=30_000)


def test_without_scripts_a_visit_is_moved_by_its_form(live: Live, open_page: Callable[..., Any]) -> None:
    """The same move through plain pages: board, visit, what would change, move."""
    number, step = movable(live)
    wanted = visit_of(live, number).day + timedelta(days=step)
    page = open_page(f"/planner?week={WEEK}", user="planner", language="en", scripts=False)
    page.locator(f'#grid td a[href$="/{number}"]').click()
    page.select_option("select[name=day]", wanted.isoformat())
    page.fill("input[name=start]", "")
    page.get_by_role("button", name="What would change?").click()
    page.get_by_text("Possible.").wait_for()
    page.get_by_role("button", name="Move it", exact=True).click()
    page.wait_for_selector(".flash-good")
    assert visit_of(live, number).day == wanted


def test_the_map_comes_on_request_and_is_drawn(live: Live, open_page: Callable[..., Any]) -> None:
    """Nothing of the map is loaded before the button; then every center with a position stands on it."""
    if not LEAFLET.exists():
        pytest.skip(f"no Leaflet: {LEAFLET} is missing (make setup fetches it)")
    page = open_page("/planner/live", user="planner")
    assert page.evaluate("typeof window.L") == "undefined"
    page.click("#map-show")
    page.wait_for_selector("#map[data-ready]")
    assert page.locator("#map .van-mark").count() == 2
    assert page.evaluate("getComputedStyle(document.getElementById('map')).direction") == "ltr"


@pytest.mark.parametrize("language", ["ar", "en"])
def test_no_page_scrolls_sideways_on_a_small_phone(
    live: Live, open_page: Callable[..., Any], no_sideways_scroll: Callable[[Any], None], language: str
) -> None:
    """All pages of the planner fit 320 pixels; wide tables scroll inside their box."""
    page = open_page(PATHS[0], user="planner", language=language, width=320)
    for path in PATHS:
        page.goto(("" if language == "ar" else "/en") + path)
        no_sideways_scroll(page)
