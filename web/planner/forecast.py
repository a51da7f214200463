"""The forecast beside what came, what it reckons with, and dated events that a planner enters."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import forecast as forecasting
from fleet.calendar import default_calendar, week_days, week_of
from fleet.errors import FleetError
from fleet.forecast.making import KEPT_LEADS
from fleet.store import Governorate, Setting, Site
from fleet.store_forecast import DatedEvent
from web import clock
from web.db import read, write
from web.i18n import named
from web.planner.door import actor, blueprint, today, wanted_date, wanted_int

SHOWN = 40
"""Sites in the table before somebody asks for all."""
AHEAD = 60
"""Days ahead whose dates are listed."""
MOST_PERCENT = 500


@blueprint.get("/forecast")
def forecast() -> Any:
    """Last week by default: what was forecast for it one and four weeks ahead, beside what came, by site."""
    session, now = read(), clock.now()
    said = forecasting.weeks_said(session)
    over = [week for week in said if week < week_of(today())]
    week = week_of(wanted_date("week", over[0] if over else week_of(today()) - timedelta(days=7)))
    lead = 4 if request.args.get("lead") == "4" else 1
    outcomes = {each: forecasting.week_outcome(session, week, lead=each, now=now) for each in KEPT_LEADS}
    governorate_id = wanted_int("governorate")
    sites = [s for s in outcomes[lead].sites if governorate_id in (None, s.governorate_id)]
    names = {g.id: named(g) for g in session.scalars(select(Governorate))}
    shown = sites if request.args.get("all") else sites[:SHOWN]
    told = session.get(Setting, "forecast")
    return render_template(
        "planner/forecast.html", week=week, before=week - timedelta(days=7), after=week + timedelta(days=7),
        today=today(), outcomes=outcomes, outcome=outcomes[lead], lead=lead, sites=shown, more=len(sites) - len(shown),
        names=names, governorates=sorted(names.items(), key=lambda pair: pair[1]), governorate_id=governorate_id,
        told=told.value if told else None, last_day=week_days(week)[-1],
    )  # fmt: skip


@blueprint.get("/events")
def events() -> Any:
    """Dated events, those to come first, with the holidays ahead and what came under those that are over."""
    return _events_page({})


@blueprint.post("/events")
def enter_event() -> Any:
    """Enter one, or take one back; what the form held stays when it is refused."""
    who, now = actor(), clock.now()
    withdrawn = wanted_int("withdraw")
    try:
        if withdrawn is not None:
            write(lambda session: forecasting.withdraw_event(session, withdrawn, actor=who, now=now).id)
            flash(_("Withdrawn. The forecast follows tonight."), "good")
            return redirect(url_for("planner.events"))
        given = _form()
        write(lambda session: forecasting.add_event(session, **given, actor=who, now=now).id)
    except FleetError as error:
        flash(_said(error), "error")
        return _events_page(dict(request.form)), 422
    flash(_("Entered. The forecast, and what visits are worth, follow tonight."), "good")
    return redirect(url_for("planner.events"))


def _form() -> dict[str, Any]:
    percent = request.form.get("percent", "").strip()
    if not (percent.isascii() and percent.isdigit() and len(percent) < 5):
        abort(400)
    first = wanted_date("first_day", date.min) if request.form.get("first_day") else abort(400)
    last = wanted_date("last_day", first) if request.form.get("last_day") else first
    request_id = request.form.get("request_id", "")
    if not 8 <= len(request_id) <= 64:
        abort(400)
    return {
        "name": request.form.get("name", ""),
        "first_day": first,
        "last_day": last,
        "factor": int(percent) / 100,
        "governorate_id": wanted_int("governorate"),
        "site_id": wanted_int("site"),
        "request_id": request_id,
    }


def _events_page(held: dict[str, str]) -> Any:
    session, now = read(), clock.now()
    found = list(
        session.scalars(select(DatedEvent).order_by(DatedEvent.first_day.desc(), DatedEvent.id.desc()))
    )
    site_id = wanted_int("site")
    place = session.get(Site, site_id) if site_id is not None else None
    names = {g.id: named(g) for g in session.scalars(select(Governorate))}
    days = [today() + timedelta(days=n) for n in range(AHEAD)]
    holidays = [h for h in map(default_calendar().holiday, days) if h is not None]
    return render_template(
        "planner/events.html", today=today(), held=held, place=place, holidays=holidays,
        coming=sorted((e for e in found if e.last_day >= today()), key=lambda e: (e.first_day, e.id)),
        over=[(e, forecasting.event_outcome(session, e, now=now)) for e in found if e.last_day < today()][:SHOWN],
        names=names, governorates=sorted(names.items(), key=lambda pair: pair[1]), sites=_sites_of(session, found),
        most=MOST_PERCENT, ahead=AHEAD,
    )  # fmt: skip


def _sites_of(session: Session, found: list[DatedEvent]) -> dict[int, Site]:
    wanted = {event.site_id for event in found if event.site_id is not None}
    return {site.id: site for site in session.scalars(select(Site).where(Site.id.in_(wanted)))}


def _said(problem: FleetError) -> str:
    """A refusal in words."""
    texts = {
        "event_name": _("Give the event a name of at most 120 letters."),
        "event_days": _("An event lasts 1 to 60 days; its last day is not before its first."),
        "event_factor": _("The number of people must be between 0 and 500 percent of the usual."),
        "event_place": _("An event is at a governorate or at a place, not both."),
        "event_over": _("This event is over; it stays in the record."),
        "event_not_found": _("There is no such event."),
        "governorate_not_found": _("There is no such governorate."),
        "site_not_found": _("There is no such place."),
    }
    return str(texts.get(problem.code, problem.message))
