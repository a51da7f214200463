"""What happens next to one ticket of the live day, and when. Pure.

Everything follows from the ticket as it stands in the database and from the person's draws. A conductor
that starts again in the middle of a day therefore goes on exactly as the one before it would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fleet.simulation.behaviour import Person
from fleet.simulation.day import RECALL_AFTER_S


@dataclass(slots=True)
class Held:
    """A live ticket as the conductor knows it. `missed`, `parked` and `redirected` say what happened to it
    before."""

    ticket_id: int
    person: Person
    simulated: bool
    """False for a ticket that a real person took: that one never loses patience and comes when called."""
    state: str = "waiting"
    desk_id: int | None = None
    issued_at: datetime | None = None
    called_at: datetime | None = None
    started_at: datetime | None = None
    parked_at: datetime | None = None
    hold_until: datetime | None = None
    parked_s: int = 0
    recalls: int = 0
    missed: bool = False
    parked: bool = False
    redirected: bool = False
    version: int = 0
    """Rises with each look at the ticket: a step planned for an older one is dropped."""

    def take(self, ticket: Any) -> None:
        """Read the ticket's fields anew."""
        self.state, self.desk_id = ticket.state, ticket.desk_id
        self.issued_at, self.called_at, self.started_at = (
            ticket.issued_at,
            ticket.called_at,
            ticket.started_at,
        )
        self.parked_at, self.hold_until = ticket.parked_at, ticket.hold_until
        self.parked_s, self.recalls = ticket.parked_s, ticket.recalls
        self.version += 1


def next_step(held: Held, *, cool_down_s: int, recall_limit: int) -> tuple[datetime, str] | None:
    """(instant, action) of the ticket's next step that nobody else decides, or None: call next decides for
    who waits."""
    person = held.person
    if held.state == "waiting" and held.issued_at is not None:
        if held.missed or held.redirected or not held.simulated:
            return None
        return _after(held.issued_at, person.patience_s), "leave"
    if held.state == "called" and held.called_at is not None:
        return _called(held, held.called_at, recall_limit)
    if held.state == "serving" and held.started_at is not None:
        return _serving(held, held.started_at)
    if held.state == "parked" and held.parked_at is not None and held.parked and person.park_s > 0:
        return _after(held.parked_at, person.park_s), "resume"
    if held.state == "missed" and held.hold_until is not None and person.back_s > 0:
        return _after(held.hold_until, person.back_s - cool_down_s), "requeue"
    return None


def _called(held: Held, called_at: datetime, recall_limit: int) -> tuple[datetime, str]:
    calls = 1 if held.missed or held.redirected or not held.simulated else held.person.calls
    if calls == 1:
        return _after(called_at, held.person.walk_s), "start"
    if held.recalls == 0 and recall_limit > 0:
        return _after(called_at, RECALL_AFTER_S), "recall"
    if calls == 2:
        return _after(called_at, RECALL_AFTER_S + held.person.walk_s), "start"
    return _after(called_at, 2 * RECALL_AFTER_S), "miss"


def _serving(held: Held, started_at: datetime) -> tuple[datetime, str]:
    person = held.person
    if held.redirected:
        return _after(started_at, person.second_s + held.parked_s), "finish"
    if person.park_share > 0 and not held.parked:
        return _after(started_at, person.park_share * person.service_s), "park"
    end = _after(started_at, person.service_s + held.parked_s)
    return end, "redirect" if person.second is not None else "finish"


def _after(instant: datetime, seconds: float) -> datetime:
    return instant + timedelta(seconds=seconds)
