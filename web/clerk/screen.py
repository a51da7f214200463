"""What the desk's page shows, read at one instant: the ticket at the desk, what can be done with it, the line, undo."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import journeys, lineup
from queueing.journeys import Hint
from queueing.status import LineRow, line
from queueing.store import Desk, DeskService, Queue, QueueService, Service, Ticket, TicketEvent
from queueing.ticket import AT_DESK, possible
from queueing.undoing import NEVER_UNDONE
from web.citizen.situation import services_of
from web.clerk.scope import sister_queues
from web.printing import jobs

SHOWN = 40
"""Rows of the waiting list on the page; a count stands for the rest."""
VERBS = ("start", "finish", "recall", "miss", "requeue", "park")
"""Buttons for the ticket at the desk, in their order."""
_UNDO_LOOK_BACK = 12


@dataclass(frozen=True)
class Undo:
    """What pressing undo would take back."""

    code: str
    label: str
    action: str
    event_id: int


@dataclass(frozen=True)
class Choice:
    """A target of a transfer: a queue with the services it offers."""

    queue: Queue
    services: list[Service]
    own: bool


@dataclass
class DeskScreen:
    """The desk's page."""

    desk: Desk
    queue: Queue
    now: datetime
    may_choose: bool
    current: LineRow | None = None
    recalls_left: int = 0
    verbs: list[str] = field(default_factory=list)
    can_transfer: bool = False
    waiting: list[LineRow] = field(default_factory=list)
    parked: list[LineRow] = field(default_factory=list)
    missed: list[LineRow] = field(default_factory=list)
    booked: list[LineRow] = field(default_factory=list)
    elsewhere: list[LineRow] = field(default_factory=list)
    callable: int = 0
    """Waiting people whom call next may offer to this desk now."""
    undo: Undo | None = None
    hint: Hint | None = None
    """Where the present ticket goes next, when this service is one of several."""
    more_services: list[Choice] = field(default_factory=list)
    """What can be added to the present ticket's visit."""
    targets: list[Choice] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    prints: bool = False
    """Whether a slip of the present ticket can be printed here."""

    @property
    def working(self) -> bool:
        """True when people can be called to this desk."""
        return self.desk.state == "open" and self.queue.state != "closed"

    @property
    def can_call(self) -> bool:
        """Whether call next stands on the page: somebody can be called, or the present ticket can be finished by it."""
        return self.working and (self.callable > 0 or self.current is not None)

    @property
    def shown(self) -> list[LineRow]:
        """The first of the line."""
        return self.waiting[:SHOWN]

    @property
    def more(self) -> int:
        """How many stand behind the first."""
        return max(0, len(self.waiting) - SHOWN)


def desk_screen(session: Session, desk: Desk, *, now: datetime, may_choose: bool) -> DeskScreen:
    """Read the page of `desk`. `may_choose`: the account may call somebody from the middle of the line."""
    queue = desk.queue
    made = DeskScreen(desk, queue, now, may_choose)
    limits = set(session.scalars(select(DeskService.service_id).where(DeskService.desk_id == desk.id)))
    served = _service_ids(session, queue.id) if limits else set()
    mine = lineup.open_ticket(session, desk.id)
    rows = line(session, queue, now)
    lists = {"waiting": made.waiting, "parked": made.parked, "missed": made.missed, "booked": made.booked}
    for row in rows:
        if mine is not None and row.ticket_id == mine.id:
            made.current = row
        else:
            lists.get(row.state, made.elsewhere).append(row)
    held = sum(1 for row in made.waiting if row.hold_until is not None and row.hold_until > now)
    made.callable = len(made.waiting) - held
    if limits and served - limits:
        offered = select(Ticket.id).where(
            Ticket.id.in_([row.ticket_id for row in made.waiting]), Ticket.service_id.in_(limits)
        )
        made.callable = len(session.scalars(offered).all())
    if mine is not None and made.current is not None:
        can = possible(mine.state)
        made.recalls_left = max(0, queue.recall_limit - mine.recalls)
        made.verbs = [v for v in VERBS if v in can and (v != "recall" or made.recalls_left)]
        made.can_transfer = "transfer" in can or "redirect" in can
    made.services = services_of(session, queue.id)
    if made.can_transfer:
        made.targets = [
            Choice(queue, [s for s in made.services if mine is None or s.id != mine.service_id], True)
        ]
        made.targets += [
            Choice(other, services_of(session, other.id), False)
            for other in sister_queues(session, queue.id)
            if other.state == "open"
        ]
    if mine is not None:
        made.prints = bool(jobs.printers_of(session, queue.id))
        made.hint = journeys.hint(session, mine, now=now)
        made.more_services = [choice for choice in made.targets if choice.services]
    made.undo = undo_offer(session, desk, now=now, occupied=made.current is not None)
    return made


def undo_offer(session: Session, desk: Desk, *, now: datetime, occupied: bool) -> Undo | None:
    """The last thing done at the desk that can still be taken back; None when there is none.

    What was undone before is passed over, so that after an unwanted "finish and call next" both can be taken back, the
    call first. Only the desk's last standing act is offered: a step further back would surprise.
    """
    events = session.scalars(
        select(TicketEvent)
        .where(
            TicketEvent.queue_id == desk.queue_id,
            TicketEvent.happened_at >= lineup.since(now, desk.queue.zone),
            TicketEvent.desk_id == desk.id,
        )
        .order_by(TicketEvent.happened_at.desc(), TicketEvent.id.desc())
        .limit(_UNDO_LOOK_BACK)
    ).all()
    undone = {event.data.get("undoes") for event in events if event.action == "undo"}
    for event in events:
        if event.action == "undo" or event.id in undone:
            continue
        if event.action in NEVER_UNDONE:
            return None
        newer = session.scalar(
            select(TicketEvent.id).where(
                TicketEvent.ticket_id == event.ticket_id,
                TicketEvent.id > event.id,
            )
        )
        ticket = session.get_one(Ticket, event.ticket_id)
        needs_desk = event.state_from in AT_DESK and ticket.state not in AT_DESK
        if newer is not None or ticket.state != event.state_to or (needs_desk and occupied):
            return None
        return Undo(ticket.code, ticket.label, event.action, event.id)
    return None


def _service_ids(session: Session, queue_id: int) -> set[int]:
    return set(session.scalars(select(QueueService.service_id).where(QueueService.queue_id == queue_id)))
