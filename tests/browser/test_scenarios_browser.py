"""Scenarios in a real browser: from the week board to a draft, by forms alone and live while it is solved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Plan, Visit
from tests.browser.conftest import Live
from tests.browser.test_every_screen_browser import AXE, RUN_AXE
from tests.web import world as cast
from tests.web.planned import WEEK, make_planned

pytestmark = pytest.mark.browser
WORDS = {
    "en": {
        "what_if": "Try it as a scenario …", "new": "New scenario", "add": "Add this change", "solve": "Solve",
        "compare": "Compare in full", "over": "Take over as a draft …", "draft": "Make the draft",
    },
    "ar": {
        "what_if": "جرّب سيناريو…", "new": "سيناريو جديد", "add": "أضف هذا التغيير", "solve": "احسب",
        "compare": "مقارنة كاملة", "over": "حوّله إلى مسودة…", "draft": "أعدّ المسودة",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast with a solved draft of the coming week."""
    made, world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_planned(made, tmp_path_factory.mktemp("planned")), world


@pytest.mark.parametrize(("language", "scripts"), [("ar", True), ("en", False)])
def test_a_week_is_copied_changed_solved_compared_and_taken_over(
    live: Live,
    open_page: Callable[..., Any],
    no_sideways_scroll: Callable[[Any], None],
    sockets: None,
    language: str,
    scripts: bool,
) -> None:
    """The whole path, in Arabic as the page fills by itself and in English without JavaScript; nothing is published."""
    said = WORDS[language]
    page = open_page(f"/planner?week={WEEK}", user="planner", language=language, scripts=scripts)
    page.get_by_role("link", name=said["what_if"]).click()
    page.fill(".new-scenario input[name=name]", "Longer days")
    page.get_by_role("button", name=said["new"]).click()

    def change(kind: str, fill: Callable[[], Any]) -> None:
        page.locator(f".kinds a[href*='kind={kind}']").click()
        fill()
        no_sideways_scroll(page)
        page.get_by_role("button", name=said["add"]).click()
        assert not page.locator("[role=alert]").count()

    change("shift", lambda: page.fill("input[name=end]", "20:00"))
    change("demand", lambda: page.fill("input[name=percent]", "180"))
    change("coverage", lambda: page.fill("input[name=penalty]", "40"))
    assert page.locator(".change-list li").count() == 3
    page.fill("input[name=seconds]", "2")
    page.get_by_role("button", name=said["solve"], exact=True).click()
    ready = page.get_by_role("link", name=said["compare"])
    for _ in range(40):
        if scripts or ready.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    ready.wait_for(timeout=60_000)
    number = int(page.url.partition("/scenarios/")[2].partition("#")[0])
    ready.click()
    page.wait_for_selector(".land svg path")
    page.select_option("select[name=show]", "people")
    if not scripts:
        page.locator("select[name=show] >> xpath=ancestor::form >> button").click()
    page.wait_for_url("**show=people**")
    page.go_back()
    page.go_back()
    page.get_by_role("link", name=said["over"]).click()
    page.get_by_role("button", name=said["draft"]).click()
    page.wait_for_selector(".flash-good")
    with Session(live.app.extensions["writer"].engine) as session:
        scenario = session.get_one(Plan, number)
        draft = session.scalars(select(Plan).where(Plan.source_id == number)).one()
        assert (scenario.kind, scenario.status) == ("scenario", "solved")
        assert (draft.kind, draft.status) == ("plan", "draft") and f"plan={draft.id}" in page.url
        assert session.scalar(select(Plan.id).where(Plan.status == "published")) is None
        assert session.scalar(select(Visit.id).where(Visit.plan_id.in_([number, draft.id]))) is None


@pytest.mark.slow
@pytest.mark.parametrize("language", ["ar", "en"])
def test_the_pages_fit_and_break_no_rule_of_accessibility(
    open_page: Callable[..., Any], no_sideways_scroll: Callable[[Any], None], language: str
) -> None:
    """List, scenario with a form, and comparison at the width of a telephone and of a desk."""
    page = open_page("/planner/scenarios", user="planner", language=language)
    page.fill(".new-scenario input[name=name]", "A" * 60)
    page.locator(".new-scenario button").click()
    here = page.url
    prefix = here.partition("/planner")[0]
    for address in (f"{prefix}/planner/scenarios", f"{here}?kind=traffic", f"{here}?kind=add_vans",
                    f"{prefix}/planner/compare?plan=1&baseline=1"):  # fmt: skip
        for width in (320, 1366):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(address)
            no_sideways_scroll(page)
        if AXE.exists():
            page.evaluate(AXE.read_text(encoding="utf-8"))
            assert page.evaluate(RUN_AXE) == [], address
