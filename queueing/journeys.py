"""One visit with several services at several desks: one link, one label, the next desk chosen anew after each step.

A journey has a ticket at each of its queues in turn, so that each queue's numbers, line and measures stay what they
are. To the citizen it is one ticket: the first one's code leads to wherever the journey stands, and all its tickets
show the first one's label. Labels do not clash:

- a queue's own labels are its letter and a number; a label from another queue has that queue's letter;
- where both queues have the same letter (two vans), or two visitors bring the same label, the one who comes is shown
  with a mark (`M017-2`), which no queue's own label ever has;
- the database refuses a label that another visitor's live ticket shows (`uq_ticket_guest_label`).

Going on is a step of its own (`follow`): counter.finish and call_next take it in their transaction; whatever ends a
service in another way is caught up by `follow_all`, so that nobody is left between two desks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.daytime import local_day
from queueing.errors import Closed, Conflict, Invalid
from queueing.issuing import STAFF, admit, clean_phone, random_code, require_open, same_phone
from queueing.notices import tell
from queueing.order import APPOINTMENT, HIGHEST, ORDINARY
from queueing.pace import TURNOVER_S, pace_of
from queueing.store import GUEST_SQL, Queue, QueueService, Service, Ticket, TicketEvent
from queueing.store_life import Journey, JourneyStep
from queueing.ticket import LIVE, Change, move
from queueing.turn import Done, OwnRequest, Turn, fresh_ticket
from queueing.wait import expected
from queueing.way import MOST_STEPS, Leg, Option, Step, shortest

NO_DESK_S = 7200.0
"""Wait taken for a queue that is open without an open desk: it is chosen when no other offers the service."""
ARRIVALS_OVER = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class StepView:
    """One step as its holder and the desks see it. `state`: done | now | next | left (not reachable any more)."""

    position: int
    service: Service
    state: str
    queue: Queue | None
    ticket: Ticket | None
    begins_at: datetime | None
    """When its service is expected to begin, for what is to come."""


@dataclass(frozen=True, slots=True)
class JourneyView:
    """A journey as it stands. `current`: its newest ticket. `ends_at`: the expected end; None when nobody can say."""

    journey: Journey
    steps: tuple[StepView, ...]
    current: Ticket
    ends_at: datetime | None

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.state == "done" for step in self.steps)


@dataclass(frozen=True, slots=True)
class Hint:
    """Where somebody goes next, and about how long they wait there (seconds; 0 at the same queue, None when no desk is
    open there and nobody can say)."""

    queue: Queue
    service: Service
    wait_s: float | None


def begin(
    session: Session,
    queue_ids: Sequence[int],
    services: Sequence[str],
    *,
    request_id: str,
    actor: str,
    now: datetime,
    after: Mapping[str, Collection[str]] | None = None,
    priority: int = ORDINARY,
    channel: str = STAFF,
    phone: str | None = None,
    new_code: Callable[[], str] = random_code,
) -> Done:
    """A ticket for several services at the queues of one place, in the queue where the whole journey is shortest.

    `after`: service -> services that must be done before it. A phone with a live ticket today in the chosen queue gets
    that one back. Raises Invalid `journey_steps` (none, too many or twice the same), `unknown_service`, `journey_order`
    (a circle), `priority_invalid`; Closed `queue_closed` when no queue for a first step is open; else as `issue`.
    """
    if not ORDINARY <= priority <= HIGHEST:
        raise Invalid("priority_invalid", f"priority is {ORDINARY} to {HIGHEST}", priority=priority)
    if not 1 <= len(services) <= MOST_STEPS or len(set(services)) < len(services):
        raise Invalid("journey_steps", f"a journey has 1 to {MOST_STEPS} different services", most=MOST_STEPS)
    known = session.scalar(select(TicketEvent).where(TicketEvent.request_id == request_id))
    if known is not None:
        ticket = session.get_one(Ticket, known.ticket_id)
        if known.action != "issue" or sorted(known.data.get("services", ())) != sorted(services):
            raise Conflict("request_id_reused", "this request id was already used for something else")
        return Done(ticket, known, repeated=True)
    steps = _new_steps(session, queue_ids, services, after or {})
    way = shortest(_offers(session, steps, queue_ids, now=now, priority=priority))
    if not way:
        offered = _offers(session, steps, queue_ids, now=now, priority=priority, closed_too=True)
        if any(step.options for step in offered) and not shortest(offered):
            raise Invalid("journey_order", "these services wait for each other")
        raise Closed("queue_closed", "no queue for these services is open now")
    first = next(step for step in steps if step.position == way[0].key)
    by_id = {s.id: s.code for s in session.scalars(select(Service).where(Service.code.in_(services)))}
    with Turn(session, way[0].queue, request_id=request_id, actor=actor, now=now) as turn:
        require_open(turn.queue)
        day = local_day(now, turn.queue.zone)
        phone = clean_phone(phone)
        if phone is not None and (mine := same_phone(turn, day, phone)) is not None:
            return Done(mine[0], mine[1], repeated=True)
        code = new_code()
        journey = Journey(code=code, day=day, label="", queues=sorted(set(queue_ids)))
        session.add(journey)
        session.flush()
        ticket, event = admit(
            turn,
            "issue",
            first.service_id,
            day=day,
            service_code=by_id[first.service_id],
            priority=priority,
            channel=channel,
            phone=phone,
            appointment_at=None,
            aged_from=now,
            code=code,
            over_capacity=channel == STAFF,
            journey_id=journey.id,
            data={"services": list(services), "journey": journey.id},
        )
        journey.label = ticket.label
        for step in steps:
            step.journey_id = journey.id
        first.ticket_id, first.queue_id = ticket.id, turn.queue.id
        session.add_all(steps)
        session.flush()
        return Done(ticket, event)


def follow(
    session: Session,
    ticket: Ticket,
    *,
    actor: str,
    now: datetime,
    new_code: Callable[[], str] = random_code,
) -> Ticket | None:
    """Send somebody whose service here has ended on to the next desk: the new ticket; None when the journey is over, or
    when nobody is open for the rest (`follow_all` tries again). Doing it again gives the same ticket."""
    if ticket.journey_id is None:
        return None
    session.flush()
    # The journey's own lock: two that follow at once choose once.
    journey = session.get_one(Journey, ticket.journey_id, with_for_update=True, populate_existing=True)
    ticket = fresh_ticket(session, ticket)
    if ticket.next_ticket_id is not None:
        return session.get_one(Ticket, ticket.next_ticket_id)
    if ticket.state != "served":
        return None
    ended = session.scalars(
        select(TicketEvent)
        .where(TicketEvent.ticket_id == ticket.id, TicketEvent.action == "finish")
        .order_by(TicketEvent.id.desc())
        .limit(1)
    ).first()
    steps = steps_of(session, journey.id)
    for step in steps:
        if step.ticket_id == ticket.id and step.done_at is None:
            step.done_at = ticket.ended_at
    left = [step for step in steps if step.ticket_id is None]
    if not left or ended is None or journey.day != local_day(now, "Africa/Cairo"):
        return None
    priority = ORDINARY if ticket.priority == APPOINTMENT else ticket.priority
    offers = _offers(session, left, journey.queues, now=now, priority=priority)
    way = shortest(offers, at=ticket.queue_id)
    if not way:
        return None
    leg = way[0]
    step = next(one for one in left if one.position == leg.key)
    code = session.get_one(Service, step.service_id).code
    here = leg.queue == ticket.queue_id
    request = OwnRequest(f"journey#:{ended.id}")
    with Turn(session, leg.queue, request_id=request, actor=actor, now=now) as turn:
        went_on, _ = admit(
            turn,
            "issue",
            step.service_id,
            day=local_day(now, turn.queue.zone),
            service_code=code,
            priority=ticket.priority if here else priority,
            channel=ticket.channel,
            phone=ticket.phone,
            appointment_at=None,
            aged_from=ticket.aged_from if here else now,
            code=new_code(),
            over_capacity=True,
            data={"from": ticket.id, "journey": journey.id},
            label=label_in(turn, journey),
            journey_id=journey.id,
        )
        step.ticket_id, step.queue_id = went_on.id, leg.queue
        ticket.next_ticket_id = went_on.id
        session.flush()
        tell(session, went_on, "next_desk", now=now, queue=leg.queue, wait_s=_known_wait(leg))
        return went_on


def follow_all(session: Session, *, now: datetime, actor: str = "scheduler") -> int:
    """Send on who was left between two desks: ended here, not yet standing there. For a job; how many went on."""
    day = local_day(now, "Africa/Cairo")
    waiting = (
        select(JourneyStep.journey_id)
        .join(Journey, Journey.id == JourneyStep.journey_id)
        .where(JourneyStep.ticket_id.is_(None), Journey.day == day)
    )
    stalled = session.scalars(
        select(Ticket)
        .join(JourneyStep, JourneyStep.ticket_id == Ticket.id)
        .where(
            Ticket.journey_id.in_(waiting),
            Ticket.state == "served",
            Ticket.next_ticket_id.is_(None),
        )
        .order_by(Ticket.id)
    ).all()
    return sum(follow(session, ticket, actor=actor, now=now) is not None for ticket in stalled)


def pass_on(
    session: Session, ticket: Ticket, *, to_queue_id: int, service_id: int, now: datetime
) -> tuple[Journey, JourneyStep]:
    """The journey of a ticket that is sent to another queue (made now, where it had none), and the step that its new
    ticket will stand for. For verbs that hold the turns of both queues."""
    session.flush()
    journey = session.get(Journey, ticket.journey_id, with_for_update=True) if ticket.journey_id else None
    if journey is None:
        journey = Journey(code=ticket.code, day=ticket.day, label=ticket.label, queues=[])
        session.add(journey)
        session.flush()
        ticket.journey_id = journey.id
        step = JourneyStep(
            journey_id=journey.id,
            position=0,
            service_id=ticket.service_id,
            after=[],
            ticket_id=ticket.id,
            queue_id=ticket.queue_id,
        )
        session.add(step)
        session.flush()
    journey.queues = sorted({*journey.queues, ticket.queue_id, to_queue_id})
    steps = steps_of(session, journey.id)
    step = next((one for one in steps if one.ticket_id == ticket.id), steps[-1])
    if step.service_id == service_id:
        return journey, step
    step.done_at = step.done_at or now
    later = next((one for one in steps if one.ticket_id is None and one.service_id == service_id), None)
    if later is None:
        position = max(one.position for one in steps) + 1
        later = JourneyStep(journey_id=journey.id, position=position, service_id=service_id, after=[])
        session.add(later)
    return journey, later


def attach(session: Session, step: JourneyStep, ticket: Ticket) -> None:
    """Let `ticket` stand for a step."""
    step.ticket_id, step.queue_id, step.done_at = ticket.id, ticket.queue_id, None
    session.flush()


def add_step(
    session: Session,
    ticket: Ticket,
    service_code: str,
    queue_ids: Sequence[int],
    *,
    request_id: str,
    actor: str,
    now: datetime,
    after: Mapping[str, Collection[str]] | None = None,
) -> Done:
    """One more service for somebody who is here: done at one of `queue_ids` after what they do now. What is still to
    come is not added twice. `after`: as for `begin`; holds between the new step and those that are still to come.
    Raises Invalid `unknown_service`, `journey_steps`; Conflict `move_not_possible`."""
    with Turn(session, ticket.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier(("add_step",), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if earlier is not None:
            return Done(ticket, earlier, repeated=True)
        _add(session, ticket, service_code, queue_ids, after or {})
        change = Change("add_step", ticket.state, ticket.state, {})
        return Done(
            ticket, turn.record(ticket, change, desk_id=ticket.desk_id, data={"service": service_code})
        )


def _add(
    session: Session,
    ticket: Ticket,
    service_code: str,
    queue_ids: Sequence[int],
    after: Mapping[str, Collection[str]],
) -> None:
    service = session.scalar(
        select(Service)
        .join(QueueService, QueueService.service_id == Service.id)
        .where(Service.code == service_code, QueueService.queue_id.in_(queue_ids))
        .limit(1)
    )
    if service is None:
        raise Invalid(
            "unknown_service", f"nobody here offers the service {service_code}", service=service_code
        )
    if ticket.state not in LIVE:
        raise Conflict("move_not_possible", "the ticket has ended", state=ticket.state)
    journey, _step = pass_on(
        session, ticket, to_queue_id=ticket.queue_id, service_id=ticket.service_id, now=ticket.issued_at
    )
    journey.queues = sorted({*journey.queues, *queue_ids})
    steps = steps_of(session, journey.id)
    known = next((one for one in steps if one.ticket_id is None and one.service_id == service.id), None)
    if known is not None:
        return
    if sum(one.ticket_id is None for one in steps) >= MOST_STEPS:
        raise Invalid("journey_steps", f"at most {MOST_STEPS} services are left to do", most=MOST_STEPS)
    made = JourneyStep(
        journey_id=journey.id,
        position=max(one.position for one in steps) + 1,
        service_id=service.id,
        after=[],
    )
    left = [one for one in steps if one.ticket_id is None]
    codes = {
        s.id: s.code
        for s in session.scalars(select(Service).where(Service.id.in_([o.service_id for o in left])))
    }
    for one in left:
        if codes[one.service_id] in after.get(service_code, ()):
            made.after = sorted([*made.after, one.position])
        if service_code in after.get(codes[one.service_id], ()):
            one.after = sorted([*one.after, made.position])
    session.add(made)
    session.flush()


def require_untouched(session: Session, ticket: Ticket) -> Ticket | None:
    """The ticket that followed this one, when nothing has happened with it yet; None when there is none. Raises
    Conflict `undo_refused` when the person has gone on."""
    if ticket.journey_id is None or ticket.next_ticket_id is None:
        return None
    following = session.get_one(Ticket, ticket.next_ticket_id, populate_existing=True)
    events = session.scalar(
        select(func.count()).select_from(TicketEvent).where(TicketEvent.ticket_id == following.id)
    )
    if following.state != "waiting" or events != 1:
        raise Conflict(
            "undo_refused",
            "the person has gone on to the next desk",
            state=ticket.state,
            label=following.label,
        )
    return following


def take_back(session: Session, ticket: Ticket, *, actor: str, now: datetime) -> None:
    """The service at `ticket` goes on after all: its follower, if any, leaves the next line. Raises `undo_refused`."""
    following = require_untouched(session, ticket)
    for step in steps_of(session, ticket.journey_id) if ticket.journey_id is not None else ():
        if step.ticket_id == ticket.id:
            step.done_at = None
        elif following is not None and step.ticket_id == following.id:
            step.ticket_id = step.queue_id = None
    if following is None:
        return
    request = OwnRequest(f"taken-back#:{following.id}")
    with Turn(session, following.queue_id, request_id=request, actor=actor, now=now) as turn:
        following = fresh_ticket(session, following)
        turn.record(following, move(following, "cancel", now=now), data={"flag": "taken_back"})
        tell(session, following, "taken_back", now=now)
    ticket.next_ticket_id = None
    session.flush()


def label_in(turn: Turn, journey: Journey, label: str | None = None, day: date | None = None) -> str:
    """What a journey's ticket shows in the turn's queue: its label, with a mark where that would be somebody else's."""
    session, queue = turn.session, turn.queue
    label = label or journey.label
    on = day or journey.day
    number = re.fullmatch(re.escape(queue.letter) + r"(\d+)", label)
    own = False
    if number is not None:
        owner = session.scalar(
            select(Ticket.journey_id).where(
                Ticket.queue_id == queue.id, Ticket.day == on, Ticket.number == int(number[1])
            )
        )
        own = owner != journey.id
    for mark in range(1, 1000):
        shown = label if mark == 1 else f"{label}-{mark}"
        if mark == 1 and own:
            continue
        taken = session.scalar(
            select(Ticket.id).where(
                text(f"ticket.{GUEST_SQL.replace(' AND ', ' AND ticket.')}"),
                Ticket.queue_id == queue.id,
                Ticket.day == on,
                Ticket.label == shown,
                Ticket.journey_id != journey.id,
            )
        )
        if taken is None:
            return shown
    raise AssertionError("a thousand visitors with one label")


