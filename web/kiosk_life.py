"""At the kiosk, beside tickets: saying that one has come for an appointment, and rating a visit. Two taps each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from queueing import counter, lineup, rating
from queueing.errors import QueueingError
from queueing.store import LIVE_SQL, Queue, Ticket, TicketEvent
from web import clock
from web.db import read, write
from web.errors import words_for
from web.kiosk import TILES, _queue, blueprint

AROUND = timedelta(minutes=90)
"""Appointments shown: those from this long ago to this long ahead."""
JUST_SERVED = timedelta(minutes=20)


@blueprint.get("/kiosk/<token>/appointments")
def appointments(token: str) -> Any:
    """Today's appointments around now, by time and number: no name, no telephone."""
    queue, now = _queue(token), clock.now()
    found = read().scalars(
        select(Ticket)
        .where(
            text(f"ticket.{LIVE_SQL}"), Ticket.queue_id == queue.id, Ticket.state.in_(("booked", "missed")),
            Ticket.appointment_at.between(now - AROUND, now + AROUND), Ticket.called_at.is_(None),
        )
        .order_by(Ticket.appointment_at, Ticket.number)
    ).all()  # fmt: skip
    shown = request.args.get("page", "")
    number = int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 4 else 1
    pages = max(1, -(-len(found) // TILES))
    number = min(max(1, number), pages)
    return render_template(
        "kiosk/appointments.html", token=token, queue=queue, number=number, pages=pages,
        tickets=found[(number - 1) * TILES : number * TILES],
    )  # fmt: skip


@blueprint.post("/kiosk/<token>/arrivals")
def arrive(token: str) -> Any:
    """The holder has come. Pressed twice it is one arrival."""
    queue = _queue(token)
    ticket_id, now = _mine(queue, request.form.get("code", "")).id, clock.now()
    request_id = request.form.get("request_id", "")

    def run(db: Session) -> str:
        ticket = db.get_one(Ticket, ticket_id)
        return counter.arrive(db, ticket, request_id=request_id, actor="kiosk", now=now).ticket.code

    try:
        code = write(run)
    except QueueingError as error:
        words = words_for(error.code, str(error))
        return render_template("kiosk/fault.html", token=token, queue=_queue(token), fault=words), 409
    return redirect(url_for("kiosk.ticket", token=token, code=code), 303)


@blueprint.get("/kiosk/<token>/rating")
def rate_which(token: str) -> Any:
    """Whose visit: the numbers that were served a moment ago and have not been rated."""
    queue, now = _queue(token), clock.now()
    events = read().scalars(
        select(TicketEvent.ticket_id)
        .where(
            TicketEvent.queue_id == queue.id, TicketEvent.action == "finish",
            TicketEvent.happened_at >= max(now - JUST_SERVED, lineup.since(now, queue.zone)),
        )
        .order_by(TicketEvent.happened_at.desc())
        .limit(4 * TILES)
    ).all()  # fmt: skip
    tickets = [read().get_one(Ticket, ticket_id) for ticket_id in dict.fromkeys(events)]
    open_ = [ticket for ticket in tickets if rating.may_rate(read(), ticket, now=now)][:TILES]
    return render_template(
        "kiosk/rate.html", token=token, queue=queue, tickets=open_, ticket=None, thanks=False
    )


@blueprint.route("/kiosk/<token>/rating/<code>", methods=["GET", "POST"])
def rate(token: str, code: str) -> Any:
    """Five faces; one tap."""
    queue = _queue(token)
    ticket = _mine(queue, code)
    if request.method == "POST":
        ticket_id, now, score = ticket.id, clock.now(), request.form.get("score", "")
        try:
            write(
                lambda db: rating.rate(
                    db, db.get_one(Ticket, ticket_id), int(score) if score in "12345" and score else 0,
                    request_id=request.form.get("request_id", ""), actor="kiosk", now=now,
                )
            )  # fmt: skip
        except QueueingError as error:
            if error.status_hint == "invalid":
                abort(400)
        return render_template(
            "kiosk/rate.html", token=token, queue=_queue(token), tickets=[], ticket=None, thanks=True
        )
    return render_template(
        "kiosk/rate.html", token=token, queue=queue, tickets=[], ticket=ticket, thanks=False
    )


def _mine(queue: Queue, code: str) -> Ticket:
    found = read().scalar(select(Ticket).where(Ticket.code == code, Ticket.queue_id == queue.id))
    if found is None:
        abort(404)
    return found
