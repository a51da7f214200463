"""Day repair in a real browser: from the live list to everybody told, with and without scripts, at every width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import RepairCall, Site, Visit
from tests.browser.conftest import Live
from tests.browser.test_every_screen_browser import AXE, RUN_AXE
from tests.web import world as cast
from tests.web.repairing_cast import before_it_opens, first_visit, make_published

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