def current_of(session: Session, ticket: Ticket) -> Ticket:
    """Where a ticket's journey stands now: the last ticket of its chain (itself, when it went nowhere)."""
    seen = {ticket.id}
    while ticket.next_ticket_id is not None and ticket.next_ticket_id not in seen:
        seen.add(ticket.next_ticket_id)
        ticket = session.get_one(Ticket, ticket.next_ticket_id)
    return ticket


def hint(session: Session, ticket: Ticket, *, now: datetime) -> Hint | None:
    """Where the holder of `ticket` goes when the service here ends; None when that is all."""
    if ticket.journey_id is None:
        return None
    journey = session.get_one(Journey, ticket.journey_id)
    left = [step for step in steps_of(session, journey.id) if step.ticket_id is None]
    priority = ORDINARY if ticket.priority == APPOINTMENT else ticket.priority
    way = shortest(_offers(session, left, journey.queues, now=now, priority=priority), at=ticket.queue_id)
    if not way:
        return None
    service_id = next(step.service_id for step in left if step.position == way[0].key)
    return Hint(
        session.get_one(Queue, way[0].queue),
        session.get_one(Service, service_id),
        _known_wait(way[0]),
    )


def view(session: Session, ticket: Ticket, *, now: datetime) -> JourneyView | None:
    """The journey that a ticket belongs to, with what is done, now and next; None for a ticket by itself."""
    if ticket.journey_id is None:
        return None
    journey = session.get_one(Journey, ticket.journey_id)
    current = current_of(session, ticket)
    steps = steps_of(session, journey.id)
    left = [step for step in steps if step.ticket_id is None]
    rest = _rest_here(session, current, now)
    legs: tuple[Leg, ...] = ()
    over = current.state not in LIVE and (current.state != "served" or not left)
    if not over:
        priority = ORDINARY if current.priority == APPOINTMENT else current.priority
        offers = _offers(session, left, journey.queues, now=now, priority=priority)
        legs = shortest(offers, at=current.queue_id, start_s=rest or 0.0)
    planned = {leg.key: leg for leg in legs}
    # Behind a queue without a desk nobody can say when anything begins.
    said: list[int] = []
    for planned_leg in legs:
        if rest is None or _known_wait(planned_leg) is None:
            break
        said.append(planned_leg.key)
    services = {
        s.id: s for s in session.scalars(select(Service).where(Service.id.in_([s.service_id for s in steps])))
    }
    made: list[StepView] = []
    for step in steps:
        leg = planned.get(step.position)
        at = session.get_one(Ticket, step.ticket_id) if step.ticket_id is not None else None
        state = _state_of(step, at, current, leg)
        queue_id = step.queue_id if at is not None else leg.queue if leg is not None else None
        made.append(
            StepView(
                step.position,
                services[step.service_id],
                state,
                session.get_one(Queue, queue_id) if queue_id is not None else None,
                at,
                now + timedelta(seconds=leg.begins_s) if leg is not None and step.position in said else None,
            )
        )
    order = {key: n for n, key in enumerate(planned)}
    rank = {"done": 0, "now": 1, "next": 2, "left": 3}
    made.sort(key=lambda s: (rank[s.state], s.ticket.id if s.ticket else 0, order.get(s.position, 99)))
    known = not over and rest is not None and len(said) == len(left)
    end = now + timedelta(seconds=legs[-1].ends_s if legs else rest or 0.0) if known else None
    return JourneyView(journey, tuple(made), current, end)


