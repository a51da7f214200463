"""Entries of a log become tickets, events, shifts and states in this database's own tables.

Used at headquarters for what vans send, and on a device that gets back what it had lost. A stretch is decided upon in
Python over what was loaded at once (book.py), and written at once: no statement belongs to a single event. Events come
first, in the log's order; then every ticket that they touch is computed anew from all of its events (facts.py), so that
the order in which entries arrived leaves no trace.

What one entry has that the database refuses must never stop the others: then every ticket is tried alone, and the
entries of the one that cannot be shown are kept aside for a person, like those that contradict each other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import String, func, select, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.journal.book import Book, Item, load_numbers, of_entries, of_tickets
from queueing.journal.facts import COLUMNS, Happening, column_value, facts_of, instant, replay, shifted
from queueing.journal.leases import CLASH, tell
from queueing.journal.project_rows import project_rows
from queueing.journal.projected import May, Projected, RowApplier
from queueing.store import AT_DESK_SQL, Desk, Queue, QueueDay, Ticket, TicketEvent
from queueing.store_journal import JournalEntry, JournalTicket
from queueing.ticket import AT_DESK, ENDED

UNSHOWABLE = (DataError, IntegrityError, ValueError, TypeError, LookupError, OverflowError, AttributeError)
"""What an entry raises that no table can hold."""
FIXED = ("code", "number", "day", "queue_id")
"""Of a ticket, as it was when it came in."""
LENGTHS = {c.name: c.type.length for c in Ticket.__table__.columns if isinstance(c.type, String)}


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
    items = [(entry, json.loads(entry.body)) for entry in entries]
    told = [item for item in items if item[0].kind == "ticket"]
    if told:
        done.add(_try(session, told, now, may) or _one_by_one(session, told, now, may))
    project_rows(session, [item for item in items if item[0].kind == "row"], done, rows, may)
    session.flush()
    for queue_id in sorted(done.queues):
        queue = session.get(Queue, queue_id)
        if queue is not None:
            tell(session, queue, now)
    return done


def _try(session: Session, items: list[Item], now: datetime, may: May) -> Projected | None:
    """All or nothing; None when something among them cannot be shown."""
    try:
        with session.begin_nested():
            return _project_tickets(session, items, now, may)
    except UNSHOWABLE:
        return None


def _one_by_one(session: Session, items: list[Item], now: datetime, may: May) -> Projected:
    """Each ticket on its own; those that still cannot be shown are held."""
    done = Projected()
    by_code: dict[str, list[Item]] = {}
    for item in items:
        by_code.setdefault(item[1]["c"], []).append(item)
    for mine in by_code.values():
        shown = _try(session, mine, now, may)
        if shown is None:
            for entry, _body in mine:
                _hold(entry, done)
        else:
            done.add(shown)
    session.flush()
    settle(session, done.tickets, done)  # who left a desk may have been looked at after who came to it
    return done


def _project_tickets(session: Session, items: list[Item], now: datetime, may: May) -> Projected:
    done = Projected()
    book = of_entries(session, items, (request_id_of(body) for _entry, body in items))
    facts = _facts_of_new(book, items)
    load_numbers(session, book, {(f["queue_id"], _day(f), f["number"]) for f in facts.values()})
    fresh: list[tuple[str, TicketEvent]] = []
    for entry, body in items:
        entry.status = "applied"
        events = _events(session, book, entry, body, facts, done, now, may)
        fresh.extend((body["c"], event) for event in events)
    _store(session, book, fresh, done)
    return done


def _events(
    session: Session,
    book: Book,
    entry: JournalEntry,
    body: dict[str, Any],
    facts: dict[str, dict[str, Any]],
    done: Projected,
    now: datetime,
    may: May,
) -> list[TicketEvent]:
    """The event of an entry, after those that the device was given with the ticket and that are not here (any more);
    none when it is known already, or held."""
    code, request_id = body["c"], request_id_of(body)
    ticket = book.tickets.get(code)
    queue_id = ticket.queue_id if ticket is not None else body.get("n", {}).get("queue_id")
    if queue_id is None or not may(queue_id) or queue_id not in book.queues:
        return _hold(entry, done)
    if request_id in book.requests:
        if ticket is None:
            return _hold(entry, done)
        entry.status = "known"
        return []
    history = book.events.get(code, [])
    last = history[-1].state_to if history else None
    given = []
    for before in body.get("e", ()):
        if before["r"] not in book.requests and before["f"] == last:
            given.append(before)
            last = before["t"]
    place = (entry.device, entry.epoch, code)
    if body.get("f") != last or place in book.held:
        book.held.add(place)
        return _hold(entry, done)
    if ticket is None:
        ticket = _make(session, book, code, facts[code], done)
    if code not in book.basis:  # given out here, and never told to this device
        book.basis[code] = JournalTicket(code=code, facts=facts_of(ticket), corrections={})
        session.add(book.basis[code])
    seq = book.queues[queue_id].seq + 1
    fresh = [_given_event(book.desks, ticket, seq, before, now) for before in given]
    fresh.append(new_event(book.desks, ticket, seq, entry, body, now))
    for event in fresh:
        _give_back(session, book, ticket, event)
        book.events[code].append(event)
        book.requests.add(event.request_id)
    if "s" in body:  # what the rules do not explain: only the latest holds
        book.basis[code].corrections = shifted(body["s"], entry.offset_us)
    done.tickets.add(code)
    return fresh


def _give_back(session: Session, book: Book, ticket: Ticket, event: TicketEvent) -> None:
    """A booking that nobody will come for frees its share of the day's capacity, as issuing.give_back does there."""
    before, after = event.state_from, event.state_to
    if before == "booked" and after in ENDED and event.action != "close":
        change = -1
    elif event.action == "undo" and before in ENDED and after == "booked":
        change = 1
    else:
        return
    counter = book.counters.get((ticket.queue_id, ticket.day)) or session.get(
        QueueDay, (ticket.queue_id, ticket.day)
    )
    if counter is not None:
        counter.issued += change


