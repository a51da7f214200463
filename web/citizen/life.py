"""What a ticket's page shows beside the line: the booking, the way through several desks, news, the rating."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import abort, g, redirect, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.alternatives import Alternative, alternatives
from queueing import appointments, journeys, rating
from queueing.errors import QueueingError
from queueing.journeys import JourneyView, current_of
from queueing.notices import notices_of
from queueing.store import Ticket
from queueing.store_life import Booking, Notice
from queueing.ticket import APPOINTMENT_GRACE
from web import clock
from web.citizen import blueprint
from web.db import read, write
from web.notices import words_of

FACE = Markup(
    '<svg class="face" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><circle cx="12" cy="12" r="10"/>'
    '<path d="M8.7 9.2v1M15.3 9.2v1M{}"/></svg>'
)
MOUTHS = ("7.5 17.2q4.5-5 9 0", "8 16.6q4-2.4 8 0", "8 15.8h8", "8 15q4 2.6 8 0", "7 14q5 6.6 10 0z")
NEWS = ("moved", "handed_over", "taken_back", "freed", "closed", "called_off", "cancelled")
"""Messages that the page repeats, so that nobody needs a telephone number to hear them."""
OFFERED_FOR = timedelta(days=7)
"""How long a ticket that we ended shows where to go instead."""


@dataclass(frozen=True)
class Life:
    """The rest of a ticket's page."""

    way: JourneyView | None
    booking: Booking | None
    news: str
    ask: bool
    """Whether a rating is asked for now."""
    rated: int
    reason: str
    offers: list[Alternative]
    """Where to go instead, when the ticket was ended by us."""
    late: str
    """Of an appointment whose time has come without its holder: `kept` while it still holds, `line` when who comes
    stands in the line like everybody, `missed` when it was given up; empty before its time, and for all others."""
    kept_until: datetime | None
    """Until when whoever comes late keeps the appointment."""

    @property
    def asks_to_confirm(self) -> bool:
        """Whether the holder was asked to confirm and has not."""
        return (
            self.booking is not None
            and self.booking.confirm_by is not None
            and self.booking.confirmed_at is None
        )

    def mark(self) -> tuple[object, ...]:
        """What the ETag stands for."""
        way = self.way
        return (
            tuple((s.position, s.state, s.queue.id if s.queue else 0) for s in way.steps) if way else (),
            way.ends_at.isoformat(timespec="minutes") if way and way.ends_at else "",
            self.asks_to_confirm, self.news, self.ask, self.rated, self.reason,
            tuple((o.queue.id, o.at, o.opens_at) for o in self.offers), self.late,
        )  # fmt: skip


@blueprint.app_template_global()
def life_of(ticket: Ticket) -> Life:
    """What the page of `ticket` shows beside the line, looked up once a request."""
    kept: dict[int, Life] = g.setdefault("lives", {})
    if ticket.id not in kept:
        kept[ticket.id] = _life(read(), ticket, clock.now())
    return kept[ticket.id]


def _life(db: Session, ticket: Ticket, now: datetime) -> Life:
    said = rating.rating_of(db, ticket) if ticket.state == "served" else None
    told = next((n for n in notices_of(db, [ticket.id]) if n.kind in NEWS), None)
    return Life(
        way=_way(db, ticket, now),
        booking=db.get(Booking, ticket.id) if ticket.state == "booked" else None,
        news=_news(db, told),
        ask=rating.may_rate(db, ticket, now=now),
        rated=said.score if said else 0,
        reason=said.reason if said else "",
        offers=offers_of(db, ticket, now),
        late=_late(ticket, now),
        kept_until=ticket.appointment_at + APPOINTMENT_GRACE if ticket.appointment_at else None,
    )


def _late(ticket: Ticket, now: datetime) -> str:
    """See `Life.late`. Somebody who was called and did not come has been here: that is no late appointment."""
    at = ticket.appointment_at
    if at is None or now < at:
        return ""
    if ticket.state == "missed" and ticket.called_at is None:
        return "missed"
    if ticket.state != "booked":
        return ""
    return "kept" if now <= at + APPOINTMENT_GRACE else "line"


def offers_of(db: Session, ticket: Ticket, now: datetime) -> list[Alternative]:
    """Where the holder of a ticket that we ended can go, for some days."""
    if ticket.ended_at is None or now - ticket.ended_at > OFFERED_FOR or not appointments.owed(db, ticket):
        return []
    return alternatives(db, ticket.queue_id, ticket.service_id, now=now)


def _way(db: Session, ticket: Ticket, now: datetime) -> JourneyView | None:
    """The journey, where it has more than one step."""
    seen = journeys.view(db, ticket, now=now)
    return seen if seen is not None and len(seen.steps) > 1 else None


def _news(db: Session, notice: Notice | None) -> str:
    return words_of(db, notice) if notice is not None else ""


@blueprint.app_template_global()
def rating_faces() -> list[tuple[int, Markup, str]]:
    """(score, face, words), best last. Drawn: not every machine's fonts have faces."""
    words = (_("Very bad"), _("Bad"), _("So-so"), _("Good"), _("Very good"))
    return [
        (n, FACE.format(mouth), text)
        for n, (mouth, text) in enumerate(zip(MOUTHS, words, strict=True), start=1)
    ]


@blueprint.app_template_global()
def rating_reasons() -> list[tuple[str, str]]:
    """(code, words) of what a rating can be about."""
    return [
        ("wait", _("The wait")),
        ("staff", _("How I was treated")),
        ("papers", _("Which papers were needed")),
        ("place", _("The place")),
        ("system", _("The system was down")),
        ("other", _("Something else")),
    ]


@blueprint.post("/tickets/<code>/rate")
def rate(code: str) -> Any:
    """One tap for a score; a second one, if they like, for what it was about."""
    ticket = read().scalar(select(Ticket).where(Ticket.code == code))
    if ticket is None:
        abort(404)
    ticket_id, now = current_of(read(), ticket).id, clock.now()
    score = request.form.get("score", "")
    try:
        write(
            lambda db: rating.rate(
                db, db.get_one(Ticket, ticket_id), int(score) if score.isascii() and score.isdigit() else 0,
                request_id=request.form.get("request_id", ""), actor="phone", now=now,
                reason=request.form.get("reason", ""),
            )
        )  # fmt: skip
    except QueueingError as error:
        if error.status_hint == "invalid":
            abort(400)
        # Rated before, or too late: the page says how it stands.
    return redirect(url_for("citizen.ticket", code=code) + "#rating", 303)
