"""Hands: the people whom a tablet may call while it hears nothing from us.

While a desk's page is open, its browser holds a hand: the next people of the line, no two browsers the same. A person
in a hand is called by that browser alone, so two desks that lose the line at once cannot call one person. That holds
without any clock because of one order of things:

- a row of `Hand` is there *before* the browser hears of the person, and
- it goes only *after* the browser has said that it holds the person no longer (`contact(holds=...)`; what it called in
  the meantime has been told in the same message, before).

While the line is good this changes nothing of the order: a desk whose turn it is to call somebody out of another's hand
asks for them (`want`), the other browser hears of it at once and lets go. Only a browser that does not answer keeps its
people, until its lease ends or a supervisor ends it (`take_back`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from queueing import audit
from queueing.errors import Conflict, Invalid, NotFound
from queueing.order import choose, rank
from queueing.store import LIVE_SQL, Desk, DeskService, Queue, Ticket
from queueing.store_tablet import DeskDevice, Hand
from queueing.ticket import AT_DESK
from queueing.turn import Turn, fresh_desk

SIZE = 12
"""People of a hand: half an hour at two and a half minutes each."""
LEASE = timedelta(minutes=60)
"""After the last contact: from then on everybody may call the people of a hand."""
IN_CONTACT = timedelta(seconds=25)
"""A browser that was heard within this time is there to be asked."""
ASIDE = 20
"""Parked and missed people of the desk that go with a hand, besides."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A browser with people in its hand, as a supervisor sees it."""

    holder: DeskDevice
    desk: Desk
    people: int
    silent: bool
    """Not heard for longer than IN_CONTACT."""


def contact(
    session: Session,
    desk: Desk,
    device: str,
    *,
    account: str,
    holds: Collection[str] | None,
    unsent: int = 0,
    now: datetime,
) -> list[Ticket]:
    """A browser at `desk` is heard: the people it holds from now on, the line's order first.

    `holds`: the codes of the people it holds, by which it lets go of all others; None: it cannot say (it has not told
    all that it did), so nothing is let go. Who is not in the answer may not be called and is let go with the next
    contact. Raises Invalid `device_invalid`.
    """
    _check(device)
    with Turn(session, desk.queue_id, request_id="hand", actor=account, now=now) as turn:
        here = fresh_desk(session, desk)
        mine = _holder(session, here, device, account, now)
        mine.account, mine.heard_at, mine.until, mine.unsent = account, now, now + LEASE, unsent
        rows = _rows(session, here.queue_id)
        tickets = {t.id: t for t in _people(session, turn, here)}
        given = False
        if holds is not None:
            given = _let_go(session, mine, rows, tickets, set(holds))
        held = {n for n, (hand, _holder) in rows.items() if hand.holder_id == mine.id}
        waiting = [t for t in tickets.values() if t.state == "waiting"]
        works = here.state == "open" and here.operator == account and turn.queue.state != "closed"
        give: set[int] = set()
        if works:
            give = _deal(session, turn, here, mine, rows, waiting, held)
            aside = [t for t in tickets.values() if t.state in ("parked", "missed")][-ASIDE:]
            _take(session, here, mine, rows, [t for t in aside if t.id not in held])
        else:
            give = held
        session.flush()
        if given:
            _tell(turn, {"action": "hand_given", "desk": here.name})
        kept = [n for n, (hand, _holder) in rows.items() if hand.holder_id == mine.id and n not in give]
        answer = [tickets[n] for n in kept if n in tickets]
    return sorted(answer, key=lambda t: (t.state != "waiting", *rank(t, now)))


def want(session: Session, desk: Desk, device: str, *, ticket: Ticket | None = None, now: datetime) -> bool:
    """Ask for the person who is next (or for `ticket`) out of another browser's hand.

    True when that browser has been asked and is there to answer: call again in a moment. False when there is nothing to
    wait for.
    """
    _check(device)
    with Turn(session, desk.queue_id, request_id="hand", actor="", now=now) as turn:
        here = fresh_desk(session, desk)
        if ticket is None:
            services = _services(session, here.id)
            ticket = choose(_waiting(session, turn), now=now, services=services)
        if ticket is None:
            return False
        hand = session.get(Hand, ticket.id, populate_existing=True)
        if hand is None:
            return False
        holder = session.get_one(DeskDevice, hand.holder_id)
        silent = holder.heard_at < now - IN_CONTACT or holder.until <= now
        if silent or (holder.desk_id == here.id and holder.device == device):
            return False
        hand.wanted_by = _holder(session, here, device, here.operator or "", now).id
        session.flush()
        _tell(turn, {"action": "hand_wanted", "desk": session.get_one(Desk, holder.desk_id).name})
        return True


def forget(session: Session, desk: Desk, device: str, *, now: datetime) -> None:
    """The browser has promised to hold nobody (the desk is closed, the person signs out)."""
    _check(device)
    with Turn(session, desk.queue_id, request_id="hand", actor="", now=now):
        found = session.scalar(
            select(DeskDevice).where(DeskDevice.desk_id == desk.id, DeskDevice.device == device)
        )
        if found is not None:
            _drop(session, found)


