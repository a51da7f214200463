"""At headquarters: a person's decision carried out. Entries are never deleted: what does not stand stays in the log.

- copy           one: it is one laptop that was restored, the old one's leases end | two: both are in use
- two_vans       a device: it stands, the others' leases end | both: they share the visit
- same_number    seen
- two_histories  first: what is shown stays | second: the other history takes its place
- clock          measured: corrected times stay | told: the times as the device said them
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from queueing.errors import Conflict, Invalid
from queueing.journal.facts import instant, shifted
from queueing.journal.leases import end, tell
from queueing.journal.project import add_event, request_id_of, settle
from queueing.journal.projected import Projected
from queueing.store import Queue, Ticket, TicketEvent
from queueing.store_journal import Choice, ClockSegment, JournalEntry, JournalTicket, Lease

POSSIBLE = {
    "copy": ("one", "two"),
    "two_vans": ("both",),
    "same_number": ("seen",),
    "two_histories": ("first", "second"),
    "clock": ("measured", "told"),
}


def decide(session: Session, choice_id: int, decision: str, *, actor: str, now: datetime) -> Choice:
    """Carry `decision` out and note who took it. Raises Invalid `decision_unknown`, Conflict `decided_already`."""
    choice = session.get_one(Choice, choice_id, with_for_update=True)
    allowed = POSSIBLE[choice.kind] + tuple(choice.facts.get("devices", ()))
    if decision not in allowed:
        raise Invalid("decision_unknown", f"decide on one of {', '.join(allowed)}", choice=choice.id)
    if choice.decided_at is not None:
        raise Conflict("decided_already", f"{choice.decided_by} has decided: {choice.decision}")
    if choice.kind == "two_vans" and decision != "both":
        _stands(session, choice, decision, now)
    elif choice.kind == "copy" and decision == "one":
        for held in session.scalars(
            select(Lease).where(Lease.device == choice.device, Lease.ended_at.is_(None))
        ).all():
            end(session, held, "other_stands", now=now)
    elif choice.kind == "two_histories":
        _history(session, choice, decision == "second", now)
    elif choice.kind == "clock" and decision == "told":
        reclock(session, choice.device, choice.facts["segment"], 0, now=now)
    choice.decided_at, choice.decided_by, choice.decision = now, actor, decision
    session.flush()
    return choice


def _stands(session: Session, choice: Choice, device: str, now: datetime) -> None:
    others = select(Lease).where(
        Lease.queue_id == choice.facts["queue"], Lease.device != device, Lease.ended_at.is_(None),
        Lease.device.in_(choice.facts["devices"]),
    )  # fmt: skip
    for held in session.scalars(others).all():
        end(session, held, "other_stands", now=now)


def lineage(session: Session, device: str, epoch: str) -> dict[tuple[str, str], int]:
    """The chains that an epoch goes on from: (device, epoch) -> up to which sequence it shares them."""
    shared: dict[tuple[str, str], int] = {}
    place: tuple[str, str] | None = (device, epoch)
    while place is not None:
        body = session.scalar(
            select(JournalEntry.body)
            .where(
                JournalEntry.device == place[0], JournalEntry.epoch == place[1], JournalEntry.kind == "start"
            )
            .order_by(JournalEntry.sequence)
            .limit(1)
        )
        origin = json.loads(body).get("o") if body else None
        place = None
        if origin and (origin[0], origin[1]) not in shared:
            place = (origin[0], origin[1])
            shared[place] = origin[2]
    return shared


def _history(session: Session, choice: Choice, second: bool, now: datetime) -> None:
    code, device = choice.facts["code"], choice.device
    epoch = choice.facts["epoch"]
    mine = (
        JournalEntry.ticket_code == code, JournalEntry.device == device, JournalEntry.epoch == epoch,
    )  # fmt: skip
    ticket = session.scalar(select(Ticket).where(Ticket.code == code))
    held = session.scalars(select(JournalEntry).where(*mine, JournalEntry.status == "held")).all()
    if not second or ticket is None:
        for entry in held:
            entry.status = "dropped"
        return
    shared = lineage(session, device, epoch)
    ticket.desk_id = None
    session.flush()
    for event in session.scalars(select(TicketEvent).where(TicketEvent.ticket_id == ticket.id)).all():
        log = event.data.get("log")
        if log is None or log[2] <= shared.get((log[0], log[1]), 0) or (log[0], log[1]) == (device, epoch):
            continue
        session.execute(delete(TicketEvent).where(TicketEvent.id == event.id))
        session.expunge(event)
        for entry in session.scalars(
            select(JournalEntry).where(
                JournalEntry.device == log[0], JournalEntry.epoch == log[1], JournalEntry.sequence == log[2]
            )
        ):
            entry.status = "dropped"
    for entry in session.scalars(select(JournalEntry).where(*mine).order_by(JournalEntry.sequence)).all():
        body = json.loads(entry.body)
        known = select(TicketEvent.id).where(TicketEvent.request_id == request_id_of(body))
        if session.scalar(known) is None:
            add_event(session, ticket, entry, body, now)
            entry.status = "applied"
        basis = session.get(JournalTicket, code)
        if basis is not None and "s" in body:
            basis.corrections = shifted(body["s"], entry.offset_us)
    _show(session, {code}, now)


def reclock(session: Session, device: str, segment: str, offset_us: int, *, now: datetime) -> int:
    """Put the times of a segment at another distance from what its clock said; returns how many entries."""
    known = session.get(ClockSegment, (device, segment))
    if known is not None:
        known.offset_us = offset_us
    entries = session.scalars(
        select(JournalEntry)
        .where(JournalEntry.device == device, JournalEntry.segment == segment, JournalEntry.kind == "ticket")
        .order_by(JournalEntry.id)
    ).all()
    codes = set()
    for entry in entries:
        body = json.loads(entry.body)
        entry.offset_us = offset_us
        event = session.scalar(select(TicketEvent).where(TicketEvent.request_id == request_id_of(body)))
        if event is None or event.data.get("log") != [entry.device, entry.epoch, entry.sequence]:
            continue
        event.happened_at = instant(body["h"] + offset_us)
        basis = session.get(JournalTicket, body["c"])
        if basis is not None and "n" in body and "e" not in body:
            day = basis.facts["day"]
            basis.facts = {**shifted(body["n"], offset_us), "code": body["c"], "day": day}
        if basis is not None and "s" in body:
            basis.corrections = shifted(body["s"], offset_us)
        codes.add(body["c"])
    session.flush()
    _show(session, codes, now)
    return len(entries)


def _show(session: Session, codes: set[str], now: datetime) -> None:
    done = Projected()
    settle(session, codes, done)
    for queue_id in sorted(done.queues):
        tell(session, session.get_one(Queue, queue_id), now)
