"""Who must be told of a repair that was accepted: every crew whose day is another, every place whose visit is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.errors import NotFound
from fleet.planning.repair_shapes import Proposal, VisitAt, VisitChange
from fleet.store import Repair, RepairCall, Visit
from queueing.store import Ticket
from queueing.ticket import LIVE

Held = Mapping[tuple[int, int, str], tuple[int, int]]
"""(tickets, telephone numbers) by (center, site, day)."""


def held_tickets(session: Session, visits: Iterable[Visit]) -> dict[tuple[int, int, str], tuple[int, int]]:
    """Return how many people hold a ticket for each visit, and how many of them left a telephone number."""
    by_queue = {v.queue_id: (v.center_id, v.site_id, v.day.isoformat()) for v in visits}
    found: dict[tuple[int, int, str], tuple[int, int]] = {}
    wanted = select(Ticket.queue_id, Ticket.phone).where(
        Ticket.queue_id.in_(by_queue), Ticket.state.in_(LIVE)
    )
    for queue_id, phone in session.execute(wanted):
        tickets, phones = found.get(by_queue[queue_id], (0, 0))
        found[by_queue[queue_id]] = (tickets + 1, phones + (phone is not None))
    return found


def calls_of(proposal: Proposal) -> list[RepairCall]:
    """Return the list of calls: crews first, the nearest day first, then places with the most tickets first."""
    days: dict[tuple[int, str], list[VisitAt]] = {}
    for visit in proposal.visits:
        days.setdefault((visit.center_id, visit.day.isoformat()), []).append(visit)
    calls = []
    for center_id, day in sorted(proposal.crews, key=lambda crew: (crew[1], crew[0])):
        stops = sorted(days.get((center_id, day.isoformat()), []), key=lambda v: v.start)
        facts: dict[str, object] = {"stops": [s.to_json() for s in stops]}
        for night in proposal.nights:
            if (night.center_id, night.day) == (center_id, day):
                facts["night"] = night.after_site_id
        calls.append(RepairCall(kind="crew", center_id=center_id, day=day, facts=facts))
    ordered = sorted(proposal.changes, key=lambda c: (_day(c), -c.tickets, c.site_id))
    calls.extend(_site_call(change) for change in ordered)
    return calls


def tick(session: Session, call_id: int, *, told: bool, actor: str, now: datetime) -> RepairCall:
    """Note that somebody was told (or was not, after all). Twice is once. Raises NotFound `call_not_found`."""
    values = {"told_at": now, "told_by": actor} if told else {"told_at": None, "told_by": None}
    chosen = update(RepairCall).where(RepairCall.id == call_id)
    chosen = chosen.where(RepairCall.told_at.is_(None) if told else RepairCall.told_at.is_not(None))
    session.execute(chosen.values(**values).execution_options(synchronize_session=False))
    call = session.get(RepairCall, call_id, populate_existing=True)
    if call is None:
        raise NotFound("call_not_found", "There is no such call to make.", call=call_id)
    return call


def open_calls(session: Session) -> Sequence[RepairCall]:
    """Return all calls that nobody has ticked off, the oldest repair first."""
    return session.scalars(
        select(RepairCall)
        .join(Repair)
        .where(Repair.status == "accepted", RepairCall.told_at.is_(None))
        .order_by(RepairCall.repair_id, RepairCall.id)
    ).all()


def _site_call(change: VisitChange) -> RepairCall:
    return RepairCall(
        kind="site",
        site_id=change.site_id,
        day=_day(change),
        facts={
            "change": change.kind,
            "before": change.before.to_json() if change.before else None,
            "after": change.after.to_json() if change.after else None,
        },
        tickets=change.tickets,
        phones=change.phones,
    )


def _day(change: VisitChange) -> date:
    one = change.before or change.after
    assert one is not None  # a change has at least one side
    return one.day
