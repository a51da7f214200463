"""Where driving times come from, in a real browser: the draft's page names the router, or that it was away."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import pytest

from fleet.forecast import make_forecast
from tests.browser.conftest import Live
from tests.routing.routers.osrmserver import serving
from tests.web import world as cast
from tests.web.planned import WEEK
from web import solving

pytestmark = pytest.mark.browser
SAID = {
    "ar": ("أزمنة القيادة من", "فحُسبت بمعادلة الطرق"),
    "en": ("Driving times come from OSRM.", "OSRM gave no driving times"),
}
SHOTS = os.environ.get("ROADS_SHOTS", "")
"""A folder to put pictures of the pages into, for who wants to look at them."""


@pytest.mark.parametrize("language", ["ar", "en"])
def test_the_drafts_page_says_where_driving_times_come_from(
    live: Live, open_page: Callable[..., Any], language: str
) -> None:
    asked, away = SAID[language]
    live.write(lambda session: make_forecast(session, WEEK, now=cast.NOW))
    settings = live.app.extensions["settings"]
    with serving() as router:
        live.app.extensions["settings"] = dataclasses.replace(settings, router_url=router.url)
        with live.app.app_context():
            solved = solving.new_draft(WEEK, seconds=2, seed=1, actor="planner")
            assert solving.solve_now(solved) == "draft"
    page = open_page(f"/planner/plans/{solved}", user="planner", language=language)
    page.get_by_text(asked).wait_for()
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/roads-{language}.png", full_page=True)

    live.app.extensions["settings"] = dataclasses.replace(settings, router_url=router.url + "/gone")
    with live.app.app_context():
        by_formula = solving.new_draft(WEEK, seconds=2, seed=1, actor="planner")
        assert solving.solve_now(by_formula) == "draft"
    page.goto(page.url.replace(f"/plans/{solved}", f"/plans/{by_formula}"))
    page.get_by_text(away).wait_for()
