"""PDF pages on A4: a week by governorate (landscape), and a page for each center to hand to its crew (portrait).

Arabic is shaped by HarfBuzz and set from right to left; the letters are Noto Sans Arabic, embedded as far as used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from fpdf import FPDF
from fpdf.enums import XPos, YPos

FONTS = Path(__file__).parent.parent / "static" / "vendor" / "fonts"
FACE = "noto"
MARGIN, FOOT = 10.0, 12.0
"""Millimetres."""
INK, SOFT, LINE, WASH, MAIN = (20, 33, 43), (75, 90, 102), (190, 200, 208), (238, 243, 246), (8, 58, 80)
LEADING = 0.3528 * 1.45
"""Height of a line for each point of its letters, mm: a typographic point is 0.3528 mm."""

SCALES = (1.0, 0.88, 0.76, 0.66)
"""Sizes of a crew's page, the first that fits."""
MARKS = re.compile("[\u064b-\u0652\u0670]")
"""Marks above and below Arabic letters: the library shapes them apart from their letters, which then do not join,
and print goes without them anyway."""


class Stop(TypedDict):
    """A visit: times as text, `lines` are what else is said of it, smaller."""

    times: str
    place: str
    lines: list[str]


class Day(TypedDict):
    """A center's day on its own page: `head` is the date, `facts` leaving, coming back and the driving."""

    head: str
    facts: str
    stops: list[Stop]


class CenterPage(TypedDict):
    """A page for a crew."""

    title: str
    lines: list[str]
    days: list[Day]
    foot: str


class Row(TypedDict):
    """A center's week in a governorate's table; for each day its stops as (place, times)."""

    code: str
    name: str
    days: list[list[list[str]]]


class Governorate(TypedDict):
    """A governorate's table."""

    name: str
    note: str
    rows: list[Row]


class Paper(TypedDict):
    """The whole file. `days` are the headings of the seven columns, `center` that of the first one, `page` the words
    of a page's number with {n}."""

    rtl: bool
    language: str
    title: str
    center: str
    days: list[str]
    governorates: list[Governorate]
    centers: list[CenterPage]
    page: str


def paper(content: Mapping[str, Any]) -> bytes:
    """Return the PDF of a Paper."""
    sheet = Sheet(content)
    for one in content["governorates"]:
        sheet.governorate(one)
    for center in content["centers"]:
        sheet.crew(center)
    return bytes(sheet.output())


