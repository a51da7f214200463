"""What a supervisor decides for a queue as a whole: its appointments, a pause, how it closes, who takes it over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from fleet.appointments import slots_on
from fleet.days import close_visit
from fleet.ending import end_queue
from fleet.network.geo import km_between
from fleet.store import Site, SiteQueue, Visit
from queueing import closing, desks, handover
from queueing.daytime import at_minute, local_day
from queueing.errors import Invalid, QueueingError
from queueing.slots import Pattern, Slot, forget_day, rules_of, set_rules
from queueing.store import Queue, Ticket
from queueing.store_life import HandOver, Notice, SlotRule
from queueing.ticket import LIVE
from web import clock
from web.auth import require_queue, roles
from web.citizen.situation import place_of, services_of
from web.clerk.door import blueprint
from web.clerk.scope import sister_queues
from web.db import read, write
from web.errors import status_of, words_for
from web.i18n import long_date, named, weekday
from web.notices import words_of

WEEK = (5, 6, 0, 1, 2, 3, 4)
"""Weekdays as `date.weekday()` has them, in the order of an Egyptian week."""
DAYS_SHOWN = 7
TARGETS = 8
MESSAGES = 20


@dataclass(frozen=True)
class BookedDay:
    """A coming day with its slots."""

    day: date
    slots: list[Slot]

    @property
    def taken(self) -> int:
        """People booked."""
        return sum(slot.taken for slot in self.slots)

    @property
    def room(self) -> int:
        """People that fit."""
        return sum(slot.capacity for slot in self.slots)


@dataclass(frozen=True)
class Target:
    """A queue that could take over, where it stands and how far that is (km, great circle; None: in this house)."""

    queue: Queue
    place: str
    km: float | None


@blueprint.get("/supervisor/queues/<int:queue_id>/appointments")
@roles("supervisor")
def appointments_page(queue_id: int) -> Any:
    """The rules, the coming days, the last messages."""
    return _appointments(require_queue(queue_id))


@blueprint.post("/supervisor/queues/<int:queue_id>/appointments")
@roles("supervisor")
def set_appointments(queue_id: int) -> Any:
    """Set weekdays or a date, close a date, or take a date's exception away."""
    queue = require_queue(queue_id)
    form = request.form
    act = form.get("act", "")
    service = next((s for s in services_of(read(), queue.id) if s.code == form.get("service")), None)
    day = _day(form.get("day", ""))

    def run(db: Session) -> None:
        here = db.get_one(Queue, queue_id)
        if act == "forget" and day is not None:
            forget_day(db, here, day)
        elif act == "off" and day is not None:
            set_rules(db, here, [], days=[day])
        elif act == "clear":
            set_rules(db, here, [], weekdays=_weekdays(), service_id=service.id if service else None)
        else:
            made = Pattern(
                _minute(form.get("begin", "")), _minute(form.get("end", "")),
                _number(form.get("minutes", ""), 15), _number(form.get("capacity", ""), 1),
            )  # fmt: skip
            scope = {"days": [day]} if act == "day" and day is not None else {"weekdays": _weekdays()}
            set_rules(db, here, [made], service_id=service.id if service else None, **scope)

    try:
        write(run)
    except QueueingError:
        text = _("These hours cannot be cut into appointments: check the times and the length.")
        return _appointments(read().get_one(Queue, queue_id), text), 422
    flash(_("The appointments are set. What is booked stays booked."), "good")
    return redirect(url_for("clerk.appointments_page", queue_id=queue_id), 303)


@blueprint.get("/supervisor/queues/<int:queue_id>/change")
@roles("supervisor")
def manage_queue(queue_id: int) -> Any:
    """Pause, close, hand over: each says what becomes of the people."""
    return _manage(require_queue(queue_id))


