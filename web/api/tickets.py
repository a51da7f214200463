"""Queues' status, tickets and desks: what kiosks, desk programs and citizens' phones do."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, make_response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter
from queueing.counter import Done
from queueing.errors import Conflict, NotFound
from queueing.order import HIGHEST
from queueing.rows import TicketRow
from queueing.status import public_status, ticket_status
from queueing.store import Desk, Queue, Service, Ticket
from web import clock
from web.accounts import KnownToken
from web.api import shapes
from web.api.operation import Refused
from web.api.places import services_of
from web.citizen.phones import read_phone
from web.clerk.scope import sister_queues
from web.db import carry_out, read, write
from web.foresight import told, told_joining

STATUS_LIFE_S = 30
"""A queue's status is new after every change, and after this many seconds without one (waits go on)."""
PLAIN = ("start", "finish", "miss", "recall", "requeue", "park", "resume")
"""Verbs that move one ticket at the desk: carried out together with those of other requests."""
PREFIXES: dict[tuple[str, str, str], tuple[str, str]] = {}
"""Addresses by what they follow from (`prefix_key`)."""


def queue_status(id: int) -> ResponseReturnValue:
    """`GET /queues/{id}`, with an ETag that costs one look at the queue's row."""
    queue = read().get(Queue, id)
    if queue is None:
        raise NotFound("queue_not_found", f"there is no queue {id}", queue=id)
    now = clock.now()
    response = make_response()
    response.set_etag(f"{id}-{queue.seq}-{int(now.timestamp()) // STATUS_LIFE_S}", weak=True)
    response.headers["Cache-Control"] = "no-cache"
    if not request.if_none_match.contains_weak(response.get_etag()[0] or ""):
        status = public_status(read(), queue, now)
        response.set_data(
            jsonify(
                shapes.queue_status(
                    queue, status, services_of([id]).get(id, []), told_joining(read(), status, now)
                )
            ).get_data()
        )
        response.content_type = "application/json"
    return response.make_conditional(request)


