"""Why a place is not served: what binds on each center's day, and how it could be served after all at what price.
Why a visit stands: what it brings, and what its center would do otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from routing.explain.board import Board
from routing.explain.slots import NEVER, Table
from routing.explain.ways import Way, ways
from routing.problem import Center, Site
from routing.solution import Key, Visit

BLOCKS = (
    "day_off",
    "not_allowed",
    "no_offer",
    "closed",
    "hours_too_short",
    "no_value",
    "visited",
    "too_far",
    "too_much_driving",
    "pinned",
    "full",
    "not_worth",
    "open",
)
"""What binds on a center's day, in the order asked: the first that holds is told.

`day_off` the center does not work; `not_allowed`, `no_offer` it may not, or offers nothing there; `closed`,
`hours_too_short` the place is not open (long enough); `no_value` a visit then is worth nothing; `visited` the place has
its visits already, or one too close to that day; `too_far`, `too_much_driving` even an empty day does not reach there
and back within the shift, or the driving allowed; `pinned` the day's pinned visits (or a night away) leave no time,
whoever else gives way; `full` a stop would have to give way; `not_worth` there is time, but the way costs more than it
brings; `open` there is time, and the plan would gain.
"""


@dataclass(frozen=True, slots=True)
class Near:
    """The nearest visit of the plan to a place: minutes of the table, road km where known."""

    visit: Visit
    minutes: int
    km: float | None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a place has no (further) visit: every center's day by what binds on it, the best ways in, what is nearest."""

    site: str
    blocks: Mapping[str, tuple[Key, ...]]
    ways: tuple[Way, ...]
    nearest: tuple[Near, ...]

    @property
    def cheapest(self) -> Way | None:
        """The cheapest way to serve it now; None when there is none."""
        return self.ways[0] if self.ways else None


@dataclass(frozen=True, slots=True)
class WhyVisit:
    """What a visit brings.

    `value` is what it earns, `worth` what the objective loses without it (the rest of the day kept; None when the
    rest cannot stand alone), `detour` the minutes of driving it adds. `otherwise` are the best other uses of its time
    (their `gain` is already less the visit's worth: negative means that the visit is the better), `elsewhere` the best
    other days for it.
    """

    visit: Visit
    value: int
    worth: int | None
    detour: int
    otherwise: tuple[Way, ...]
    elsewhere: tuple[Way, ...]

    @property
    def margin(self) -> int | None:
        """By how much the visit beats the best other use of its time that was found; None when nothing else fits."""
        best = max((way.gain for way in (*self.otherwise, *self.elsewhere)), default=None)
        if self.worth is None:
            return None if best is None else -best
        return min(self.worth, self.worth if best is None else -best)


def why_not(
    board: Board,
    site: str,
    *,
    most: int = 8,
    nearest: int = 3,
    closed_days: Collection[int] = (),
    closed_centers: Collection[str] = (),
) -> WhyNot:
    """Return why `site` has no further visit in the board's plan, and the best `most` ways to give it one."""
    found = ways(board, site, most=most, closed_days=closed_days, closed_centers=closed_centers)
    return WhyNot(site, blocks(board, site), found, near(board, site, nearest))


