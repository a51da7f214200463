"""What visits told of the villages they came to: whoever came was counted, and corrects what the number of people
alone says.

A village's errands are (what population alone says) x (a factor of its own). The factor is Gamma-distributed around
what villages have in common, with a spread learned from those that were visited, and each visit's count updates it
(Gamma-Poisson: `fleet.forecast.cold`). A count strays by more than Poisson's chance, because days do, so a visit of
hundreds counts as a few dozen independent people would: it corrects much, and not everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import demand, stock
from fleet.forecast import cold
from fleet.relief import DEMAND_CV, Floats
from fleet.store import Center, Setting, Site, Visit
from queueing.store import QueueHour, Service

UPTAKE = 0.4
"""Of the errands that wait in a village, the share whose people hear of the visit and can come on that day, as
believed before any visit was counted."""
LOOK_BACK = timedelta(days=728)
"""Visits are remembered for two years: villages change slowly, and are seen seldom."""
FULL = 0.95
"""A visit that so large a share of what its desks can serve came to was full: how many more would have come nobody
knows."""

SETTING = "villages"
"""Where what villages have in common is kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a village's counted visits told: how many they were, who came, who was expected from what villages have in
    common, and the factor that is reckoned with since (1: as many as expected)."""

    visits: int
    came: int
    expected: float
    factor: float


@dataclass(frozen=True)
class Known:
    """What is known of villages: all together (`beforehand`), and those that were visited, by site id."""

    beforehand: cold.Beforehand
    factors: Mapping[int, float]

    def factor(self, site_id: int) -> float:
        """How many times what population alone says."""
        return self.factors.get(site_id, self.beforehand.ratio)


@dataclass(slots=True)
class _Sums:
    """A village's visits: how many, people, expected by population alone; and both as independent chances."""

    visits: int = 0
    came: float = 0.0
    expected: float = 0.0
    came_plain: int = 0
    expected_plain: float = 0.0
    last: date | None = None


def learn_villages(session: Session, *, before: date) -> Known:
    """Learn from every closed and measured visit to a village in LOOK_BACK before `before`."""
    sums, full = _visited(session, before)
    _add_full(full, _common(sums.values()))
    counted = {site_id: one for site_id, one in sums.items() if one.expected > 0}
    came, due = _columns(counted.values())
    beforehand = cold.learn_from_counts(came, due)
    factors = cold.posterior(beforehand, np.ones(len(counted)), came, due)
    return Known(beforehand, dict(zip(counted, factors.tolist(), strict=True)))


def told_by_visits(session: Session, site_id: int, *, before: date) -> Told | None:
    """What the counted visits to one village told; None where none was counted. What villages have in common is taken
    as `keep_common` stored it last."""
    sums, full = _visited(session, before, site_id)
    if site_id not in sums or not sums[site_id].visits:
        return None
    kept = session.get(Setting, SETTING)
    common = cold.Beforehand(**kept.value) if kept is not None else cold.Beforehand(1.0, cold.CV, 0)
    _add_full(full, common.ratio)
    one = sums[site_id]
    factor = float(cold.posterior(common, np.ones(1), *_columns([one]))[0])
    return Told(one.visits, one.came_plain, one.expected_plain * common.ratio, factor / common.ratio)


def keep_common(session: Session, known: Known) -> None:
    """Store what villages have in common, for pages that ask about one of them."""
    session.merge(Setting(key=SETTING, value=asdict(known.beforehand)))


def _visited(
    session: Session, before: date, site_id: int | None = None
) -> tuple[dict[int, _Sums], list[tuple[_Sums, float, float]]]:
    """Sums by village (or of one alone) of all visits but those that filled the van; and these: whose, people,
    expected."""
    by_people, service_h = weekly_by_people(session), service_hours(session)
    sums: dict[int, _Sums] = {}
    full: list[tuple[_Sums, float, float]] = []
    for at, population, day, opens, closes, desks, came in _visits(session, before, site_id):
        one = sums.setdefault(at, _Sums())
        stay_h = (closes - opens).total_seconds() / 3600
        due = expected_people(by_people * population, day, stay_h, one.last)
        one.last = day
        if came is None or due <= 0:
            continue  # nothing was measured: the visit used up what had gathered, and told nothing
        one.visits += 1
        one.came_plain += came
        one.expected_plain += due
        if came >= FULL * stock.BUSY_SHARE * desks * stay_h / service_h:
            full.append((one, float(came), due))
        else:
            _count(one, float(came), due)
    return sums, full


