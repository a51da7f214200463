"""On the device: what happened since the last time is written into the chain, in one transaction.

Tickets and their events are written by the verbs as everywhere; the chain follows the append-only table of events, so
it costs a press of a button nothing and misses none. What changes in place (a desk opens, a queue closes) is compared
with what was last written.

Body of an entry, by kind `k`:
- ticket: c code, a action, f state before, t state after, d desk, w actor, r request id, h when, x data; n the ticket's
  facts (with its first entry; where headquarters gave the ticket out with e, the events that came with it), s what the
  rules do not explain, often nothing (with the last of a sealing)
- row:    n table, i key, v values that changed, h when it was noticed
- clock:  g segment, h the device's time at its beginning, w why
- start:  w cause, o [device, epoch, sequence] that it goes on from, h when
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from queueing.daytime import callable_days
from queueing.journal import chain
from queueing.journal.facts import COLUMNS, Happening, columns_of, facts_of, instant, plain, replay
from queueing.journal.marks import get_mark, set_mark
from queueing.store import LIVE_SQL, Desk, DeskShift, Queue, Ticket, TicketEvent, to_micros
from queueing.store_journal import JournalEntry, JournalTicket, Wish
from queueing.store_tablet import PaperStrip

AT_ONCE = 2_000
"""Events sealed in one transaction."""
Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""table -> key -> column -> value, as entries hold them."""


def me(session: Session) -> tuple[str, str]:
    """(device, epoch) of this database. Raises LookupError before it has an identity."""
    mark = get_mark(session, "self")
    if not mark:
        raise LookupError("this database belongs to no device yet")
    return mark["device"], mark["epoch"]


def head(session: Session, device: str, epoch: str) -> tuple[int, str]:
    """(sequence, hash) of the last entry of an epoch; (0, GENESIS) before the first."""
    row = session.execute(
        select(JournalEntry.sequence, JournalEntry.hash)
        .where(JournalEntry.device == device, JournalEntry.epoch == epoch)
        .order_by(JournalEntry.sequence.desc())
        .limit(1)
    ).first()
    return (row.sequence, row.hash) if row is not None else (0, chain.GENESIS)


def append(session: Session, bodies: list[dict[str, Any]]) -> int:
    """Add entries to this device's chain; returns how many."""
    if not bodies:
        return 0
    device, epoch = me(session)
    sequence, before = head(session, device, epoch)
    segment = get_mark(session, "clock").get("segment", "")
    for body in bodies:
        sequence += 1
        words = chain.canonical(body)
        before = chain.link(before, device, epoch, sequence, words)
        if body["k"] == "clock":
            segment = body["g"]
        session.add(
            JournalEntry(
                device=device, epoch=epoch, sequence=sequence, kind=body["k"], ticket_code=body.get("c"),
                body=words, hash=before, said_at=instant(body["h"]), segment=segment, status="own",
            )
        )  # fmt: skip
    session.flush()
    return len(bodies)


def seal(session: Session, *, now: datetime, more: Rows | None = None, at_once: int = AT_ONCE) -> int:
    """Write into the chain what happened since the last sealing; returns how many entries. Nothing new: 0.

    `more`: rows of other packages that travel, too, as they are now.
    """
    sealed = get_mark(session, "sealed").get("event", 0)
    events = session.scalars(
        select(TicketEvent).where(TicketEvent.id > sealed).order_by(TicketEvent.id).limit(at_once)
    ).all()
    count = append(session, _ticket_bodies(session, events) + _row_bodies(session, now, more or {}))
    if events:
        set_mark(session, "sealed", {"event": events[-1].id})
    return count


def skip_events(session: Session) -> None:
    """What stands in the table of events now came from headquarters, or is sealed: it is not to be sent there."""
    last = session.scalar(select(TicketEvent.id).order_by(TicketEvent.id.desc()).limit(1))
    set_mark(session, "sealed", {"event": last or 0})


