"""The forecast's pages in a real browser: last week beside what came, an event entered, no page wider than a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Live
from tests.web.test_planner_forecast import WEEK, write_weeks
from web.nightly import make_forecasts, recall_week

pytestmark = pytest.mark.browser


@pytest.fixture
def forecast(live: Live) -> Live:
    """Nine weeks measured, last week recalled, the coming weeks forecast."""
    live.write(lambda session: write_weeks(session, live.world))
    with live.app.app_context():
        recall_week(WEEK, live.clock.now())
        make_forecasts(live.clock.now())
    return live


@pytest.mark.parametrize("width", [360, 1366])
def test_a_planner_sees_what_was_wrong_and_enters_an_event(
    forecast: Live, open_page: Callable[..., Any], width: int
) -> None:
    """From congestion to the forecast, from there to the events; the event stands in the list, in Arabic too."""
    page = open_page("/planner/congestion", user="planner", language="en", width=width)
    page.get_by_role("link", name="Forecast beside outcome").click()
    assert page.get_by_role("link", name="Aswan technology center").is_visible()
    page.get_by_role("link", name="Said three weeks before that").click()
    assert page.locator("[aria-current=true]", has_text="Said three weeks").is_visible()
    page.get_by_role("link", name="Dated events").last.click()
    page.get_by_label("Event").fill("مولد السيد البدوي")
    page.get_by_label("First day").fill("2026-11-25")
    page.get_by_label("Last day").fill("2026-11-26")
    page.get_by_label("People, in percent").fill("140")
    page.get_by_role("button", name="Enter").click()
    assert page.get_by_text("follow tonight").is_visible()
    assert page.get_by_text("140%").is_visible()
    for path in ("/planner/forecast", "/planner/events"):
        arabic = open_page(path, user="planner", width=width)
        assert arabic.evaluate("document.documentElement.scrollWidth <= innerWidth")
