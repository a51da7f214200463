"""Appointments from a phone: service, day, time; confirming and moving a booking. Plain links and forms."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.appointments import bookable_days, patterns, slots_on
from queueing import appointments
from queueing.daytime import local_day
from queueing.errors import NotFound, QueueingError
from queueing.journeys import current_of
from queueing.store import Queue, Service, Ticket
from web import clock
from web.app import new_request_id
from web.citizen import blueprint
from web.citizen.limits import Limiter
from web.citizen.phones import read_phone
from web.citizen.situation import place_of, services_of
from web.citizen.taking import remember
from web.db import read, write
from web.errors import words_for


@blueprint.route("/queues/<int:queue_id>/book", methods=["GET", "POST"])
def book(queue_id: int) -> Any:
    """Choose a service, then a day and a time: each a link, so that going back loses nothing."""
    queue = read().get(Queue, queue_id)
    if queue is None:
        abort(404)
    if request.method == "GET":
        return _page(queue, {})
    phone, typed = None, request.form.get("phone", "").strip()
    if typed:
        phone = read_phone(typed)
        if phone is None:
            fault = _("This does not look like a telephone number. Correct it, or leave it empty.")
            return _page(queue, {"phone": fault}), 422
    at = _instant(request.form.get("at", ""))
    if at is None:
        return _page(queue, {"at": _("Choose a time.")}), 422
    limiter: Limiter = current_app.extensions.setdefault("book_limiter", Limiter())
    taker = (request.remote_addr, queue_id)
    if limiter.full(taker):
        return _page(queue, {"queue": _("Too many attempts. Please wait a few minutes.")}), 429
    now = clock.now()

    def run(db: Session) -> tuple[str, bool]:
        here = db.get_one(Queue, queue_id)
        done = appointments.book(
            db, here, request.form.get("service", ""), at=at, request_id=request.form.get("request_id", ""),
            actor="phone", now=now, phone=phone, default=patterns(db, here, local_day(at, here.zone)),
        )  # fmt: skip
        return done.ticket.code, done.repeated

    try:
        code, repeated = write(run)
    except QueueingError as error:
        return _page(read().get_one(Queue, queue_id), {"at": words_for(error.code, str(error))}), 409
    if not repeated:
        limiter.count(taker)
    remember(code)
    return redirect(url_for("citizen.ticket", code=code), 303)


@blueprint.post("/tickets/<code>/confirm")
def confirm(code: str) -> Any:
    """The holder says that they will come."""
    now, request_id = clock.now(), request.form.get("request_id", "")
    ticket = _booking(code)
    with suppress(QueueingError):  # refused: the page that follows shows how the booking stands
        write(
            lambda db: appointments.confirm(
                db, db.get_one(Ticket, ticket.id), request_id=request_id, actor="phone", now=now
            )
        )
    return redirect(url_for("citizen.ticket", code=code), 303)


@blueprint.route("/tickets/<code>/move", methods=["GET", "POST"])
def move(code: str) -> Any:
    """Another time for a booking; the old time stays until the new one is sure."""
    ticket = _booking(code)
    queue = read().get_one(Queue, ticket.queue_id)
    if ticket.state != "booked":
        return redirect(url_for("citizen.ticket", code=code), 303)
    if request.method == "GET":
        return _page(queue, {}, ticket)
    at = _instant(request.form.get("at", ""))
    if at is None:
        return _page(queue, {"at": _("Choose a time.")}, ticket), 422
    now, request_id = clock.now(), request.form.get("request_id", "")

    def run(db: Session) -> str:
        mine = db.get_one(Ticket, ticket.id)
        here = db.get_one(Queue, mine.queue_id)
        done = appointments.move_to(
            db, mine, at, request_id=request_id, actor="phone", now=now,
            default=patterns(db, here, local_day(at, here.zone)),
        )  # fmt: skip
        return (done.went_on or done.ticket).code

    try:
        new = write(run)
    except QueueingError as error:
        fault = {"at": words_for(error.code, str(error))}
        return _page(read().get_one(Queue, queue.id), fault, _booking(code)), 409
    remember(new)
    return redirect(url_for("citizen.ticket", code=new), 303)


@blueprint.post("/tickets/<code>/again")
def again(code: str) -> Any:
    """Take an appointment that was offered in place of a ticket that we ended. Pressed twice it is one."""
    ticket_id, now, form = current_of(read(), _booking(code)).id, clock.now(), request.form
    at, number = _instant(form.get("at", "")), form.get("queue", "")
    if at is None or not (number.isascii() and number.isdigit() and len(number) < 9):
        abort(400)

    def run(db: Session) -> str:
        there = db.get(Queue, int(number))
        if there is None:
            raise NotFound("queue_not_found", "there is no such queue")
        done = appointments.rebook(
            db, db.get_one(Ticket, ticket_id), there, at=at, request_id=form.get("request_id", ""), actor="phone",
            now=now, default=patterns(db, there, local_day(at, there.zone)),
        )  # fmt: skip
        return done.ticket.code

    try:
        new = write(run)
    except QueueingError as error:
        # Taken meanwhile: the page offers what is free now.
        flash(words_for(error.code, _("This is not possible now.")))
        return redirect(url_for("citizen.ticket", code=code), 303)
    remember(new)
    return redirect(url_for("citizen.ticket", code=new), 303)


def _page(queue: Queue, faults: dict[str, str], ticket: Ticket | None = None) -> str:
    db, now = read(), clock.now()
    services = services_of(db, queue.id)
    wanted = request.values.get("service", "") if ticket is None else ""
    service = next((s for s in services if s.code == wanted), None)
    if ticket is not None:
        service = db.get_one(Service, ticket.service_id)
    days = bookable_days(db, queue, now=now)
    shown = request.values.get("day", "")
    day = next((d for d in days if d.isoformat() == shown), days[0] if len(days) == 1 else None)
    slots = slots_on(db, queue, day, service_id=service.id, now=now) if day is not None and service else []
    return render_template(
        "citizen/book.html",
        queue=queue,
        place=place_of(db, queue.id),
        services=services,
        service=service,
        days=days,
        day=day,
        slots=slots,
        today=local_day(now, queue.zone),
        ticket=ticket,
        faults=faults,
        phone=request.form.get("phone", ""),
        request_id=request.form.get("request_id") or new_request_id(),
    )


def _booking(code: str) -> Ticket:
    found = read().scalar(select(Ticket).where(Ticket.code == code))
    if found is None:
        abort(404)
    return found


def _instant(text: str) -> datetime | None:
    """A slot's value in a form: an instant in ISO 8601 with its offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None
