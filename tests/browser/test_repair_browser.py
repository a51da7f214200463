"""Day repair in a real browser: from the live list to everybody told, with and without scripts, at every width."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Repair, RepairCall, Site, Visit
from fleet.store_warning import SiteWarning
from queueing.store import Desk, Queue, Service, Ticket
from tests.browser.conftest import Live
from tests.browser.test_every_screen_browser import AXE, RUN_AXE
from tests.web import world as cast
from tests.web.repairing_cast import before_it_opens, first_visit, make_published
from web import jobs

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast with the coming week published."""
    made, world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_published(made, tmp_path_factory.mktemp("published")), world


@pytest.fixture
def visit(live: Live) -> Visit:
    """The week's first visit, an hour before it opens."""
    with Session(live.app.extensions["writer"].engine) as session:
        found = first_visit(session)
        live.clock.set(before_it_opens(found))
        return found


@pytest.mark.parametrize(("language", "scripts"), [("ar", True), ("en", True), ("ar", False)])
def test_a_van_breaks_down_and_everybody_is_told(
    live: Live, open_page: Callable[..., Any], visit: Visit, language: str, scripts: bool
) -> None:
    """Two presses from the live list to the proposals, one to announce, one for each call."""
    page = open_page("/planner/live", user="planner", language=language, scripts=scripts)
    page.click(f'#c{visit.center_id} a[href*="center_out"]')
    page.click("main form .button-main")
    page.wait_for_selector(".way", timeout=60_000)
    assert page.locator(".way").count() >= 1
    assert visit_now(live, visit).status == "announced"
    page.click(".way:first-child form button")
    page.wait_for_selector("#calls")
    assert visit_now(live, visit).status == "cancelled"
    for _ in range(calls(live)):
        page.click('.calls .tick[aria-checked="false"] >> nth=0')
        page.wait_for_load_state()
    assert page.locator('.calls .tick[aria-checked="false"]').count() == 0
    assert page.locator('.call-text[lang="ar"]').count() == calls(live)
    page.goto(("" if language == "ar" else "/en") + f"/visits/{visit.id}")
    text = page.inner_text("main")
    assert ("تعطّل المركز المتنقل" if language == "ar" else "has broken down") in text


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1366])
def test_the_pages_fit_every_width(
    live: Live,
    open_page: Callable[..., Any],
    visit: Visit,
    no_sideways_scroll: Callable[[Any], None],
    width: int,
) -> None:
    """What happened, the form, the proposals, the calls and the list: never sideways, and axe-core finds no fault."""

    def look() -> None:
        no_sideways_scroll(page)
        if AXE.exists() and width != 768:
            page.evaluate(AXE.read_text(encoding="utf-8"))
            assert page.evaluate(RUN_AXE) == [], page.url

    page = open_page("/planner/repair", user="planner", width=width)
    look()
    page.goto(f"/planner/repair?kind=road_slowed&site={visit.site_id}")
    look()
    page.goto(f"/planner/repair?kind=center_out&center={visit.center_id}")
    look()
    page.click("main form .button-main")
    page.wait_for_selector(".way", timeout=60_000)
    page.evaluate("document.querySelectorAll('.way details').forEach(d => { d.open = true; })")
    look()
    page.click(".way:first-child form button")
    page.wait_for_selector("#calls")
    page.click(".calls .tick >> nth=0")
    page.wait_for_selector(".call-done")
    look()
    page.goto("/planner/repairs")
    look()


def visit_now(live: Live, visit: Visit) -> Visit:
    with Session(live.app.extensions["writer"].engine) as session:
        return session.get_one(Visit, visit.id)


def calls(live: Live) -> int:
    with Session(live.app.extensions["writer"].engine) as session:
        return len(session.scalars(select(RepairCall)).all())


