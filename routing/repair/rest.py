"""What is left of a plan at a moment: the problem of the rest of the time, after something went wrong.

Every center's day from the moment on becomes a *unit* of its own, a center of the exchange format with one working
day: today it starts from where the van stands, may drive what its limit leaves, and has paid for its route if it has
left. What is done, under way, or not to be touched (tours with nights away, days beyond the horizon) is *committed*:
it is taken out, and with it the visits, days and coverage that it uses up. So no answer can change the past.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from routing.errors import ProblemError
from routing.problem import Center, Group, Matrix, Place, Problem, Site, Window
from routing.repair.disruptions import (
    CenterAdded,
    CenterOut,
    DemandChanged,
    Disruption,
    RoadSlowed,
    SiteClosed,
    known_or_refused,
)
from routing.repair.roads import slowed
from routing.solution import Key, Plan, Route, Stop, Visit
from routing.travel import Travel, great_circle_km


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a center is today: from `minute` on it can leave `place` (whose id may be new, then with coordinates).

    `served` are the sites that it has served today or is serving.
    """

    place: Place
    minute: int
    served: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rest:
    """The rest of the time as a problem. `unit_of` gives the unit's id in `problem` by (center, day)."""

    problem: Problem
    travel: Travel
    unit_of: Mapping[Key, str]
    key_of: Mapping[str, Key]
    committed: tuple[Visit, ...]
    announced: tuple[Visit, ...]
    """What was still to come, as announced; some of it may no longer be possible."""
    departs: Mapping[Key, int]
    """Announced departures of the days that are under way."""
    original: Problem = field(repr=False)


def unit_id(center: str, day: int) -> str:
    """Return the id of a center's day as a center of its own."""
    return f"{center}@{day}"


def rest_of(
    problem: Problem,
    plan: Plan,
    disruptions: Sequence[Disruption],
    *,
    day: int,
    minute: int,
    live: Mapping[str, Whereabouts] | None = None,
    last: int | None = None,
) -> Rest:
    """Return what is left at `minute` of `day`. Centers not in `live` are where the plan's timetable says.

    `last` is the last day that may change; later ones stand. Raises `ProblemError` for a disruption of something
    that the problem does not know.
    """
    return _Cut(problem, plan, disruptions, day, minute, live or {}, last).rest()