def _known_wait(leg: Leg) -> float | None:
    """The wait of a leg; None when it stands for a queue without an open desk."""
    wait = leg.begins_s - leg.joins_s
    return None if wait >= NO_DESK_S else wait


def _state_of(step: JourneyStep, at: Ticket | None, current: Ticket, leg: Leg | None) -> str:
    if at is None:
        return "next" if leg is not None else "left"
    if at.id == current.id and at.state in LIVE:
        return "now"
    return "done" if step.done_at is not None or at.state == "served" else "left"


def _rest_here(session: Session, ticket: Ticket, now: datetime) -> float | None:
    """Expected seconds until the service at `ticket` has ended; None when nobody can say."""
    if ticket.state not in LIVE:
        return 0.0
    service = session.get_one(Service, ticket.service_id)
    mean = _service_s(service)
    if ticket.state == "serving" and ticket.started_at is not None:
        return max(30.0, mean - (now - ticket.started_at).total_seconds())
    if ticket.state in ("called", "parked", "missed"):
        return mean
    queue = session.get_one(Queue, ticket.queue_id)
    stands = lineup.standing_of(session, ticket, now=now, zone=queue.zone)
    wait = expected(stands.ahead, stands.desks, pace_of(session, queue).seconds, free=stands.free)
    return None if wait is None else wait + mean


