"""When appointments can be had, and how many are left: weekly patterns, dated exceptions, capacity per slot.

The rules of a day are those written for that date, else those of its weekday, else the `default` that the caller
knows (the opening hours of a visit). A service with rules of its own is booked by these; the queue's rules for all
services bound it beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from queueing.daytime import at_minute, day_bounds
from queueing.errors import Invalid
from queueing.store import Queue, Ticket
from queueing.store_life import SlotRule

SLOT_MINUTES = 15
BOOKED_SHARE = 0.5
"""Share of the desks' time that a default pattern gives to appointments: who walks in must find room too."""
FREED = ("cancelled", "left", "transferred")
"""States of bookings that take no room in their slot any more."""
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Pattern:
    """A stretch of the day cut into slots. Minutes from local midnight; capacity in people a slot."""

    begin_minute: int
    end_minute: int
    slot_minutes: int = SLOT_MINUTES
    capacity: int = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a day."""

    at: datetime
    minutes: int
    capacity: int
    taken: int

    @property
    def free(self) -> int:
        """How many can still be booked."""
        return max(0, self.capacity - self.taken)


def default_capacity(desks: int, pace_s: float, slot_minutes: int = SLOT_MINUTES) -> int:
    """People a slot when `BOOKED_SHARE` of the time of `desks` desks goes to appointments of `pace_s` seconds."""
    return max(1, int(desks * slot_minutes * 60 * BOOKED_SHARE / pace_s))


def slots(
    session: Session,
    queue: Queue,
    day: date,
    *,
    service_id: int | None = None,
    default: Sequence[Pattern] = (),
    without: int | None = None,
) -> list[Slot]:
    """The slots of a day in order, full ones too. `without`: a ticket that is not counted (it is being moved)."""
    rules = _rules(session, queue.id, day)
    general = [_pattern(rule) for rule in rules if rule.service_id is None]
    own = [_pattern(rule) for rule in rules if service_id is not None and rule.service_id == service_id]
    if not general:
        general = list(default)
    elif not any(one.capacity for one in general) and all(
        rule.day is None for rule in rules if rule.service_id
    ):
        return []  # a day off is one for every service that has no date of its own
    begin, end = day_bounds(day, queue.zone)
    booked = [
        (at, service)
        for at, service, ticket_id in session.execute(
            select(Ticket.appointment_at, Ticket.service_id, Ticket.id).where(
                Ticket.queue_id == queue.id,
                Ticket.appointment_at.is_not(None),
                Ticket.appointment_at >= begin,
                Ticket.appointment_at < end,
                Ticket.state.not_in(FREED),
            )
        )
        if ticket_id != without and at is not None
    ]
    everybody = [at for at, _service in booked]
    wide = _cut(general, day, queue.zone, everybody)
    if not own:
        return wide
    mine = _cut(own, day, queue.zone, [at for at, service in booked if service == service_id])
    return [_bounded(slot, wide) for slot in mine]


def slot_at(
    session: Session,
    queue: Queue,
    at: datetime,
    day: date,
    *,
    service_id: int,
    default: Sequence[Pattern] = (),
    without: int | None = None,
) -> Slot | None:
    """The slot that begins at `at`, or None."""
    found = slots(session, queue, day, service_id=service_id, default=default, without=without)
    return next((slot for slot in found if slot.at == at), None)


def rules_of(session: Session, queue_id: int) -> list[SlotRule]:
    """Every rule of a queue: weekdays first, then dates, each by its hours."""
    rules = session.scalars(select(SlotRule).where(SlotRule.queue_id == queue_id)).all()
    return sorted(
        rules,
        key=lambda r: (r.day or date.min, r.weekday if r.weekday is not None else 7, r.begin_minute, r.id),
    )


def with_rules(session: Session, queue_ids: Sequence[int]) -> set[int]:
    """Which of these queues give appointments by rules of their own."""
    return set(session.scalars(select(SlotRule.queue_id).where(SlotRule.queue_id.in_(queue_ids)).distinct()))


def set_rules(
    session: Session,
    queue: Queue,
    patterns: Sequence[Pattern],
    *,
    weekdays: Sequence[int] = (),
    days: Sequence[date] = (),
    service_id: int | None = None,
) -> None:
    """Put these patterns in place of what stood for these weekdays or dates (and this service). No pattern for a
    date means no appointments on it; for a weekday, that the default holds again. What is booked stays booked.

    Raises Invalid `slot_rule` for hours outside of the day, slots of less than 5 minutes or overlapping patterns.
    """
    for one in patterns:
        right = 0 <= one.begin_minute < one.end_minute <= DAY_MINUTES and one.capacity >= 0
        if not right or not 5 <= one.slot_minutes <= one.end_minute - one.begin_minute:
            raise Invalid("slot_rule", "these hours cannot be cut into slots", begin=one.begin_minute)
    ordered = sorted(patterns, key=lambda one: one.begin_minute)
    for first, second in pairwise(ordered):
        if second.begin_minute < first.end_minute:
            raise Invalid("slot_rule", "two patterns of one day overlap", begin=second.begin_minute)
    for weekday in weekdays:
        _replace(session, queue.id, ordered, weekday=weekday, day=None, service_id=service_id)
    for day in days:
        closed = [Pattern(0, DAY_MINUTES, DAY_MINUTES, 0)]
        _replace(session, queue.id, ordered or closed, weekday=None, day=day, service_id=service_id)
    session.flush()


def forget_day(session: Session, queue: Queue, day: date) -> None:
    """Take a date's exceptions away: its weekday's rules hold again."""
    session.execute(delete(SlotRule).where(SlotRule.queue_id == queue.id, SlotRule.day == day))


def _replace(
    session: Session,
    queue_id: int,
    patterns: Sequence[Pattern],
    *,
    weekday: int | None,
    day: date | None,
    service_id: int | None,
) -> None:
    of_service = (
        SlotRule.service_id == service_id if service_id is not None else SlotRule.service_id.is_(None)
    )
    when = SlotRule.weekday == weekday if day is None else SlotRule.day == day
    session.execute(delete(SlotRule).where(SlotRule.queue_id == queue_id, of_service, when))
    session.add_all(
        SlotRule(
            queue_id=queue_id,
            service_id=service_id,
            weekday=weekday,
            day=day,
            begin_minute=one.begin_minute,
            end_minute=one.end_minute,
            slot_minutes=one.slot_minutes,
            capacity=one.capacity,
        )
        for one in patterns
    )


def _rules(session: Session, queue_id: int, day: date) -> list[SlotRule]:
    """The rules that hold on a day, by scope: a date's rules stand in for its weekday's."""
    rules = session.scalars(
        select(SlotRule)
        .where(SlotRule.queue_id == queue_id, (SlotRule.day == day) | (SlotRule.weekday == day.weekday()))
        .order_by(SlotRule.begin_minute, SlotRule.id)
    ).all()
    dated = {rule.service_id for rule in rules if rule.day is not None}
    return [rule for rule in rules if rule.day is not None or rule.service_id not in dated]


def _pattern(rule: SlotRule) -> Pattern:
    return Pattern(rule.begin_minute, rule.end_minute, rule.slot_minutes, rule.capacity)


def _cut(patterns: Sequence[Pattern], day: date, zone: str, booked: Sequence[datetime]) -> list[Slot]:
    found = []
    for one in patterns:
        if one.capacity == 0:
            continue
        for minute in range(one.begin_minute, one.end_minute - one.slot_minutes + 1, one.slot_minutes):
            at = at_minute(day, minute, zone)
            until = at + timedelta(minutes=one.slot_minutes)
            found.append(Slot(at, one.slot_minutes, one.capacity, sum(at <= b < until for b in booked)))
    return found


def _bounded(slot: Slot, wide: Sequence[Slot]) -> Slot:
    """A service's slot within what is left of the queue's own slot around it, where there is one."""
    around = next((w for w in wide if w.at <= slot.at < w.at + timedelta(minutes=w.minutes)), None)
    if around is None or around.free >= slot.free:
        return slot
    return Slot(slot.at, slot.minutes, slot.taken + around.free, slot.taken)
