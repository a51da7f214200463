"""What this week would bring, in a real browser: one press from the board, the figures come by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Live
from tests.web import world as cast
from tests.web.planned import WEEK, make_planned

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast with a solved draft of the coming week."""
    made, world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_planned(made, tmp_path_factory.mktemp("planned")), world


@pytest.mark.parametrize("language", ["ar", "en"])
def test_the_week_is_played_and_its_hours_stand_beside_the_models(
    live: Live, open_page: Callable[..., Any], language: str
) -> None:
    """From the board by its link; the intervals are put in place without a press, and nothing sticks out on a phone."""
    english = language == "en"
    page = open_page(f"/planner?week={WEEK}", user="planner", language=language)
    beside = "Forecast beside outcome" if english else "المتوقع إلى جانب ما حدث"
    assert page.locator(".board-links").get_by_role("link", name=beside).is_visible()
    page.get_by_role(
        "link", name="What this week would bring" if english else "ماذا تحقق خطة هذا الأسبوع"
    ).click()
    page.wait_for_selector(".spans .span-bar", timeout=120_000)
    assert page.locator(".spans .span-mark").count() == 2, "the model's own estimate stands beside both"
    assert page.locator("dl.figures .figure").count() == 4
    for width in (1366, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        if folder := os.environ.get("PICTURES"):
            page.screenshot(path=f"{folder}/outlook-{language}-{width}.png", full_page=True)
