"""Numbers on paper, for when nothing works: a strip is drawn from the counter beforehand, given out by hand, and typed
in afterwards with the times at which things happened.

A strip takes its numbers from the same counter row as tickets do, so nobody else can ever draw them. What is typed in
becomes a ticket with the events that it would have had, each marked `paper` and recorded now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.errors import Conflict, Exhausted, Invalid
from queueing.issuing import label_of, random_code, require_open, service_of
from queueing.ledger import Needs
from queueing.order import HIGHEST, ORDINARY
from queueing.rows import CounterRow, TicketRow, defaults
from queueing.store import Desk, Queue, Ticket
from queueing.store_tablet import PaperStrip
from queueing.ticket import Change, move
from queueing.turn import Done, Turn, check_request_id

MOST = 200
"""Numbers of a strip."""
AHEAD = timedelta(days=7)
"""Strips can be drawn for this many days."""
RESULTS = ("served", "missed", "left", "waiting")
"""How it ended: served; called and not there; gone before the call; still waiting, so that the line goes on."""
CHANNEL = "paper"


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands on the sheet for one number."""

    number: int
    service_code: str
    result: str
    arrived: datetime
    called: datetime | None = None
    finished: datetime | None = None
    priority: int = 0


def reserve(
    session: Session, queue: Queue, day: date, count: int, *, request_id: str, actor: str, now: datetime
) -> PaperStrip:
    """Draw a strip of `count` numbers of a queue's day. The same request again: the same strip.

    Raises Invalid `strip_size`, `strip_day`; Exhausted `numbers_exhausted`; Conflict `request_id_reused`.
    """
    check_request_id(request_id)
    with Turn(session, queue.id, request_id=request_id, actor=actor, now=now) as turn:
        known = session.scalar(select(PaperStrip).where(PaperStrip.request_id == request_id))
        if known is not None:
            if (known.queue_id, known.day, known.last - known.first + 1) != (queue.id, day, count):
                raise Conflict("request_id_reused", "this request id was used for another strip")
            return known
        if not 1 <= count <= MOST:
            raise Invalid("strip_size", f"a strip has 1 to {MOST} numbers", most=MOST)
        today = local_day(now, turn.queue.zone)
        if not today <= day <= today + AHEAD:
            raise Invalid("strip_day", "strips are for today and the next seven days")
        turn.ledger.load(Needs(counters={(queue.id, day)}))
        counter = turn.ledger.counters.get((queue.id, day))
        if counter is None:
            counter = CounterRow(queue_id=queue.id, day=day, next_number=turn.queue.first_number, issued=0)
        first, last = counter.next_number, counter.next_number + count - 1
        if last > turn.queue.last_number:
            raise Exhausted("numbers_exhausted", "there are not so many numbers left for this day")
        counter.next_number = last + 1
        turn.ledger.counters[queue.id, day] = counter
        turn.ledger.drawn.add((queue.id, day))
        turn.ledger.store()
        made = PaperStrip(
            queue_id=queue.id,
            day=day,
            first=first,
            last=last,
            request_id=request_id,
            actor=actor,
            made_at=now,
        )
        session.add(made)
        session.flush()
        turn.say("queue", {"action": "strip_reserved", "numbers": count})
        return made


def strips(session: Session, queue_ids: Collection[int], *, since: date) -> list[PaperStrip]:
    """Strips of these queues for `since` and later, the newest day first."""
    return list(
        session.scalars(
            select(PaperStrip)
            .where(PaperStrip.queue_id.in_(queue_ids), PaperStrip.day >= since)
            .order_by(PaperStrip.day.desc(), PaperStrip.queue_id, PaperStrip.first)
        )
    )


def typed(session: Session, strip: PaperStrip) -> dict[int, Ticket]:
    """The numbers of a strip that have been typed in."""
    found = session.scalars(
        select(Ticket).where(
            Ticket.queue_id == strip.queue_id,
            Ticket.day == strip.day,
            Ticket.number.between(strip.first, strip.last),
        )
    )
    return {ticket.number: ticket for ticket in found}


