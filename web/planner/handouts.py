"""What the PDF pages say: a table for each governorate, a page for each center to hand to its crew."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from fleet.planner import Line
from fleet.store import Center
from web.i18n import (
    direction,
    language,
    long_date,
    minute_time,
    minutes_text,
    named,
    number,
    short_date,
    weekday,
)
from web.planner import words
from web.planner.told import Told, Week

ISOLATE, END = "\u2066", "\u2069"


def straight(text: object) -> str:
    """Times and codes, kept from left to right."""
    return f"{ISOLATE}{text}{END}"


def paper(week: Week, *, governorates: bool, crews: bool) -> dict[str, Any]:
    """Return the pages as web.exports.pages.Paper wants them."""
    by_day: dict[tuple[int, date], list[Told]] = defaultdict(list)
    for told in week.visits:
        by_day[told.visit.center_id, told.visit.day].append(told)
    return {
        "rtl": direction() == "rtl",
        "language": language(),
        "title": f"{week.title} – {words.status(week.plan)}",
        "center": _("Center"),
        "days": [f"{weekday(day)} {short_date(day)}" for day in week.days],
        "governorates": _governorates(week, by_day) if governorates else [],
        "centers": [_crew(center, week, by_day) for center in week.centers] if crews else [],
        "page": _("Page {n}"),
    }


def _governorates(week: Week, by_day: dict[tuple[int, date], list[Told]]) -> list[dict[str, Any]]:
    groups: dict[int, list[Center]] = defaultdict(list)
    for center in week.centers:
        groups[center.governorate_id].append(center)
    found = []
    for centers in groups.values():
        told = [t for c in centers for day in week.days for t in by_day[c.id, day] if not t.cancelled]
        visits = ngettext("%(num)s visit", "%(num)s visits", len(told))
        note = _(
            "%(visits)s by the centers of this governorate, %(hours)s saved, %(km)s km. %(week)s",
            visits=visits, hours=words.hours(sum(t.share.hours for t in told)),
            km=number(sum(t.share.km for t in told)), week=week.title,
        )  # fmt: skip
        rows = [
            {
                "code": straight(center.code),
                "name": named(center),
                "days": [[_cell(t) for t in by_day[center.id, day]] for day in week.days],
            }
            for center in centers
        ]
        found.append({"name": named(centers[0].governorate), "note": str(note), "rows": rows})
    return found


def _cell(told: Told) -> list[str]:
    times = straight(words.span(told.visit.start_minute, told.visit.stay_minutes))
    return [named(told.site), f"{times} {_('cancelled')}" if told.cancelled else times]


def _crew(center: Center, week: Week, by_day: dict[tuple[int, date], list[Told]]) -> dict[str, Any]:
    lines = {
        day: next((one for one in some if one.center_id == center.id), None)
        for day, some in week.lines.items()
    }
    days = [
        _day(day, line, by_day[center.id, day], center)
        for day, line in lines.items()
        if line is not None or by_day[center.id, day]
    ]
    driven = [line for line in lines.values() if line is not None]
    told = [t for day in week.days for t in by_day[center.id, day] if not t.cancelled]
    home = _("Home: %(depot)s", depot=named(center, "depot_name"))
    sums = _(
        "%(visits)s, %(drive)s of driving, %(km)s km",
        visits=ngettext("%(num)s visit", "%(num)s visits", len(told)),
        drive=duration(sum(line.drive_minutes for line in driven)), km=number(sum(line.km for line in driven)),
    )  # fmt: skip
    return {
        "title": f"{straight(center.code)} {named(center)}",
        "lines": [
            week.title,
            f"{home}{_('. ')}{sums if told else _('This center has no visits in this week.')}",
        ],
        "days": days,
        "foot": str(
            _(
                "If the day goes otherwise than written here, tell the planners at once: citizens are told by them."
            )
        ),
    }


def duration(minutes: int) -> str:
    """`2:05` hours and minutes below a day's work, in words below an hour."""
    if minutes < 60:
        return minutes_text(minutes)
    return str(_("%(time)s hours", time=straight(f"{minutes // 60}:{minutes % 60:02d}")))


def _day(day: date, line: Line | None, stops: list[Told], center: Center) -> dict[str, Any]:
    facts = ""
    if line is not None and line.leaves is not None and line.back is not None:
        back = (
            _("stays the night at its last stop")
            if line.overnight
            else _("back at %(time)s", time=straight(minute_time(line.back)))
        )
        leaves = _("Leave at %(time)s", time=straight(minute_time(line.leaves)))
        drive = _("driving %(time)s, %(km)s km", time=duration(line.drive_minutes), km=number(line.km))
        facts = str(_(", ")).join(str(part) for part in (leaves, back, drive))
    return {"head": long_date(day), "facts": facts, "stops": [_stop(told, line) for told in stops]}


def _stop(told: Told, line: Line | None) -> dict[str, Any]:
    site, said = told.site, []
    where = [named(site, "landmark"), named(site.local_unit), named(site.governorate)]
    said.append(str(_(", ")).join(dict.fromkeys(part for part in where if part)))
    arrival = _arrival(told, line)
    if arrival is not None:
        time, opens = straight(minute_time(arrival)), straight(minute_time(told.visit.start_minute))
        people = ngettext(
            "about %(num)s person expected", "about %(num)s people expected", round(told.share.people)
        )
        ready = _("Be there at %(time)s, ready to open at %(opens)s", time=time, opens=opens)
        said.append(f"{ready}{_('; ')}{people}")
    point = _("Point on the map: %(point)s", point=straight(f"{site.lat:.4f},{site.lon:.4f}"))
    said.append(
        f"{point}{_('. ')}{_('The center stays the night here.')}" if told.visit.overnight else str(point)
    )
    if told.cancelled:
        said.insert(0, str(_("This visit is cancelled.")))
    return {
        "times": straight(words.span(told.visit.start_minute, told.visit.stay_minutes)),
        "place": named(site),
        "lines": [text for text in said if text],
    }


def _arrival(told: Told, line: Line | None) -> int | None:
    """When the drive to this stop ends."""
    arrival = None
    for piece in line.pieces if line is not None else ():
        if piece.visit_id == told.visit.id:
            return arrival
        if piece.kind == "drive":
            arrival = piece.end
        elif piece.kind == "open":
            arrival = None
    return None
