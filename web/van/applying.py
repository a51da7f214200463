"""On the laptop: what headquarters told becomes rows, in the transaction that also keeps the cursor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from fleet.days import close_visit
from fleet.names import search_key
from fleet.store import Center, Crew, Governorate, LocalUnit, Site, Visit
from queueing import counter
from queueing.journal.epochs import draw_from
from queueing.journal.facts import COLUMNS, column_value, instant
from queueing.journal.leases import CLASH
from queueing.journal.marks import get_mark, set_mark
from queueing.journal.seal import me, skip_events
from queueing.store import (
    AT_DESK_SQL,
    Desk,
    DeskService,
    Queue,
    QueueDay,
    QueueService,
    Service,
    Ticket,
    TicketEvent,
    to_micros,
)
from queueing.store_journal import JournalTicket, Wish
from queueing.ticket import AT_DESK
from web.accounts import Account
from web.van.picture import KEPT
from web.van.rows import put

MODELS: dict[str, Any] = {
    "governorate": Governorate, "local_unit": LocalUnit, "site": Site, "center": Center, "crew": Crew,
    "service": Service, "queue": Queue, "queue_service": QueueService, "desk": Desk,
    "desk_service": DeskService, "visit": Visit, "account": Account,
}  # fmt: skip
GOES = {"queue_service": QueueService, "desk_service": DeskService}
"""Rows that may be deleted here when headquarters has them no longer."""
TOLD = {"b": "before", "o": "from"}
"""Of an event that happened at headquarters: what an undo needs, and where somebody who was sent on came from."""
NO_LEASE_FROM = 5001
"""Numbers of a visit that nobody leased: headquarters may be giving the low ones."""


def apply_changes(
    session: Session, changes: list[list[Any]], now: datetime, *, seal: Callable[[], object]
) -> int:
    """Store what headquarters told; returns how many rows. Histories that come from there are not sent back, what
    follows from them here (a cancelled visit closes its line) is: so `seal` is called before each of the former."""
    for name, key, row in changes:
        if row is None:
            _gone(session, name, key, now)
        elif name == "ticket":
            seal()
            _ticket(session, key, row)
            skip_events(session)
        elif name == "wish":
            _wish(session, key, row)
        elif name == "visit":
            _visit(session, row, now)
        elif name in MODELS:
            if name == "site":
                row = {**row, "search_key": search_key(row["name_ar"], row["name_en"])}
            put(session, MODELS[name], row, keep=KEPT.get(name, ()))
    free_desks(session, now)
    return len(changes)


def apply_bands(session: Session, bands: list[list[Any]], now: datetime) -> None:
    """Draw numbers where headquarters keeps a place for this epoch: from its first one as long as none was drawn."""
    device, epoch = me(session)
    mine = get_mark(session, "leases")
    for queue_id, said, first in bands:
        day = date.fromisoformat(said)
        if session.get(Queue, queue_id) is None:
            continue
        counter = session.get(QueueDay, (queue_id, day), populate_existing=True)
        if counter is not None and counter.issued == 0 and counter.next_number != first:
            session.delete(counter)
            session.flush()
        draw_from(session, queue_id, day, first, device, epoch, now)
        mine[f"{queue_id}:{said}"] = first
    set_mark(session, "leases", mine)


def free_desks(session: Session, now: datetime) -> None:
    """People whose desk has somebody else by now go back to where a clerk sees them."""
    stranded = (
        select(Ticket).where(text(f"ticket.{AT_DESK_SQL}"), Ticket.desk_id.is_(None)).order_by(Ticket.id)
    )
    for ticket in session.scalars(stranded).all():
        verb = counter.requeue if ticket.state == "called" else counter.park
        request_id = f"recovered-{ticket.code}-{to_micros(now)}"
        verb(session, ticket, request_id=request_id, actor="log", now=now)


def _visit(session: Session, row: dict[str, Any], now: datetime) -> None:
    cancelled = row["cancelled"]
    known = session.get(Visit, row["id"])
    row = {k: v for k, v in row.items() if k != "cancelled"}
    if known is None:
        row |= {"status": "announced", "hours_saved": 0.0}
    visit: Visit = put(session, Visit, row, keep=KEPT["visit"])
    if cancelled and visit.status in ("announced", "open"):
        close_visit(session, visit, now=now)
        visit.status = "cancelled"
    elif not cancelled and visit.status == "cancelled":
        visit.status = "announced"
    if session.get(QueueDay, (visit.queue_id, visit.day)) is None:
        # What a lost database may have drawn is left out.
        floor = get_mark(session, "floors").get(f"{visit.queue_id}:{visit.day.isoformat()}", 0)
        device, epoch = me(session)
        draw_from(session, visit.queue_id, visit.day, max(NO_LEASE_FROM, floor), device, epoch, now)
    session.flush()


def _ticket(session: Session, code: str, row: dict[str, Any]) -> None:
    """A ticket that headquarters knows, with its history: from here on it is ours. Where somebody here has its number
    or its desk already, both are kept: its label stays as printed, `free_desks` puts the person back in the line."""
    if session.scalar(select(Ticket.id).where(Ticket.code == code)) is not None:
        return
    values = {k: column_value(k, v) for k, v in row["columns"].items() if k in COLUMNS}
    same_day = (Ticket.queue_id == values["queue_id"], Ticket.day == values["day"])
    if session.scalar(select(Ticket.id).where(*same_day, Ticket.number == values["number"])) is not None:
        highest = session.scalar(select(func.max(Ticket.number)).where(*same_day))
        values["number"] = max(CLASH, highest or 0) + 1
    at_desk = select(Ticket.id).where(
        text(f"ticket.{AT_DESK_SQL}"), Ticket.desk_id.is_not(None), Ticket.desk_id == values.get("desk_id")
    )
    if values["state"] in AT_DESK and session.scalar(at_desk) is not None:
        values["desk_id"] = None
    ticket = Ticket(**{"note": "", **values})
    session.add(ticket)
    session.merge(JournalTicket(code=code, facts=row["facts"], corrections={}))
    session.flush()
    for event in row["events"]:
        at = instant(event["h"])
        session.add(
            TicketEvent(
                ticket_id=ticket.id, queue_id=ticket.queue_id, desk_id=event["d"], action=event["a"],
                state_from=event["f"], state_to=event["t"], actor=event["w"], happened_at=at, recorded_at=at,
                request_id=event["r"], seq=0,
                data={"office": True} | {name: event[key] for key, name in TOLD.items() if key in event},
            )
        )  # fmt: skip
    session.flush()


def _wish(session: Session, key: str, row: dict[str, Any]) -> None:
    withdrawn = row["withdrawn"]
    known = session.get(Wish, key)
    if known is None:
        put(
            session,
            Wish,
            {k: v for k, v in row.items() if k != "withdrawn"} | {"state": "open", "reason": ""},
        )
        known = session.get_one(Wish, key)
    if withdrawn and known.state == "open":
        known.state = "withdrawn"


def _gone(session: Session, name: str, key: str, now: datetime) -> None:
    parts = key.split(":")
    if name in GOES:
        model = GOES[name]
        columns = model.__mapper__.primary_key
        session.execute(delete(model).where(*(c == int(v) for c, v in zip(columns, parts, strict=True))))
    elif name == "account":
        account = session.get(Account, int(key))
        if account is not None:
            account.active = False
    elif name == "visit":
        visit = session.get(Visit, int(key))
        if visit is not None and visit.status == "announced":
            close_visit(session, visit, now=now)
            visit.status = "cancelled"
    session.flush()
