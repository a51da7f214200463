"""Every page in every language and width: it opens, mirrors, fits, isolates codes, and breaks no rule of accessibility.

The fast run looks at each page once with axe-core, languages and widths taking turns so that every pair is seen; the
product of all is slow (`make test-all`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.browser import screens
from tests.browser.conftest import Live, serving
from tests.browser.screens import LANGUAGES, NO_SCREENS, NO_SCREENS_OF, SCREENS, WIDTHS, Screen
from tests.web import world as cast
from web.app import create_app
from web.i18n import LANGUAGES as ALL_LANGUAGES
from web.i18n import RUN

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
MIRROR = (Path(__file__).parent / "mirror.js").read_text(encoding="utf-8")
RUN_AXE = """axe.run(document).then(found =>
  found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).join(' | ')))"""
PAIRS = tuple(product(LANGUAGES, WIDTHS))


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World, dict[str, str]]:
    """The world in which every page has something to show."""
    return screens.furnish(tmp_path_factory.mktemp("furnished"))


@pytest.fixture(scope="module")
def house(
    furnished: tuple[Path, cast.World, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """The application over it, for all tests of this module: they only look."""
    folder = tmp_path_factory.mktemp("house")
    cast.copy_database(furnished[0], folder / "test.db")
    with serving(folder, furnished[1]) as live:
        yield live


@pytest.fixture(scope="module")
def look(browser: Any, house: Live, furnished: Any) -> Iterator[Callable[..., Any]]:
    """`look(screen, "ar", 320)` -> the page at that width. One context for each person: signing in costs once."""
    contexts: dict[str | None, Any] = {}

    def open_screen(screen: Screen, language: str, width: int) -> Any:
        if screen.user not in contexts:
            context = contexts[screen.user] = browser.new_context(base_url=house.url)
            context.set_default_timeout(20_000)
            if screen.user:
                context.add_cookies([house.session_cookie(screen.user)])
        for old in contexts[screen.user].pages:
            old.close()  # with whatever its scripts were about to do
        page = contexts[screen.user].new_page()
        page.set_viewport_size(size(width))
        if screen.cut:
            page.route(screen.cut, lambda route: route.abort())
        prefix = "" if language == "ar" else f"/{language}"
        answer = page.goto(prefix + screen.path.format(**furnished[2]))
        assert answer.status == (404 if screen.name == "missing" else 200), answer.status
        return page

    yield open_screen
    for context in contexts.values():
        context.close()


def size(width: int) -> dict[str, int]:
    return {"width": width, "height": 768 if width > 500 else 640}


def test_every_page_is_in_the_list_of_screens(tmp_path: Path) -> None:
    """A new page that nobody has added to tests/browser/screens.py is one that nobody looks at."""
    app = create_app(cast.settings_for(tmp_path), time_source=cast.StillClock())
    told = {screen.endpoint for screen in SCREENS} | NO_SCREENS.keys()
    there = {
        rule.endpoint for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint.partition(".")[0] not in NO_SCREENS_OF
    }  # fmt: skip
    assert sorted(there - told) == [], "pages that are in no list"
    assert sorted(told - there - {""}) == [], "listed, but no longer there"


@pytest.mark.browser
@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_a_screen_mirrors_fits_and_is_accessible(screen: Screen, look: Callable[..., Any]) -> None:
    """Both languages have the same skeleton, mirrored within a pixel; nothing scrolls sideways at any width; axe-core
    finds nothing in this screen's turn of language and width."""
    turn = PAIRS[SCREENS.index(screen) % len(PAIRS)]
    skeletons = {}
    for language in LANGUAGES:
        page = look(screen, language, WIDTHS[-1])
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
        skeletons[language] = page.evaluate(MIRROR)
        faults = codes_outside_bdi(page.content()) if language == "ar" else []
        assert faults == [], "codes, times or phones that Arabic text would turn round"
        for width in WIDTHS:
            page.set_viewport_size(size(width))
            fits(page, width)
            if (language, width) == turn:
                accessible(page)
    mirrored(skeletons["ar"], skeletons["en"])


@pytest.mark.browser
def test_a_citizen_finds_the_figures_of_a_governorate(look: Callable[..., Any]) -> None:
    """One link at the foot of the first page, one choice; figures say how they were counted, charts have tables."""
    page = look(next(screen for screen in SCREENS if screen.name == "home"), "en", WIDTHS[0])
    page.click("footer a[href='/en/figures']")
    page.select_option("select[name=governorate]", "EG-ASN")
    page.click("form.pick button")
    page.wait_for_url("**/figures?governorate=EG-ASN")
    assert page.inner_text("h1") == "Aswan in figures"
    page.click(".fact summary >> nth=0")
    assert "Source:" in page.inner_text(".fact >> nth=0")
    page.click(".charts summary >> nth=0")
    assert page.locator(".charts table >> nth=0").is_visible()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("language", list(ALL_LANGUAGES))