def take_back(session: Session, queue: Queue, holder_id: int, *, actor: str, now: datetime) -> None:
    """A supervisor ends the lease of a browser that is silent: its people can be called by everybody. What it did
    without us is still taken when it comes back, and refused where somebody else was quicker.

    Raises NotFound `no_hand`; Conflict `hand_in_contact` while the browser is there.
    """
    with Turn(session, queue.id, request_id="hand", actor=actor, now=now) as turn:
        found = session.get(DeskDevice, holder_id, populate_existing=True)
        desk = session.get(Desk, found.desk_id) if found is not None else None
        if found is None or desk is None or desk.queue_id != queue.id:
            raise NotFound("no_hand", "there is no such hand")
        if found.heard_at >= now - IN_CONTACT:
            raise Conflict("hand_in_contact", f"desk {desk.name} is connected", desk=desk.name)
        if found.until > now:
            found.until = now
            audit.note(
                session,
                f"queue:{queue.id}",
                "hand_taken_back",
                actor=actor,
                now=now,
                subject=desk.name,
                data={},
            )
            session.flush()
            _tell(turn, {"action": "hand_taken_back", "desk": desk.name})


def alone(session: Session, queue_ids: Collection[int], *, now: datetime) -> list[Alone]:
    """The browsers with a running lease at desks of these queues, the longest silent first."""
    found = session.execute(
        select(DeskDevice, Desk)
        .join(Desk, Desk.id == DeskDevice.desk_id)
        .where(Desk.queue_id.in_(queue_ids), DeskDevice.until > now)
        .order_by(DeskDevice.heard_at)
    ).all()
    rows = []
    for holder, desk in found:
        people = session.scalars(
            select(Hand.ticket_id)
            .join(Ticket, Ticket.id == Hand.ticket_id)
            .where(Hand.holder_id == holder.id, Ticket.state == "waiting")
        ).all()
        rows.append(Alone(holder, desk, len(people), holder.heard_at < now - IN_CONTACT))
    return rows


def _check(device: str) -> None:
    if not 8 <= len(device) <= 32 or not device.isascii() or not device.isalnum():
        raise Invalid("device_invalid", "a device is named by 8 to 32 letters and digits")


def _holder(session: Session, desk: Desk, device: str, account: str, now: datetime) -> DeskDevice:
    found = session.scalar(
        select(DeskDevice)
        .where(DeskDevice.desk_id == desk.id, DeskDevice.device == device)
        .execution_options(populate_existing=True)
    )
    if found is None:
        found = DeskDevice(desk_id=desk.id, device=device, account=account, heard_at=now, until=now, unsent=0)
        session.add(found)
        session.flush()
    # The same browser now sits elsewhere: it holds nobody of its old desk any more.
    for old in session.scalars(
        select(DeskDevice).where(DeskDevice.device == device, DeskDevice.id != found.id)
    ).all():
        if session.get_one(Desk, old.desk_id).queue_id == desk.queue_id:
            _drop(session, old)
    return found


def _drop(session: Session, holder: DeskDevice) -> None:
    session.execute(delete(Hand).where(Hand.holder_id == holder.id))
    session.execute(update(Hand).where(Hand.wanted_by == holder.id).values(wanted_by=None))
    session.delete(holder)
    session.flush()


def _rows(session: Session, queue_id: int) -> dict[int, tuple[Hand, DeskDevice]]:
    found = session.execute(
        select(Hand, DeskDevice)
        .join(DeskDevice, DeskDevice.id == Hand.holder_id)
        .where(Hand.queue_id == queue_id)
        .execution_options(populate_existing=True)
    )
    return {hand.ticket_id: (hand, holder) for hand, holder in found}


def _waiting(session: Session, turn: Turn) -> list[Ticket]:
    found = session.scalars(
        select(Ticket)
        .where(
            text(f"ticket.{LIVE_SQL}"),
            Ticket.queue_id == turn.queue.id,
            Ticket.state == "waiting",
            Ticket.aged_from >= turn.since,
        )
        .execution_options(populate_existing=True)
    ).all()
    return sorted(found, key=lambda t: rank(t, turn.now))


def _people(session: Session, turn: Turn, desk: Desk) -> list[Ticket]:
    """The waiting in their order, then who was set aside or missed at this desk."""
    aside = session.scalars(
        select(Ticket)
        .where(
            text(f"ticket.{LIVE_SQL}"),
            Ticket.queue_id == turn.queue.id,
            Ticket.state.in_(("parked", "missed")),
            Ticket.aged_from >= turn.since,
            Ticket.desk_id == desk.id,
        )
        .order_by(Ticket.called_at)
        .execution_options(populate_existing=True)
    ).all()
    return [*_waiting(session, turn), *aside]


def _services(session: Session, desk_id: int) -> set[int] | None:
    """The services that a desk is limited to; None: all."""
    return set(session.scalars(select(DeskService.service_id).where(DeskService.desk_id == desk_id))) or None


