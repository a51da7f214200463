"""Excel workbooks: tables with real dates, times and numbers, from right to left where the language runs so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from io import BytesIO
from typing import Any, TypedDict

import xlsxwriter


class Column(TypedDict):
    """A column: its heading, what it holds (FORMATS), its width in characters."""

    title: str
    kind: str
    width: float


class Sheet(TypedDict):
    """A table: rows hold for each column a text, a number, an ISO date, minutes from midnight, or None."""

    name: str
    columns: list[Column]
    rows: list[list[Any]]


class Workbook(TypedDict):
    """Sheets in order; `about` is the first one, lines of (what, value)."""

    rtl: bool
    title: str
    about_name: str
    about: list[list[str]]
    sheets: list[Sheet]


FORMATS: Mapping[str, str] = {
    "text": "@",
    "whole": "#,##0",
    "tenth": "#,##0.0",
    "date": "dd/mm/yyyy",
    "minute": "hh:mm",
    "span": "[h]:mm",
}
"""Kinds of cells. `minute` and `span` are minutes: a time of day, a duration."""
PAPER_A4 = 9
DAY_MINUTES = 1440


def workbook(content: Mapping[str, Any]) -> bytes:
    """Return the .xlsx of a Workbook. Texts stay texts, whatever sign they begin with."""
    into = BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(into, options)
    book.set_properties({"title": content["title"]})
    rtl = bool(content["rtl"])
    order = {"reading_order": 2 if rtl else 1, "valign": "top"}
    head = book.add_format(
        {
            **order,
            "bold": True,
            "bg_color": "#083A50",
            "font_color": "#FFFFFF",
            "text_wrap": True,
            "border": 1,
        }
    )
    formats = {
        kind: book.add_format({**order, "num_format": shown, "text_wrap": kind == "text"})
        for kind, shown in FORMATS.items()
    }
    bold = book.add_format({**order, "bold": True, "font_size": 14})
    label = book.add_format({**order, "bold": True, "text_wrap": True})
    _about(book, content, rtl, bold, label, formats["text"])
    for sheet in content["sheets"]:
        page = book.add_worksheet(sheet["name"][:31])
        _page(page, rtl)
        columns: list[Column] = sheet["columns"]
        for n, column in enumerate(columns):
            page.set_column(n, n, column["width"], formats[column["kind"]])
            page.write_string(0, n, column["title"], head)
        for at, row in enumerate(sheet["rows"], 1):
            for n, (column, value) in enumerate(zip(columns, row, strict=True)):
                if value is not None:
                    _cell(page, at, n, column["kind"], value, formats[column["kind"]])
        page.freeze_panes(1, 1)
        page.repeat_rows(0)
        if sheet["rows"]:
            page.autofilter(0, 0, len(sheet["rows"]), len(columns) - 1)
    book.close()
    return into.getvalue()


def _about(book: Any, content: Mapping[str, Any], rtl: bool, bold: Any, label: Any, text: Any) -> None:
    page = book.add_worksheet(content["about_name"][:31])
    _page(page, rtl)
    page.set_column(0, 0, 34)
    page.set_column(1, 1, 70)
    page.write_string(0, 0, content["title"], bold)
    for at, (what, value) in enumerate(content["about"], 2):
        page.write_string(at, 0, what, label)
        page.write_string(at, 1, value, text)


def _page(page: Any, rtl: bool) -> None:
    if rtl:
        page.right_to_left()
    page.set_landscape()
    page.set_paper(PAPER_A4)
    page.fit_to_pages(1, 0)
    page.set_footer("&C&P / &N")


def _cell(page: Any, row: int, column: int, kind: str, value: Any, shown: Any) -> None:
    if kind == "date":
        day = date.fromisoformat(value)
        page.write_datetime(row, column, day, shown)
    elif kind in ("minute", "span"):
        page.write_number(row, column, value / DAY_MINUTES, shown)
    elif kind == "text":
        page.write_string(row, column, str(value), shown)
    else:
        page.write_number(row, column, value, shown)
