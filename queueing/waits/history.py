"""What is usual at a queue: minutes a person, calls and arrivals by the hour, desks, when it begins and
ends. Pure.

Kept as sums by queue, day and hour, so that the usual can be asked for any set of days: for a ticket of a
training day all the other days (else the model would learn from the answer), for a ticket of today all days
before today.

Minutes a person (tau, Ibrahim and Whitt's queue-length predictor is (ahead + 1) x tau) are shrunk in a
ladder: all queues -> office -> queue -> queue at this hour. A queue nobody has seen gets its office's, an
office nobody has seen the mean of all. Two more taus forget older days by half and by a sixth each day:
levels drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from queueing.waits.snapshots import Floats
from queueing.waits.tickets import Tickets

HOURS = 24
OFFICE_WEIGHT, QUEUE_WEIGHT, HOUR_WEIGHT, SHAPE_WEIGHT = 100.0, 60.0, 60.0, 200.0
"""People of the level above that count beside a level's own people."""
FORGET = (0.5, 0.85)
RECENT_WEIGHT = 30.0
MINUTES = 2.3
"""Minutes a person where nothing at all is known."""


@dataclass(slots=True)
class History:
    """Sums by queue x day x hour."""

    office_of: np.ndarray
    waited: Floats
    people: Floats
    count: Floats
    calls: Floats
    arrivals: Floats
    desks: Floats
    seen: Floats
    first: Floats
    last: Floats

    @classmethod
    def of(cls, tickets: Tickets) -> History:
        """Read the sums off tickets."""
        shape = (len(tickets.queues), len(tickets.days), HOURS)

        def add(hour: Floats, values: Floats | float, where: np.ndarray) -> Floats:
            table = np.zeros(shape)
            places = (
                tickets.queue[where],
                tickets.day[where],
                np.clip(hour[where], 0, HOURS - 1).astype(int),
            )
            np.add.at(table, places, values[where] if isinstance(values, np.ndarray) else values)
            return table

        served = ~np.isnan(tickets.wait)
        everyone = np.ones(len(tickets), bool)
        hour = tickets.known_at // 60
        called = np.where(served, tickets.called, 0.0)
        first = np.full(shape[:2], np.nan)
        last = np.full(shape[:2], np.nan)
        np.fmin.at(first, (tickets.queue[served], tickets.day[served]), called[served])
        np.fmax.at(last, (tickets.queue[served], tickets.day[served]), called[served])
        return cls(
            np.array([tickets.offices.index(office) for office, _ in tickets.queues]),
            add(hour, tickets.wait, served), add(hour, tickets.ahead + 1, served), add(hour, 1.0, served),
            add(called // 60, 1.0, served), add(tickets.arrived // 60, 1.0, everyone),
            add(hour, tickets.state["desks"], everyone), add(hour, 1.0, everyone), first, last,
        )  # fmt: skip

    def usual(self, tickets: Tickets, days: np.ndarray, *, own: np.ndarray) -> dict[str, Floats]:
        """The usual for each ticket. `days`: mask (tickets' day x day) of the days to learn from, by the
        ticket's day; `own`: for each ticket, whether its queue's and office's history may be used at all (a
        new place has none)."""
        queue, office, day = tickets.queue, tickets.office, tickets.day
        hour = np.clip(tickets.known_at // 60, 0, HOURS - 1).astype(int)
        offices = len(tickets.offices)
        mask = days.astype(float)

        def over(table: Floats) -> Floats:
            """Sums over the days that each day may learn from: queue x day x hour."""
            summed: Floats = np.einsum("qeh,de->qdh", table, mask)
            return summed

        def by_office(table: Floats) -> Floats:
            found = np.zeros((offices, *table.shape[1:]))
            np.add.at(found, self.office_of, table)
            return found

        waited, people, count = over(self.waited), over(self.people), over(self.count)
        waited_o, people_o = by_office(waited), by_office(people)
        own_f = own.astype(float)
        all_waited, all_people = waited.sum((0, 2))[day], people.sum((0, 2))[day]
        tau_all = (all_waited + MINUTES) / (all_people + 1.0)
        tau_office = (own_f * waited_o.sum(2)[office, day] + OFFICE_WEIGHT * tau_all) / (
            own_f * people_o.sum(2)[office, day] + OFFICE_WEIGHT
        )
        tau = (own_f * waited.sum(2)[queue, day] + QUEUE_WEIGHT * tau_office) / (
            own_f * people.sum(2)[queue, day] + QUEUE_WEIGHT
        )
        tau_hour = (own_f * waited[queue, day, hour] + HOUR_WEIGHT * tau) / (
            own_f * people[queue, day, hour] + HOUR_WEIGHT
        )
        shape = (own_f * waited_o[office, day, hour] + SHAPE_WEIGHT * tau_office) / (
            (own_f * people_o[office, day, hour] + SHAPE_WEIGHT) * tau_office
        )
        found = {
            "tau": tau,
            "tau_hour": tau_hour,
            "tau_office": tau_office,
            "hour_shape": shape,
            "known": np.log1p(own_f * count.sum(2)[queue, day]),
            "known_hour": np.log1p(own_f * count[queue, day, hour]),
        }
        number = np.maximum(1.0, mask.sum(1))[day]
        calls, arrivals = over(self.calls), over(self.arrivals)
        for later in range(3):
            then = np.minimum(hour + later, HOURS - 1)
            found[f"usual_calls{later}"] = np.where(own, calls[queue, day, then] / number, np.nan)
            found[f"usual_arrivals{later}"] = np.where(own, arrivals[queue, day, then] / number, np.nan)
        desks, seen = over(self.desks)[queue, day, hour], over(self.seen)[queue, day, hour]
        found["usual_desks"] = np.where(own & (seen > 0), desks / np.maximum(seen, 1), np.nan)
        first, last = _middle(self.first, days)[queue, day], _middle(self.last, days)[queue, day]
        found["to_close"] = np.where(own, last - tickets.known_at, np.nan)
        found["from_open"] = np.where(own, tickets.known_at - first, np.nan)
        for forget in FORGET:
            for name, column in self._recent(tickets, days, own_f, forget).items():
                found[f"{name}{round(forget * 100)}"] = column
        return found

    def _recent(self, tickets: Tickets, days: np.ndarray, own: Floats, forget: float) -> dict[str, Floats]:
        """Tau from earlier days alone, older ones counting less."""
        number = len(tickets.days)
        age = np.arange(number)[:, None] - np.arange(number)[None, :]  # (day of the ticket, day learnt from)
        weight = np.where((age > 0) & days, forget ** np.maximum(age - 1.0, 0), 0.0)
        waited = np.einsum("qe,de->qd", self.waited.sum(2), weight)[tickets.queue, tickets.day] * own
        people = np.einsum("qe,de->qd", self.people.sum(2), weight)[tickets.queue, tickets.day] * own
        return {
            "tau_recent": (waited + RECENT_WEIGHT * MINUTES) / (people + RECENT_WEIGHT),
            "known_recent": np.log1p(people),
        }


def _middle(table: Floats, days: np.ndarray) -> Floats:
    """Median over the days that each day may learn from; NaN where no day has a value."""
    found = np.full(table.shape, np.nan)
    for day, mask in enumerate(days):
        some = table[:, mask]
        has = ~np.isnan(some).all(axis=1)
        if has.any():
            found[has, day] = np.nanmedian(some[has], axis=1)
    return found
