"""Paper for when nothing works: tomorrow's bookings and strips of reserved numbers to print, and the page on which what
happened on paper is typed in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Visit
from queueing import paper
from queueing.appointments import BOOKED
from queueing.daytime import at_minute, day_bounds, local_day
from queueing.errors import Invalid, QueueingError
from queueing.paper import Entry
from queueing.store import Desk, Queue, Service, Ticket
from queueing.store_tablet import PaperStrip
from web import clock
from web.auth import require_queue, roles
from web.citizen.priorities import priority_of
from web.citizen.situation import services_of
from web.clerk import words
from web.clerk.door import blueprint
from web.clerk.scope import ZONE, todays_queues
from web.db import read, write
from web.errors import status_of, words_for

SIZES = ("a4", "80")
SHOWN_DAYS = timedelta(days=7)
"""Strips of so many past days can still be typed in."""


@blueprint.get("/desk/paper")
@roles("clerk", "supervisor")
def paper_home() -> Any:
    """What can be printed and typed in."""
    return _home()


def _home(error: str = "") -> str:
    today = local_day(clock.now(), ZONE)
    queues = _queues()
    strips = paper.strips(read(), [queue.id for queue in queues], since=today - SHOWN_DAYS)
    rows = [(strip, len(paper.typed(read(), strip))) for strip in strips]
    days = [today, today + timedelta(days=1)]
    names = {queue.id: queue for queue in queues}
    return render_template(
        "clerk/paper.html", queues=queues, names=names, strips=rows, days=days, today=today, error=error
    )


@blueprint.get("/desk/paper/bookings/<int:queue_id>/<day>")
@roles("clerk", "supervisor")
def paper_bookings(queue_id: int, day: str) -> Any:
    """The booked people of a day, to print. Of a telephone number the last four digits: enough to ask for."""
    queue, when = require_queue(queue_id), _day(day)
    begin, end = day_bounds(when, queue.zone)
    rows = (
        read()
        .execute(
            select(Ticket, Service)
            .join(Service, Service.id == Ticket.service_id)
            .where(
                BOOKED,
                Ticket.queue_id == queue.id,
                Ticket.appointment_at >= begin,
                Ticket.appointment_at < end,
            )
            .order_by(Ticket.appointment_at, Ticket.number)
        )
        .all()
    )
    return render_template(
        "clerk/paper_bookings.html", queue=queue, day=when, rows=rows, size=_size(), at=clock.now()
    )


@blueprint.post("/desk/paper/strips")
@roles("clerk", "supervisor")
def reserve_strip() -> Any:
    """Draw a strip, and show it to be printed."""
    number, count = request.form.get("queue", ""), request.form.get("count", "")
    if not _is_number(number) or not _is_number(count):
        abort(400)
    queue, day = require_queue(int(number)), _day(request.form.get("day", ""))
    name, rid = current_user.name, request.form.get("request_id", "")
    try:
        strip = write(
            lambda session: paper.reserve(
                session,
                session.get_one(Queue, queue.id),
                day,
                int(count),
                request_id=rid,
                actor=name,
                now=clock.now(),
            )
        )
    except QueueingError as error:
        return _home(_words(error)), status_of(error.code, error.status_hint)
    return redirect(url_for("clerk.print_strip", strip_id=strip.id), 303)


@blueprint.get("/desk/paper/strips/<int:strip_id>")
@roles("clerk", "supervisor")
def print_strip(strip_id: int) -> Any:
    """A strip to print: one number after the other to cut off, or a sheet to fill in (A4)."""
    strip, queue = _strip(strip_id)
    return render_template("clerk/paper_strip.html", strip=strip, queue=queue, size=_size("80"))


@blueprint.get("/desk/paper/strips/<int:strip_id>/entry")
@roles("clerk", "supervisor")
def paper_entry(strip_id: int) -> Any:
    """Type in what stands on the sheet."""
    return _entry(*_strip(strip_id))


@blueprint.post("/desk/paper/strips/<int:strip_id>/entry")
@roles("clerk", "supervisor")
def type_in(strip_id: int) -> Any:
    """One line of the sheet."""
    strip, queue = _strip(strip_id)
    name, form = current_user.name, request.form

    def run(session: Session) -> None:
        entry = _read(strip, queue)
        desk = session.get(Desk, int(form["desk"])) if _is_number(form.get("desk", "")) else None
        paper.enter(
            session,
            session.get_one(Queue, queue.id),
            entry,
            request_id=form.get("request_id", ""),
            actor=name,
            now=clock.now(),
            desk=desk if desk is not None and desk.queue_id == queue.id else None,
        )

    try:
        write(run)
    except QueueingError as error:
        return _entry(strip, queue, _words(error), dict(form)), status_of(error.code, error.status_hint)
    return redirect(url_for("clerk.paper_entry", strip_id=strip.id) + "#entry", 303)


def _entry(strip: PaperStrip, queue: Queue, error: str = "", given: dict[str, str] | None = None) -> str:
    session = read()
    done = paper.typed(session, strip)
    left = [number for number in range(strip.first, strip.last + 1) if number not in done]
    desks = session.scalars(select(Desk).where(Desk.queue_id == queue.id).order_by(Desk.id)).all()
    return render_template(
        "clerk/paper_entry.html",
        strip=strip,
        queue=queue,
        done=sorted(done.values(), key=lambda ticket: ticket.number),
        left=left,
        desks=desks,
        services=services_of(session, queue.id),
        error=error,
        given=given or {},
        today=strip.day == local_day(clock.now(), queue.zone),
    )


def _read(strip: PaperStrip, queue: Queue) -> Entry:
    """The form as an entry. Raises Invalid `paper_time_missing`, `paper_number`."""
    form = request.form
    number = form.get("number", "")
    if not _is_number(number) or not strip.first <= int(number) <= strip.last:
        raise Invalid("paper_number", "this number is not on the strip")
    times = {
        name: _time(form.get(name, ""), strip.day, queue.zone) for name in ("arrived", "called", "finished")
    }
    if times["arrived"] is None:
        raise Invalid("paper_time_missing", "the time of arrival is missing", field="arrived")
    result = form.get("result", "")
    return Entry(
        int(number),
        form.get("service", ""),
        result,
        times["arrived"],
        times["called"] if result in ("served", "missed") else None,
        times["finished"] if result in ("served", "missed", "left") else None,
        priority_of(form.get("priority", "")),
    )


def _time(text: str, day: date, zone: str) -> datetime | None:
    hour, colon, minute = text.strip().partition(":")
    if not colon or not (_is_number(hour) and _is_number(minute)) or int(hour) > 23 or int(minute) > 59:
        return None
    return at_minute(day, int(hour) * 60 + int(minute), zone)


def _queues() -> list[Queue]:
    """The queues of today, and of a mobile center also those of tomorrow's visits."""
    now = clock.now()
    found = {queue.id: queue for queue in todays_queues(read(), current_user, now)}
    if current_user.center_id is not None:
        tomorrow = local_day(now, ZONE) + timedelta(days=1)
        visits = read().scalars(
            select(Visit).where(
                Visit.center_id == current_user.center_id, Visit.day == tomorrow, Visit.status != "cancelled"
            )
        )
        found |= {visit.queue_id: visit.queue for visit in visits}
    return list(found.values())


def _strip(strip_id: int) -> tuple[PaperStrip, Queue]:
    strip = read().get(PaperStrip, strip_id)
    if strip is None:
        abort(404)
    return strip, require_queue(strip.queue_id)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        abort(404)


def _size(usual: str = "a4") -> str:
    size = request.args.get("size", usual)
    return size if size in SIZES else usual


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9


def _words(error: QueueingError) -> str:
    missing = {
        "arrived": _("Write down when the person came."),
        "called": _("Write down when the person was called."),
        "finished": _("Write down when it was finished."),
        "desk": _("Choose the desk that called."),
    }
    texts = {
        "strip_size": _("A strip has 1 to %(most)s numbers.", most=paper.MOST),
        "strip_day": _("Strips are for today and the next seven days."),
        "paper_number": _("This number is not on the strip."),
        "paper_typed": _("This number has been typed in before."),
        "paper_result": _("This result is not possible here."),
        "paper_times": _("The times are not in their order: came, called, finished."),
        "paper_future": _("One of the times has not come yet."),
        "paper_time_missing": missing.get(str(error.details.get("field")), missing["arrived"]),
    }
    return texts.get(error.code) or words.refused(error, words_for)
