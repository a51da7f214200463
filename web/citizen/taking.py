"""Taking a ticket from a phone."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app, redirect, render_template, request, session, url_for
from flask_babel import gettext as _

from queueing import counter
from queueing.errors import Closed, QueueingError
from queueing.store import Queue
from web import clock
from web.app import new_request_id
from web.citizen import blueprint, wished
from web.citizen.limits import Limiter
from web.citizen.phones import read_phone
from web.citizen.priorities import priority_of, questions
from web.citizen.situation import place_of, services_of, situation
from web.citizen.tickets import my_tickets
from web.db import carry_out, read, write
from web.errors import words_for

TOP = 5
"""How many of the most wanted services stand first in the list."""
KEPT = 3
"""How many tickets a phone remembers."""


@blueprint.route("/queues/<int:queue_id>/take", methods=["GET", "POST"])
def take(queue_id: int) -> Any:
    """Choose a service, answer the priority question, get a ticket. A fault is asked again with everything typed."""
    queue = read().get(Queue, queue_id)
    if queue is None:
        abort(404)
    typed = {
        "service": request.values.get("service", ""),
        "priority": request.form.get("priority", "none"),
        "phone": request.form.get("phone", "").strip(),
        "request_id": request.form.get("request_id", "").strip() or new_request_id(),
    }
    if request.method == "GET":
        return _page(queue, typed, {})
    faults: dict[str, str] = {}
    if not typed["service"]:
        faults["service"] = _("Choose the service you are coming for.")
    phone = read_phone(typed["phone"]) if typed["phone"] else None
    if typed["phone"] and phone is None:
        faults["phone"] = _("This does not look like a telephone number. Correct it, or leave it empty.")
    if faults:
        return _page(queue, typed, faults), 422
    limiter: Limiter = current_app.extensions.setdefault("take_limiter", Limiter())
    taker = (request.remote_addr, queue_id)
    if limiter.full(taker):
        return _page(queue, typed, {"queue": _("Too many attempts. Please wait a few minutes.")}), 429
    try:
        code, repeated = _issue(queue_id, typed, phone)
    except QueueingError as error:
        queue = read().get_one(Queue, queue_id)
        return _page(queue, typed, {"queue": words_for(error.code, str(error))}), 409
    if not repeated:
        limiter.count(taker)
    remember(code)
    return redirect(url_for("citizen.ticket", code=code), 303)


def _issue(queue_id: int, typed: dict[str, str], phone: str | None) -> tuple[str, bool]:
    """The code of the ticket, and whether it was there before."""
    wanted, now = priority_of(typed["priority"]), clock.now()
    command = counter.Issue(
        queue_id, typed["service"], typed["request_id"], "phone", now, wanted, "phone", phone
    )
    try:
        done = carry_out(command)
    except Closed as error:
        if error.code != "queue_held":
            raise
        # Out with a van: it is asked for a number when it is heard.
        return write(lambda db: wished.join(db, db.get_one(Queue, queue_id), typed, wanted, phone))
    return done.ticket.code, done.repeated


def _page(queue: Queue, typed: dict[str, str], faults: dict[str, str]) -> str:
    services = services_of(read(), queue.id)
    return render_template(
        "citizen/take.html",
        queue=queue,
        place=place_of(read(), queue.id),
        status=situation(read(), queue, clock.now()),
        top=services[:TOP] if len(services) > TOP + 2 else [],
        services=services,
        questions=questions(),
        mine=[ticket for ticket in my_tickets(read()) if ticket.queue_id == queue.id],
        typed=typed,
        faults=faults,
    )


def remember(code: str) -> None:
    """Keep the ticket with this phone: who closes the browser finds the way back on the first page."""
    codes = [kept for kept in session.get("tickets", []) if kept != code]
    session["tickets"] = [code, *codes][:KEPT]
