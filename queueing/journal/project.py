"""Entries of a log become tickets, events, shifts and states in this database's own tables.

Used at headquarters for what vans send, and on a device that gets back what it had lost. Events come first, in the
log's order; then every ticket that they touch is computed anew from all of its events (facts.py), so that the order in
which entries arrived leaves no trace.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.journal.facts import COLUMNS, column_value, instant, replay, shifted
from queueing.journal.leases import CLASH, tell
from queueing.journal.seal import happenings
from queueing.store import AT_DESK_SQL, Desk, DeskShift, Queue, QueueDay, Ticket, TicketEvent
from queueing.store_journal import JournalEntry, JournalTicket, Wish
from queueing.store_tablet import PaperStrip
from queueing.ticket import AT_DESK

SAME_SHIFT = timedelta(minutes=1)
May = Callable[[int], bool]
"""Whether the sender may write about a queue (its id)."""
RowApplier = Callable[[Session, str, str, dict[str, Any], int], None]
"""(session, table, key, values, clock offset in microseconds): rows of other packages."""


@dataclass
class Projected:
    """What a batch changed, and what it could not."""

    queues: set[int] = field(default_factory=set)
    days: set[tuple[int, date]] = field(default_factory=set)
    """(queue, local day) whose measures are to be computed anew."""
    tickets: set[str] = field(default_factory=set)
    clashes: list[tuple[Ticket, str]] = field(default_factory=list)
    """Tickets whose printed number another ticket has, too, and that one's code."""
    held: list[JournalEntry] = field(default_factory=list)
    """Entries that contradict what is known of their ticket."""


def project(
    session: Session,
    entries: Iterable[JournalEntry],
    *,
    now: datetime,
    may: May,
    rows: RowApplier | None = None,
) -> Projected:
    """Show `entries` (in order) in the tables. Their `status` says what became of each; what is not the sender's
    to write stays in the log alone."""
    done = Projected()
    for entry in entries:
        body = json.loads(entry.body)
        entry.status = "applied"
        if entry.kind == "ticket":
            _event(session, entry, body, done, now, may)
        elif entry.kind == "row":
            _row(session, entry, body, done, rows, may)
    session.flush()
    settle(session, done.tickets, done)
    for queue_id in sorted(done.queues):
        queue = session.get(Queue, queue_id)
        if queue is not None:
            tell(session, queue, now)
    return done


def settle(session: Session, codes: Iterable[str], done: Projected) -> None:
    """Compute tickets anew from their events. All leave their desks first: the database allows one open ticket at a
    desk at any moment."""
    found = []
    for code in sorted(codes):
        ticket = _by_code(session, code)
        known = session.get(JournalTicket, code)
        if ticket is None or known is None:
            continue
        hold_s = session.get_one(Queue, ticket.queue_id).cool_down_s
        ruled, befores = replay(known.facts, happenings(session, ticket), hold_s=hold_s)
        _keep_befores(session, ticket, befores)
        values = {**dict.fromkeys(COLUMNS), **known.facts, **ruled, **known.corrections}
        found.append((ticket, values))
        done.queues.add(ticket.queue_id)
        done.days.add((ticket.queue_id, ticket.day))
    for ticket, _values in found:
        ticket.desk_id = None
    session.flush()
    for ticket, values in found:
        with session.no_autoflush:
            _write(session, ticket, values)
        session.flush()


def _write(session: Session, ticket: Ticket, values: dict[str, Any]) -> None:
    """Give a ticket its columns; its number and day are as they were when it came in."""
    for name, value in values.items():
        if name not in COLUMNS or name in ("code", "number", "day", "queue_id"):
            continue
        if name == "note":
            value = value or ""
        if name == "desk_id":
            value = _known_desk(session, value)
        if value is None and not Ticket.__table__.c[name].nullable:
            continue
        setattr(ticket, name, column_value(name, value))
    if ticket.state in AT_DESK and ticket.desk_id is not None:
        other = session.scalar(
            select(Ticket.id).where(
                text(f"ticket.{AT_DESK_SQL}"), Ticket.desk_id == ticket.desk_id, Ticket.id != ticket.id
            )
        )
        if other is not None:  # two laptops ran the desk of this name: here it shows the first one's person
            ticket.desk_id = None