@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_every_rule_on_every_screen_in_every_language_at_every_width(
    screen: Screen, language: str, look: Callable[..., Any]
) -> None:
    """The full product, French too: axe-core with no rule switched off, and no sideways scroll."""
    page = look(screen, language, WIDTHS[-1])
    for width in WIDTHS:
        page.set_viewport_size(size(width))
        fits(page, width)
        accessible(page)


def fits(page: Any, width: int) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"scrolls sideways at {width} px: {wide} px"


def accessible(page: Any) -> None:
    """No violation of any of axe-core's rules."""
    if not AXE.exists():
        pytest.skip("axe-core is missing (make setup fetches it)")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(RUN_AXE) == [], f"{page.url} at {page.viewport_size['width']} px"


def mirrored(arabic: list[dict[str, Any]], english: list[dict[str, Any]]) -> None:
    """Boxes stand at the same distance from the edge where writing begins in both languages, and from the other edge.

    Left out is what depends on how long words are: a box that is not equally wide in both languages, boxes of a row or
    grid of which any is not, and what stands inside them.
    """
    there = {box["path"]: box for box in english}
    rows: dict[str, list[dict[str, Any]]] = {}
    for box in arabic:
        rows.setdefault(box["parent"], []).append(box)
    sure, wrong, compared = {"body"}, [], 0
    for parent, boxes in rows.items():
        if parent not in sure or boxes[0]["kind"] == "words":
            continue
        pairs = [(box, there.get(box["path"])) for box in boxes]
        equal = [(box, twin) for box, twin in pairs if twin and abs(twin["width"] - box["width"]) <= 1]
        if boxes[0]["kind"] == "row" and len(equal) < len(pairs):
            continue
        for box, twin in equal:
            sure.add(box["path"])
            compared += 1
            edges = [(box[edge], twin[edge]) for edge in ("start", "end")]
            if any(abs(one - other) > 1 for one, other in edges):
                wrong.append(f"{box['path']}: start and end (ar, en): {edges}")
    assert not wrong, "not mirrored:\n" + "\n".join(wrong[:10])
    assert compared >= 3, f"only {compared} boxes could be compared"


# --- codes, times and phones inside Arabic text

ISOLATED = re.compile("[\u2066\u2067\u2068][^\u2069]*\u2069")
"""What a plain text isolates by itself."""
ALONE = {"title", "script", "style", "option", "svg", "textarea", "noscript"}
"""Where nothing can be isolated, or nothing is text."""


class _Texts(HTMLParser):
    """Texts of a page that stand outside of what is isolated (`bdi`, or an element with a direction of its own)."""

    VOID = {
        "input",
        "br",
        "img",
        "link",
        "meta",
        "hr",
        "wbr",
        "source",
        "track",
        "area",
        "base",
        "col",
        "embed",
    }

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[tuple[str, bool]] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            own = tag == "bdi" or (tag != "html" and any(name == "dir" for name, _ in attrs)) or tag in ALONE
            self.stack.append((tag, own or bool(self.stack and self.stack[-1][1])))

    def handle_endtag(self, tag: str) -> None:
        while self.stack and any(open_tag == tag for open_tag, _own in self.stack):
            if self.stack.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if not (self.stack and self.stack[-1][1]):
            self.found.append(data)


def codes_outside_bdi(html: str) -> list[str]:
    """Codes, times and phones that stand in a text with Arabic letters, or beside one, without being isolated."""
    parser = _Texts()
    parser.feed(html)
    return [text.strip()[:80] for text in parser.found if RUN.search(ISOLATED.sub("", text))]


def test_a_code_in_arabic_text_is_noticed() -> None:
    """The check itself can fail, and lets isolated codes through."""
    assert codes_outside_bdi("<p>تذكرتك A107 الآن</p>") == ["تذكرتك A107 الآن"]
    assert codes_outside_bdi("<p>حتى 10:42</p><b dir='rtl'>10:42</b>") == ["حتى 10:42"]
    assert codes_outside_bdi("<p>تذكرتك <bdi dir='ltr'>A107</bdi> و1٬200 و12 دقيقة</p>") == []


def test_a_box_that_does_not_turn_is_noticed() -> None:
    """The comparison can fail: the same distance from the left edge is no mirror."""

    def box(path: str, start: float, end: float, kind: str = "flow") -> dict[str, Any]:
        return {
            "path": path,
            "parent": "body",
            "kind": kind,
            "start": start,
            "end": end,
            "width": 100 - start - end,
        }

    frame = [box(f"body>p:{n}", 10, 10) for n in range(3)]
    mirrored([*frame, box("body>div:0", 10, 60)], [*frame, box("body>div:0", 10, 60)])
    with pytest.raises(AssertionError, match="not mirrored"):
        mirrored([*frame, box("body>div:0", 60, 10)], [*frame, box("body>div:0", 10, 60)])