def _service_s(service: Service) -> float:
    return (service.minutes_low + service.minutes_mode + service.minutes_high) * 20 + TURNOVER_S


def steps_of(session: Session, journey_id: int | None) -> list[JourneyStep]:
    """The steps of a journey in the order in which they were asked for."""
    session.flush()
    chosen = select(JourneyStep).where(JourneyStep.journey_id == journey_id).order_by(JourneyStep.position)
    return list(session.scalars(chosen, execution_options={"populate_existing": True}))


def _new_steps(
    session: Session, queue_ids: Sequence[int], services: Sequence[str], after: Mapping[str, Collection[str]]
) -> list[JourneyStep]:
    offered = dict(
        session.execute(
            select(Service.code, Service.id)
            .join(QueueService, QueueService.service_id == Service.id)
            .where(QueueService.queue_id.in_(queue_ids), Service.code.in_(services))
        ).all()
    )
    for code in services:
        if code not in offered:
            raise Invalid("unknown_service", f"nobody here offers the service {code}", service=code)
    place = {code: n for n, code in enumerate(services)}
    return [
        JourneyStep(
            position=place[code],
            service_id=offered[code],
            after=sorted(place[before] for before in after.get(code, ()) if before in place),
        )
        for code in services
    ]


def _offers(
    session: Session,
    steps: Sequence[JourneyStep],
    queue_ids: Sequence[int],
    *,
    now: datetime,
    priority: int,
    closed_too: bool = False,
) -> list[Step]:
    """The steps with the queues that offer them now, and how long one would wait there."""
    services = {
        s.id: s for s in session.scalars(select(Service).where(Service.id.in_([s.service_id for s in steps])))
    }
    pairs = set(
        session.execute(
            select(QueueService.queue_id, QueueService.service_id).where(
                QueueService.queue_id.in_(queue_ids), QueueService.service_id.in_(services)
            )
        ).all()
    )
    queues = session.scalars(
        select(Queue).where(Queue.id.in_(queue_ids)).order_by(Queue.id),
        execution_options={"populate_existing": True},
    ).all()
    open_ = [
        queue
        for queue in queues
        if closed_too or (queue.state != "closed" and queue.held_by is None and queue.moved_to_id is None)
    ]
    coming = {queue.id: _arrivals(session, queue.id, now) for queue in open_}
    found = []
    for step in steps:
        options = []
        for queue in open_:
            if (queue.id, step.service_id) not in pairs:
                continue
            pace = pace_of(session, queue).seconds
            stands = lineup.standing(
                session,
                queue.id,
                step.service_id,
                now=now,
                zone=queue.zone,
                aged_from=now,
                priority=priority,
            )
            wait = expected(stands.ahead, stands.desks, pace, free=stands.free)
            drift = coming[queue.id] * pace / stands.desks - 1 if stands.desks else 0.0
            service_s = _service_s(services[step.service_id])
            options.append(Option(queue.id, NO_DESK_S if wait is None else wait, service_s, drift))
        found.append(Step(step.position, tuple(options), frozenset(step.after)))
    return found


def _arrivals(session: Session, queue_id: int, now: datetime) -> float:
    """People a second who joined this queue in the last hour."""
    came = session.scalar(
        select(func.count())
        .select_from(TicketEvent)
        .where(
            TicketEvent.queue_id == queue_id,
            TicketEvent.happened_at > now - ARRIVALS_OVER,
            TicketEvent.happened_at <= now,
            TicketEvent.action.in_(("issue", "arrive")),
        )
    )
    return (came or 0) / ARRIVALS_OVER.total_seconds()