class Sheet(FPDF):
    """The pages as they are drawn, from the side where the language begins."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__(format="A4", unit="mm")
        self._content = content
        self._rtl = bool(content["rtl"])
        self.set_lang(content["language"])
        self.set_title(content["title"])
        self.add_font(FACE, "", FONTS / "NotoSansArabic_500Medium.ttf")
        self.add_font(FACE, "B", FONTS / "NotoSansArabic_700Bold.ttf")
        self.set_text_shaping(True, direction="rtl" if self._rtl else "ltr", language=content["language"])
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(False)
        self.c_margin = 0
        self._widths: dict[tuple[str, bool], float] = {}

    # Words

    def style(self, size: float, bold: bool = False, colour: Sequence[int] = INK) -> None:
        """Choose the letters: points, weight, colour."""
        self.set_font(FACE, "B" if bold else "", size)
        self.set_text_color(*colour)

    def lines(self, width: float, text: str, size: float, bold: bool) -> list[str]:
        """Return the text cut at its spaces into lines of at most `width` mm. Words are measured once each: measuring
        letter by letter, as the library does, took nine tenths of the time."""
        self.style(size, bold)
        text = MARKS.sub("", text)
        found: list[str] = []
        line, long, space = "", 0.0, self._long(" ", size, bold)
        for word in text.split(" "):
            more = self._long(word, size, bold)
            if line and long + space + more > width:
                found.append(line)
                line, long = word, more
            else:
                line, long = (f"{line} {word}", long + space + more) if line else (word, more)
        return [*found, line]

    def _long(self, word: str, size: float, bold: bool) -> float:
        """Width of a word, mm; `style` has chosen its letters."""
        key = (word, bold)
        if key not in self._widths:
            shaping, face = self.text_shaping, self.current_font
            assert shaping is not None and face is not None  # both are set before anything is written
            shaping["fragment_direction"] = None  # a word alone has one: HarfBuzz sees it
            _count, points = face.get_text_width(word, size, shaping)
            self._widths[key] = points / self.k / size
        return self._widths[key] * size

    def height(self, width: float, text: str, size: float, bold: bool = False) -> float:
        """Return the height of a paragraph, mm."""
        return len(self.lines(width, text, size, bold)) * size * LEADING

    def write_at(self, x: float, y: float, width: float, text: str, size: float, bold: bool = False,
                 colour: Sequence[int] = INK) -> float:  # fmt: skip
        """Write a paragraph that begins where the language begins; return the height it took (mm)."""
        lines = self.lines(width, text, size, bold)
        self.style(size, bold, colour)
        for n, line in enumerate(lines):
            self.set_xy(x, y + n * size * LEADING)
            self.cell(width, size * LEADING, line, align="R" if self._rtl else "L")
        return len(lines) * size * LEADING

    def footer(self) -> None:
        """What the file is, and the page."""
        self.style(8, colour=SOFT)
        self.set_y(-FOOT)
        number = self._content["page"].replace("{n}", str(self.page_no()))
        begin, end = ("R", "L") if self._rtl else ("L", "R")
        self.cell(0, 5, self._content["title"], align=begin, new_x=XPos.LMARGIN, new_y=YPos.TOP)
        self.cell(0, 5, number, align=end)

    # A governorate's week

    def governorate(self, one: Governorate) -> None:
        """Draw the table of a governorate, its head again on every page."""
        self.add_page(orientation="L")
        self.start_section(one["name"])
        top = MARGIN
        top += self.write_at(MARGIN, top, self.epw, one["name"], 16, True, MAIN)
        top += self.write_at(MARGIN, top, self.epw, one["note"], 9, colour=SOFT) + 2
        first = 38.0
        wide = (self.epw - first) / len(self._content["days"])
        edges = [first] + [wide] * len(self._content["days"])
        top = self._table_head(top, edges)
        for row in one["rows"]:
            height = self._row(row, edges, top, draw=False)
            if top + height > self.h - FOOT - 3:
                self.add_page(orientation="L")
                top = self._table_head(MARGIN, edges)
            self._row(row, edges, top, draw=True)
            top += height

    def _starts(self, edges: Sequence[float]) -> list[float]:
        """Where each column begins on the paper, from the language's side."""
        found, at = [], MARGIN
        for width in edges:
            found.append(self.w - at - width if self._rtl else at)
            at += width
        return found

    def _table_head(self, top: float, edges: Sequence[float]) -> float:
        height = 8.0
        self.set_fill_color(*MAIN)
        self.rect(MARGIN, top, self.epw, height, style="F")
        for x, width, text in zip(
            self._starts(edges), edges, [self._content["center"], *self._content["days"]], strict=True
        ):
            self.write_at(x + 1, top + 1.6, width - 2, text, 8.5, True, (255, 255, 255))
        return top + height

    def _row(self, row: Row, edges: Sequence[float], top: float, *, draw: bool) -> float:
        """Draw a row, or only reckon its height."""
        tallest, starts = 9.0, self._starts(edges)
        cells = [[(row["code"], True), (row["name"], False)]] + [
            [part for place, times in day for part in ((place, True), (times, False))] for day in row["days"]
        ]
        for x, width, cell in zip(starts, edges, cells, strict=True):
            y = top + 1
            for text, bold in cell:
                if draw:
                    y += self.write_at(x + 1, y, width - 2, text, 7.5, bold, INK if bold else SOFT)
                else:
                    y += self.height(width - 2, text, 7.5, bold)
            tallest = max(tallest, y + 1 - top)
        if draw:
            self.set_draw_color(*LINE)
            self.line(MARGIN, top + tallest, self.w - MARGIN, top + tallest)
        return tallest

    # A page for a crew

    def crew(self, center: CenterPage) -> None:
        """Draw a center's week on one page: in smaller letters where it is full, on a second page only if even the
        smallest do not help."""
        self.add_page(orientation="P")
        self.start_section(center["title"])
        top = MARGIN + self.write_at(MARGIN, MARGIN, self.epw, center["title"], 18, True, MAIN)
        for line in center["lines"]:
            top += self.write_at(MARGIN, top, self.epw, line, 10, colour=SOFT)
        top, bottom = top + 3, self.h - FOOT - 8
        scale = next(
            (
                one
                for one in SCALES
                if top + sum(self._day(day, 0, one, draw=False) for day in center["days"]) <= bottom
            ),
            SCALES[-1],
        )
        for day in center["days"]:
            height = self._day(day, top, scale, draw=False)
            if top + height > bottom:
                self.add_page(orientation="P")
                top = MARGIN + self.write_at(MARGIN, MARGIN, self.epw, center["title"], 12, True, MAIN) + 2
            top += self._day(day, top, scale, draw=True)
        self.write_at(MARGIN, max(top, bottom), self.epw, center["foot"], 8.5, colour=SOFT)

    def _day(self, day: Day, top: float, scale: float, *, draw: bool) -> float:
        """Draw a day of a crew's page, or only reckon its height, mm."""
        begin, large, small, bar = top, 11 * scale, 9 * scale, 8 * scale
        if draw:
            self.set_fill_color(*WASH)
            self.rect(MARGIN, top, self.epw, bar, style="F")
            head, facts = self._starts([60, self.epw - 60])
            self.write_at(head + 2, top + 1.1 * scale, 56, day["head"], large, True)
            self.write_at(facts + 2, top + 1.6 * scale, self.epw - 64, day["facts"], small, colour=SOFT)
        top += bar + scale
        times, words = self._starts([30, self.epw - 30])
        for stop in day["stops"]:
            if draw:
                self.write_at(times + 2, top, 27, stop["times"], large, True)
            for text, size, bold in (
                (stop["place"], large, True),
                *((line, small, False) for line in stop["lines"]),
            ):
                colour = INK if bold else SOFT
                top += (
                    self.write_at(words, top, self.epw - 33, text, size, bold, colour)
                    if draw
                    else self.height(self.epw - 33, text, size, bold)
                )
            top += 1.5 * scale
            if draw:
                self.set_draw_color(*LINE)
                self.line(MARGIN, top - 0.7 * scale, self.w - MARGIN, top - 0.7 * scale)
        return top + 2 * scale - begin
