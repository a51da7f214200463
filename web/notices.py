"""Messages to telephones: what they say, and who carries them. The demonstration writes them to its log.

A sender is a function `(number, text)` that raises when it could not send. An installation with a gateway sets
`app.extensions["message_sender"]`; without one `log_sender` stands in, and the messages can be read on the supervisor's
page. What cannot be sent stands in nobody's way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import current_app, g
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from queueing import notices
from queueing.store import Queue, Ticket
from queueing.store_life import Notice
from web.db import read, write
from web.i18n import LANGUAGES, clock_time, language, local, long_date, minutes_text, named

LOG = logging.getLogger(__name__)
Sender = Callable[[str, str], None]
AT_ONCE = 100


def log_sender(number: str, text: str) -> None:
    """The demonstration's carrier: the log, with the number's end alone."""
    LOG.info("message to ...%s: %s", number[-3:], text)


def send_due(now: datetime) -> int:
    """Send what waits to be sent; how many messages. Each is claimed, and committed as claimed, before it goes."""
    sender: Sender = current_app.extensions.get("message_sender", log_sender)
    claimed = write(lambda session: [n.id for n in notices.claim(session, now=now, most=AT_ONCE)])
    lost = []
    for notice_id in claimed:
        notice = read().get(Notice, notice_id)
        if notice is None or notice.phone is None:
            continue
        try:
            sender(notice.phone, text_of(read(), notice))
        except Exception:
            # One number that cannot be reached must not hold up the others.
            LOG.exception("message %s could not be sent", notice_id)
            lost.append(notice_id)
    if lost:
        write(lambda session: notices.failed(session, lost))
    return len(claimed) - len(lost)


def text_of(db: Session, notice: Notice) -> str:
    """The whole message in Arabic, as nobody has said which language they read."""
    before = getattr(g, "language", None)
    g.language = "ar"
    try:
        with force_locale(LANGUAGES["ar"]):
            return words_of(db, notice)
    finally:
        g.language = before


def words_of(db: Session, notice: Notice) -> str:
    """What a notice says, in the page's language."""
    data = notice.data
    ticket = db.get_one(Ticket, notice.ticket_id)
    queue = db.get_one(Queue, notice.queue_id)
    place = named(queue)
    at = _instant(data.get("at"))
    when = _("%(day)s at %(time)s", day=long_date(local(at).date()), time=clock_time(at)) if at else ""
    by = _instant(data.get("by"))
    label = ticket.label
    if notice.kind == "called_off":
        return _called_off(db, data, place)
    texts = {
        "booked": _(
            "Your appointment: %(when)s, %(place)s. Your number: %(label)s.", when=when, place=place, label=label
        ),
        "confirm": _(
            "Are you coming on %(when)s to %(place)s? Please confirm before %(by)s, or your appointment goes to"
            " somebody else.",
            when=when, place=place, by=clock_time(by) if by else "",
        ),
        "reminder_24h": _("Reminder: your appointment is on %(when)s, %(place)s.", when=when, place=place),
        "reminder_2h": _("Reminder: your appointment is on %(when)s, %(place)s.", when=when, place=place),
        "freed": _("Your appointment was not confirmed and has gone to somebody else. You can book another one."),
        "moved": _(
            "The queue had to close. You have an appointment instead: %(when)s, %(place)s.", when=when, place=place
        )
        if data.get("closed")
        else _("Your appointment is now on %(when)s, %(place)s.", when=when, place=place),
        "near": _(
            "Your turn is near. Please come to %(place)s with your number %(label)s.", place=place, label=label
        ),
        "next_desk": _("Next: %(place)s. Your number stays %(label)s.", place=place, label=label)
        if data.get("wait_s") is None
        else _(
            "Next: %(place)s, in about %(time)s. Your number stays %(label)s.",
            place=place, time=minutes_text(max(1, data["wait_s"] / 60)), label=label,
        ),
        "handed_over": _(
            "%(place)s has taken over. You keep your place; your number there is %(label)s.", place=place, label=label
        ),
        "taken_back": _("You stand in your first queue again, in your old place."),
        "cancelled": _("Your ticket %(label)s was cancelled.", label=label),
        "closed": _("The queue had to close before your turn: %(reason)s", reason=data.get("reason"))
        if data.get("reason")
        else _(
            "The queue closed before your turn. We are sorry. You can book an appointment or take a ticket on another"
            " day."
        ),
    }  # fmt: skip
    return str(texts[notice.kind])


def _called_off(db: Session, data: dict[str, Any], place: str) -> str:
    """A visit that does not take place, why, and where to go instead."""
    reason = data.get(f"reason_{language()}") or data.get("reason_ar") or ""
    said = [
        _("Your ticket for %(place)s has ended: %(reason)s.", place=place, reason=reason.rstrip(". "))
        if reason
        else _("Your ticket for %(place)s has ended: the visit does not take place.", place=place)
    ]
    other = db.get(Queue, data["offer"]) if data.get("offer") else None
    at = _instant(data.get("offer_at"))
    if other is not None and at is not None:
        when = _("%(day)s at %(time)s", day=long_date(local(at).date()), time=clock_time(at))
        said.append(_("The nearest instead: %(place)s, %(when)s.", place=named(other), when=when))
    elif other is not None:
        said.append(_("The nearest instead: %(place)s, open now.", place=named(other)))
    return " ".join(said)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