@blueprint.post("/supervisor/queues/<int:queue_id>/change")
@roles("supervisor")
def change_whole_queue(queue_id: int) -> Any:
    """Carry out what was chosen."""
    queue = require_queue(queue_id)
    name, now, form = current_user.name, clock.now(), request.form
    act = form.get("act", "")

    def run(db: Session) -> str:
        here = db.get_one(Queue, queue_id)
        if act == "pause":
            until = _until(form.get("until", ""), now, here.zone)
            desks.pause_queue(db, here, actor=name, now=now, until=until)
            return str(_("The queue is paused. Who waits keeps the place."))
        if act in closing.CHOICES:
            return _close(db, here, act, name, now)
        if act == "hand_over":
            return _hand_over(db, here, name, now)
        if act == "take_back":
            handover.take_back(db, here, actor=name, now=now)
            visit = db.scalar(select(Visit).where(Visit.queue_id == queue_id))
            if visit is not None and visit.status == "closed":
                visit.status, visit.closed_at = ("open" if visit.opened_at else "announced"), None
            return str(_("Everybody stands here again, in their old places."))
        raise Invalid("choice", "choose what to do")

    try:
        said = write(run)
    except QueueingError as error:
        text = _refused(error)
        return _manage(read().get_one(Queue, queue_id), text), status_of(error.code, error.status_hint)
    flash(said, "good")
    return redirect(url_for("clerk.manage_queue", queue_id=queue.id), 303)


def _close(db: Session, queue: Queue, choice: str, name: str, now: datetime) -> str:
    done = end_queue(
        db, queue, choice, request_id=request.form.get("request_id", ""), actor=name, now=now,
        to_queue=_target_queue(db, queue), day=_day(request.form.get("day", "")),
        reason=request.form.get("reason", ""),
    )  # fmt: skip
    said = [
        ngettext("%(num)s person is still served here.", "%(num)s people are still served here.", done.inside)
        if done.inside
        else _("The queue is closed.")
    ]
    if done.moved:
        said.append(
            ngettext(
                "%(num)s person has a new appointment.", "%(num)s people have a new appointment.", done.moved
            )
        )
    if done.cancelled:
        said.append(
            ngettext(
                "%(num)s person was told and sent home.",
                "%(num)s people were told and sent home.",
                done.cancelled,
            )
        )
    return " ".join(said)


def _hand_over(db: Session, queue: Queue, name: str, now: datetime) -> str:
    target = _target_queue(db, queue)
    if target is None:
        raise Invalid("choice", "choose a queue")
    made = handover.hand_over(
        db, queue, target, request_id=request.form.get("request_id", ""), actor=name, now=now,
        reason=request.form.get("reason", "").strip(), take_all=request.form.get("take_all") == "yes",
    )  # fmt: skip
    visit = db.scalar(select(Visit).where(Visit.queue_id == queue.id))
    if visit is not None:
        close_visit(db, visit, now=now)
        queue.moved_to_id = target.id
    moved = ngettext(
        "%(num)s person was handed over and told.", "%(num)s people were handed over and told.", made.tickets
    )
    return str(moved)


def _target_queue(db: Session, queue: Queue) -> Queue | None:
    """The queue chosen in the form, one of those that were offered."""
    number = request.form.get("target", "")
    return next((t.queue for t in targets(db, queue, clock.now()) if str(t.queue.id) == number), None)


def targets(db: Session, queue: Queue, now: datetime) -> list[Target]:
    """Who could take a queue over: the other queues of this house, visits of today and tomorrow and fixed centers, the
    nearest first."""
    found = [Target(q, named(q), None) for q in sister_queues(db, queue.id) if q.moved_to_id is None]
    here = place_of(db, queue.id).site
    if here is None:
        return found
    today = local_day(now, queue.zone)
    visits = db.scalars(
        select(Visit)
        .where(
            Visit.status.in_(("announced", "open")), Visit.closes_at > now, Visit.queue_id != queue.id,
            Visit.day.in_((today, today + timedelta(days=1))),
        )
        .options(joinedload(Visit.site), joinedload(Visit.queue), joinedload(Visit.center))
    ).all()  # fmt: skip
    near = [
        Target(
            v.queue,
            f"{named(v.center)} · {named(v.site)}",
            km_between(here.lat, here.lon, v.site.lat, v.site.lon),
        )
        for v in visits
        if v.queue.moved_to_id is None
    ]
    sites = db.execute(
        select(Queue, Site)
        .join(SiteQueue, SiteQueue.queue_id == Queue.id)
        .join(Site, Site.id == SiteQueue.site_id)
        .where(Site.governorate_id == here.governorate_id, Site.id != here.id, Queue.id != queue.id)
    ).all()
    near += [
        Target(q, named(s), km_between(here.lat, here.lon, s.lat, s.lon))
        for q, s in sites
        if q.moved_to_id is None
    ]
    return found + sorted(near, key=lambda t: (t.km or 0.0, t.queue.id))[:TARGETS]