class _Cut:
    """Cuts a plan at a moment."""

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        disruptions: Sequence[Disruption],
        day: int,
        minute: int,
        live: Mapping[str, Whereabouts],
        last: int | None,
    ) -> None:
        faults = [
            fault
            for one in disruptions
            for fault in known_or_refused(
                one, set(problem.center_by_id), set(problem.site_by_id), set(problem.place_index)
            )
        ]
        if faults:
            raise ProblemError(faults)
        self.base, self.day, self.minute, self.live = problem, day, minute, live
        self.disruptions = disruptions
        self.last = horizon(problem, disruptions, last)
        self.routes = {route.key: route for route in plan.routes if route.stops}
        self.tours = _tours(problem, plan)
        self.roads = [one for one in disruptions if isinstance(one, RoadSlowed)]
        self.outs: dict[str, list[CenterOut]] = defaultdict(list)
        for one in disruptions:
            if isinstance(one, CenterOut):
                self.outs[one.center].append(one)
        self.added = [one for one in disruptions if isinstance(one, CenterAdded)]
        self.places = {place.id: place for place in problem.places}
        self.committed: list[Visit] = []
        self.announced: list[Visit] = []
        self.units: list[Center] = []
        self.unit_of: dict[Key, str] = {}

    def rest(self) -> Rest:
        travel = Travel(self.base)
        for center in self.base.centers:
            for d in sorted({*center.days, *(key[1] for key in self.routes if key[0] == center.id)}):
                self._day(center, d, travel)
        for one in self.added:
            for d in one.center.days:
                if self.day <= d <= self.last:
                    floor = one.minute if d == one.day else one.center.shift[0]
                    if d >= one.day:
                        self._unit(one.center, d, one.center.depot, max(floor, self._earliest(one.center, d)))
        made = self._problem()
        ways = Travel(made)
        made = replace(made, centers=_home_allowed(made, ways), checked=True)
        return Rest(
            made,
            ways,
            self.unit_of,
            {unit: key for key, unit in self.unit_of.items()},
            tuple(self.committed),
            tuple(self.announced),
            {key: route.depart for key, route in self.routes.items()},
            self.base,
        )

    # -- one center's day --

    def _day(self, center: Center, d: int, travel: Travel) -> None:
        route = self.routes.get((center.id, d))
        visits = [Visit(center.id, d, s.site, s.start, s.stay) for s in route.stops] if route else []
        if d < self.day:
            self.committed.extend(visits)
            return
        begun = self._begun(center, visits) if d == self.day else 0
        done, open_ = visits[:begun], visits[begun:]
        self.committed.extend(done)
        out = next((o for o in self.outs[center.id] if o.day <= d <= o.last), None)
        if out is not None:
            self._out(center, d, out, open_)
            return
        if (center.id, d) in self.tours or d > self.last:
            for visit in open_:
                (self.announced if self._shut(visit) else self.committed).append(visit)
            return
        self.announced.extend(open_)
        if d not in center.days:
            return
        if d > self.day:
            place, minute = center.begins(d)
            self._unit(center, d, place, minute)
            return
        where = self.live.get(center.id) or self._by_timetable(center, route, begun, travel)
        place_id = self._known(where.place)
        left = (
            bool(done)
            or place_id != center.begins(d)[0]
            or (route is not None and route.depart <= self.minute)
        )
        driven = self._driven(center, done, place_id, travel)
        self._unit(center, d, place_id, max(where.minute, self.minute), left=left, driven=driven)

    def _out(self, center: Center, d: int, out: CenterOut, open_: list[Visit]) -> None:
        """Keep what ends before the center stands still; the rest has nobody."""
        for visit in open_:
            kept = d == out.day and visit.start + visit.stay <= out.minute and not self._shut(visit)
            (self.committed if kept else self.announced).append(visit)
        if d == out.last and out.back is not None and d <= self.last and (center.id, d) not in self.tours:
            self._unit(center, d, center.depot, max(out.back, self._earliest(center, d)))

    def _shut(self, visit: Visit) -> bool:
        return any(
            isinstance(one, SiteClosed)
            and one.site == visit.site
            and one.first <= visit.day <= one.last
            and not (visit.day == one.first and visit.start + visit.stay <= one.minute)
            for one in self.disruptions
        )

    def _begun(self, center: Center, visits: Sequence[Visit]) -> int:
        """Return how many of today's visits are done or under way: the van has come to set up by now."""
        known = self.live.get(center.id)
        if known is not None:
            return max((i + 1 for i, v in enumerate(visits) if v.site in known.served), default=0)
        return sum(1 for v in visits if v.start - center.setup <= self.minute)

    def _by_timetable(self, center: Center, route: Route | None, begun: int, travel: Travel) -> Whereabouts:
        """Return where the van is when it keeps to its times: at a stop, at its depot, or about to reach where it
        drives to."""
        here, clock = center.begins(self.day)
        if route is None:
            return Whereabouts(self.places[here], max(clock, self.minute))
        stops = route.stops
        here, leaves = (here, route.depart) if begun == 0 else self._left(stops[begun - 1])
        if self.minute < leaves or (begun == 0 and self.minute == leaves):
            return Whereabouts(self.places[here], leaves if begun else max(clock, self.minute))
        target = self.base.site_by_id[stops[begun].site].place if begun < len(stops) else center.depot
        arrival = travel.arrive(here, target, leaves, self.day)
        return Whereabouts(self.places[target], max(arrival, self.minute))

    def _left(self, stop: Stop) -> tuple[str, int]:
        return self.base.site_by_id[stop.site].place, stop.start + stop.stay

    def _driven(self, center: Center, done: Sequence[Visit], here: str, travel: Travel) -> int:
        """Return the minutes driven today, as the crow's way over the stops made to where the van is."""
        at, total = center.begins(self.day)[0], 0
        for place in (*(self.base.site_by_id[v.site].place for v in done), here):
            if place in self.base.place_index:
                total += travel.leg(at, place)[0]
                at = place
        return total

    def _known(self, place: Place) -> str:
        """Return the id of a place, new ones added; the nearest one where travel comes as a table."""
        if place.id in self.places:
            return place.id
        if isinstance(self.base.travel, Matrix):
            there = [p for p in self.base.places if p.lat is not None and p.lon is not None]
            if place.lat is None or place.lon is None or not there:
                raise ProblemError([f"live: no such place {place.id}"])
            return min(there, key=lambda p: _km(place, p)).id
        self.places[place.id] = place
        return place.id

    def _earliest(self, center: Center, d: int) -> int:
        return max(center.shift[0], self.minute) if d == self.day else center.shift[0]

    def _unit(
        self, center: Center, d: int, place: str, minute: int, *, left: bool = False, driven: int = 0
    ) -> None:
        opens, closes = center.shift
        if minute >= closes:
            return
        starts = {} if (place, minute) == (center.depot, opens) else {str(d): (place, minute)}
        drive = center.max_drive if center.max_drive is None else max(0, center.max_drive - driven)
        name = unit_id(center.id, d)
        self.units.append(
            replace(
                center, id=name, days=(d,), max_drive=drive, fixed_cost=0 if left else center.fixed_cost,
                nights=0, night_cost=0, starts=starts,
            )
        )  # fmt: skip
        self.unit_of[center.id, d] = name

    # -- the problem --

    def _problem(self) -> Problem:
        used: dict[str, list[int]] = defaultdict(list)
        for visit in self.committed:
            used[visit.site].append(visit.day)
        sites = [site for given in self.base.sites if (site := self._site(given, used.get(given.id, ())))]
        names = {site.id for site in sites}
        groups = [
            Group(g.name, tuple(s for s in g.sites if s in names), lack, g.penalty)
            for g in self.base.groups
            if (lack := g.at_least - sum(len(used.get(s, ())) for s in g.sites)) > 0
        ]
        made = replace(
            self.base, places=tuple(self.places.values()), centers=tuple(self.units), sites=tuple(sites),
            groups=tuple(groups), pinned=(), checked=True,
        )  # fmt: skip
        return replace(made, travel=slowed(made, self.roads), checked=True) if self.roads else made

    def _site(self, site: Site, used: Sequence[int]) -> Site | None:
        """Return the site as the rest of the time may use it; None when it may not."""
        left = site.max_visits - len(used)
        windows: dict[str, Window] = {}
        for d in range(self.day, self.last + 1):
            window = self._window(site, d)
            if window is not None and all(abs(d - u) >= site.min_gap_days for u in used):
                windows[str(d)] = window
        if left <= 0 or not windows:
            return None
        centers = site.centers
        if centers is not None:
            centers = tuple(unit for (center, _), unit in self.unit_of.items() if center in centers)
        return replace(site, open=windows, max_visits=left, centers=centers, day_percent=self._percent(site))

    def _window(self, site: Site, d: int) -> Window | None:
        window = site.window(d)
        for one in self.disruptions:
            if window and isinstance(one, SiteClosed) and one.site == site.id and one.first <= d <= one.last:
                until = min(window[1], one.minute) if d == one.first else window[0]
                window = (window[0], until) if until > window[0] else None
        return window

    def _percent(self, site: Site) -> tuple[int, ...] | None:
        changed = [o for o in self.disruptions if isinstance(o, DemandChanged) and o.site == site.id]
        if not changed:
            return site.day_percent
        percent = list(site.day_percent or (100,) * len(self.base.days))
        for one in changed:
            for d in range(max(0, one.first), min(len(percent) - 1, one.last) + 1):
                percent[d] = percent[d] * one.percent // 100
        return tuple(percent)


