"""What a repair changes for those to whom visits were announced, and who must be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from routing.repair.rest import Rest
from routing.repair.timetable import worth
from routing.solution import Key, Plan, Route, Stop, Visit, with_origins

DROPPED, ADDED, OTHER_DAY, OTHER_CENTER, OTHER_TIME, SHORTER, LONGER = (
    "dropped",
    "added",
    "other_day",
    "other_center",
    "other_time",
    "shorter",
    "longer",
)


class State(NamedTuple):
    """A way to go on: the nights are in the rest, the days in the routes of its units."""

    rest: Rest
    routes: dict[str, Route]


@dataclass(frozen=True, slots=True)
class Change:
    """One visit that is not as announced: `kind`, the visit before and after (None: there is none), and what each is
    worth, in the problem's unit."""

    kind: str
    site: str
    before: Visit | None
    after: Visit | None
    value_before: int
    value_after: int

    def to_json(self) -> dict[str, Any]:
        """Return the change as a JSON object."""
        return {
            "kind": self.kind,
            "site": self.site,
            "before": visit_json(self.before),
            "after": visit_json(self.after),
            "value_before": self.value_before,
            "value_after": self.value_after,
        }


@dataclass(frozen=True, slots=True)
class NightChange:
    """A night that is not spent as planned: the site after whose visit it is spent there (None: at home)."""

    center: str
    day: int
    before: str | None
    after: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the change as a JSON object."""
        return {"center": self.center, "day": self.day, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Told:
    """Who must be told: crews by (center, day) whose day is another, and sites whose visit is another."""

    crews: tuple[tuple[str, int], ...]
    sites: tuple[str, ...]


def visits_of(rest: Rest, routes: Mapping[str, Route]) -> list[Visit]:
    """Return the visits of unit routes, by their true centers and days, and those that end a day away."""
    made = [
        Visit(*rest.key_of[unit], stop.site, stop.start, stop.stay)
        for unit, route in routes.items()
        for stop in route.stops
    ]
    return [*made, *rest.fixed]


def nights_of(rest: Rest, plan: Plan) -> tuple[NightChange, ...]:
    """Return the nights from now on that are not spent as planned, by day and center."""
    planned = {route.key: route.stops[-1].site for route in plan.routes if route.overnight and route.stops}
    keys = {*rest.nights, *(key for key in planned if key[1] >= rest.day)}
    changes = (
        NightChange(*key, planned.get(key), night.site if (night := rest.nights.get(key)) else None)
        for key in sorted(keys, key=lambda key: (key[1], key[0]))
    )
    return tuple(change for change in changes if change.before != change.after)


def changes_of(rest: Rest, routes: Mapping[str, Route]) -> tuple[tuple[Change, ...], int]:
    """Return what is not as announced, and how many visits are. Visits of a place are paired with the most alike."""
    before: dict[str, list[Visit]] = defaultdict(list)
    after: dict[str, list[Visit]] = defaultdict(list)
    for visit in rest.announced:
        before[visit.site].append(visit)
    for visit in visits_of(rest, routes):
        after[visit.site].append(visit)
    changes: list[Change] = []
    kept = 0
    for site in dict.fromkeys([*before, *after]):
        for old, new in _pairs(before[site], after[site]):
            kind = _kind(old, new)
            if kind is None:
                kept += 1
            else:
                changes.append(Change(kind, site, old, new, _worth(rest, old), _worth(rest, new)))
    order = sorted(changes, key=lambda c: ((c.before or c.after or _NOBODY).day, c.site))
    return tuple(order), kept


def told_of(changes: Sequence[Change], nights: Iterable[NightChange] = ()) -> Told:
    """Return whose crew and which place must hear of the changes."""
    crews = {visit.key for change in changes for visit in (change.before, change.after) if visit is not None}
    crews |= {(night.center, night.day) for night in nights}
    return Told(
        tuple(sorted(crews, key=lambda key: (key[1], key[0]))), tuple(sorted({c.site for c in changes}))
    )


def whole_plan(rest: Rest, plan: Plan, routes: Mapping[str, Route], objective: int) -> Plan:
    """Return the whole plan: what is committed and then `routes`, by the true centers."""
    stops: dict[tuple[str, int], list[Stop]] = defaultdict(list)
    for visit in (*rest.committed, *visits_of(rest, routes)):
        stops[visit.key].append(Stop(visit.site, visit.start, visit.stay))
    known = {route.key: route for route in plan.routes}
    departs = {rest.key_of[unit]: route.depart for unit, route in routes.items()}
    done = {visit.key for visit in rest.committed} | {key for key, begin in rest.begins.items() if begin.left}
    asleep = {*rest.nights, *(key for key, route in known.items() if route.overnight and key[1] < rest.day)}
    made = []
    for key, some in stops.items():
        some.sort(key=lambda stop: stop.start)
        old = known.get(key)
        depart = (
            old.depart if old is not None and key in done else departs.get(key, _leaves(rest, key, some[0]))
        )
        made.append(Route(*key, depart, tuple(some), overnight=key in asleep))
    made.sort(key=lambda route: (route.day, route.center))
    routed = with_origins(rest.original, made)
    return replace(plan, routes=routed, objective=objective, bound=None, costs=None, unserved=())


def _leaves(rest: Rest, key: Key, first: Stop) -> int:
    """Return when a day leaves whose only stop is the one where it spends the night."""
    begin = rest.begins.get(key)
    if begin is None or key[0] not in rest.original.center_by_id:
        return first.start
    center, place = rest.original.center_by_id[key[0]], rest.original.site_by_id[first.site].place
    return max(begin.minute, rest.travel.leave(begin.place, place, first.start - center.setup, key[1]))


_NOBODY = Visit("", 0, "", 0, 0)


def _pairs(before: list[Visit], after: list[Visit]) -> list[tuple[Visit | None, Visit | None]]:
    old, new = list(before), list(after)
    pairs: list[tuple[Visit | None, Visit | None]] = []
    ranked = sorted(
        ((_likeness(a, b), i, j) for i, a in enumerate(old) for j, b in enumerate(new)), reverse=True
    )
    used_old: set[int] = set()
    used_new: set[int] = set()
    for _, i, j in ranked:
        if i not in used_old and j not in used_new:
            used_old.add(i)
            used_new.add(j)
            pairs.append((old[i], new[j]))
    pairs.extend((a, None) for i, a in enumerate(old) if i not in used_old)
    pairs.extend((None, b) for j, b in enumerate(new) if j not in used_new)
    return pairs


def _likeness(a: Visit, b: Visit) -> tuple[bool, bool, bool, int]:
    return a == b, a.key == b.key, a.day == b.day, -abs(a.start - b.start)


def _kind(old: Visit | None, new: Visit | None) -> str | None:
    if old is None:
        return ADDED
    if new is None:
        return DROPPED
    if old.day != new.day:
        return OTHER_DAY
    if old.center != new.center:
        return OTHER_CENTER
    if old.stay != new.stay:
        return SHORTER if new.stay < old.stay else LONGER
    return OTHER_TIME if old.start != new.start else None


def _worth(rest: Rest, visit: Visit | None) -> int:
    """Return what a visit is worth now; by the undisturbed rules where it can no longer be made."""
    if visit is None:
        return 0
    if visit in rest.fixed:
        return rest.fixed[visit]
    unit = rest.unit_of.get(visit.key)
    if unit is not None:
        center = rest.problem.center_by_id[unit]
        found = worth(rest.problem, center, visit.day, visit.site, visit.stay)
        if found is not None:
            return found
    owner = rest.original.center_by_id.get(visit.center)
    if owner is None:
        return 0
    return worth(rest.original, owner, visit.day, visit.site, visit.stay) or 0


def visit_json(visit: Visit | None) -> dict[str, Any] | None:
    """Return a visit as a JSON object."""
    if visit is None:
        return None
    return {
        "center": visit.center, "day": visit.day, "site": visit.site, "start": visit.start, "stay": visit.stay
    }  # fmt: skip
