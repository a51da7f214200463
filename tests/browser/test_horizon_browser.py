"""The horizon in a real browser: two weeks drafted, seen in tabs, published one by one; nights; nobody forgotten."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.store import Center, Plan, PlanVisit
from tests.browser.conftest import Live
from tests.web import world as cast
from tests.web.planned import WEEK, make_planned

pytestmark = pytest.mark.browser
SECOND = WEEK + timedelta(days=7)
SHOTS = os.environ.get("HORIZON_SHOTS", "")
"""A folder to put pictures of the pages into, for who wants to look at them."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast with a solved draft of the coming week."""
    made, world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_planned(made, tmp_path_factory.mktemp("planned")), world


def shot(page: Any, name: str) -> None:
    """Keep a picture of the page where somebody wants one."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize("language", ["ar", "en"])
def test_two_weeks_are_drafted_and_published_one_by_one(
    live: Live, open_page: Callable[..., Any], language: str
) -> None:
    """From the board: how far ahead, start; the draft says that nobody is forgotten, or who; tabs show its weeks; the
    first is published and marked, the second can still be changed."""
    page = open_page(f"/planner?week={WEEK}", user="planner", language=language)
    page.locator("details.drop summary").first.click()
    page.select_option("select[name=weeks]", "2")
    page.fill("input[name=seconds]", "3")
    page.locator("input[name=from_plan]").uncheck()
    page.locator("details[open] button.button-main").click()
    page.wait_for_selector("a[href*='/fairness']", timeout=60_000)
    shot(page, f"draft-{language}")
    made = newest(live)
    assert made.weeks == 2
    page.locator("#progress .actions .button-main").click()
    tabs = page.locator(".tabs a")
    assert tabs.count() == 2
    tabs.nth(1).click()
    page.wait_for_selector(f"#grid th[data-day='{SECOND}']")
    page.locator("#grid td a").first.wait_for()
    shot(page, f"board-{language}")
    page.locator("a[href$='/compare']").first.click()
    page.locator("a[href$='/publish']").click()
    assert page.locator("select[name=until] option").count() == 2
    shot(page, f"publish-{language}")
    page.locator("form[method=post].actions button").click()
    page.wait_for_selector(".flash-good")
    assert page.locator(".tabs .tag-good").count() == 1
    shot(page, f"published-{language}")
    page.goto(page.url.replace(str(WEEK), str(SECOND)))
    page.locator("#grid td a").first.click()
    page.wait_for_selector("#drawer[open] form.move-form")


def newest(live: Live) -> Plan:
    with Session(live.app.extensions["writer"].engine) as session:
        return session.scalars(select(Plan).order_by(Plan.id.desc())).first()  # type: ignore[return-value]


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_night_shows_on_the_board_and_in_the_drawer(
    live: Live, open_page: Callable[..., Any], language: str
) -> None:
    """A moon with words for who cannot see it, between the days; the drawer says it and offers the way home."""

    def away(session: Session) -> int:
        visit = session.scalars(select(PlanVisit).where(PlanVisit.day < WEEK + timedelta(days=4))).first()
        assert visit is not None
        visit.overnight = True
        planner.set_nights(session, visit.center, nights=2)
        return visit.id

    number = live.write(away)
    page = open_page(f"/planner?week={WEEK}", user="planner", language=language)
    mark = page.locator("#grid b.night").first
    words = "stays the night here" if language == "en" else "يبيت هنا"
    assert words in mark.inner_text() or words in mark.locator(".visually-hidden").inner_text()
    shot(page, f"night-{language}")
    page.locator(f'#grid td a[href$="/{number}"]').click()
    page.wait_for_selector("#drawer[open] select[name=night]")
    assert page.locator("#drawer select[name=night]").input_value() == "1"
    shot(page, f"drawer-{language}")


@pytest.mark.parametrize("language", ["ar", "en"])
def test_limits_promises_and_nights_are_set_without_scripts(
    live: Live, open_page: Callable[..., Any], language: str
) -> None:
    """Plain forms: a limit for all units of a kind, a visit promised and the promise taken back, a van's nights
    changed."""

    def forget(session: Session) -> None:
        plan = session.get_one(Plan, 1)
        first = session.scalars(select(PlanVisit).where(PlanVisit.plan_id == 1)).first()
        assert first is not None
        unit = first.site.local_unit_id
        for visit in list(session.scalars(select(PlanVisit).where(PlanVisit.plan_id == 1))):
            if visit.site.local_unit_id == unit:
                gone = planner.Change("remove", visit_id=visit.id)
                planner.apply_change(session, plan, gone, revision=plan.revision, actor="t", now=cast.NOW)
        planner.set_limit(session, 1, unit=first.site.local_unit)

    live.write(forget)
    page = open_page("/planner/plans/1/fairness", user="planner", language=language, scripts=False)
    assert page.locator("table.fair tbody tr").first.locator("td").nth(3).inner_text().strip()
    shot(page, f"fairness-{language}")
    page.locator(".limit-forms input[name=weeks]").first.fill("1")
    page.locator(".limit-forms button").first.click()
    page.wait_for_selector(".flash-good")
    shot(page, f"limits-{language}")
    page.locator("table.fair form[action$='/promises'] button").first.click()
    page.wait_for_selector("#promised")
    assert page.locator("table.fair .tag-warn").count() == 1
    shot(page, f"promised-{language}")
    page.locator("form[action$='/back'] button").first.click()
    page.wait_for_selector("#promised", state="detached")
    page.goto(page.url.split("/planner")[0] + "/planner/nights")
    shot(page, f"nights-{language}")
    page.locator("details.more summary").click()
    form = page.locator("details.more form").first
    form.locator("input[name=nights]").fill("2")
    form.locator("button").click()
    page.wait_for_selector(".flash-good")
    with Session(live.app.extensions["writer"].engine) as session:
        assert session.scalars(select(Center).where(Center.nights == 2)).first() is not None
    shot(page, f"nights-set-{language}")


@pytest.mark.parametrize("language", ["ar", "en"])
def test_pages_of_the_horizon_fit_a_phone(open_page: Callable[..., Any], language: str) -> None:
    """At 390 pixels nothing but tables, which scroll in themselves, is wider than the screen."""
    for path in ("/planner/plans/1/fairness", "/planner/nights", f"/planner?week={WEEK}"):
        page = open_page(path, user="planner", language=language, width=390)
        shot(page, f"phone-{path.split('/')[-1].split('?')[0]}-{language}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
