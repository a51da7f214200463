"""A planned week beyond the board: the day on the road, the files to take away, what publishing means for people."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.store import Center, Plan, PlanVisit
from tests.web.national_week import spread
from tests.web.planned import WEEK
from web.exports import ExportFailed, draw
from web.exports.pages import Sheet, paper
from web.planner import exporting

pytestmark = pytest.mark.week("planned")
X = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def stops(db_session: Session, plan: Plan) -> list[PlanVisit]:
    """Its visits."""
    return list(
        db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == plan.id).order_by(PlanVisit.id))
    )


# The day on the road


def test_a_days_pieces_fill_the_shift_without_gap_or_overlap(
    db_session: Session, plan: Plan, stops: list[PlanVisit]
) -> None:
    """From the beginning of the shift to its end each minute is of one kind; every visit is open at
    its own times; the driving is what the board's figures say."""
    lines = planner.timeline(db_session, plan, planner.days_of(plan))
    seen = Counter[int]()
    for day, some in lines.items():
        for line in some:
            assert (line.pieces[0].start, line.pieces[-1].end) == line.shift
            assert all(a.end == b.start and a.minutes > 0 for a, b in pairwise(line.pieces))
            opened = {p.visit_id: p for p in line.pieces if p.kind == "open"}
            for stop in stops:
                if stop.id in opened:
                    assert (stop.day, stop.center_id) == (day, line.center_id)
                    assert (opened[stop.id].start, opened[stop.id].minutes) == (
                        stop.start_minute,
                        stop.stay_minutes,
                    )
            seen.update(list(opened))
            mine = [s for s in stops if s.day == day and s.center_id == line.center_id]
            assert line.drive_minutes == sum(s.drive_minutes for s in mine)
            assert (
                line.leaves is not None
                and line.back is not None
                and line.leaves < mine[0].start_minute < line.back
            )
            assert line.spare_minutes == line.shift[1] - line.shift[0] - sum(
                p.minutes for p in line.pieces if p.kind != "spare"
            )
    assert seen == Counter(stop.id for stop in stops)


@pytest.mark.parametrize(("language", "leaves"), [("", "يغادر"), ("/en", "leaves")])
def test_the_day_shows_each_center_with_its_visits_and_when_it_leaves(
    client: FlaskClient, db_session: Session, plan: Plan, stops: list[PlanVisit], language: str, leaves: str
) -> None:
    """Each visit is a link at its place in the row; who stays at home is named."""
    day = stops[0].day
    page = client.get(f"{language}/planner/plans/{plan.id}/day?day={day}").get_data(as_text=True)
    today = [stop for stop in stops if stop.day == day]
    assert today
    for stop in today:
        assert f"{language}/planner/visits/{stop.id}" in page
    assert leaves in page
    out = {stop.center_id for stop in today}
    for center in db_session.scalars(select(Center)):
        assert (f"id=c{center.id}>" in page) == (center.id in out)
        assert center.code in page


def test_the_board_leads_to_each_day(client: FlaskClient, plan: Plan) -> None:
    """A day's heading on the week board is a link to that day."""
    page = client.get(f"/en/planner?plan={plan.id}").get_data(as_text=True)
    for n in range(7):
        assert f"/planner/plans/{plan.id}/day?day={WEEK + timedelta(days=n)}" in page


def test_a_day_without_visits_says_so(client: FlaskClient, plan: Plan) -> None:
    """Friday: nobody is on the road, all are at home; a day of another week is answered with the first one."""
    page = client.get(f"/en/planner/plans/{plan.id}/day?day={WEEK + timedelta(days=6)}").get_data(
        as_text=True
    )
    assert "No center is on the road on this day." in page and "2 centers stay at home" in page
    other = client.get(f"/en/planner/plans/{plan.id}/day?day=2027-05-05").get_data(as_text=True)
    assert "Saturday 28 November" in other
    assert client.get(f"/en/planner/plans/{plan.id}/day?day=x").status_code == 400
    assert client.get("/planner/plans/999/day").status_code == 404


