"""My ticket: where I stand, the desk when I am called, leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import abort, redirect, render_template, request, session, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter
from queueing.errors import Closed, QueueingError
from queueing.journeys import current_of
from queueing.status import ticket_status
from queueing.store import Desk, Queue, Service, Ticket
from queueing.ticket import LIVE
from web import clock
from web.citizen import blueprint, wished
from web.citizen.fragments import fragment
from web.citizen.life import life_of
from web.citizen.situation import Situation, minutes_of, place_of, range_words, situation
from web.db import carry_out, read, write
from web.errors import words_for
from web.foresight import told


@dataclass(frozen=True)
class TicketView:
    """A ticket as its holder sees it."""

    ticket: Ticket
    queue: Queue
    service: Service
    desk: Desk | None
    ahead: int | None
    wait_words: str
    likely_words: str
    """The narrower range in which half of the waits lie; empty where nobody can say, or where it says no more."""
    as_of: datetime
    situation: Situation
    next_code: str | None

    @property
    def look(self) -> str:
        """Which of the page's faces: waiting, called, warned or over."""
        state = self.ticket.state
        if state in ("called", "serving"):
            return "called"
        if state in ("parked", "missed"):
            return "warned"
        return "over" if state not in LIVE else "waiting"

    @property
    def can_leave(self) -> bool:
        """Whether 'I am leaving' is offered: while no desk waits for its holder."""
        return self.ticket.state in ("booked", "waiting", "parked", "missed")

    def mark(self) -> tuple[object, ...]:
        """What the ETag stands for."""
        ticket = self.ticket
        return (
            ticket.state, ticket.label, ticket.desk_id, ticket.recalls, ticket.called_at, self.ahead,
            self.wait_words, self.likely_words, self.next_code, self.queue.state, self.situation.back_at,
        )  # fmt: skip


def view_of(db: Session, ticket: Ticket, now: datetime) -> TicketView:
    """What the holder of `ticket` sees at `now`."""
    queue = db.get_one(Queue, ticket.queue_id)
    status = ticket_status(db, ticket, now)
    said = told(db, status, now)
    wait = said.wait
    words, likely = range_words(*minutes_of(wait)), range_words(*minutes_of(said.likely))
    return TicketView(
        ticket=ticket,
        queue=queue,
        service=db.get_one(Service, ticket.service_id),
        desk=db.get(Desk, ticket.desk_id) if ticket.desk_id and status.desk else None,
        ahead=status.ahead,
        wait_words=words,
        likely_words=likely if likely != words else "",
        as_of=wait.as_of if wait else now,
        situation=situation(db, queue, now),
        next_code=status.next_code,
    )


@blueprint.get("/tickets/<code>")
def ticket(code: str) -> Any:
    """The ticket: number huge, people ahead, a range of minutes."""
    found = _find(read(), code)
    if found is None:
        return wished.page(code)
    view = view_of(read(), found, clock.now())
    return render_template(
        "citizen/ticket.html",
        view=view,
        leaving=wished.leaving(found),
        place=place_of(read(), found.queue_id),
    )


@blueprint.get("/tickets/<code>/status")
def ticket_part(code: str) -> Any:
    """The live piece of the ticket's page, 304 while nothing has changed."""
    found = _find(read(), code)
    if found is None:
        return wished.part(code)
    view = view_of(read(), found, clock.now())
    html = render_template("citizen/_ticket.html", view=view) + render_template(
        "citizen/_life.html", view=view
    )
    return fragment(html, (*view.mark(), *life_of(found).mark()), view.as_of)


@blueprint.route("/tickets/<code>/leave", methods=["GET", "POST"])
def leave(code: str) -> Any:
    """Give the place up: a question first, so that a slip of the thumb costs nobody their turn."""
    found = _find(read(), code)
    if found is None:
        return wished.leave(code)
    if request.method == "GET":
        view = view_of(read(), found, clock.now())
        if not view.can_leave:
            return redirect(url_for("citizen.ticket", code=code), 303)
        return render_template("citizen/leave.html", view=view, fault="")
    try:
        _leave(_ticket(read(), code), request.form.get("request_id", ""))
    except QueueingError as error:
        found = _ticket(read(), code)
        view = view_of(read(), found, clock.now())
        return render_template("citizen/leave.html", view=view, fault=words_for(error.code, str(error))), 409
    return redirect(url_for("citizen.ticket", code=code), 303)


def _leave(ticket: Ticket, request_id: str) -> None:
    code, queue_id, day = ticket.code, ticket.queue_id, ticket.day
    try:
        carry_out(counter.Act(queue_id, "leave", request_id, "phone", clock.now(), ticket_id=ticket.id))
    except Closed as error:
        if error.code != "queue_held":
            raise
        write(lambda db: wished.leave_ticket(db, code, queue_id, day, request_id))


def _find(db: Session, code: str) -> Ticket | None:
    found = db.scalar(select(Ticket).where(Ticket.code == code))
    # The link of a ticket leads to wherever its holder stands now.
    return current_of(db, found) if found is not None else None


def _ticket(db: Session, code: str) -> Ticket:
    found = _find(db, code)
    if found is None:
        abort(404)
    return found


def my_tickets(db: Session) -> list[Ticket]:
    """The tickets this phone took that still stand in a line, newest first."""
    codes = [code for code in session.get("tickets", []) if isinstance(code, str)]
    if not codes:
        return []
    found = db.scalars(select(Ticket).where(Ticket.code.in_(codes), Ticket.state.in_(LIVE)))
    return sorted(found, key=lambda row: codes.index(row.code))