def blocks(board: Board, name: str) -> dict[str, tuple[Key, ...]]:
    """Return every center's day of the plan by the first of BLOCKS that binds on it."""
    site = board.problem.site_by_id[name]
    gains = _gains(board, site)
    full_days = board.full_days(site)
    alone: dict[tuple[object, ...], str] = {}
    found: dict[str, list[Key]] = {}
    for center in board.problem.centers:
        for day in range(len(board.problem.days)):
            key = (center.id, day)
            code = _rules(center, site, day)
            if not code and day in full_days:
                code = "visited"
            if not code:
                origin = board.start_of(key)
                like = (origin, center.depot, center.shift, center.kind, center.setup, center.max_drive, day)
                if like not in alone:
                    alone[like] = _reach(board, center, site, day, origin)
                code = alone[like]
            if not code:
                free, instead = gains.get(key, (NEVER, NEVER))
                code = "open" if free > 0 else "not_worth" if free > NEVER // 2 else ""
                code = code or ("full" if instead > NEVER // 2 else "pinned")
            found.setdefault(code, []).append(key)
    return {code: tuple(found[code]) for code in BLOCKS if code in found}


def _gains(board: Board, site: Site) -> dict[Key, list[int]]:
    """Return for each day the best gain when nobody gives way, and when somebody does (NEVER: impossible)."""
    tries = board.table.tries(site)
    gains: dict[Key, list[int]] = {}
    for row in np.argsort(-tries.gain, kind="stable").tolist():
        gain, slot = int(tries.gain[row]), board.table.slots[row]
        if gain <= NEVER // 2:
            break
        best = gains.setdefault(slot.key, [NEVER, NEVER])
        if best[bool(slot.out)] == NEVER and (
            board.problem.traffic is None or board.takes(slot, site.id, int(tries.stay[row]))
        ):
            best[bool(slot.out)] = gain
    return gains


def _rules(center: Center, site: Site, day: int) -> str:
    if day not in center.days:
        return "day_off"
    if not site.allows(center.id):
        return "not_allowed"
    offers = site.offers_for(center.kind)
    if not offers:
        return "no_offer"
    window = site.window(day)
    if window is None:
        return "closed"
    fitting = [offer for offer in offers if offer.stay <= window[1] - window[0]]
    if not fitting:
        return "hours_too_short"
    return "" if any(site.worth(offer.value, day) > 0 for offer in fitting) else "no_value"


def _reach(board: Board, center: Center, site: Site, day: int, origin: tuple[str, int]) -> str:
    """Say why even an empty day does not reach the site and home again; empty when it does."""
    travel, window = board.travel, site.window(day)
    assert window is not None
    place, begin = origin
    minutes = travel.leg(place, site.place)[0] + travel.leg(site.place, center.depot)[0]
    if center.max_drive is not None and minutes > center.max_drive:
        return "too_much_driving"
    start = max(travel.arrive(place, site.place, begin, day) + center.setup, window[0])
    for offer in site.offers_for(center.kind):
        ends = start + offer.stay
        if ends <= window[1] and travel.arrive(site.place, center.depot, ends, day) <= center.shift[1]:
            return ""
    return "too_far"


def near(board: Board, site: str, most: int) -> tuple[Near, ...]:
    """Return the visits of the plan nearest to `site`, one for each place."""
    place = board.problem.site_by_id[site].place
    here = board.problem.place_index[place]
    found: list[Near] = []
    for route in board.routes.values():
        for stop in route.stops:
            there = board.problem.site_by_id[stop.site].place
            minutes = int(board.minutes[here, board.problem.place_index[there]])
            found.append(Near(Visit(*route.key, stop.site, stop.start, stop.stay), minutes, None))
    found.sort(key=lambda n: (n.minutes, n.visit.day, n.visit.center))
    best: dict[str, Near] = {}
    for one in found:
        if one.visit.site != site and one.visit.site not in best:
            km = board.travel.km(place, board.problem.site_by_id[one.visit.site].place)
            best[one.visit.site] = Near(one.visit, one.minutes, None if km is None else round(km, 1))
        if len(best) >= most:
            break
    return tuple(best.values())


def why_visit(
    board: Board,
    visit: Visit,
    *,
    most: int = 5,
    closed_days: Collection[int] = (),
    closed_centers: Collection[str] = (),
) -> WhyVisit:
    """Return what `visit` of the board's plan brings, and the best `most` other uses of its time and days for it."""
    center, site = board.problem.center_by_id[visit.center], board.problem.site_by_id[visit.site]
    value = board.value(center, visit.day, visit.site, visit.stay)
    rest = board.without(visit)
    other = () if rest is None else instead(board, rest, visit, most)
    moved = ways(
        board, site.id, visit=visit, most=most, closed_days=closed_days, closed_centers=closed_centers
    )
    worth = None if rest is None else -board.difference(rest, [visit.key])
    return WhyVisit(visit, value, worth, _detour(board, visit), other, moved)


def _detour(board: Board, visit: Visit) -> int:
    route = board.routes[visit.key]
    at = next(k for k, s in enumerate(route.stops) if (s.site, s.start) == (visit.site, visit.start))
    index = board.problem.place_index
    places = [board.start_of(visit.key)[0], *(board.problem.site_by_id[s.site].place for s in route.stops)]
    if not route.overnight:
        places.append(board.problem.center_by_id[visit.center].depot)
    before, here = index[places[at]], index[places[at + 1]]
    if at + 2 >= len(places):
        return int(board.minutes[before, here])
    after = index[places[at + 2]]
    alone = len(route.stops) == 1 and places[at] == places[at + 2]
    direct = 0 if alone else int(board.minutes[before, after])
    return int(board.minutes[before, here] + board.minutes[here, after]) - direct


def instead(board: Board, rest: Board, visit: Visit, most: int) -> tuple[Way, ...]:
    """Return the best visits of other places in the time that `visit` would leave free (`rest`: the plan without it).

    Their gain is that of the whole exchange.
    """
    table = Table(rest, [rest.parts[visit.key].without_loss()])
    lost = board.difference(rest, [visit.key])
    tried: list[tuple[int, int, int, Site]] = []
    for site in _hopeful(rest, visit):
        if site.id == visit.site or visit.day in rest.full_days(site):
            continue
        tries = table.tries(site)
        row = int(tries.gain.argmax()) if len(tries.gain) else -1
        if row >= 0 and tries.gain[row] > NEVER // 2:
            tried.append((int(tries.gain[row]), row, int(tries.stay[row]), site))
    tried.sort(key=lambda t: (-t[0], t[3].id))
    found: list[Way] = []
    for gain, row, stay, site in tried:
        slot = table.slots[row]
        route = rest.takes(slot, site.id, stay)
        if route is not None:
            new = Visit(visit.center, visit.day, site.id, route.stops[slot.position].start, stay)
            found.append(Way(new, lost + gain, (visit,), (), (route,)))
        if len(found) >= most:
            break
    return tuple(found)


def _hopeful(rest: Board, visit: Visit) -> Sequence[Site]:
    """The places that the center could reach in the free time at all."""
    center = rest.problem.center_by_id[visit.center]
    place = rest.problem.place_index
    begin, home = place[rest.start_of(visit.key)[0]], place[center.depot]
    route = rest.routes.get(visit.key)
    limit = center.shift[1] - rest.start_of(visit.key)[1] - center.setup
    sites = [
        s
        for s in rest.problem.sites
        if s.window(visit.day) is not None and rest.may[s.id][_number(rest, visit)]
    ]
    if route is not None and route.overnight:
        return sites
    index = np.array([place[site.place] for site in sites], dtype=np.int64)
    if not len(index):
        return []
    way = rest.least[begin, index] + rest.least[index, home]
    return [site for site, minutes in zip(sites, way.tolist(), strict=True) if minutes < limit]


def _number(board: Board, visit: Visit) -> int:
    return board.center_index[visit.center]