def _event(
    session: Session, entry: JournalEntry, body: dict[str, Any], done: Projected, now: datetime, may: May
) -> None:
    ticket = _by_code(session, body["c"])
    queue_id = ticket.queue_id if ticket is not None else body.get("n", {}).get("queue_id")
    if queue_id is None or not may(queue_id) or session.get(Queue, queue_id) is None:
        return _hold(entry, done)
    if ticket is None:
        ticket = _make(session, entry, body, done)
    request_id = request_id_of(body)
    if session.scalar(select(TicketEvent.id).where(TicketEvent.request_id == request_id)) is not None:
        entry.status = "known"
        return None
    last = session.scalar(
        select(TicketEvent.state_to)
        .where(TicketEvent.ticket_id == ticket.id)
        .order_by(TicketEvent.id.desc())
        .limit(1)
    )
    if body.get("f") != last or _stream_held(session, entry):
        return _hold(entry, done)
    event = add_event(session, ticket, entry, body, now)
    _correct(session, entry, body)
    done.tickets.add(ticket.code)
    done.queues.add(event.queue_id)
    return None


def _hold(entry: JournalEntry, done: Projected) -> None:
    entry.status = "held"
    done.held.append(entry)


def _stream_held(session: Session, entry: JournalEntry) -> bool:
    """Whether something earlier that this chain says of the ticket is held: then the rest waits with it."""
    session.flush()
    held = select(JournalEntry.id).where(
        JournalEntry.ticket_code == entry.ticket_code,
        JournalEntry.device == entry.device,
        JournalEntry.epoch == entry.epoch,
        JournalEntry.status == "held",
        JournalEntry.sequence < entry.sequence,
    )
    return session.scalar(held.limit(1)) is not None


def add_event(
    session: Session, ticket: Ticket, entry: JournalEntry, body: dict[str, Any], now: datetime
) -> TicketEvent:
    """The event of an entry, with the time corrected and where it came from."""
    data = {**body.get("x", {}), "log": [entry.device, entry.epoch, entry.sequence]}
    if body["a"] == "undo":
        data["undoes"] = session.scalar(
            select(func.max(TicketEvent.id)).where(TicketEvent.ticket_id == ticket.id)
        )
    seq = session.scalar(select(Queue.seq).where(Queue.id == ticket.queue_id)) or 0
    event = TicketEvent(
        ticket_id=ticket.id,
        queue_id=ticket.queue_id,
        desk_id=_known_desk(session, body.get("d")),
        action=body["a"],
        state_from=body.get("f"),
        state_to=body["t"],
        actor=body["w"][:80],
        happened_at=instant(body["h"] + entry.offset_us),
        recorded_at=now,
        request_id=request_id_of(body),
        seq=seq + 1,
        data=data,
    )
    session.add(event)
    session.flush()
    return event


def request_id_of(body: dict[str, Any]) -> str:
    """The request id under which an event is known everywhere. What the product itself asked for is named after a row
    of its own database; here after the ticket's code."""
    made: str = body["r"]
    if "#:" in made:
        return f"{made.split('#:', 1)[0]}#:{body['c']}"[:80]
    return made


def _make(session: Session, entry: JournalEntry, body: dict[str, Any], done: Projected) -> Ticket:
    """The ticket of a first entry. A number that another ticket has is no reason to lose a person."""
    facts = {**shifted(body["n"], entry.offset_us), "code": body["c"]}
    queue = session.get_one(Queue, facts["queue_id"])
    said_day = date.fromisoformat(facts["day"])
    if entry.offset_us and said_day == local_day(instant(body["n"]["issued_at"]), queue.zone):
        said_day = local_day(instant(facts["issued_at"]), queue.zone)
        facts["day"] = said_day.isoformat()
    number = facts["number"]
    other = session.execute(
        select(Ticket.code).where(
            Ticket.queue_id == queue.id, Ticket.day == said_day, Ticket.number == number
        )
    ).scalar()
    if other is not None:
        highest = session.scalar(
            select(func.max(Ticket.number)).where(Ticket.queue_id == queue.id, Ticket.day == said_day)
        )
        number = max(CLASH, highest or 0) + 1
    session.merge(JournalTicket(code=body["c"], facts=facts, corrections={}))
    ticket = Ticket(code=body["c"], queue_id=queue.id, day=said_day, number=number, state=body["t"])
    for name, value in facts.items():
        if name in COLUMNS and name not in ("code", "queue_id", "day", "number", "desk_id"):
            setattr(ticket, name, column_value(name, value))
    session.add(ticket)
    session.flush()
    if other is not None:
        done.clashes.append((ticket, other))
    else:
        _count(session, queue.id, said_day, number)
    return ticket


