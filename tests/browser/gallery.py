"""Pictures of the screens.

    make gallery                                        every screen, in every language, at three widths; a page of them
    python -m tests.browser.gallery FOLDER [NAME ...]   the same elsewhere, or of these screens alone

The world is that of the tests (tests/browser/screens.py). README's pictures come from a running demonstration:

    python -m tests.browser.gallery PASSWORD KIOSK_URL BOARD_URL FOLDER [--all]

with the addresses and the password that `make run` prints. Without --all only the pictures that README shows.
The clerk sits down at a desk and calls somebody; a ticket is taken at the clerk's site.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser import screens
from tests.browser.conftest import ARGUMENTS, CHROMIUM, serving
from web.i18n import LANGUAGES

PHONE = {"width": 360, "height": 640}
LARGE = {"width": 1366, "height": 768}
README = ("results-ar", "ticket-ar", "desk-ar", "board-ar", "kiosk-ar", "week-ar", "congestion-en", "live-en")


def gallery(folder: Path, names: list[str]) -> None:
    """Make the world, visit every screen (or those called `names`) and write pictures and an index into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [screen for screen in screens.SCREENS if not names or screen.name in names]
    with tempfile.TemporaryDirectory() as made:
        database, world, places = screens.furnish(Path(made))
        database.rename(Path(made) / "test.db")
        with serving(Path(made), world) as live, sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            for user in dict.fromkeys(screen.user for screen in chosen):
                context = chromium.new_context(base_url=live.url)
                if user:
                    context.add_cookies([live.session_cookie(user)])
                for screen in chosen:
                    if screen.user == user:
                        page = context.new_page()
                        if screen.cut:
                            page.route(screen.cut, lambda route: route.abort())
                        _shoot(page, screen, places, folder)
                        page.close()
                context.close()
            chromium.close()
    (folder / "index.html").write_text(index(chosen, folder), encoding="utf-8")
    print(f"{folder / 'index.html'}: {len(chosen)} screens")


def _shoot(page: Any, screen: screens.Screen, places: dict[str, str], folder: Path) -> None:
    for language in LANGUAGES:
        page.goto(("" if language == "ar" else f"/{language}") + screen.path.format(**places))
        for width in screens.WIDTHS:
            page.set_viewport_size({"width": width, "height": 768 if width > 500 else 640})
            name = f"{screen.name}-{language}-{width}.jpg"
            page.screenshot(path=folder / name, type="jpeg", quality=55, full_page=True)
    print(screen.name, flush=True)


def index(chosen: list[screens.Screen], folder: Path) -> str:
    """The page of all pictures: a row for a screen, a column for a language and width."""
    rows = []
    for screen in chosen:
        cells = "".join(
            f'<figure><a href="{name}"><img src="{name}" alt="" loading="lazy" style="inline-size:{width / 8 + 60}px">'
            f"</a><figcaption>{language} {width}</figcaption></figure>"
            for language in LANGUAGES
            for width in screens.WIDTHS
            if (folder / (name := f"{screen.name}-{language}-{width}.jpg")).exists()
        )
        rows.append(f"<h2>{screen.name} <small>{html.escape(screen.path)}</small></h2><div>{cells}</div>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Every screen</title><style>'
        "body{font:14px system-ui;margin:1rem}div{display:flex;gap:8px;align-items:start;overflow-x:auto}"
        "figure{margin:0}img{border:1px solid #999;max-block-size:420px;object-fit:cover;object-position:top}"
        f"small{{color:#666;font-weight:400}}</style><h1>Every screen</h1>{''.join(rows)}</html>"
    )


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
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if len(sys.argv) < 5 or not sys.argv[2].startswith("http"):
        gallery(Path(sys.argv[1]), sys.argv[2:])
        sys.exit()
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), "--all" in sys.argv)