def _ticket_bodies(session: Session, events: Any) -> list[dict[str, Any]]:
    if not events:
        return []
    touched = {event.ticket_id for event in events}
    tickets = {t.id: t for t in session.scalars(select(Ticket).where(Ticket.id.in_(touched)))}
    codes = [ticket.code for ticket in tickets.values()]
    known = {k.code: k for k in session.scalars(select(JournalTicket).where(JournalTicket.code.in_(codes)))}
    told = select(JournalEntry.ticket_code).where(JournalEntry.ticket_code.in_(codes)).distinct()
    in_log = set(session.scalars(told))
    histories: dict[int, list[Happening]] = {}
    given: dict[int, list[dict[str, Any]]] = {}
    every = select(TicketEvent).where(TicketEvent.ticket_id.in_(touched)).order_by(TicketEvent.id)
    for e in session.scalars(every):
        moved = Happening(e.action, e.state_from, e.state_to, e.happened_at, e.desk_id)
        histories.setdefault(e.ticket_id, []).append(moved)
        if e.data.get("office"):
            given.setdefault(e.ticket_id, []).append(_told(e))
    holds = {row.id: row.cool_down_s for row in session.execute(select(Queue.id, Queue.cool_down_s))}
    last = {event.ticket_id: event.id for event in events}
    bodies = []
    for event in events:
        ticket = tickets[event.ticket_id]
        data = {k: v for k, v in _exact(event.data).items() if k not in ("before", "undoes", "to", "from")}
        body: dict[str, Any] = {
            "k": "ticket", "c": ticket.code, "a": event.action, "t": event.state_to,
            "w": event.actor, "r": event.request_id, "h": to_micros(event.happened_at),
        }  # fmt: skip
        if event.state_from is not None:
            body["f"] = event.state_from
        if event.desk_id is not None:
            body["d"] = event.desk_id
        if data:
            body["x"] = data
        if ticket.code not in known:
            fresh = JournalTicket(code=ticket.code, facts=facts_of(ticket), corrections={})
            session.add(fresh)
            known[ticket.code] = fresh
            body["n"] = {k: v for k, v in fresh.facts.items() if k != "code"}
        elif ticket.code not in in_log and ticket.id in given:
            # Headquarters gave it out. Should it be restored from a backup, it hears of the ticket from here.
            body["n"] = {k: v for k, v in known[ticket.code].facts.items() if k != "code"}
            body["e"] = given[ticket.id]
        in_log.add(ticket.code)
        if last[ticket.id] == event.id:
            body["s"] = _corrections(
                ticket, known[ticket.code].facts, histories[ticket.id], holds[ticket.queue_id]
            )
        bodies.append(body)
    return bodies


def _told(event: TicketEvent) -> dict[str, Any]:
    return {
        "a": event.action, "f": event.state_from, "t": event.state_to, "w": event.actor,
        "h": to_micros(event.happened_at), "r": event.request_id, "d": event.desk_id,
    }  # fmt: skip


def _corrections(
    ticket: Ticket, facts: dict[str, Any], history: list[Happening], hold_s: int
) -> dict[str, Any]:
    """Columns that are not what facts and moves say, with their true values."""
    ruled, _befores = replay(facts, history, hold_s=hold_s)
    told = {**dict.fromkeys(COLUMNS), **facts, **ruled}
    return {
        name: value
        for name, value in columns_of(ticket).items()
        if value != told[name] and not (value == "" and told[name] is None)
    }


def _row_bodies(session: Session, now: datetime, more: Rows) -> list[dict[str, Any]]:
    """What of the rows that change in place differs from what was last written."""
    before: dict[str, Any] = get_mark(session, "rows")
    present = {**_own_rows(session, now), **more}
    bodies = []
    for name in sorted(present):
        for key, values in sorted(present[name].items()):
            known = before.get(name, {}).get(key, {})
            changed = {c: v for c, v in values.items() if c not in known or known[c] != v}
            if changed:
                bodies.append({"k": "row", "n": name, "i": key, "v": changed, "h": to_micros(now)})
    if bodies:
        set_mark(
            session, "rows", {name: {k: dict(v) for k, v in rows.items()} for name, rows in present.items()}
        )
    return bodies


def _own_rows(session: Session, now: datetime) -> dict[str, dict[str, dict[str, Any]]]:
    """Queues and desks that work or hold people, the shifts of these days, numbers given out on paper, and the answers
    to wishes."""
    since = callable_days(now, "Africa/Cairo")[-1]
    shifts = session.execute(
        select(DeskShift.desk_id, DeskShift.queue_id, DeskShift.opened_at, DeskShift.closed_at)
        .order_by(DeskShift.id.desc())
        .limit(60)
    ).all()
    alive = set(session.scalars(select(Queue.id).where(Queue.state != "closed")))
    alive |= set(session.scalars(select(Ticket.queue_id).where(text(f"ticket.{LIVE_SQL}")).distinct()))
    alive |= {shift.queue_id for shift in shifts}
    queues = session.scalars(select(Queue).where(Queue.id.in_(alive)))
    desks = session.scalars(select(Desk).where(Desk.queue_id.in_(alive)))
    strips = session.scalars(select(PaperStrip).where(PaperStrip.day >= since))
    wishes = session.scalars(select(Wish).where(Wish.state != "open", Wish.day >= since))
    return {
        "queue": {str(q.id): {"state": q.state} for q in queues},
        "desk": {str(d.id): {"state": d.state, "operator": d.operator} for d in desks},
        "shift": {
            f"{s.desk_id}:{to_micros(s.opened_at)}": {
                "queue_id": s.queue_id, "opened_at": plain(s.opened_at), "closed_at": plain(s.closed_at)
            }
            for s in reversed(shifts)
        },
        "strip": {
            s.request_id: {
                "queue_id": s.queue_id, "day": plain(s.day), "first": s.first, "last": s.last, "actor": s.actor,
                "made_at": plain(s.made_at),
            }
            for s in strips
        },
        "wish": {w.request_id: {"state": w.state, "reason": w.reason} for w in wishes},
    }  # fmt: skip


def _exact(value: Any) -> Any:
    """JSON without fractions: a number that has one travels as text."""
    if isinstance(value, dict):
        return {str(k): _exact(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(v) for v in value]
    return repr(value) if isinstance(value, float) else value
