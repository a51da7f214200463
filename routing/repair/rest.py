"""What is left of a plan at a moment: the problem of the rest of the time, after something went wrong.

Every center's day from the moment on becomes a *unit* of its own, a center of the exchange format with one working
day: today it starts from where the van stands, may drive what its limit leaves, and has paid for its route if it has
left. What is done, under way, or beyond the horizon is *committed*: it is taken out, and with it the visits, days and
coverage that it uses up. So no answer can change the past.

Nights away are a choice made before: a day that ends away has its last stop fixed, at its minute, and the unit is
what is free before it, with that stop's place as its depot; the next unit starts there. `rest_of` takes the nights as
planned unless told others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from routing.errors import ProblemError
from routing.nights import nights_between
from routing.problem import Center, Group, Problem, Site, Window
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
from routing.repair.whereabouts import EVERYDAY, Begin, Timetable, Whereabouts
from routing.solution import Key, Plan, Visit
from routing.travel import Travel

Nights = Mapping[Key, Visit | None]
"""By (center, day): the last stop, after which the night is spent at its place; None: at home."""


@dataclass
class Cut:
    """What one center has left, with its nights chosen as they are."""

    choice: Nights
    committed: list[Visit] = field(default_factory=list)
    announced: list[Visit] = field(default_factory=list)
    units: list[Center] = field(default_factory=list)
    begins: dict[Key, Begin] = field(default_factory=dict)
    nights: dict[Key, Visit] = field(default_factory=dict)
    fixed: dict[Visit, int] = field(default_factory=dict)
    standing: int = 0


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
    begins: Mapping[Key, Begin]
    """How each day begins that may change."""
    nights: Mapping[Key, Visit]
    """The last stop of each day from today on that ends away."""
    fixed: Mapping[Visit, int]
    """Those of them that are still to be made, each with its value: no unit makes them."""
    day: int
    """Today."""
    cuts: Mapping[str, Cut] = field(repr=False)
    """What each center has left, by its id."""
    used: Mapping[str, tuple[int, ...]] = field(repr=False)
    """The days on which each site has a visit that stands."""
    standing: int
    """What the nights add to the objective of `problem`: value of `fixed` stops less nights and their days' fixed
    costs."""


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
    nights: Nights | None = None,
    like: Rest | None = None,
) -> Rest:
    """Return what is left at `minute` of `day`. Centers not in `live` are where the plan's timetable says.

    `last` is the last day that may change; later ones stand, unless the night before them does not. `nights` says by
    (center, day) how the night is spent, after which last stop (None: at home), where not as planned; what cannot be
    made is not. `like` is an answer to the same question with other nights: its roads are used again. Raises
    `ProblemError` for a disruption of something that the problem does not know.
    """
    return _Cut(problem, plan, disruptions, day, minute, live or {}, last, nights or {}, like).rest()


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
        nights: Nights,
        like: Rest | None,
    ) -> None:
        centers, sites = set(problem.center_by_id), set(problem.site_by_id)
        faults = [
            fault
            for one in disruptions
            for fault in known_or_refused(one, centers, sites, set(problem.place_index))
        ]
        if faults:
            raise ProblemError(faults)
        self.base, self.day, self.minute, self.live = problem, day, minute, live
        self.choice = nights
        self.last = horizon(problem, disruptions, last)
        self.routes = {route.key: route for route in plan.routes if route.stops}
        self.outs: dict[str, list[CenterOut]] = defaultdict(list)
        self.closed: dict[str, list[SiteClosed]] = defaultdict(list)
        self.changed: dict[str, list[DemandChanged]] = defaultdict(list)
        for one in disruptions:
            if isinstance(one, CenterOut):
                self.outs[one.center].append(one)
            elif isinstance(one, SiteClosed):
                self.closed[one.site].append(one)
            elif isinstance(one, DemandChanged):
                self.changed[one.site].append(one)
        self.added = [one for one in disruptions if isinstance(one, CenterAdded)]
        self.whereabouts = Timetable(problem, live, day, minute)
        ground = replace(problem, places=self.whereabouts.places, checked=True)
        self.usual = Travel(ground)
        roads = [one for one in disruptions if isinstance(one, RoadSlowed)]
        if like is not None:
            self.ground, self.ways = replace(ground, travel=like.problem.travel, checked=True), like.travel
        elif roads:
            table, arrays = slowed(ground, roads)
            self.ground = replace(ground, travel=table, checked=True)
            self.ways = Travel(self.ground)
            self.ways.tables = arrays  # known already
        else:
            self.ground, self.ways = ground, self.usual
        self.like, self.cut = like, Cut({})

    def rest(self) -> Rest:
        cuts = {center.id: self._center(center) for center in self.base.centers}
        for one in self.added:
            cuts[one.center.id] = self._helper(one)
        keys = {key: unit_id(*key) for cut in cuts.values() for key in _unit_keys(cut)}
        committed = [visit for cut in cuts.values() for visit in cut.committed]
        fixed = {visit: value for cut in cuts.values() for visit, value in cut.fixed.items()}
        used: dict[str, list[int]] = defaultdict(list)
        for visit in (*committed, *fixed):
            used[visit.site].append(visit.day)
        days = {site: tuple(sorted(some)) for site, some in used.items()}
        return Rest(
            problem=self._problem([unit for cut in cuts.values() for unit in cut.units], keys, days),
            travel=self.ways,
            unit_of=keys,
            key_of={unit: key for key, unit in keys.items()},
            committed=tuple(committed),
            announced=tuple(visit for cut in cuts.values() for visit in cut.announced),
            departs={key: route.depart for key, route in self.routes.items()},
            original=self.base,
            begins={key: begin for cut in cuts.values() for key, begin in cut.begins.items()},
            nights={key: night for cut in cuts.values() for key, night in cut.nights.items()},
            fixed=fixed,
            day=self.day,
            cuts=cuts,
            used=days,
            standing=sum(cut.standing for cut in cuts.values()),
        )

    def _helper(self, one: CenterAdded) -> Cut:
        """Cut the days of a center that comes to help."""
        self.cut = Cut({})
        for d in one.center.days:
            if max(self.day, one.day) <= d <= self.last:
                floor = one.minute if d == one.day else one.center.shift[0]
                minute = max(floor, self._earliest(one.center, d))
                self._unit(one.center, d, Begin(one.center.depot, minute), None)
        return self.cut

    # -- one center --

    def _center(self, center: Center) -> Cut:
        """Go through its days; each begins where the night before was spent."""
        choice = {key: night for key, night in self.choice.items() if key[0] == center.id}
        if self.like is not None and self.like.cuts[center.id].choice == choice:
            return self.like.cuts[center.id]
        self.cut = Cut(choice)
        slept: Visit | None = None
        planned: Visit | None = None
        for d in sorted({*center.days, *(key[1] for key in self.routes if key[0] == center.id)}):
            route = self.routes.get((center.id, d))
            visits = [Visit(center.id, d, s.site, s.start, s.stay) for s in route.stops] if route else []
            away = visits[-1] if route and route.overnight else None
            if d < self.day:
                self.cut.committed.extend(visits)
                slept = away
            else:
                moved = self._place(slept) != self._place(planned)
                place, minute = center.begins(d)
                if slept is not None and str(d) not in center.starts:
                    place, minute = self._place(slept) or place, center.shift[0]
                slept = self._day(center, d, (place, minute), visits, away, moved)
            if slept is not None and d >= self.day:
                self._spent(center, slept)
            planned = away
        return self.cut

    def _day(
        self,
        center: Center,
        d: int,
        begin: tuple[str, int],
        visits: list[Visit],
        away: Visit | None,
        moved: bool,
    ) -> Visit | None:
        """Cut one day; return the stop after which the night is spent away."""
        begun = self.whereabouts.begun(center, visits) if d == self.day else 0
        done, open_ = visits[:begun], visits[begun:]
        self.cut.committed.extend(done)
        out = next((o for o in self.outs[center.id] if o.day <= d <= o.last), None)
        if out is not None:
            return self._out(center, d, out, done, open_, away)
        if d > self.last and not moved:
            for visit in open_:
                (self.cut.announced if self._shut(visit) else self.cut.committed).append(visit)
            return None if away is None or (away in open_ and self._shut(away)) else away
        self.cut.announced.extend(open_)
        if d not in center.days:
            return None
        now = Begin(*begin)
        if d == self.day:
            now = self.whereabouts.now(center, begin, self.routes.get((center.id, d)), done)
            now = self._forgiven(center, d, now, open_)
        self.cut.begins[center.id, d] = now
        night = self._night(center, d, now, done, open_, away)
        if night is None or night not in done:
            self._unit(center, d, now, night)
        return night

    def _forgiven(self, center: Center, d: int, now: Begin, open_: list[Visit]) -> Begin:
        """Let a van that is a little late on the way to its next stop begin as early as it takes to be there in time,
        roads as usual: everyday lateness is no reason to announce other times. Never by more than it sets up, so that
        nothing begins in the past."""
        if center.id not in self.live or not open_ or self._shut(open_[0]):
            return now
        site = self.base.site_by_id.get(open_[0].site)
        if site is None:
            return now
        by = open_[0].start - center.setup
        late = self.usual.arrive(now.place, site.place, now.minute, d) - by
        if not 0 < late <= min(EVERYDAY - 1, center.setup):
            return now
        return replace(now, minute=self.usual.leave(now.place, site.place, by, d))

    def _out(
        self,
        center: Center,
        d: int,
        out: CenterOut,
        done: list[Visit],
        open_: list[Visit],
        away: Visit | None,
    ) -> Visit | None:
        """Keep what ends before the center stands still; the rest has nobody."""
        kept = [
            visit
            for visit in open_
            if d == out.day and visit.start + visit.stay <= out.minute and not self._shut(visit)
        ]
        self.cut.committed.extend(kept)
        self.cut.announced.extend(visit for visit in open_ if visit not in kept)
        if away is not None and (away in kept or away in done):
            return away
        if d == out.last and out.back is not None and d <= self.last and d in center.days:
            begin = Begin(center.depot, max(out.back, self._earliest(center, d)))
            self._unit(center, d, begin, None)
            return None
        if away is None or center.next_day(d) is None:
            return None
        return next(reversed([*done, *kept]), None)  # it stands where it broke down

    # -- nights --

    def _night(
        self, center: Center, d: int, now: Begin, done: list[Visit], open_: list[Visit], away: Visit | None
    ) -> Visit | None:
        """Return the last stop of a day that ends away: the chosen one; else the planned one, late where it must be;
        else the last stop before it that can still be made, when there is something to stay for."""
        if center.next_day(d) is None:
            return None
        if (center.id, d) in self.choice:
            chosen = self.choice[center.id, d]
            wanted = [] if chosen is None else [chosen]
        elif away is None:
            return None
        else:
            wanted = [away]
            if self._goes_on(center, d):
                wanted += [*reversed([*done[-1:], *open_])]
        for visit in wanted:
            if visit in done:
                if not open_ or self.base.site_by_id[visit.site].place == now.place:
                    return visit
            elif (made := self._made(center, d, now, visit)) is not None:
                return made
        return None

    def _goes_on(self, center: Center, d: int) -> bool:
        """Say whether its next working day has a visit that can be made."""
        after = center.next_day(d)
        route = None if after is None else self.routes.get((center.id, after))
        if after is None or route is None or any(o.day <= after <= o.last for o in self.outs[center.id]):
            return False
        return not all(self._shut(Visit(center.id, after, s.site, s.start, s.stay)) for s in route.stops)

    def _made(self, center: Center, d: int, now: Begin, visit: Visit) -> Visit | None:
        """Return the visit as the center can make it straight from where it is; None when it cannot."""
        site = self.base.site_by_id.get(visit.site)
        window = None if site is None else self._window(site, d)
        if site is None or window is None or self._worth(center, visit) is None:
            return None
        ready = self.ways.arrive(now.place, site.place, now.minute, d) + center.setup
        start = max(visit.start, ready, window[0])
        driven = now.driven + self.ways.leg(now.place, site.place)[0]
        if start + visit.stay > min(window[1], center.shift[1]):
            return None
        if center.max_drive is not None and driven > center.max_drive:
            return None
        return replace(visit, start=start)

    def _spent(self, center: Center, last: Visit) -> None:
        """Note a night away and what it adds to the objective."""
        key = last.key
        self.cut.nights[key] = last
        if key not in self.cut.begins:
            return
        after = center.next_day(last.day)
        if after is not None:
            self.cut.standing -= center.night_cost * nights_between(self.base, last.day, after)
        if last not in self.cut.committed:
            value = self._worth(center, last) or 0
            self.cut.fixed[last] = value
            self.cut.standing += value - (0 if self.cut.begins[key].left else center.fixed_cost)

    def _worth(self, center: Center, visit: Visit) -> int | None:
        site = self.base.site_by_id[visit.site]
        if not site.allows(center.id):
            return None
        site = replace(site, day_percent=self._percent(site))
        value = next((o.value for o in site.offers_for(center.kind) if o.stay == visit.stay), None)
        return None if value is None else site.worth(value, visit.day)

    def _place(self, visit: Visit | None) -> str | None:
        return None if visit is None else self.base.site_by_id[visit.site].place

    def _shut(self, visit: Visit) -> bool:
        return any(
            one.first <= visit.day <= one.last
            and not (visit.day == one.first and visit.start + visit.stay <= one.minute)
            for one in self.closed.get(visit.site, ())
        )

    def _earliest(self, center: Center, d: int) -> int:
        return max(center.shift[0], self.minute) if d == self.day else center.shift[0]

    def _unit(self, center: Center, d: int, now: Begin, night: Visit | None) -> None:
        opens, closes = center.shift
        depot = center.depot
        if night is not None:
            depot, closes = self._place(night) or depot, night.start - center.setup
            opens = min(opens, now.minute)
        if now.minute >= closes:
            return
        starts = {} if (now.place, now.minute) == (depot, opens) else {str(d): (now.place, now.minute)}
        drive = center.max_drive if center.max_drive is None else max(0, center.max_drive - now.driven)
        name = unit_id(center.id, d)
        self.cut.units.append(
            replace(
                center, id=name, depot=depot, days=(d,), shift=(opens, closes), max_drive=drive,
                fixed_cost=0 if now.left or night is not None else center.fixed_cost,
                nights=0, night_cost=0, starts=starts,
            )
        )  # fmt: skip

    # -- the problem --

    def _problem(
        self, units: Sequence[Center], unit_of: Mapping[Key, str], used: Mapping[str, tuple[int, ...]]
    ) -> Problem:
        days = sorted({*range(self.day, self.last + 1), *(d for _, d in unit_of)})
        known = self.like.problem.site_by_id if self.like is not None else {}
        before = self.like.used if self.like is not None else {}
        same = self.like is not None and self.like.unit_of.keys() == unit_of.keys()
        sites = []
        for given in self.base.sites:
            if same and before.get(given.id) == used.get(given.id):
                site = known.get(given.id)
            else:
                site = self._site(given, used.get(given.id, ()), days, unit_of)
            if site is not None:
                sites.append(site)
        names = {site.id for site in sites}
        groups = [
            Group(g.name, tuple(s for s in g.sites if s in names), lack, g.penalty)
            for g in self.base.groups
            if (lack := g.at_least - sum(len(used.get(s, ())) for s in g.sites)) > 0
        ]
        return replace(
            self.ground, centers=_home_allowed(units, self.ways), sites=tuple(sites), groups=tuple(groups),
            pinned=(), checked=True,
        )  # fmt: skip

    def _site(
        self, site: Site, used: Sequence[int], days: Sequence[int], unit_of: Mapping[Key, str]
    ) -> Site | None:
        """Return the site as the rest of the time may use it; None when it may not."""
        left = site.max_visits - len(used)
        windows: dict[str, Window] = {}
        for d in days:
            window = self._window(site, d)
            if window is not None and all(abs(d - u) >= site.min_gap_days for u in used):
                windows[str(d)] = window
        if left <= 0 or not windows:
            return None
        centers = site.centers
        if centers is not None:
            centers = tuple(unit for (center, _), unit in unit_of.items() if center in centers)
        return replace(site, open=windows, max_visits=left, centers=centers, day_percent=self._percent(site))

    def _window(self, site: Site, d: int) -> Window | None:
        window = site.window(d)
        for one in self.closed.get(site.id, ()):
            if window and one.first <= d <= one.last:
                until = min(window[1], one.minute) if d == one.first else window[0]
                window = (window[0], until) if until > window[0] else None
        return window

    def _percent(self, site: Site) -> tuple[int, ...] | None:
        changed = self.changed.get(site.id)
        if not changed:
            return site.day_percent
        percent = list(site.day_percent or (100,) * len(self.base.days))
        for one in changed:
            for d in range(max(0, one.first), min(len(percent) - 1, one.last) + 1):
                percent[d] = percent[d] * one.percent // 100
        return tuple(percent)


def _unit_keys(cut: Cut) -> list[Key]:
    return [(unit.id.rpartition("@")[0], unit.days[0]) for unit in cut.units]


def _home_allowed(units: Iterable[Center], travel: Travel) -> tuple[Center, ...]:
    """Let every van that is on the road drive straight home, however late or far that is."""
    centers = []
    for center in units:
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