def enter(
    session: Session,
    queue: Queue,
    entry: Entry,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None = None,
    new_code: Callable[[], str] = random_code,
) -> Done:
    """Type one number in. The same request again changes nothing (`repeated`).

    Raises Invalid `paper_number` (on no strip of that day), `paper_result`, `paper_time_missing` (or the desk),
    `paper_times` (not in their order), `paper_future`, `priority_invalid`, `unknown_service`; Conflict `paper_typed`
    (typed in before); Closed `queue_closed`, `queue_paused` for somebody who still waits. Nothing has changed then.
    """
    check_request_id(request_id)
    with Turn(session, queue.id, request_id=request_id, actor=actor, now=now) as turn:
        before, _ = turn.earlier(("issue",))
        if before is not None:
            ticket = session.get_one(Ticket, before.ticket_id)
            if ticket.number != entry.number:
                raise Conflict("request_id_reused", "this request id was used for another number")
            return Done(ticket, before, repeated=True)
        day = local_day(entry.arrived, turn.queue.zone)
        _check(entry, day, turn, desk)
        service_id = service_of(session, queue.id, entry.service_code)
        strip = session.scalar(
            select(PaperStrip).where(
                PaperStrip.queue_id == queue.id,
                PaperStrip.day == day,
                PaperStrip.first <= entry.number,
                PaperStrip.last >= entry.number,
            )
        )
        if strip is None:
            raise Invalid("paper_number", f"{entry.number} is on no strip of this day", number=entry.number)
        if entry.number in typed(session, strip):
            label = label_of(turn.queue.letter, entry.number)
            raise Conflict("paper_typed", f"{label} has been typed in before", label=label)
        ledger = turn.ledger
        ledger.load(Needs(counters={(queue.id, day)}, new_tickets=1, new_events=4))
        ticket_row = TicketRow(
            **defaults(Ticket)
            | {
                "id": next(ledger.ticket_ids),
                "code": new_code(),
                "queue_id": queue.id,
                "day": day,
                "number": entry.number,
                "label": label_of(turn.queue.letter, entry.number),
                "service_id": service_id,
                "priority": entry.priority,
                "channel": CHANNEL,
                "state": "waiting",
                "issued_at": entry.arrived,
                "aged_from": entry.arrived,
            }
        )
        ledger.add(ticket_row)
        _happen(turn, ticket_row, entry, desk)
        for event in ledger.events:
            event.recorded_at = now
        for row in ledger.outbox:
            row.data = row.data | {"late": True}
            row.created_at = now
        counter = ledger.counters[queue.id, day]
        counter.issued += 1
        ledger.drawn.add((queue.id, day))
        first = ledger.events[0].id
        ledger.store()
        done, _ = turn.earlier(("issue",))
        assert done is not None and done.id == first
        return Done(session.get_one(Ticket, ticket_row.id), done)


def _check(entry: Entry, day: date, turn: Turn, desk: Desk | None) -> None:
    if entry.result not in RESULTS:
        raise Invalid("paper_result", f"a result is one of {', '.join(RESULTS)}")
    if not ORDINARY <= entry.priority <= HIGHEST:
        raise Invalid("priority_invalid", f"priority is {ORDINARY} to {HIGHEST}", priority=entry.priority)
    needed = {"served": ("called", "finished"), "missed": ("called",), "left": (), "waiting": ()}[
        entry.result
    ]
    for name in needed:
        if getattr(entry, name) is None:
            raise Invalid("paper_time_missing", f"the time of {name} is missing", field=name)
    if entry.result in ("served", "missed") and (desk is None or desk.queue_id != turn.queue.id):
        raise Invalid("paper_time_missing", "the desk is missing", field="desk")
    times = [t for t in (entry.arrived, entry.called, entry.finished) if t is not None]
    if times != sorted(times):
        raise Invalid("paper_times", "arrived, called and finished are not in their order")
    if times[-1] > turn.now:
        raise Invalid("paper_future", "this has not happened yet")
    if any(local_day(t, turn.queue.zone) != day for t in times):
        raise Invalid("paper_times", "the times are not of one day")
    if entry.result == "waiting":
        require_open(turn.queue)
        if day != local_day(turn.now, turn.queue.zone):
            raise Invalid("paper_result", "who waits still has come today")


def _happen(turn: Turn, ticket: TicketRow, entry: Entry, desk: Desk | None) -> None:
    """The events that it would have had."""
    mark = {"paper": True}

    def record(change: Change, at: datetime, suffix: str, **more: object) -> None:
        turn.ledger.record(
            ticket,
            change,
            request_id=turn.request_id + suffix,
            actor=turn.actor,
            now=at,
            desk=desk if change.action != "issue" else None,
            data=mark | more,
        )

    record(Change("issue", None, "waiting", {}), entry.arrived, "", service=entry.service_code)
    ended = entry.finished or entry.called or entry.arrived
    if entry.result == "left":
        record(move(ticket, "leave", now=ended), ended, "#leave")
    elif entry.called is not None and desk is not None and entry.result in ("served", "missed"):
        record(move(ticket, "call", now=entry.called, desk_id=desk.id), entry.called, "#call")
        if entry.result == "served":
            record(move(ticket, "finish", now=ended), ended, "#finish")
        else:
            record(move(ticket, "miss", now=ended), ended, "#miss")
            record(move(ticket, "close", now=ended), ended, "#close")
