"""Appointments, several services in one visit, ratings: what booking programs and citizens' phones do."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.appointments import bookable_days, patterns, slots_on
from fleet.precedence import order_at
from fleet.store import Site
from queueing import appointments, counter, journeys, rating
from queueing.counter import Done
from queueing.daytime import local_day
from queueing.errors import NotFound
from queueing.journeys import JourneyView, current_of
from queueing.order import HIGHEST
from queueing.store import Queue, Service, Ticket
from web import clock
from web.api import shapes
from web.api.operation import Refused
from web.api.tickets import _desk_of, _ticket, _ticket_json, actor_of
from web.citizen.limits import Limiter
from web.citizen.phones import read_phone
from web.db import read, write

_LIMITER = Limiter()
"""What one address books or begins without a token: the same bound as on the pages."""


def slots(id: int, service: str | None = None, day: str | None = None) -> ResponseReturnValue:
    """`GET /queues/{id}/slots`: the days with appointments, and the slots of one of them."""
    queue = _queue(id)
    now = clock.now()
    service_id = None
    if service:
        service_id = read().scalar(select(Service.id).where(Service.code == service))
    days = bookable_days(read(), queue, now=now)
    chosen = date.fromisoformat(day) if day else (days[0] if days else None)
    found = slots_on(read(), queue, chosen, service_id=service_id, now=now) if chosen is not None else []
    return jsonify(
        {
            "days": [one.isoformat() for one in days],
            "day": chosen.isoformat() if chosen else None,
            "slots": [
                {
                    "at": shapes.instant(slot.at),
                    "minutes": slot.minutes,
                    "capacity": slot.capacity,
                    "free": slot.free,
                }
                for slot in found
            ],
        }
    )


def book(id: int, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /queues/{id}/bookings`: 201, or 200 when this request (or this phone, that day) has its booking already."""
    _queue(id)
    at, now = _instant(body["at"]), clock.now()
    typed = body.get("phone") or ""
    phone = read_phone(typed) if typed else None
    _bound(id)

    def run(session: Session) -> Done:
        queue = session.get_one(Queue, id)
        return appointments.book(
            session, queue, body["service"], at=at, request_id=body["request_id"], actor="citizen", now=now,
            phone=phone, default=patterns(session, queue, local_day(at, queue.zone)),
        )  # fmt: skip

    return _made(write(run), id)


def confirm(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /tickets/{ticket}/confirm`."""
    row, now = _ticket(ticket), clock.now()
    done = write(
        lambda session: appointments.confirm(
            session, session.get_one(Ticket, row.id), request_id=body["request_id"], actor="citizen", now=now
        )
    )
    return jsonify({**_ticket_json(done.ticket.code), "repeated": done.repeated})


def move(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /tickets/{ticket}/move`: the ticket, or the new one on another day."""
    row, at, now = _ticket(ticket), _instant(body["at"]), clock.now()

    def run(session: Session) -> Done:
        mine = session.get_one(Ticket, row.id)
        queue = session.get_one(Queue, mine.queue_id)
        return appointments.move_to(
            session, mine, at, request_id=body["request_id"], actor="citizen", now=now,
            default=patterns(session, queue, local_day(at, queue.zone)),
        )  # fmt: skip

    done = write(run)
    return jsonify({**_ticket_json((done.went_on or done.ticket).code), "repeated": done.repeated})


def arrive(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /tickets/{ticket}/arrive` by a kiosk or a desk of the queue."""
    row, now = _ticket(ticket), clock.now()
    allowed = g.token.queue_id if g.token.kind == "kiosk" else _desk_of(g.token)[1]
    if allowed != row.queue_id:
        raise Refused(403, "other_queue", "this token is for another queue", queue=allowed)
    actor = actor_of(g.token)
    done = write(
        lambda session: counter.arrive(
            session, session.get_one(Ticket, row.id), request_id=body["request_id"], actor=actor, now=now
        )
    )
    return jsonify({**_ticket_json(done.ticket.code), "repeated": done.repeated})


def begin(id: int, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /sites/{id}/journeys`: one ticket for several services of a place."""
    site = read().get(Site, id)
    if site is None:
        raise NotFound("not_found", f"there is no site {id}", site=id)
    ids = [queue.id for queue in site.queues]
    now, typed = clock.now(), body.get("phone") or ""
    phone = read_phone(typed) if typed else None
    after = {k: set(v) for k, v in order_at(read(), id).items()}
    for service, before in (
        body.get("after") or {}
    ).items():  # rules of this visit, beside those of the place
        if not isinstance(before, list) or not all(isinstance(code, str) for code in before):
            raise Refused(422, "invalid_request", f"after.{service} must be a list of services")
        after.setdefault(service, set()).update(before)
    priority = body.get("priority", 0)
    if priority == HIGHEST:
        raise Refused(403, "priority_of_staff", "only staff decide on the highest priority")
    _bound(-id)
    done = write(
        lambda session: journeys.begin(
            session, ids, body["services"], request_id=body["request_id"], actor="citizen", now=now, after=after,
            priority=priority, channel="phone", phone=phone,
        )
    )  # fmt: skip
    return _made(done, -id)


def journey(ticket: str) -> ResponseReturnValue:
    """`GET /tickets/{ticket}/journey`: what is done, now and next."""
    row = _ticket(ticket)
    seen = journeys.view(read(), row, now=clock.now())
    if seen is None:
        raise NotFound("not_found", "this ticket is for one service")
    response = jsonify(_journey_json(seen))
    response.headers["Cache-Control"] = "no-store"
    return response


def rate(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /tickets/{ticket}/rate`, of wherever the journey ended."""
    ticket_id, now = current_of(read(), _ticket(ticket)).id, clock.now()
    done = write(
        lambda session: rating.rate(
            session, session.get_one(Ticket, ticket_id), body["score"], request_id=body["request_id"],
            actor="citizen", now=now, reason=body.get("reason", ""),
        )
    )  # fmt: skip
    return jsonify({**_ticket_json(done.ticket.code), "repeated": done.repeated})


def _made(done: Done, key: int) -> ResponseReturnValue:
    if not done.repeated:
        _LIMITER.count((request.remote_addr, key))
    response = jsonify({**_ticket_json(done.ticket.code), "repeated": done.repeated})
    response.status_code = 200 if done.repeated else 201
    response.headers["Location"] = f"{request.root_url.rstrip('/')}/api/v1/tickets/{done.ticket.code}"
    return response


def _bound(key: int) -> None:
    if _LIMITER.full((request.remote_addr, key)):
        raise Refused(
            429, "too_many_requests", "too many bookings from this address; try again in a few minutes"
        )


def _journey_json(seen: JourneyView) -> dict[str, Any]:
    return {
        "label": seen.journey.label,
        "current": seen.current.code,
        "ends_at": shapes.instant(seen.ends_at) if seen.ends_at else None,
        "steps": [
            {
                "service": step.service.code,
                "state": step.state,
                "queue": step.queue.id if step.queue is not None else None,
                "begins_at": shapes.instant(step.begins_at) if step.begins_at else None,
            }
            for step in seen.steps
        ],
    }


def _queue(number: int) -> Queue:
    queue = read().get(Queue, number)
    if queue is None:
        raise NotFound("queue_not_found", f"there is no queue {number}", queue=number)
    return queue


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        faults = [{"field": "at", "detail": "needs its offset from UTC"}]
        raise Refused(422, "invalid_request", "at needs its offset from UTC", errors=faults)
    return at.astimezone(UTC)
