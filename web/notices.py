"""What messages say. web/carriers.py sends them; a ticket's page shows those to its holder."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Any

from flask import current_app, g
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from fleet.store import Center, LocalUnit, Site, Visit
from fleet.visit_news import next_visit
from queueing.store import Desk, Queue, Ticket
from queueing.store_life import Follower, Notice
from web.i18n import LANGUAGES, clock_time, language, local, long_date, minutes_text, named


def text_of(db: Session, notice: Notice) -> str:
    """The whole message: to a telephone in Arabic, as nobody has said which language they read; to a follower in the
    language in which they asked for it, with the link that ends it."""
    follower = db.get(Follower, notice.follower_id) if notice.follower_id is not None else None
    before = getattr(g, "language", None)
    g.language = follower.language if follower is not None and follower.language in LANGUAGES else "ar"
    try:
        with force_locale(LANGUAGES[g.language]):
            words = words_of(db, notice)
            if follower is not None and follower.channel == "sms" and notice.kind != "question":
                words += " " + _("Stop: %(link)s", link=link_of(follower))
            return words
    finally:
        g.language = before


def yes_to(follower: Follower) -> str:
    """What only the message to a number carries: whoever has it holds the telephone, and may say yes for it."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, f"yes {follower.code}".encode(), hashlib.sha256).hexdigest()[:10]


def link_of(follower: Follower, *, ask: bool = False) -> str:
    """Where a follower ends it with one press; with `ask`, where they say yes to it."""
    root = current_app.extensions["settings"].public_url
    prefix = (
        "" if follower.language == "ar" or follower.language not in LANGUAGES else f"/{follower.language}"
    )
    return f"{root}{prefix}/f/{follower.code}" + (f"?y={yes_to(follower)}" if ask else "")


def topic_name(db: Session, topic: str) -> str:
    """What a follower follows, in the page's language; empty where it is no more."""
    kind, _colon, number = topic.partition(":")
    tables: dict[str, Any] = {"site": Site, "unit": LocalUnit, "center": Center, "ticket": Ticket}
    thing = db.get(tables[kind], int(number)) if kind in tables and number.isdigit() else None
    if thing is None:
        return ""
    return _("ticket %(label)s", label=thing.label) if isinstance(thing, Ticket) else named(thing)


def words_of(db: Session, notice: Notice) -> str:
    """What a notice says, in the page's language."""
    data = notice.data
    if notice.kind in VISIT_KINDS:
        return _of_visit(db, notice)
    if notice.kind == "question":
        return _question(db, notice)
    ticket = db.get_one(Ticket, notice.ticket_id or data["ticket"])
    queue = db.get_one(Queue, notice.queue_id or data["queue"])
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
        "called": _called(db, data, place, label),
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


VISIT_KINDS = ("coming", "visit_moved", "visit_off")


def _of_visit(db: Session, notice: Notice) -> str:
    """News of a visit, short enough for a text message with its link."""
    visit = db.get_one(Visit, notice.data["visit"])
    when = _(
        "%(day)s %(begin)s-%(end)s",
        day=long_date(visit.day), begin=clock_time(visit.opens_at), end=clock_time(visit.closes_at),
    )  # fmt: skip
    place = named(visit.site)
    if notice.kind == "visit_off":
        later = next_visit(db, visit, now=notice.created_at)
        words = _("Called off: mobile center, %(place)s, %(when)s.", place=place, when=when)
        if later is not None:
            words += " " + _(
                "Next: %(day)s %(time)s.", day=long_date(later.day), time=clock_time(later.opens_at)
            )
        return str(words)
    if notice.kind == "visit_moved":
        return str(_("New time: mobile center, %(place)s, %(when)s.", place=place, when=when))
    return str(_("A mobile center comes to %(place)s: %(when)s.", place=place, when=when))


def _question(db: Session, notice: Notice) -> str:
    follower = db.get_one(Follower, notice.follower_id)
    name = topic_name(db, follower.topic)
    return str(
        _(
            "Messages about %(name)s to this number? Open the link to say yes: %(link)s",
            name=name,
            link=link_of(follower, ask=True),
        )
    )


def _called(db: Session, data: dict[str, Any], place: str, label: str) -> str:
    desk = db.get(Desk, data["desk"]) if data.get("desk") else None
    if desk is None:
        return str(_("It is your turn: number %(label)s, %(place)s.", label=label, place=place))
    name = _("Desk %(name)s", name=desk.name) if desk.name.isdigit() else desk.name
    return str(_("It is your turn: number %(label)s, %(desk)s.", label=label, desk=name))


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
