"""How good the promises were: the range given with each ticket beside the wait that came.

Judged is every ticket that was promised a range when it was given out and then called for the first time: the wait is
from the number to the call. Left out are those whose wait was changed by people (recalled, put aside, sent on, an
appointment): no range was promised for that. Who left before a call waited at least that long: those who
left after the range's end count as later than promised, the others are counted apart (nobody knows).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.store import Ticket

PROMISED = 0.8
"""The share of waits that the range with a ticket means to hold (queueing/wait.py)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Tickets judged, and how their waits lay to what was promised. Seconds."""

    judged: int
    inside: int
    sooner: int
    later: int
    unknown: int
    """Left before anybody can say."""
    median_error_s: float | None
    """Half of the waits lay nearer than this to the middle of their range."""
    bias_s: float | None
    """Mean of the wait less the middle of its range: above 0 people waited longer than they were told."""
    width_s: float | None
    """Mean width of the ranges."""

    @property
    def share(self) -> float | None:
        """Share of waits inside their range."""
        return self.inside / self.judged if self.judged else None


def how_kept(session: Session, queue_ids: Sequence[int], first: date, last: date) -> Kept:
    """The promises of some queues, on the days from `first` to `last`."""
    if not queue_ids:
        return judge(())
    rows = session.execute(
        select(
            Ticket.promised_low_s, Ticket.promised_high_s, Ticket.issued_at, Ticket.called_at, Ticket.ended_at,
            Ticket.state,
        ).where(
            Ticket.queue_id.in_(queue_ids), Ticket.day >= first, Ticket.day <= last,
            Ticket.promised_high_s.is_not(None), Ticket.aged_from == Ticket.issued_at,
            Ticket.appointment_at.is_(None), Ticket.recalls == 0, Ticket.parked_s == 0,
        )
    ).all()  # fmt: skip
    found: list[tuple[int, int, float, bool]] = []
    for low, high, issued, called, ended, state in rows:
        if high is None:
            continue
        if called is not None:
            found.append((low or 0, high, (called - issued).total_seconds(), True))
        elif state == "left" and ended is not None:
            found.append((low or 0, high, (ended - issued).total_seconds(), False))
    return judge(found)


def judge(promises: Iterable[tuple[int, int, float, bool]]) -> Kept:
    """Count promises: (low, high, seconds waited, whether the call came; else they left then)."""
    inside = sooner = later = unknown = 0
    errors: list[float] = []
    widths: list[int] = []
    for low, high, waited, called in promises:
        if not called:
            later, unknown = later + (waited > high), unknown + (waited <= high)
            continue
        errors.append(waited - (low + high) / 2)
        widths.append(high - low)
        inside += low <= waited <= high
        sooner += waited < low
        later += waited > high
    return Kept(
        inside + sooner + later,
        inside,
        sooner,
        later,
        unknown,
        median(abs(error) for error in errors) if errors else None,
        sum(errors) / len(errors) if errors else None,
        sum(widths) / len(widths) if widths else None,
    )
