"""An Excel workbook of a week, and the addresses of its files: what they say. web/exports draws them."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from flask import Response, abort, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planner import Line
from fleet.store import Governorate, Plan, Site
from web import clock
from web.db import read
from web.exports import ExportFailed, draw
from web.i18n import clock_time, direction, language, local, minute_time, named, number, short_date, weekday
from web.planner import handouts, words
from web.planner.door import HAS_VISITS, blueprint, shown_week, the_plan, wanted_int
from web.planner.told import Told, Week, dated, gather

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@blueprint.get("/plans/<int:plan_id>/week.xlsx")
def week_xlsx(plan_id: int) -> Any:
    """The week as a workbook: what is in it, the visits, by van, by governorate, places without a visit and why."""
    plan = _with_visits(plan_id)
    week = gather(read(), plan, shown_week(plan))
    return _answer("xlsx", workbook(read(), week), week, XLSX)


@blueprint.get("/plans/<int:plan_id>/week.pdf")
def week_pdf(plan_id: int) -> Any:
    """The week by governorate, and a page for each center; `only=governorates` or `only=crews` leaves the others out,
    `governorate` or `center` keeps to one."""
    plan = _with_visits(plan_id)
    governorate_id, center_id = wanted_int("governorate"), wanted_int("center")
    week = gather(read(), plan, shown_week(plan), governorate_id=governorate_id, center_id=center_id)
    if not week.centers:
        abort(404)
    only = "crews" if center_id is not None else request.args.get("only", "")
    content = handouts.paper(week, governorates=only != "crews", crews=only != "governorates")
    return _answer("pdf", content, week, "application/pdf")


def _with_visits(plan_id: int) -> Plan:
    plan = the_plan(plan_id)
    if plan.status not in HAS_VISITS:
        abort(404)
    return plan


def _answer(kind: Any, content: dict[str, Any], week: Week, mimetype: str) -> Any:
    try:
        made = draw(kind, content)
    except ExportFailed as error:
        current_app.logger.error("export of plan %s failed: %s", week.plan.id, error)
        flash(_("The file could not be made. Try again; if it happens again, tell support."), "error")
        return redirect(url_for("planner.home", plan=week.plan.id, week=week.week))
    one = f"-{week.centers[0].code}" if len(week.centers) == 1 else ""
    answer = Response(made, mimetype=mimetype)
    answer.headers["Content-Disposition"] = (
        f'attachment; filename="week-{week.week}-plan-{week.plan.id}{one}.{kind}"'
    )
    return answer


# The workbook


def workbook(session: Session, week: Week) -> dict[str, Any]:
    """Return the sheets as web.exports.sheets.Workbook wants them."""
    return {
        "rtl": direction() == "rtl",
        "language": language(),
        "title": week.title,
        "about_name": _("About"),
        "about": _about(session, week),
        "sheets": [_visits(week), _vans(week), _governorates(session, week), _unserved(session, week)],
    }


def _about(session: Session, week: Week) -> list[list[str]]:
    plan, totals, now = week.plan, planner.totals(session, week.plan), clock.now()
    lines = [
        [_("Plan"), f"{plan.id} – {words.status(plan)}"],
        [_("File made"), f"{dated(local(now).date())} {clock_time(now)}"],
        [_("Hours saved for citizens"), number(totals.hours_saved)],
        [_("People served"), number(totals.people)],
        [_("Visits"), number(totals.stops)],
        [_("Places"), number(totals.places)],
        [_("Centers on the road"), number(totals.centers)],
        [_("Kilometres"), number(totals.km)],
    ]
    if plan.weeks > 1:
        lines.insert(1, [_("Figures here"), _("of the whole plan, all its weeks; the sheets hold one week")])
    lines += [
        [
            _("Hours saved"),
            _("Hours that citizens do not wait and do not travel because the center comes to them."),
        ],
        [_("Source"), _("Forecast of this system; people and hours are expected values, not counts.")],
    ]
    return [[str(what), str(value)] for what, value in lines]


def _column(title: str, kind: str = "text", width: float = 12) -> dict[str, Any]:
    return {"title": title, "kind": kind, "width": width}


def _visits(week: Week) -> dict[str, Any]:
    columns = [
        _column(_("Day"), "text", 11), _column(_("Date"), "date"), _column(_("Opens"), "minute", 9),
        _column(_("Closes"), "minute", 9), _column(_("Place"), "text", 30), _column(_("Landmark"), "text", 30),
        _column(_("District"), "text", 22), _column(_("Governorate"), "text", 16), _column(_("Center"), "text", 14),
        _column(_("Center's name"), "text", 30), _column(_("Hours saved"), "tenth"),
        _column(_("People served"), "tenth"), _column(_("Driving"), "span"), _column(_("Kilometres"), "tenth"),
        _column(_("Remarks"), "text", 26),
    ]  # fmt: skip
    centers = {center.id: center for center in week.centers}
    rows = [
        [
            weekday(told.visit.day), told.visit.day.isoformat(), told.visit.start_minute, told.closes, named(told.site),
            named(told.site, "landmark"), named(told.site.local_unit), named(told.site.governorate),
            centers[told.visit.center_id].code, named(centers[told.visit.center_id]),
            0 if told.cancelled else told.share.hours, 0 if told.cancelled else told.share.people,
            told.share.drive_minutes, told.share.km, remarks(told),
        ]
        for told in sorted(week.visits, key=lambda told: (told.visit.day, told.visit.start_minute, told.visit.id))
    ]  # fmt: skip
    return {"name": _("Week"), "columns": columns, "rows": rows}


def remarks(told: Told) -> str:
    """Cancelled, pinned, stays the night."""
    said = [
        _("cancelled") if told.cancelled else "",
        _("pinned") if told.visit.pinned else "",
        _("stays the night here") if told.visit.overnight else "",
    ]
    return str(_(", ")).join(str(one) for one in said if one)


def _vans(week: Week) -> dict[str, Any]:
    columns = [
        _column(_("Center"), "text", 14), _column(_("Center's name"), "text", 30),
        _column(_("Governorate"), "text", 16), _column(_("Visits"), "whole", 9), _column(_("Open"), "span", 10),
        _column(_("Driving"), "span", 10),
        _column(_("Spare"), "span", 10), _column(_("Kilometres"), "tenth"), _column(_("Hours saved"), "tenth"),
        *(_column(f"{weekday(day)} {short_date(day)}", "text", 26) for day in week.days),
    ]  # fmt: skip
    told: dict[tuple[int, date], list[Told]] = defaultdict(list)
    for one in week.visits:
        told[one.visit.center_id, one.visit.day].append(one)
    lines: dict[int, list[Line]] = defaultdict(list)
    for some in week.lines.values():
        for line in some:
            lines[line.center_id].append(line)
    rows = []
    for center in week.centers:
        mine, days = lines[center.id], [told[center.id, day] for day in week.days]
        standing = [one for stops in days for one in stops if not one.cancelled]
        cells = [
            "\n".join(
                f"{minute_time(one.visit.start_minute)}–{minute_time(one.closes)} {named(one.site)}"
                for one in stops
            )
            for stops in days
        ]
        rows.append([
            center.code, named(center), named(center.governorate), len(standing),
            sum(line.open_minutes for line in mine), sum(line.drive_minutes for line in mine),
            sum(line.spare_minutes for line in mine), round(sum(line.km for line in mine), 1),
            sum(one.share.hours for one in standing), *cells,
        ])  # fmt: skip
    return {"name": _("By van"), "columns": columns, "rows": rows}


def _governorates(session: Session, week: Week) -> dict[str, Any]:
    columns = [
        _column(_("Governorate"), "text", 20), _column(_("Visits"), "whole"), _column(_("Places"), "whole"),
        _column(_("Hours saved"), "tenth"), _column(_("People served"), "tenth"), _column(_("Driving"), "span"),
        _column(_("Kilometres"), "tenth"), _column(_("Centers that come"), "whole"),
    ]  # fmt: skip
    inside: dict[int, list[Told]] = defaultdict(list)
    for told in week.visits:
        if not told.cancelled:
            inside[told.site.governorate_id].append(told)
    rows = [
        [
            named(one), len(some), len({t.site.id for t in some}), sum(t.share.hours for t in some),
            sum(t.share.people for t in some), sum(t.share.drive_minutes for t in some), sum(t.share.km for t in some),
            len({t.visit.center_id for t in some}),
        ]
        for one in session.scalars(select(Governorate).order_by(Governorate.id))
        for some in [inside[one.id]]
    ]  # fmt: skip
    return {"name": _("By governorate"), "columns": columns, "rows": rows}


def _unserved(session: Session, week: Week) -> dict[str, Any]:
    columns = [
        _column(_("Place"), "text", 30), _column(_("Governorate"), "text", 16),
        _column(_("Hours a visit would save"), "tenth", 14), _column(_("Why it has none"), "text", 50),
        _column(_("The best way to serve it"), "text", 60),
    ]  # fmt: skip
    found = planner.unserved(session, week.plan)
    sites = {
        row.id: row
        for row in session.execute(
            select(Site.id, Site.code, Site.name_ar, Site.name_en, Site.governorate_id)
        )
    }
    names = {g.id: named(g) for g in session.scalars(select(Governorate))}
    places = {row.code: named(row) for row in sites.values()}
    rows = [
        [
            named(sites[one.site_id]), names[sites[one.site_id].governorate_id], one.hours,
            words.reason(one.code, one.words, one.numbers),
            words.cheapest(one.numbers, places, week.plan.week).replace("\u2060", ""),
        ]
        for one in found if one.site_id in sites
    ]  # fmt: skip
    return {"name": _("Without a visit"), "columns": columns, "rows": rows}