@pytest.mark.parametrize(("language", "scripts"), [("ar", True), ("en", False)])
def test_a_stretch_of_road_is_closed_between_two_places(
    live: Live,
    open_page: Callable[..., Any],
    visit: Visit,
    no_sideways_scroll: Callable[[Any], None],
    language: str,
    scripts: bool,
) -> None:
    """From what happened over two places that are looked up to the proposals; the page says how drivers go around."""
    with Session(live.app.extensions["writer"].engine) as session:
        here = session.get_one(Site, visit.site_id)
        near = select(Site).where(Site.governorate_id == here.governorate_id, Site.id != here.id, Site.active)
        other = session.scalars(near.order_by(Site.id)).all()[0]
        names = [site.name_ar if language == "ar" else site.name_en for site in (here, other)]
    page = open_page(
        "/planner/repair?kind=road_slowed", user="planner", language=language, scripts=scripts, width=360
    )
    page.click('main a[href*="shape=stretch"]')
    for name, number in zip(names, (here.id, other.id), strict=True):
        page.fill("input[name=place]", name)
        page.click("main form .button-main")
        page.click(f'.choices a[href*="={number}"]')
    no_sideways_scroll(page)
    assert names[0] in page.inner_text("main") and names[1] in page.inner_text("main")
    page.fill("input[name=width]", "2.5")
    if AXE.exists() and scripts:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert page.evaluate(RUN_AXE) == [], page.url
    page.click("main form .button-main")
    page.wait_for_selector(".way", timeout=60_000)
    assert "2.5" in page.inner_text("h1") or "٢٫٥" in page.inner_text("h1")


def crowd(live: Live, visit: Visit, people: int = 90) -> int:
    """An hour after the van opened so many have come to it; two looks, five minutes apart. Returns the warning."""
    live.clock.set(visit.opens_at + timedelta(hours=1))
    now = live.clock.now()

    def work(session: Session) -> None:
        service = session.scalars(select(Service.id)).all()[0]
        session.execute(
            update(Visit).where(Visit.id == visit.id).values(status="open", opened_at=visit.opens_at)
        )
        session.execute(
            update(Queue).where(Queue.id == visit.queue_id).values(state="open", pace_s=360.0, held_by=None)
        )
        session.execute(update(Desk).where(Desk.queue_id == visit.queue_id).values(state="open"))
        session.add_all(
            Ticket(
                code=f"crowd{n}", queue_id=visit.queue_id, day=local_day(now), number=500 + n, label=f"A{500 + n}",
                service_id=service, issued_at=now - timedelta(minutes=n / 3), aged_from=now - timedelta(minutes=n / 3),
            )
            for n in range(1, people + 1)
        )  # fmt: skip

    live.write(work)
    with live.app.app_context():
        jobs.warn(now)
        jobs.warn(live.clock.advance(minutes=5))
    with Session(live.app.extensions["writer"].engine) as session:
        return session.scalars(select(SiteWarning)).one().id


@pytest.mark.parametrize(("language", "scripts", "width"), [("ar", True, 1366), ("en", False, 360)])
def test_from_a_crowd_to_what_is_done_about_it(
    live: Live,
    open_page: Callable[..., Any],
    visit: Visit,
    no_sideways_scroll: Callable[[Any], None],
    language: str,
    scripts: bool,
    width: int,
) -> None:
    """A crowd builds at a van: the board says so, the page says why, one press works out what can be done, the next
    announces it; then the week stands as was chosen and the warning can be put away."""
    number = crowd(live, visit)
    page = open_page("/planner/live", user="planner", language=language, scripts=scripts, width=width)
    page.click('.verdict-warn a[href$="/planner/warnings"]')
    card = page.locator(f"#w{number}")
    with Session(live.app.extensions["writer"].engine) as session:
        warned = session.get_one(SiteWarning, number)
        assert warned.waiting == 90 and "90" in card.inner_text()
    no_sideways_scroll(page)
    card.locator(".button-main").click()
    if not scripts:
        page.wait_for_selector(".way, [http-equiv=refresh]", state="attached", timeout=60_000)
    page.wait_for_selector(".way", timeout=60_000)
    with Session(live.app.extensions["writer"].engine) as session:
        made = session.scalars(select(Repair)).one()
        asked = made.disruption
        assert (asked["kind"], asked["site_id"]) == ("demand_changed", visit.site_id)
        assert asked["percent"] > 100 and asked["until"] == local_day(live.clock.now()).isoformat()
    no_sideways_scroll(page)
    page.locator(".way form button").last.click()
    page.wait_for_load_state()
    with Session(live.app.extensions["writer"].engine) as session:
        assert session.scalars(select(Repair)).one().status == "accepted", page.inner_text("main")
    page.goto(("" if language == "ar" else "/en") + "/planner/warnings")
    page.locator(f'#w{number} form[action$="/seen"] button').click()
    page.wait_for_load_state()
    page.goto(("" if language == "ar" else "/en") + "/planner/live")
    assert page.locator('.verdict-warn a[href$="/planner/warnings"]').count() == 0
