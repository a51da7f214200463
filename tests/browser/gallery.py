"""Pictures of every main screen of a running demonstration, in both languages: how README's pictures are made.

    python -m tests.browser.gallery PASSWORD KIOSK_URL BOARD_URL FOLDER [--all]

with the addresses and the password that `make run` prints. Without --all only the pictures that README shows.
The clerk sits down at a desk and calls somebody; a ticket is taken at the clerk's site.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM

PHONE = {"width": 360, "height": 640}
LARGE = {"width": 1366, "height": 768}
README = ("results-ar", "ticket-ar", "desk-ar", "board-ar", "kiosk-ar", "week-ar", "congestion-en", "live-en")


def main(password: str, kiosk_url: str, board_url: str, folder: Path, everything: bool) -> None:
    """Visit the screens and save a JPEG of each into `folder`."""
    base, token = kiosk_url.split("/kiosk/")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for language in ("ar", "en"):
            root = base if language == "ar" else f"{base}/en"

            def shoot(page: Any, name: str, language: str = language) -> None:
                if everything or f"{name}-{language}" in README:
                    page.wait_for_timeout(1200)
                    page.screenshot(path=folder / f"{name}-{language}.jpg", type="jpeg", quality=60)
                    print(f"{name}-{language}.jpg")

            large = chromium.new_context(viewport=LARGE).new_page()
            large.goto(f"{root}/kiosk/{token}")
            shoot(large, "kiosk")
            large.goto(root + board_url.removeprefix(base))
            shoot(large, "board")

            phone = chromium.new_context(viewport=PHONE).new_page()
            for name, path in (("home", "/"), ("results", "/?near=30.60,32.27")):
                phone.goto(root + path)
                shoot(phone, name)
            phone.locator("a[href*='/visits/']").first.click()
            shoot(phone, "visit")

            desk = signed_in(chromium, root, "clerk", password)
            desk.goto(f"{root}/desk")
            if desk.locator("button.desk-tile").count():
                desk.locator("button.desk-tile").last.click()
                desk.wait_for_load_state()
                desk.keyboard.press("n")
                desk.wait_for_timeout(800)
            shoot(desk, "desk")

            supervisor = signed_in(chromium, root, "supervisor", password)
            supervisor.goto(f"{root}/supervisor")
            shoot(supervisor, "supervisor")
            queue = re.search(r"queues?[/=](\d+)", supervisor.content())
            if queue:
                phone.goto(f"{root}/queues/{queue.group(1)}/take")
                shoot(phone, "take")
                phone.locator("main select").first.select_option(index=1)
                phone.locator("main form button").last.click()
                phone.wait_for_load_state()
                shoot(phone, "ticket")

            planner = signed_in(chromium, root, "planner", password)
            for name, path in (
                ("week", "/planner"),
                ("congestion", "/planner/congestion"),
                ("live", "/planner/live?map=1"),
            ):
                planner.goto(root + path)
                shoot(planner, name)
        chromium.close()


def signed_in(chromium: Any, root: str, name: str, password: str) -> Any:
    """A page of account `name`."""
    page = chromium.new_context(viewport=LARGE).new_page()
    page.goto(f"{root}/login")
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.click("main button")
    return page


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), "--all" in sys.argv)