def _add_full(full: Iterable[tuple[_Sums, float, float]], usual: float) -> None:
    """Count visits that filled the van where they say anything: that no fewer wanted to come."""
    for one, came, due in full:
        if came > usual * due:
            _count(one, came, due)


def _count(one: _Sums, came: float, due: float) -> None:
    """Add a visit, worth as many independent people as tell as much as it does with a day's own straying."""
    worth = 1.0 / (1.0 + due * DEMAND_CV**2)
    one.came += came * worth
    one.expected += due * worth


def _columns(sums: Iterable[_Sums]) -> tuple[Floats, Floats]:
    """Who came and who was expected, as independent chances."""
    both = np.array([(one.came, one.expected) for one in sums], float).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _common(sums: Iterable[_Sums]) -> float:
    return cold.learn_from_counts(*_columns(sums)).ratio


def _visits(
    session: Session, before: date, site_id: int | None
) -> Sequence[tuple[int, int, date, datetime, datetime, int, int | None]]:
    """Closed visits to villages by place and day: site, people, day, from, until, desks, who came (None: nothing was
    measured)."""
    over = [
        Site.kind == "village",
        Visit.status == "closed",
        Visit.opened_at.is_not(None),
        Visit.day >= before - LOOK_BACK,
        Visit.day < before,
    ]
    if site_id is not None:
        over.append(Site.id == site_id)
    queues = select(Visit.queue_id).join(Site, Site.id == Visit.site_id).where(*over)
    hours = (
        select(QueueHour.queue_id, func.sum(QueueHour.arrivals).label("came"))
        .where(QueueHour.queue_id.in_(queues))
        .group_by(QueueHour.queue_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Site.id,
            Site.population,
            Visit.day,
            Visit.opens_at,
            Visit.closes_at,
            Center.desks,
            hours.c.came,
        )
        .join(Visit, Visit.site_id == Site.id)
        .join(Center, Center.id == Visit.center_id)
        .outerjoin(hours, hours.c.queue_id == Visit.queue_id)
        .where(*over)
        .order_by(Site.id, Visit.opens_at)
    )
    return [(a, b, c, d, e, f, None if g is None else int(g)) for a, b, c, d, e, f, g in rows]


def expected_people(weekly: float, day: date, stay_h: float, last: date | None) -> float:
    """Who comes to a visit of `stay_h` hours where `weekly` errands gather, the visit before being on `last`."""
    week = np.array([weekly * demand.MONTH_FACTORS[day.month]])
    weeks = np.array([(day - last).days / 7 if last is not None else np.inf])
    there = stock.gathered(week, weeks)
    return float(there[0] * (1 - np.exp(-stock.COME_RATE * stay_h)))


def weekly_by_people(session: Session) -> float:
    """Errands a week and inhabitant that a visit could settle, by the number of people alone."""
    return UPTAKE * mobile_share(session) * demand.REQUESTS_PER_1000 / 1000 / 52


def mobile_share(session: Session) -> float:
    """Share of all requests at fixed centers that are for a service a van offers, by popularity."""
    total = session.scalar(select(func.sum(Service.popularity)).where(Service.at_fixed)) or 0.0
    mobile = session.scalar(select(func.sum(Service.popularity)).where(Service.at_fixed, Service.at_mobile))
    return float(mobile or 0.0) / float(total) if total else 0.0


def service_hours(session: Session) -> float:
    """Mean desk hours of what vans offer."""
    services = list(session.scalars(select(Service).where(Service.at_mobile)))
    return max(demand.mean_service_minutes(services) if services else 12.0, 1.0) / 60
