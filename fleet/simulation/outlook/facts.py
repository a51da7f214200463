"""What the product knows of a week, as plain values that can go to another process: lines, forecasts, visits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import baseline, demand, stock
from fleet.calendar import Calendar, default_calendar
from fleet.errors import Invalid
from fleet.forecourts import busiest_lines, forecast_of, mobile_mix
from fleet.lines import CATALOGUE_CS2, Queues, load_queues
from fleet.planning.blobs import decode
from fleet.planning.frame import Mark
from fleet.planning.measures import answered, marks_now
from fleet.relief import Floats
from fleet.store import Center, Plan, Site
from fleet.value import ROAD_DETOUR, trip_hours, village_stock, weekly_errands
from queueing.store import Service


@dataclass(frozen=True, slots=True)
class Forecourt:
    """A visit beside a line: index of line and day, desks, from and until which hour."""

    line: int
    day: int
    desks: int
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Village:
    """A visit to a village: day, desks, hours, expected citizens, and what each is spared: `trip` hours, `km` of road
    there and back, a place in the line `line` (-1: that of no center that is known)."""

    line: int
    day: int
    desks: int
    begins: float
    ends: float
    people: float
    trip: float
    km: float


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits of a policy; `left_out` have no meaning here (a place that is not in use any more)."""

    forecourts: tuple[Forecourt, ...]
    villages: tuple[Village, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """A week as far as it is known. Arrays are over lines; hours are local."""

    days: tuple[str, ...]
    arrivals: Floats
    """Lines x days x 24: forecast."""
    spread: Floats
    """Lines x days: how far a day may stray from that (standard deviation / mean)."""
    windows: Floats
    """Lines x days x 2: opening and closing hour."""
    staffed: Floats
    """Lines x 24: mean staffed desks."""
    desks: Floats
    service_h: Floats
    cs2: Floats
    leave_rate: Floats
    share: Floats
    """Share of a line's citizens who come for something that a van offers."""
    van_h: Floats
    """Mean hours of those services."""
    village_h: float
    """Mean hours of a van's services in a village."""
    village_cs2: float
    services: tuple[tuple[str, float, float], ...]
    """Services of vans: code, share of their citizens, share of their desk time."""
    plan: Visits
    towns: Visits
    """The same vans to the biggest towns in turn."""
    estimate: float | None
    """Hours that the planner's model says the plan saves (before driving), and the towns."""
    towns_estimate: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            field.name: value.tolist()
            if isinstance(value := getattr(self, field.name), np.ndarray)
            else value
            for field in fields(self)
            if field.name not in ("plan", "towns")
        } | {"plan": asdict(self.plan), "towns": asdict(self.towns)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """The opposite of `to_json`."""
        plain = dict(data)
        lines = len(plain["desks"])
        days = len(plain["days"])
        shapes: dict[str, tuple[int, ...]] = {
            "arrivals": (lines, days, 24), "spread": (lines, days), "windows": (lines, days, 2), "staffed": (lines, 24)
        }  # fmt: skip
        for name in ("arrivals", "spread", "windows", "staffed", *ROWS):
            plain[name] = np.array(plain[name], float).reshape(shapes.get(name, (lines,)))
        for name in ("plan", "towns"):
            visits = plain[name]
            plain[name] = Visits(
                tuple(Forecourt(**one) for one in visits["forecourts"]),
                tuple(Village(**one) for one in visits["villages"]),
                visits["left_out"],
            )
        plain["days"], plain["services"] = tuple(plain["days"]), tuple(map(tuple, plain["services"]))
        return cls(**plain)


ROWS = ("desks", "service_h", "cs2", "leave_rate", "share", "van_h")


def gather(session: Session, plan: Plan, *, now: datetime, calendar: Calendar | None = None) -> Facts:
    """Return what is known of the plan's days. Raises Invalid `no_answer` for a plan without visits to play,
    `no_forecast` where its days are not forecast."""
    calendar = calendar or default_calendar()
    if not answered(plan):
        raise Invalid("no_answer", "This plan has no visits yet.", plan=plan.id)
    days = tuple(plan.week + timedelta(days=n) for n in range(7 * plan.weeks))
    queues = load_queues(session, now=now)
    works = np.array([calendar.is_working_day(day) for day in days])
    arrivals, spread = forecast_of(session, queues, days)
    arrivals = arrivals * works[None, :, None]
    if not arrivals.any():
        raise Invalid("no_forecast", "Nothing is forecast for the days of this plan.", plan=plan.id)
    windows = np.array(
        [
            [calendar.hours(day, opens, closes) for day in days]
            for opens, closes in zip(queues.open_minute, queues.close_minute, strict=True)
        ],
        float,
    ).reshape(len(queues.ids), len(days), 2)
    share, van_h = mobile_mix(session, queues)
    services = list(session.scalars(select(Service).where(Service.at_mobile)))
    minutes = demand.mean_service_minutes(services) if services else 12.0
    decoded = decode(plan.problem)
    towns = baseline.baseline(decoded.problem, baseline.rankings(session, decoded.problem), decoded.travel)
    town_marks = [
        Mark(0, r.center, r.day, stop.site, stop.start, stop.stay) for r in towns.routes for stop in r.stops
    ]
    marks = marks_now(session, plan)
    sorter = _Sorter(session, queues, arrivals, days, max(minutes, 1.0) / 60)
    return Facts(
        tuple(day.isoformat() for day in days),
        arrivals,
        spread,
        windows / 60,
        queues.staffed,
        queues.desks,
        queues.service_h,
        queues.cs2,
        queues.leave_rate,
        share,
        van_h,
        sorter.village_h,
        CATALOGUE_CS2,
        _shares(services),
        sorter.visits(marks),
        sorter.visits(town_marks),
        plan.hours_saved,
        plan.baseline_hours,
    )


def _shares(services: list[Service]) -> tuple[tuple[str, float, float], ...]:
    """Code, share of citizens and share of desk time of each service, the most asked for first."""
    popular = demand.service_shares(services)
    time = {
        s.code: popular[s.code] * (s.minutes_low + s.minutes_mode + s.minutes_high)
        for s in services
        if popular
    }
    whole = sum(time.values()) or 1.0
    found = [(code, share, time[code] / whole) for code, share in popular.items()]
    return tuple(sorted(found, key=lambda one: (-one[1], one[0])))


class _Sorter:
    """Turns visits of plans into what they mean for citizens."""

    def __init__(
        self, session: Session, queues: Queues, arrivals: Floats, days: tuple[date, ...], village_h: float
    ) -> None:
        self.session, self.days, self.village_h = session, days, village_h
        self.line_of = busiest_lines(queues, arrivals)
        self.sites = {site.code: site for site in session.scalars(select(Site).where(Site.active))}
        self.desks = dict(session.execute(select(Center.code, Center.desks)).all())
        villages = [site for site in self.sites.values() if site.kind == "village"]
        self.errands = dict(
            zip((v.code for v in villages), village_stock(session, villages, days[0]).tolist(), strict=True)
        )
        weekly = weekly_errands(session, villages, days[0]) / demand.MONTH_FACTORS[days[0].month]
        self.weekly = dict(zip((v.code for v in villages), weekly.tolist(), strict=True))

    def visits(self, marks: Iterable[Mark]) -> Visits:
        """The visits of a policy."""
        forecourts, villages, left_out = [], [], 0
        seen: dict[str, int] = {}
        for mark in sorted(marks, key=lambda m: (m.day, m.start, m.site)):
            site, desks = self.sites.get(mark.site), self.desks.get(mark.center, 0)
            begins, ends = mark.start / 60, (mark.start + mark.stay) / 60
            if site is None or not desks or not 0 <= mark.day < len(self.days):
                left_out += 1
            elif site.kind == "village":
                errands = self._errands(site, mark.day, seen)
                n, hours = np.array([float(desks)]), np.array([self.village_h])
                people = stock.served(np.array([errands]), n, hours, np.array([ends - begins]))
                km = site.nearest_fixed_km or 0.0
                trip = float(trip_hours(np.array([km]))[0])
                line = self.line_of.get(site.nearest_fixed_id or 0, -1)
                villages.append(
                    Village(line, mark.day, desks, begins, ends, float(people[0]), trip, 2 * ROAD_DETOUR * km)
                )
            elif site.id in self.line_of:
                forecourts.append(Forecourt(self.line_of[site.id], mark.day, desks, begins, ends))
            else:
                left_out += 1
        return Visits(tuple(forecourts), tuple(villages), left_out)

    def _errands(self, site: Site, day: int, seen: dict[str, int]) -> float:
        """What has gathered there by that day: since the policy's own last visit too."""
        before, seen[site.code] = seen.get(site.code), day
        if before is None:
            return float(self.errands[site.code])
        weekly = np.array([self.weekly[site.code] * demand.MONTH_FACTORS[self.days[day].month]])
        return float(stock.gathered(weekly, np.array([(day - before) / 7]))[0])