def _appointments(queue: Queue, error: str = "") -> str:
    db, now = read(), clock.now()
    today = local_day(now, queue.zone)
    days = [today + timedelta(days=n) for n in range(DAYS_SHOWN)]
    shown = [BookedDay(day, slots_on(db, queue, day, service_id=None, now=now)) for day in days]
    services = services_of(db, queue.id)
    messages = db.scalars(
        select(Notice).where(Notice.queue_id == queue.id).order_by(Notice.id.desc()).limit(MESSAGES)
    ).all()
    return render_template(
        "clerk/appointments.html",
        queue=queue,
        rules=rules_of(db, queue.id),
        services=services,
        names={service.id: service for service in services},
        days=shown,
        today=today,
        week=WEEK,
        messages=[(notice, words_of(db, notice)) for notice in messages],
        error=error,
    )


def _manage(queue: Queue, error: str = "") -> str:
    db, now = read(), clock.now()
    today = local_day(now, queue.zone)
    counts = dict(
        db.execute(
            select(Ticket.state, func.count())
            .where(Ticket.queue_id == queue.id, Ticket.state.in_(LIVE), Ticket.day == today)
            .group_by(Ticket.state)
        ).all()
    )
    stands = handover.standing(db, queue.id)
    return render_template(
        "clerk/change.html",
        queue=queue,
        counts=counts,
        targets=targets(db, queue, now),
        handed=stands,
        went_to=db.get(Queue, stands.to_queue_id) if stands else None,
        can_take_back=stands is not None and handover.can_take_back(db, stands),
        tomorrow=today + timedelta(days=1),
        came=_came(db, queue.id),
        error=error,
    )


def _came(db: Session, queue_id: int) -> list[tuple[HandOver, Queue]]:
    """Hand-overs to this queue that stand."""
    rows = db.execute(
        select(HandOver, Queue)
        .join(Queue, Queue.id == HandOver.from_queue_id)
        .where(HandOver.to_queue_id == queue_id, HandOver.undone_at.is_(None))
        .order_by(HandOver.id)
    ).all()
    return [(row[0], row[1]) for row in rows]


def _refused(error: QueueingError) -> str:
    texts = {
        "no_slots": _(
            "That day has no appointments there. Choose another day or queue, or set its appointments first."
        ),
        "slot_full": _("That day has not enough free appointments for everybody. Choose another day or queue."),
        "same_day": _("Choose another day, or another queue."),
        "services_missing": _(
            "The other queue does not offer what everybody came for. Tick 'Take everybody along' if it can serve"
            " them all the same."
        ),
        "undo_refused": _("Somebody has already been called there: this can no longer be taken back."),
        "already_handed_over": _("This queue has been handed over."),
        "reason_missing": _("Write why: the people read it."),
        "handed_over_in_turn": _("That queue has itself been handed over."),
    }  # fmt: skip
    return str(texts.get(error.code) or words_for(error.code, _("This is not possible now.")))


@blueprint.app_template_global()
def rule_when(rule: SlotRule) -> str:
    """The weekday or the date of a rule."""
    if rule.day is not None:
        return long_date(rule.day)
    # 5 January 1970 was a Monday.
    return weekday(date(1970, 1, 5) + timedelta(days=rule.weekday or 0))


@blueprint.app_template_global()
def weekday_name(number: int) -> str:
    """A weekday by its number, Monday 0."""
    return weekday(date(1970, 1, 5) + timedelta(days=number))


def _weekdays() -> list[int]:
    return [int(text) for text in request.form.getlist("weekday") if text in "0123456" and len(text) == 1]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _minute(text: str) -> int:
    """`08:30` as minutes from midnight; -1 for what is no time, which the rules refuse."""
    hours, _colon, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal()):
        return -1
    return int(hours) * 60 + int(minutes)


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else default


def _until(text: str, now: datetime, zone: str) -> datetime | None:
    """The instant of a time of day typed for today; None for nothing, or for what is over."""
    minute = _minute(text)
    at = at_minute(local_day(now, zone), minute, zone) if 0 <= minute < 24 * 60 else None
    return at if at is not None and at > now else None