def _hold(entry: JournalEntry, done: Projected) -> list[TicketEvent]:
    entry.status = "held"
    done.held.append(entry)
    return []


def _given_event(
    desks: Collection[int], ticket: Ticket, seq: int, before: dict[str, Any], now: datetime
) -> TicketEvent:
    """An event that happened here and that a device was given with its ticket: this database has forgotten it."""
    return TicketEvent(
        ticket_id=ticket.id, queue_id=ticket.queue_id, desk_id=before["d"] if before["d"] in desks else None,
        action=before["a"], state_from=before["f"], state_to=before["t"], actor=_text(before["w"], 80),
        happened_at=instant(before["h"]), recorded_at=now, request_id=before["r"], seq=seq,
        data={"office": True},
    )  # fmt: skip


def new_event(
    desks: Collection[int], ticket: Ticket, seq: int, entry: JournalEntry, body: dict[str, Any], now: datetime
) -> TicketEvent:
    """The event of an entry, not stored yet, with the time corrected and where it came from. `desks`: those that
    are known here."""
    return TicketEvent(
        ticket_id=ticket.id,
        queue_id=ticket.queue_id,
        desk_id=body["d"] if body.get("d") in desks else None,
        action=body["a"],
        state_from=body.get("f"),
        state_to=body["t"],
        actor=_text(body["w"], 80),
        happened_at=instant(body["h"] + entry.offset_us),
        recorded_at=now,
        request_id=request_id_of(body),
        seq=seq,
        data={**body.get("x", {}), "log": [entry.device, entry.epoch, entry.sequence]},
    )


def add_event(
    session: Session, ticket: Ticket, entry: JournalEntry, body: dict[str, Any], now: datetime
) -> None:
    """Store the event of one entry of a ticket."""
    desks = select(Desk.id).where(Desk.id == body.get("d"))
    seq = session.scalar(select(Queue.seq).where(Queue.id == ticket.queue_id)) or 0
    event = new_event(set(session.scalars(desks)), ticket, seq + 1, entry, body, now)
    if event.action == "undo":
        before = select(func.max(TicketEvent.id)).where(TicketEvent.ticket_id == ticket.id)
        event.data["undoes"] = session.scalar(before)
    session.add(event)
    session.flush()


def request_id_of(body: dict[str, Any]) -> str:
    """The request id under which an event is known everywhere. What the product itself asked for is named after a row
    of its own database; here after the ticket's code."""
    made: str = body["r"]
    if "#:" in made:
        return f"{made.split('#:', 1)[0]}#:{body['c']}"[:80]
    return made


def _facts_of_new(book: Book, items: list[Item]) -> dict[str, dict[str, Any]]:
    """code -> facts, with the clock corrected, of tickets that are not known here."""
    found: dict[str, dict[str, Any]] = {}
    for entry, body in items:
        if "n" not in body or body["c"] in book.tickets or body["n"]["queue_id"] not in book.queues:
            continue
        facts = {**shifted(body["n"], entry.offset_us), "code": body["c"]}
        zone = book.queues[facts["queue_id"]].zone
        if "e" in body:  # the times of headquarters itself
            facts = {**body["n"], "code": body["c"]}
        elif entry.offset_us and _day(facts) == local_day(instant(body["n"]["issued_at"]), zone):
            facts["day"] = local_day(instant(facts["issued_at"]), zone).isoformat()
        found.setdefault(body["c"], facts)
    return found


def _day(facts: dict[str, Any]) -> date:
    return date.fromisoformat(facts["day"])