def _home_allowed(problem: Problem, travel: Travel) -> tuple[Center, ...]:
    """Let every van that is on the road drive straight home, however late or far that is."""
    centers = []
    for center in problem.centers:
        place, minute = center.begins(center.days[0])
        if place != center.depot:
            home = travel.arrive(place, center.depot, minute, center.days[0])
            leg = travel.leg(place, center.depot)[0]
            drive = center.max_drive if center.max_drive is None else max(center.max_drive, leg)
            center = replace(center, shift=(center.shift[0], max(center.shift[1], home)), max_drive=drive)
        centers.append(center)
    return tuple(centers)


def horizon(problem: Problem, disruptions: Iterable[Disruption], last: int | None) -> int:
    """Return the last day that may change: roads that open again are not told apart by day in the travel table."""
    ends = [one.last for one in disruptions if isinstance(one, RoadSlowed)]
    return min([len(problem.days) - 1, *([] if last is None else [last]), *ends])


def _tours(problem: Problem, plan: Plan) -> set[Key]:
    """Return the days that hang together with others by a night away."""
    found: set[Key] = set()
    for route in plan.routes:
        center = problem.center_by_id.get(route.center)
        if route.overnight and center is not None:
            found.add(route.key)
            if (after := center.next_day(route.day)) is not None:
                found.add((route.center, after))
    return found


def _km(a: Place, b: Place) -> float:
    if a.lat is None or a.lon is None or b.lat is None or b.lon is None:
        return math.inf
    return great_circle_km(a.lat, a.lon, b.lat, b.lon)