def _count(session: Session, queue_id: int, day: date, number: int) -> None:
    counter = session.get(QueueDay, (queue_id, day), populate_existing=True)
    if counter is None:
        session.add(QueueDay(queue_id=queue_id, day=day, next_number=number + 1, issued=1))
    else:
        counter.issued += 1
        counter.next_number = max(counter.next_number, number + 1)
    session.flush()


def _correct(session: Session, entry: JournalEntry, body: dict[str, Any]) -> None:
    """Keep what the rules do not explain: only the latest holds."""
    known = session.get(JournalTicket, body["c"])
    if known is not None and "s" in body:
        known.corrections = shifted(body["s"], entry.offset_us)


def _row(
    session: Session,
    entry: JournalEntry,
    body: dict[str, Any],
    done: Projected,
    rows: RowApplier | None,
    may: May,
) -> None:
    name, key, values = body["n"], body["i"], body["v"]
    if name == "queue":
        queue = session.get(Queue, int(key))
        if queue is not None and may(queue.id) and "state" in values:
            queue.state = values["state"]
            done.queues.add(queue.id)
    elif name == "desk":
        desk = session.get(Desk, int(key))
        if desk is not None and may(desk.queue_id):
            desk.state = values.get("state", desk.state)
            desk.operator = values.get("operator", desk.operator)
            done.queues.add(desk.queue_id)
    elif name == "shift":
        desk = session.get(Desk, int(key.split(":")[0]))
        if desk is not None and may(desk.queue_id):
            _shift(session, desk, int(key.split(":")[1]), values, entry.offset_us, done)
    elif name == "strip":
        if "first" in values and may(values["queue_id"]):
            _strip(session, key, values, entry.offset_us)
    elif name == "wish":
        wish = session.get(Wish, key)
        if wish is not None:
            wish.state = values.get("state", wish.state)
            wish.reason = values.get("reason", wish.reason)
    elif rows is not None:
        rows(session, name, key, values, entry.offset_us)


def _shift(
    session: Session, desk: Desk, opened_us: int, values: dict[str, Any], offset_us: int, done: Projected
) -> None:
    """A stretch of a desk. Its end finds its beginning also where the clock was corrected a little in between."""
    opened = instant(opened_us + offset_us)
    closed_us = values.get("closed_at")
    closed = instant(closed_us + offset_us) if closed_us is not None else None
    mine = session.scalars(
        select(DeskShift)
        .where(
            DeskShift.desk_id == desk.id,
            DeskShift.opened_at.between(opened - SAME_SHIFT, opened + SAME_SHIFT),
        )
        .limit(1)
    ).first()
    running = session.scalar(
        select(DeskShift.id).where(DeskShift.desk_id == desk.id, DeskShift.closed_at.is_(None))
    )
    if mine is not None:
        if closed is not None:
            mine.closed_at = max(closed, mine.opened_at)
    elif closed is not None or running is None:
        session.add(DeskShift(desk_id=desk.id, queue_id=desk.queue_id, opened_at=opened, closed_at=closed))
    session.flush()
    done.days.add((desk.queue_id, local_day(opened, "Africa/Cairo")))


def _strip(session: Session, request_id: str, values: dict[str, Any], offset_us: int) -> None:
    """A block of numbers on paper. Two laptops may have printed the same numbers: the first one's stands here."""
    day = date.fromisoformat(values["day"])
    known = select(PaperStrip.id).where(
        (PaperStrip.request_id == request_id)
        | (
            (PaperStrip.queue_id == values["queue_id"])
            & (PaperStrip.day == day)
            & (PaperStrip.first == values["first"])
        )
    )
    if session.scalar(known.limit(1)) is None:
        session.add(
            PaperStrip(
                queue_id=values["queue_id"], day=day, first=values["first"], last=values["last"],
                request_id=request_id, actor=values["actor"], made_at=instant(values["made_at"] + offset_us),
            )
        )  # fmt: skip
        session.flush()


def _keep_befores(session: Session, ticket: Ticket, befores: list[dict[str, Any]]) -> None:
    """What undo needs does not travel: the replay knows it."""
    events = session.scalars(
        select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(TicketEvent.id)
    ).all()
    for event, before in zip(events, befores, strict=True):
        if before and "log" in event.data and event.data.get("before") != before:
            event.data = {**event.data, "before": before}


def _known_desk(session: Session, desk_id: int | None) -> int | None:
    return desk_id if desk_id is not None and session.get(Desk, desk_id) is not None else None


def _by_code(session: Session, code: str) -> Ticket | None:
    return session.scalar(select(Ticket).where(Ticket.code == code))