def _make(session: Session, book: Book, code: str, facts: dict[str, Any], done: Projected) -> Ticket:
    """The ticket of a first entry. A number that another ticket has is no reason to lose a person."""
    queue_id, day, number = facts["queue_id"], _day(facts), facts["number"]
    taken = book.numbers[queue_id, day]
    other = taken.get(number)
    if other is not None:
        highest = session.scalar(
            select(func.max(Ticket.number)).where(Ticket.queue_id == queue_id, Ticket.day == day)
        )
        number = max(CLASH, highest or 0, *taken) + 1
    else:
        _count(session, book, queue_id, day, number)
    taken[number] = code
    ticket = Ticket(code=code, queue_id=queue_id, day=day, number=number)
    book.tickets[code], book.events[code] = ticket, []
    basis = book.basis.setdefault(code, JournalTicket(code=code))
    basis.facts, basis.corrections = facts, {}
    session.add(basis)
    if other is not None:
        done.clashes.append((ticket, other))
    return ticket


def _count(session: Session, book: Book, queue_id: int, day: date, number: int) -> None:
    counter = book.counters.get((queue_id, day))
    if counter is None:
        counter = QueueDay(queue_id=queue_id, day=day, next_number=1, issued=0)
        session.add(counter)
        book.counters[queue_id, day] = counter
    counter.issued += 1
    counter.next_number = max(counter.next_number, number + 1)


def settle(session: Session, codes: Collection[str], done: Projected) -> None:
    """Compute stored tickets anew from their stored events."""
    book = of_tickets(session, codes)
    done.tickets |= set(book.tickets)
    _store(session, book, [], done)


def _store(session: Session, book: Book, fresh: list[tuple[str, TicketEvent]], done: Projected) -> None:
    """Give every touched ticket the columns that its events say, and write it with its new events.

    Those who stand at a desk get it last: the database allows one open ticket at a desk at any moment.
    """
    at_desk: list[tuple[Ticket, int]] = []
    with session.no_autoflush:
        for code in sorted(done.tickets):
            ticket, basis = book.tickets.get(code), book.basis.get(code)
            if ticket is None or basis is None:
                continue
            history = book.events[code]
            hold_s = book.queues[ticket.queue_id].cool_down_s
            moves = [Happening(e.action, e.state_from, e.state_to, e.happened_at, e.desk_id) for e in history]
            ruled, befores = replay(basis.facts, moves, hold_s=hold_s)
            _keep_befores(history, befores)
            _write(ticket, {**dict.fromkeys(COLUMNS), **basis.facts, **ruled, **basis.corrections})
            done.queues.add(ticket.queue_id)
            done.days.add((ticket.queue_id, ticket.day))
            if ticket.state in AT_DESK and ticket.desk_id is not None:
                at_desk.append((ticket, ticket.desk_id))
                ticket.desk_id = None
        session.add_all(book.tickets.values())
        _only_known_desks(session, book, [*done.tickets])
    session.flush()
    _store_events(session, book, fresh)
    _seat(session, at_desk)


def _write(ticket: Ticket, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in COLUMNS or name in FIXED:
            continue
        if name == "note":
            value = value or ""
        if value is None and not Ticket.__table__.c[name].nullable:
            continue
        if isinstance(value, str) and name in LENGTHS:
            value = _text(value, LENGTHS[name])
        setattr(ticket, name, column_value(name, value))


def _text(value: str, length: int | None) -> str:
    """As much of it as a column holds: a laptop's database does not count, this one may."""
    return value.replace("\x00", "")[:length]


def _only_known_desks(session: Session, book: Book, codes: list[str]) -> None:
    """A desk that this database does not have is shown as none."""
    shown = [book.tickets[code] for code in codes if code in book.tickets]
    named = {t.desk_id for t in shown if t.desk_id is not None} - book.desks
    missing = named - set(session.scalars(select(Desk.id).where(Desk.id.in_(named)))) if named else set()
    for ticket in shown:
        if ticket.desk_id in missing:
            ticket.desk_id = None


def _store_events(session: Session, book: Book, fresh: list[tuple[str, TicketEvent]]) -> None:
    for code, event in fresh:
        event.ticket_id = book.tickets[code].id
        session.add(event)
    session.flush()
    for code, event in fresh:
        if event.action == "undo":  # its number is known only now
            history = book.events[code]
            event.data = {**event.data, "undoes": history[history.index(event) - 1].id}
    session.flush()


def _seat(session: Session, at_desk: list[tuple[Ticket, int]]) -> None:
    """Put people at their desks. Where two laptops ran the desk of one name, here it shows the first one's person."""
    if not at_desk:
        return
    wanted = {desk_id for _ticket, desk_id in at_desk}
    known = set(session.scalars(select(Desk.id).where(Desk.id.in_(wanted))))
    taken = set(
        session.scalars(
            select(Ticket.desk_id).where(text(f"ticket.{AT_DESK_SQL}"), Ticket.desk_id.in_(known))
        )
    )
    for ticket, desk_id in at_desk:
        if desk_id in known and desk_id not in taken:
            ticket.desk_id = desk_id
            taken.add(desk_id)
    session.flush()


def _keep_befores(history: list[TicketEvent], befores: list[dict[str, Any]]) -> None:
    """What undo needs does not travel: the replay knows it."""
    for event, before in zip(history, befores, strict=True):
        if before and "log" in event.data and event.data.get("before") != before:
            event.data = {**event.data, "before": before}