def issue(id: int, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /queues/{id}/tickets`: 201, or 200 when this request (or this phone) has its ticket already."""
    token: KnownToken = g.token
    if token.kind == "kiosk":
        allowed, channel = token.queue_id, "kiosk"
    else:
        allowed, channel = _desk_of(token)[1], "staff"
    if allowed != id:
        if read().get(Queue, id) is None:
            raise NotFound("queue_not_found", f"there is no queue {id}", queue=id)
        raise Refused(403, "other_queue", "this token is for another queue", queue=allowed)
    if channel == "kiosk" and body.get("priority", 0) == HIGHEST:
        raise Refused(403, "priority_of_staff", "only staff decide on the highest priority")
    typed = body.get("phone") or ""
    phone = read_phone(typed) if typed else None
    done: Done = carry_out(
        counter.Issue(
            id,
            body["service"],
            body["request_id"],
            actor_of(token),
            clock.now(),
            priority=body.get("priority", 0),
            channel=channel,
            phone=phone,
        )
    )
    made = _fresh_json(done, None) or _ticket_json(done.ticket.code)
    if typed:
        made["phone_accepted"] = phone is not None
    response = jsonify({**made, "repeated": done.repeated})
    response.status_code = 200 if done.repeated else 201
    response.headers["Location"] = f"{_prefixes()[1]}/api/v1/tickets/{done.ticket.code}"
    return response


def show(ticket: str) -> ResponseReturnValue:
    """`GET /tickets/{ticket}`: public by its unguessable code."""
    response = jsonify(_ticket_json(ticket))
    response.headers["Cache-Control"] = "no-store"
    return response


def leave(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /tickets/{ticket}/leave` by the citizen who holds the code: harmless when they have left already."""
    row = _ticket(ticket)
    if row.state == "left":
        return jsonify({**_ticket_json(ticket), "repeated": True})
    request_id = body.get("request_id") or secrets.token_urlsafe(12)
    now = clock.now()
    done = carry_out(counter.Act(row.queue_id, "leave", request_id, "citizen", now, ticket_id=row.id))
    return jsonify({**_ticket_json(ticket), "repeated": done.repeated})


def call_next(id: int, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /desks/{id}/next`: the desk's open ticket is finished, the next person called; 204 when nobody waits."""
    number, queue_id = _own_desk(id)
    now = clock.now()
    command = counter.CallNext(
        queue_id, number, body["request_id"], actor_of(g.token), now, outcome=body.get("outcome", "")
    )
    done = carry_out(command)
    if done is None:
        return Response(status=204)
    return jsonify(_desk_json(done, now))


def act(verb: str) -> Callable[[str, dict[str, Any]], ResponseReturnValue]:
    """The view of `POST /tickets/{ticket}/<verb>`."""

    def view(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
        number, queue_id = _own_desk(body.get("desk"))
        now = clock.now()
        if verb in PLAIN:
            command = counter.Act(
                queue_id, verb, body["request_id"], actor_of(g.token), now,
                code=ticket, desk_id=number, note=body.get("note", "") if verb == "park" else "",
                outcome=body.get("outcome", "") if verb == "finish" else "",
            )  # fmt: skip
            try:
                return jsonify(_desk_json(carry_out(command), now))
            except Conflict as error:
                if error.code != "other_queue":
                    raise
                raise _elsewhere(_ticket(ticket)) from None
        row = _ticket(ticket)
        if row.queue_id != queue_id:
            raise _elsewhere(row)
        common: dict[str, Any] = {"request_id": body["request_id"], "actor": actor_of(g.token), "now": now}

        def run(session: Session) -> Done:
            mine, here = session.get_one(Ticket, row.id), session.get_one(Desk, number)
            if verb == "transfer":
                return counter.transfer(session, mine, desk=here, **common, **_target(session, here, body))
            return counter.undo(session, mine, desk=here, **common)

        return jsonify(_desk_json(write(run), now))

    view.__name__ = verb
    return view


def _target(session: Session, desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    """Where a transfer goes: another service of the queue, or another queue of the same site."""
    wanted = body.get("queue")
    if wanted is None and not body.get("service"):
        faults = [{"field": "service", "detail": "is missing: name a service, a queue of this site, or both"}]
        raise Refused(422, "invalid_request", "name a service or a queue", errors=faults)
    to_queue = None
    if wanted is not None and wanted != desk.queue_id:
        to_queue = next((q for q in sister_queues(session, desk.queue_id) if q.id == wanted), None)
        if to_queue is None:
            raise Refused(403, "other_site", "a ticket can go to queues of the same site only", queue=wanted)
    return {"to_queue": to_queue, "service_code": body.get("service"), "note": body.get("note", "")}


def actor_of(token: KnownToken) -> str:
    """Who acts with a token, in events."""
    return f"{token.kind}-token:{token.id}"


def _desk_of(token: KnownToken) -> tuple[int, int]:
    """The desk of a token, and its queue."""
    if token.desk_id is None or token.desk_queue_id is None:
        raise Refused(403, "token_without_desk", "this token belongs to no desk")
    return token.desk_id, token.desk_queue_id


def _own_desk(number: int | None) -> tuple[int, int]:
    """The desk of the request's token with its queue; it must be desk `number` where one is named."""
    desk_id, queue_id = _desk_of(g.token)
    if number is not None and number != desk_id:
        if read().get(Desk, number) is None:
            raise NotFound("desk_not_found", f"there is no desk {number}", desk=number)
        raise Refused(403, "other_desk", "this token is for another desk", desk=desk_id)
    return desk_id, queue_id


def _elsewhere(row: Ticket) -> Refused:
    return Refused(403, "other_queue", "this ticket stands in another queue", queue=row.queue_id)


def _ticket(code: str) -> Ticket:
    row = read().scalar(select(Ticket).where(Ticket.code == code))
    if row is None:
        raise NotFound("ticket_not_found", "there is no such ticket")
    return row


def _ticket_json(code: str) -> dict[str, Any]:
    session = read()
    row = _ticket(code)
    now = clock.now()
    desk = session.get(Desk, row.desk_id) if row.desk_id is not None else None
    said = told(session, ticket_status(session, row, now), now) if row.state == "waiting" else None
    following = session.get(Ticket, row.next_ticket_id) if row.next_ticket_id is not None else None
    service = session.get_one(Service, row.service_id)
    place = None if said is None else said.wait
    made = shapes.ticket(row, service, desk, place, following.code if following else None)
    if said is not None:
        made["wait"] = shapes.told_wait(said)
    return made


def _fresh_json(done: Done, desk: str | None) -> dict[str, Any] | None:
    code = service_code(current_app, done.ticket.service_id)
    return light_json(done, desk, _prefixes()[0], code)


def light_json(done: Done, desk: str | None, page: str, service: str) -> dict[str, Any] | None:
    """The ticket of an answer that a batch gave just now, without asking the database again; None where it must be
    asked (a repeated request, a ticket back in the line). `page`: where the citizen's page is, without the code."""
    row: Any = done.ticket
    waits = row.state == "waiting"
    if done.repeated or not isinstance(row, TicketRow) or (waits and done.wait is None) or row.next_ticket_id:
        return None
    return shapes.ticket_of(row, service, desk, done.wait if waits else None, None, page + row.code)


def prefix_key(environ: dict[str, Any]) -> tuple[str, str, str]:
    """What the addresses that a request is answered with follow from."""
    return environ["wsgi.url_scheme"], environ.get("HTTP_HOST", ""), environ.get("SCRIPT_NAME", "")


def _prefixes() -> tuple[str, str]:
    """Where the citizen's page of a ticket is, without its code; where this application is."""
    key = prefix_key(request.environ)
    known = PREFIXES.get(key)
    if known is None:
        if len(PREFIXES) > 100:  # whoever asks writes the host
            PREFIXES.clear()
        page = url_for("citizen.ticket", code="-", _external=True)[:-1]
        known = PREFIXES[key] = page, request.root_url.rstrip("/")
    return known


def service_code(app: Flask, service_id: int) -> str:
    """The code of a service, which never changes. Within an application's context."""
    codes: dict[int, str] = app.extensions.setdefault("service_codes", {})
    known = codes.get(service_id)
    if known is None:
        known = codes[service_id] = read().get_one(Service, service_id).code
    return known


def _desk_json(done: Done, now: datetime) -> dict[str, Any]:
    return for_desk(_fresh_json(done, g.token.desk_name) or _ticket_json(done.ticket.code), done, now)


def for_desk(shown: dict[str, Any], done: Done, now: datetime) -> dict[str, Any]:
    """What a desk sees of a ticket it handles."""
    row = done.ticket
    made = {
        **shown,
        "note": row.note,
        "waited_s": max(0, round(((row.called_at or now) - row.issued_at).total_seconds())),
        "repeated": done.repeated,
    }
    if done.finished is not None:
        made["finished"] = done.finished.label
    if done.went_on is not None:
        made["next_ticket"] = done.went_on.code
    return made
