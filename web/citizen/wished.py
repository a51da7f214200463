"""A ticket asked for while its van has no line: the code is given at once, the number when the van has been heard."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.journal import wishes
from queueing.store import Queue, Service, Ticket
from queueing.store_journal import Device, Wish
from queueing.ticket import LIVE
from web import clock
from web.citizen.fragments import fragment
from web.citizen.situation import place_of
from web.db import read, write


def join(
    db: Session, queue: Queue, typed: dict[str, str], priority: int, phone: str | None
) -> tuple[str, bool]:
    """Ask the van for a ticket: (its code, False). The same request again is the same ticket."""
    wish = wishes.join(
        db, queue, typed["service"], request_id=typed["request_id"], now=clock.now(), priority=priority, phone=phone
    )  # fmt: skip
    return wish.code, False


def page(code: str) -> Any:
    """The ticket's page while there is no number yet; 404 for a code that nobody has."""
    wish = wishes.waiting_join(read(), code)
    if wish is None:
        abort(404)
    return render_template("citizen/wish.html", **_view(wish))


def part(code: str) -> Any:
    """Its live piece."""
    wish = wishes.waiting_join(read(), code)
    if wish is None:
        abort(404)
    view = _view(wish)
    return fragment(render_template("citizen/_wish.html", **view), (wish.state, wish.reason), clock.now())


def leave(code: str) -> Any:
    """Take the request back; the van hears of it."""
    wish = wishes.waiting_join(read(), code)
    if wish is None:
        abort(404)
    if request.method == "POST" and wish.state == "open":
        rid, queue_id, day = request.form.get("request_id", ""), wish.queue_id, wish.day
        now = clock.now()
        write(lambda s: wishes.leave(s, code, queue_id, day, request_id=rid or f"leave-{code}", now=now))
    return redirect(url_for("citizen.ticket", code=code), 303)


def leave_ticket(db: Session, code: str, queue_id: int, day: Any, request_id: str) -> None:
    """Pass on that the holder of a ticket leaves: the van takes it out of its line when it is heard."""
    wishes.leave(db, code, queue_id, day, request_id=request_id, now=clock.now())


def leaving(ticket: Ticket) -> bool:
    """Whether its holder has said that they leave, and the van has not heard it yet."""
    if ticket.state not in LIVE:
        return False
    asked = select(Wish.request_id).where(
        Wish.code == ticket.code, Wish.kind == "leave", Wish.state == "open"
    )
    return read().scalar(asked) is not None


def _view(wish: Wish) -> dict[str, Any]:
    db = read()
    queue = db.get_one(Queue, wish.queue_id)
    device = db.get(Device, queue.held_by) if queue.held_by else None
    service = db.scalar(select(Service).where(Service.code == wish.service_code))
    return {
        "wish": wish,
        "queue": queue,
        "service": service,
        "place": place_of(db, queue.id),
        "heard": device.heard_at if device else None,
        "why": _("The queue takes nobody in any more today.") if wish.state == "refused" else "",
    }
