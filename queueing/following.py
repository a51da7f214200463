"""Who follows what: a ticket, a place, a district, a van; by SMS or by a browser's push service.

A follower is a row with an address and a code, and nothing else about a person. It begins with the follower's own
press; a telephone number hears one question first and nothing else before somebody answers it. It ends with one press
on the link that every message carries, by itself after a year, or with the ticket; the address goes with the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from queueing.errors import Conflict, Invalid
from queueing.journeys import current_of
from queueing.near import first_in_line
from queueing.notices import tell_follower
from queueing.store import Queue, Ticket
from queueing.store_journal import Wish
from queueing.store_life import Follower, Notice
from queueing.ticket import LIVE

YEAR, TO_ANSWER, AFTER_TICKET = timedelta(days=365), timedelta(hours=48), timedelta(days=2)
"""How long a follower stays who confirmed, who did not, and who follows a ticket."""
STAYS = timedelta(hours=1)
"""How long a follower stays after the ticket has ended: for what is told of its end."""
AT_ONCE = 400
MOST = 20
"""Topics that one address may follow."""
KINDS = ("ticket", "site", "unit", "center")


def follow(
    session: Session,
    topic: str,
    *,
    channel: str,
    address: str,
    code: str,
    now: datetime,
    keys: dict[str, Any] | None = None,
    language: str = "ar",
    newest_visit: int = 0,
) -> tuple[Follower, bool]:
    """Follow `topic` (`site:12`); the same address again is the same follower: (it, whether it was there).

    `code` is a fresh secret for the link that ends it; `newest_visit` the highest visit that is announced already.
    A telephone number is asked first (a notice `question`); push needs no question, the browser has asked. Raises
    Invalid `topic_invalid`, Conflict `follows_enough`.
    """
    kind, _colon, number = topic.partition(":")
    if kind not in KINDS or not number.isdigit() or channel not in ("sms", "push"):
        raise Invalid("topic_invalid", "a follower names a ticket, site, unit or center", topic=topic)
    there = select(Follower).where(
        Follower.topic == topic, Follower.channel == channel, Follower.address == address
    )
    found = session.scalar(there)
    if found is not None:
        found.keys, found.language = keys or {}, language
        if channel == "sms":  # asked once more: the message may have been lost, and it says who it is for
            tell_follower(session, found, "question", now=now, key=f"{now:%y%m%d%H}")
        return found, True
    mine = select(func.count()).where(Follower.channel == channel, Follower.address == address)
    if (session.scalar(mine) or 0) >= MOST:
        raise Conflict("follows_enough", f"one address follows at most {MOST} things")
    asks = channel == "sms"
    made = Follower(
        code=code, topic=topic, channel=channel, address=address, keys=keys or {},
        ticket_id=int(number) if kind == "ticket" else None, language=language, since=newest_visit, created_at=now,
        confirmed_at=None if asks else now,
        ends_at=now + (AFTER_TICKET if kind == "ticket" else TO_ANSWER if asks else YEAR),
    )  # fmt: skip
    session.add(made)
    session.flush()
    if asks:
        tell_follower(session, made, "question", now=now)
    return made, False


def confirm(session: Session, follower: Follower, *, now: datetime) -> None:
    """The holder of the number wants the messages. Said twice it is said once."""
    if follower.confirmed_at is None:
        follower.confirmed_at = now
        follower.ends_at = now + YEAR


def unfollow(session: Session, follower: Follower) -> None:
    """End it and forget the address, with all that was written to it."""
    session.execute(delete(Notice).where(Notice.follower_id == follower.id))
    session.delete(follower)
    session.flush()


def forget_ended(session: Session, *, now: datetime) -> int:
    """Forget followers whose time is over; how many."""
    ended = session.scalars(select(Follower).where(Follower.ends_at <= now)).all()
    for follower in ended:
        unfollow(session, follower)
    return len(ended)


PHONES_KEPT = timedelta(days=30)
"""How long after a ticket has ended its telephone number stays: for questions and complaints, and no longer."""


def forget_phones(session: Session, *, now: datetime, most: int = 2000) -> int:
    """Take telephone numbers off tickets, and off messages about them, that ended PHONES_KEPT ago; how many tickets."""
    old = session.scalars(
        select(Ticket.id)
        .where(Ticket.phone.is_not(None), Ticket.state.not_in(LIVE), Ticket.ended_at < now - PHONES_KEPT)
        .limit(most)
    ).all()
    if old:
        quiet = {"synchronize_session": False}
        session.execute(
            update(Notice).where(Notice.ticket_id.in_(old)).values(phone=None).execution_options(**quiet)
        )
        session.execute(
            update(Wish)
            .where(Wish.code.in_(select(Ticket.code).where(Ticket.id.in_(old))))
            .values(phone=None)
            .execution_options(**quiet)
        )
        session.execute(
            update(Ticket).where(Ticket.id.in_(old)).values(phone=None).execution_options(**quiet)
        )
    return len(old)


@dataclass(frozen=True, slots=True)
class TicketNews:
    """Something that a follower of a ticket has not been told: the message as `tell_follower` takes it. `over`: the
    ticket has ended, and following it ends soon; then there may be nothing to tell (`kind` empty)."""

    follower_id: int
    kind: str
    key: str
    data: dict[str, Any]
    over: bool = False


def tell_tickets(session: Session, *, now: datetime) -> int:
    """Tell who follows a ticket that its turn is near, that it is called, and all that its page tells; how many. Each
    is told once: call it as often as you like."""
    return tell_news(session, news_of_tickets(session, now=now), now=now)


def news_of_tickets(session: Session, *, now: datetime) -> list[TicketNews]:
    """What followers of tickets have not been told. Reads only, so that looking holds nobody up."""
    rows = session.execute(
        select(Follower, Ticket)
        .join(Ticket, Ticket.id == Follower.ticket_id)
        .where(Follower.confirmed_at.is_not(None), Follower.ends_at > now)
    ).all()
    found: list[TicketNews] = []
    for begin in range(0, len(rows), AT_ONCE):
        found += _news(session, [(row[0], row[1]) for row in rows[begin : begin + AT_ONCE]], now)
    return found


def tell_news(session: Session, news: Sequence[TicketNews], *, now: datetime) -> int:
    """Write what `news_of_tickets` found; how many messages. Who has ended it meanwhile is left alone."""
    told = 0
    for one in news:
        follower = session.get(Follower, one.follower_id)
        if follower is None:
            continue
        if one.kind:
            told += tell_follower(session, follower, one.kind, now=now, key=one.key, **one.data)
        if one.over:
            follower.ends_at = min(follower.ends_at, now + STAYS)
    return told


def _news(session: Session, rows: list[tuple[Follower, Ticket]], now: datetime) -> list[TicketNews]:
    stands = {taken.id: current_of(session, taken) for _follower, taken in rows}
    followers = [follower.id for follower, _taken in rows]
    wanted = {*stands, *(ticket.id for ticket in stands.values())}
    pages: dict[int | None, list[Notice]] = {}
    for notice in session.scalars(select(Notice).where(Notice.ticket_id.in_(wanted)).order_by(Notice.id)):
        pages.setdefault(notice.ticket_id, []).append(notice)
    known = select(Notice.follower_id, Notice.key).where(Notice.follower_id.in_(followers))
    told = {(number, key) for number, key in session.execute(known)}
    first: dict[int, set[int]] = {}
    found: list[TicketNews] = []
    for follower, taken in rows:
        ticket = stands[taken.id]
        facts: dict[str, Any] = {"ticket": ticket.id, "code": taken.code}
        said = [notice for number in {taken.id, ticket.id} for notice in pages.get(number, [])]
        mine = [
            (n.kind, f"n{n.id}", {**n.data, **facts, "queue": n.queue_id})
            for n in said
            if n.created_at >= follower.created_at and n.kind not in ("near", "booked")
        ]
        here = {**facts, "queue": ticket.queue_id}
        if ticket.state == "waiting":
            if ticket.queue_id not in first:
                zone = session.get_one(Queue, ticket.queue_id).zone
                line = first_in_line(session, ticket.queue_id, zone, now=now)
                first[ticket.queue_id] = {one.id for one in line}
            if ticket.id in first[ticket.queue_id]:
                mine.append(("near", str(ticket.id), here))
        elif ticket.state == "called" and ticket.called_at is not None:
            key = f"{ticket.id}.{ticket.recalls}.{ticket.called_at:%H%M%S}"
            mine.append(("called", key, {**here, "desk": ticket.desk_id}))
        over = ticket.state not in LIVE
        fresh = [one for one in mine if (follower.id, f"{one[0]}:{one[1]}") not in told]
        found += [TicketNews(follower.id, kind, key, data, over) for kind, key, data in fresh]
        if over and not fresh and follower.ends_at > now + STAYS:
            found.append(TicketNews(follower.id, "", "", {}, over))
    return found