def _let_go(
    session: Session,
    mine: DeskDevice,
    rows: dict[int, tuple[Hand, DeskDevice]],
    tickets: dict[int, Ticket],
    holds: set[str],
) -> bool:
    """Remove from the hand whom the browser does not hold; True when somebody had asked for one of them."""
    given = False
    codes = {t.id: t.code for t in tickets.values()}
    for number, (hand, _holder) in list(rows.items()):
        if hand.holder_id != mine.id or codes.get(number) in holds:
            continue
        heir = session.get(DeskDevice, hand.wanted_by) if hand.wanted_by is not None else None
        if heir is not None and heir.id != mine.id and number in codes:
            hand.holder_id, hand.wanted_by = heir.id, None
            rows[number] = hand, heir
            given = True
        else:
            session.delete(hand)
            del rows[number]
    session.flush()
    return given


def _deal(
    session: Session,
    turn: Turn,
    desk: Desk,
    mine: DeskDevice,
    rows: dict[int, tuple[Hand, DeskDevice]],
    waiting: Sequence[Ticket],
    held: set[int],
) -> set[int]:
    """Fill the hand up to its fair share from the front of the line; whom it is to give back for others."""
    now = turn.now
    there = {mine.id: mine}
    for found in session.execute(
        select(DeskDevice, Desk)
        .join(Desk, Desk.id == DeskDevice.desk_id)
        .where(Desk.queue_id == desk.queue_id, Desk.state == "open", DeskDevice.heard_at >= now - IN_CONTACT)
    ):
        if found[0].until > now:
            there[found[0].id] = found[0]
    services = _services(session, desk.id)
    share = min(SIZE, -(-len(waiting) // len(there)))
    own = [t for t in waiting if t.id in held and rows[t.id][0].wanted_by is None]
    for ticket in waiting:
        if len(own) >= share:
            break
        hand, holder = rows.get(ticket.id, (None, None))
        free = hand is None or (holder is not None and holder.until <= now)
        if free and (services is None or ticket.service_id in services):
            _take(session, desk, mine, rows, [ticket])
            own.append(ticket)
    if len(own) < share:  # others hold more than their share
        _ask_for(turn, mine, there, rows, waiting, services, share, share - len(own))
    return {n for n in held if rows[n][0].wanted_by is not None}


def _ask_for(
    turn: Turn,
    mine: DeskDevice,
    there: dict[int, DeskDevice],
    rows: dict[int, tuple[Hand, DeskDevice]],
    waiting: Sequence[Ticket],
    services: set[int] | None,
    share: int,
    count: int,
) -> None:
    theirs: dict[int, list[Ticket]] = {}
    for ticket in waiting:
        hand, holder = rows.get(ticket.id, (None, None))
        if hand is None or holder is None or holder.id == mine.id or holder.id not in there:
            continue
        if hand.wanted_by == mine.id:
            count -= 1
        elif hand.wanted_by is None and (services is None or ticket.service_id in services):
            theirs.setdefault(holder.id, []).append(ticket)
    asked = False
    for found in theirs.values():
        # Every second one, so that both keep people from the front.
        for ticket in found[1::2][: max(0, min(count, len(found) - share))]:
            rows[ticket.id][0].wanted_by = mine.id
            count -= 1
            asked = True
    if asked:
        turn.session.flush()
        _tell(turn, {"action": "hand_wanted", "desk": ""})


def _take(
    session: Session,
    desk: Desk,
    mine: DeskDevice,
    rows: dict[int, tuple[Hand, DeskDevice]],
    tickets: Sequence[Ticket],
) -> None:
    for ticket in tickets:
        hand, holder = rows.get(ticket.id, (None, None))
        if hand is None:
            hand = Hand(ticket_id=ticket.id, queue_id=desk.queue_id, holder_id=mine.id)
            session.add(hand)
        elif holder is not None and holder.id != mine.id and holder.until > mine.heard_at:
            continue
        else:
            hand.holder_id, hand.wanted_by = mine.id, None
        rows[ticket.id] = hand, mine


def _tell(turn: Turn, data: dict[str, str]) -> None:
    """Let the desks' pages hear of it. Not for the audit: it happens with every second call."""
    turn.queue.seq += 1
    turn.ledger.told.add(turn.queue.id)
    turn.ledger.say(turn.queue, "hands", {**data, "parts": ["hands"]}, turn.now)
    turn.ledger.store()


def holder_of(session: Session, ticket: Ticket, *, now: datetime) -> Alone | None:
    """In whose hand a person is."""
    found = session.execute(
        select(DeskDevice, Desk)
        .join(Hand, Hand.holder_id == DeskDevice.id)
        .join(Desk, Desk.id == DeskDevice.desk_id)
        .where(Hand.ticket_id == ticket.id, DeskDevice.until > now)
    ).one_or_none()
    if found is None or ticket.state in AT_DESK:
        return None
    return Alone(found[0], found[1], 1, found[0].heard_at < now - IN_CONTACT)
