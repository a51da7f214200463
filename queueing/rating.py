"""What people say of a service, and what came of a visit: both are events, and the figures are computed from events.

- A rating: one tap from 1 to 5 by the holder of a served ticket, once, within 48 hours; then a reason, if they like.
  An event `rate` that moves nothing.
- The outcome (`ticket.OUTCOMES`): what the clerk says when finishing, with one optional tap: done today, or why the
  person must come back. It stands in the `finish` event's data, so an undone finish has no outcome either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.errors import Conflict, Invalid, MoveNotPossible
from queueing.journeys import steps_of
from queueing.store import Ticket, TicketEvent
from queueing.ticket import Change
from queueing.turn import Done, OwnRequest, Turn, fresh_ticket

SCORES = (1, 2, 3, 4, 5)
REASONS = ("wait", "staff", "papers", "place", "system", "other")
"""What a rating is about: the wait, how one was treated, unclear papers, the place, systems that were down."""
RATE_WITHIN = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Rating:
    """What the holder of a ticket has said."""

    score: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of the services that ended in a span of time, and how they were rated.

    `finished` counts all, `said` those of which the clerk said what came of it; `by_outcome` and `by_score` and
    `by_reason` count by code. First-visit completion is `done / said`.
    """

    finished: int
    said: int
    by_outcome: dict[str, int]
    rated: int
    by_score: dict[int, int]
    by_reason: dict[str, int]

    @property
    def first_visit(self) -> float | None:
        """Share of what was said that was done in one visit."""
        return self.by_outcome.get("done", 0) / self.said if self.said else None

    @property
    def score(self) -> float | None:
        """Mean rating."""
        if not self.rated:
            return None
        return sum(score * count for score, count in self.by_score.items()) / self.rated


def rate(
    session: Session,
    ticket: Ticket,
    score: int,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Done:
    """Rate the service of a ticket. Again with the same score is harmless (`repeated`); a reason may be added once.

    Raises Invalid `score`, `reason`; MoveNotPossible when the ticket was not served; Conflict `already_rated`,
    `rating_over` after 48 hours.
    """
    if score not in SCORES:
        raise Invalid("score", "a rating is 1 to 5", score=score)
    if reason and reason not in REASONS:
        raise Invalid("reason", f"a reason is one of {', '.join(REASONS)}")
    own = OwnRequest(f"rate#:{ticket.id}")
    with Turn(session, ticket.queue_id, request_id=own, actor=actor, now=now) as turn:
        ticket = fresh_ticket(session, ticket)
        known = _events(session, [ticket.id])
        if ticket.state != "served" or ticket.ended_at is None:
            raise MoveNotPossible(
                "move_not_possible",
                "only a service that was given can be rated",
                state=ticket.state,
                action="rate",
            )
        first = known[0] if known else None
        if first is not None and first.data["score"] != score:
            raise Conflict("already_rated", "this service has been rated", score=first.data["score"])
        if first is not None and (not reason or any(event.data.get("reason") for event in known)):
            return Done(ticket, first, repeated=True)
        if now - ticket.ended_at > RATE_WITHIN:
            raise Conflict("rating_over", "ratings are taken for two days after the service")
        data: dict[str, object] = {"score": score, "request": request_id[:64]}
        if reason:
            data["reason"] = reason
        change = Change("rate", "served", "served", {})
        return Done(ticket, turn.record(ticket, change, suffix="+" if first is not None else "", data=data))


def rating_of(session: Session, ticket: Ticket) -> Rating | None:
    """What was said of a ticket's service, or None."""
    events = _events(session, [ticket.id])
    if not events:
        return None
    reason = next((event.data["reason"] for event in events if event.data.get("reason")), "")
    return Rating(events[0].data["score"], reason, events[0].happened_at)


def may_rate(session: Session, ticket: Ticket, *, now: datetime) -> bool:
    """Whether the holder is asked: served, all of the journey done, not yet rated, within 48 hours."""
    if ticket.state != "served" or ticket.ended_at is None or now - ticket.ended_at > RATE_WITHIN:
        return False
    if ticket.journey_id is not None:
        if ticket.next_ticket_id is not None:
            return False
        if any(step.ticket_id is None for step in steps_of(session, ticket.journey_id)):
            return False
    return rating_of(session, ticket) is None


def outcomes(session: Session, queue_ids: Sequence[int], begin: datetime, end: datetime) -> Outcomes:
    """The figures of these queues from `begin` to before `end`, computed from events. A finish that was taken back did
    not happen; a rating counts when it was given."""
    rows = session.execute(
        select(TicketEvent.id, TicketEvent.ticket_id, TicketEvent.action, TicketEvent.data)
        .where(
            TicketEvent.queue_id.in_(queue_ids),
            TicketEvent.happened_at >= begin,
            TicketEvent.happened_at < end,
            TicketEvent.action.in_(("finish", "rate")),
        )
        .order_by(TicketEvent.id)
    ).all()
    ended = [row for row in rows if row.action == "finish"]
    undone = _undone(session, queue_ids, begin)
    stands = [row for row in ended if row.id not in undone]
    said = Counter(row.data["outcome"] for row in stands if row.data.get("outcome"))
    scores: dict[int, int] = {}
    reasons: Counter[str] = Counter()
    for row in rows:
        if row.action == "rate":
            scores.setdefault(row.ticket_id, row.data["score"])
            if row.data.get("reason"):
                reasons[row.data["reason"]] += 1
    by_score = Counter(scores.values())
    return Outcomes(len(stands), said.total(), dict(said), len(scores), dict(by_score), dict(reasons))


def _undone(session: Session, queue_ids: Sequence[int], begin: datetime) -> set[int]:
    undos = session.execute(
        select(TicketEvent.data).where(
            TicketEvent.queue_id.in_(queue_ids),
            TicketEvent.happened_at >= begin,
            TicketEvent.action == "undo",
        )
    )
    return {data["undoes"] for (data,) in undos if data.get("undoes")}


def _events(session: Session, ticket_ids: Sequence[int]) -> list[TicketEvent]:
    chosen = select(TicketEvent).where(TicketEvent.ticket_id.in_(ticket_ids), TicketEvent.action == "rate")
    return list(session.scalars(chosen.order_by(TicketEvent.id)))