@pytest.mark.parametrize("path", ["/planner?plan={plan}", "/planner/plans/{plan}/day?day=2026-11-29"])
def test_a_country_fits_in_fifteen_kilobytes(
    client: FlaskClient, write: Callable[[Any], Any], plan: Plan, path: str
) -> None:
    """107 centers with some 800 visits in a week: board and day bring at most 15 kB on the line at once."""
    number = plan.id
    visits = write(spread)
    page = client.get(path.format(plan=number), headers={"Accept-Encoding": "gzip"})
    assert page.status_code == 200 and page.headers["Content-Encoding"] == "gzip"
    text = gzip.decompress(page.data).decode()
    assert text.count("/planner/visits/") >= (visits // 2 if "/day" not in path else visits // 7)
    assert len(page.data) <= 15_000, len(page.data)


# Excel


def sheets(data: bytes) -> dict[str, tuple[ElementTree.Element, list[list[str]]]]:
    """By name: the sheet's XML, and its rows as they are stored (texts looked up)."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        texts = ["".join(t.text or "" for t in one.iter(f"{X}t"))
                 for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]  # fmt: skip
        names = [
            one.get("name", "")
            for one in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{X}sheet")
        ]
        found = {}
        for n, name in enumerate(names, 1):
            tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{n}.xml"))
            rows = []
            for row in tree.iter(f"{X}row"):
                cells = []
                for cell in row.iter(f"{X}c"):
                    value = cell.findtext(f"{X}v") or ""
                    cells.append(texts[int(value)] if cell.get("t") == "s" else value)
                rows.append(cells)
            found[name] = (tree, rows)
        return found


@pytest.mark.parametrize(("language", "names"), [
    ("", ["عن الملف", "الأسبوع", "حسب المركز", "حسب المحافظة", "بلا زيارة"]),
    ("/en", ["About", "Week", "By van", "By governorate", "Without a visit"]),
])  # fmt: skip
def test_the_week_as_a_workbook(
    client: FlaskClient,
    db_session: Session,
    plan: Plan,
    stops: list[PlanVisit],
    language: str,
    names: list[str],
) -> None:
    """One sheet a view, from right to left in Arabic, with real dates and times: every visit, center, governorate and
    place without a visit is in it, and the hours are the plan's."""
    answer = client.get(f"{language}/planner/plans/{plan.id}/week.xlsx")
    assert (
        answer.status_code == 200
        and f"week-{WEEK}-plan-{plan.id}.xlsx" in answer.headers["Content-Disposition"]
    )
    found = sheets(answer.data)
    assert list(found) == names
    for tree, _rows in found.values():
        assert (tree.find(f"{X}sheetViews/{X}sheetView").get("rightToLeft") == "1") == (language == "")  # type: ignore[union-attr]
    week = found[names[1]][1][1:]
    first = min(stops, key=lambda s: (s.day, s.start_minute, s.id))
    assert len(week) == len(stops)
    assert int(week[0][1]) == (first.day - date(1899, 12, 30)).days
    assert float(week[0][2]) == pytest.approx(first.start_minute / 1440)
    assert (first.site.name_en if language else first.site.name_ar) in week[0]
    assert sum(float(row[10]) for row in week) == pytest.approx(plan.hours_saved, abs=0.2)
    assert len(found[names[2]][1]) == 1 + len(db_session.scalars(select(Center)).all())
    assert len(found[names[4]][1]) == 1 + len(planner.unserved(db_session, plan))
    for row in found[names[4]][1][1:]:
        assert row[3]


def test_a_name_that_looks_like_a_formula_stays_a_text(
    client: FlaskClient, write: Callable[[Any], Any], plan: Plan, stops: list[PlanVisit]
) -> None:
    """What somebody typed as a place's name is never carried out by a spreadsheet."""

    def rename(session: Session) -> None:
        session.get_one(PlanVisit, stops[0].id).site.name_en = "=1+1"

    write(rename)
    data = client.get(f"/en/planner/plans/{plan.id}/week.xlsx").data
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert all(b"<f>" not in book.read(name) for name in book.namelist() if "worksheets" in name)
    assert any("=1+1" in row for row in sheets(data)["Week"][1])


# PDF


def pages(data: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", data))


def test_the_week_on_paper_has_a_page_for_each_governorate_and_crew(
    client: FlaskClient, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two governorates across, two centers upright; one governorate or one center alone when asked; 404 for none."""
    answer = client.get(f"/planner/plans/{plan.id}/week.pdf")
    assert answer.status_code == 200 and answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF") and pages(answer.data) == 4 and b"NotoSansArabic" in answer.data
    assert len(set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ", answer.data))) == 2
    monkeypatch.setattr(
        exporting, "draw", lambda _kind, content: paper(content)
    )  # a process for each would be slow
    for query, count in (("governorate=1", 2), ("only=governorates", 2), ("only=crews&governorate=1", 1)):
        assert pages(client.get(f"/planner/plans/{plan.id}/week.pdf?{query}").data) == count
    assert pages(client.get(f"/planner/plans/{plan.id}/week.pdf?center=1").data) == 1
    assert client.get(f"/planner/plans/{plan.id}/week.pdf?center=99").status_code == 404


def test_arabic_on_paper_is_joined_and_runs_from_the_right() -> None:
    """The letters of a word are shaped together (a word is narrower than its letters apart), and a line of Arabic with
    a code in it begins on the right with what is read first."""
    sheet = Sheet({"rtl": True, "language": "ar", "title": "", "page": ""})
    sheet.add_page()
    sheet.style(12)
    word = "المحمدية"
    assert sheet.get_string_width(word) < 0.9 * sum(sheet.get_string_width(letter) for letter in word)


def test_a_file_that_cannot_be_drawn_is_said_in_words(
    client: FlaskClient, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drawing process fails: the planner is back on the board with a sentence; the cause goes to the log."""
    with pytest.raises(ExportFailed, match="KeyError"):
        draw("xlsx", {"rtl": True})

    def broken(*_: Any) -> bytes:
        raise ExportFailed("no fonts")

    monkeypatch.setattr(exporting, "draw", broken)
    page = client.get(f"/en/planner/plans/{plan.id}/week.pdf", follow_redirects=True).get_data(as_text=True)
    assert "The file could not be made." in page and "no fonts" not in page


# What publishing means


def test_publishing_says_who_gains_and_who_loses(
    client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """A copy of the published week without one visit: the account names people, hours and km; the place that loses
    stands with its hours; nothing gains."""
    client.post(f"/planner/plans/{plan.id}/publish")
    number = int(client.post(f"/planner/plans/{plan.id}/copy").location.rsplit("plan=", 1)[1])
    db_session.rollback()
    copied = db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == number)).all()
    once = next(v for v in copied if [w.site_id for w in copied].count(v.site_id) == 1)
    place, name, governorate = once.site_id, once.site.name_en, once.site.governorate.name_en
    client.post(f"/planner/visits/{once.id}/remove", data={"revision": "0"})
    db_session.rollback()
    draft = db_session.get_one(Plan, number)
    found = planner.compare(db_session, draft, db_session.get_one(Plan, plan.id))
    (change,) = [c for c in found.losing if c.site_id == place]
    assert change.visits == (1, 0) and change.hours[1] == 0 and change.more_hours < 0 and not found.gaining
    assert sum(c.more_hours for c in found.changes) == pytest.approx(
        found.draft.hours_saved - found.published.hours_saved, abs=0.2
    )
    for path in ("compare", "publish"):
        page = client.get(f"/en/planner/plans/{number}/{path}").get_data(as_text=True)
        assert "1 place loses its visit" in page and f"{governorate} loses the most" in page
        assert "gains the most" not in page
    page = client.get(f"/en/planner/plans/{number}/compare").get_data(as_text=True)
    assert name in page[page.index("Who loses") : page.index("Who gains")]
