"""Why sites stay unserved: one reason for each, all sites at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from routing.explain.board import Board, least_percent
from routing.explain.slots import NEVER, Slot
from routing.problem import Center, Problem, Site
from routing.solution import Plan, Unserved
from routing.travel import Travel

_FAR = 10**9


def explain(
    problem: Problem, plan: Plan, *, travel: Travel | None = None, board: Board | None = None
) -> tuple[Unserved, ...]:
    """Return a reason for every site that `plan` does not visit, in the problem's order.

    Codes and their numbers: `no_value`, `closed`, `no_center`, `hours_too_short` (shortest, open), `too_far`
    (center, needed, available, of: "shift" or "driving"), `needs_night` (the same: only a center that spends a night
    away could), `not_worth` (center, day, loss), `displaced`
    (center, day, stay, loss, instead_of: site ids), `no_room` (beside the pinned visits) and `left_over`
    (center, day, stay, gain: the search ended before it was used). The last three also name the `nearest`
    visit: site, center, day, minutes to drive.
    """
    travel = travel or (board.travel if board else Travel(problem))
    served = {stop.site for route in plan.routes for stop in route.stops}
    missing = [site for site in problem.sites if site.id not in served]
    found: dict[str, Unserved] = {}
    open_question: list[Site] = []
    for site in missing:
        reason = _impossible(problem, travel, site)
        if reason is None:
            open_question.append(site)
        else:
            found[site.id] = reason
    if open_question:
        best = _Best(board or Board(problem, plan, travel=travel))
        found.update((site.id, best.reason(site)) for site in open_question)
    return tuple(found[site.id] for site in missing)


def reason_for(board: Board, site: str) -> Unserved | None:
    """Return what `explain` says of one site; None when the plan visits it."""
    if board.days_of.get(site):
        return None
    at = board.problem.site_by_id[site]
    return _impossible(board.problem, board.travel, at) or _Best(board).reason(at)


# -- what rules alone exclude --


def _unserved(site: Site, code: str, reason: str, **numbers: Any) -> Unserved:
    return Unserved(site.id, code, reason, numbers)


def _impossible(problem: Problem, travel: Travel, site: Site) -> Unserved | None:
    """Return why no plan at all can serve the site, or None when one could."""
    allowed = [center for center in problem.centers if site.allows(center.id)]
    kinds = {center.kind for center in allowed if site.offers_for(center.kind)}
    worth = max((o.value for kind in kinds for o in site.offers_for(kind)), default=0)
    if kinds and worth <= 0:
        return _unserved(site, "no_value", "a visit here is worth nothing")
    days = [day for day in range(len(problem.days)) if site.window(day) is not None]
    if not days:
        return _unserved(site, "closed", "closed on every day of the plan")
    able = [center for center in allowed if center.kind in kinds and set(center.days) & set(days)]
    if not able:
        return _unserved(site, "no_center", "no center that may serve it works on a day it is open")
    shortest = min(o.stay for kind in kinds for o in site.offers_for(kind))
    longest = max(w[1] - w[0] for day in days if (w := site.window(day)) is not None)
    if shortest > longest:
        reason = f"the shortest stay is {shortest} minutes, it is open for {longest}"
        return _unserved(site, "hours_too_short", reason, shortest=shortest, open=longest)
    if any(center.starts for center in able) or least_percent(problem) < 100:
        return None  # a center may set out nearer by, or drive faster than the table says
    far = _too_far(travel, site, able)
    if far is not None and any(center.nights for center in able):
        return replace(
            far, code="needs_night", reason=f"{far.reason}; a center that stays away could serve it"
        )
    return far


def _too_far(travel: Travel, site: Site, able: Sequence[Center]) -> Unserved | None:
    """Return `too_far` when no able center gets there and back within its shift and driving limit."""
    nearest: tuple[int, Unserved] | None = None
    tried: dict[tuple[Any, ...], None] = {}
    for center in able:
        days = tuple(day for day in center.days if site.window(day) is not None)
        key = (center.depot, center.shift, center.kind, center.setup, center.max_drive, days)
        if key in tried:
            continue
        tried[key] = None
        there, _ = travel.leg(center.depot, site.place)
        home, _ = travel.leg(site.place, center.depot)
        stay = min(offer.stay for offer in site.offers_for(center.kind))
        opens, closes = center.shift
        lack = _FAR
        for window in {w for day in days if (w := site.window(day)) is not None}:
            start = max(opens + there + center.setup, window[0])
            lack = min(lack, max(start + stay - window[1], start + stay + home - closes))
        driving = 0 if center.max_drive is None else there + home - center.max_drive
        if lack <= 0 and driving <= 0:
            return None
        if nearest is None or there + home < nearest[0]:
            nearest = there + home, _distance(site, center, there + home, stay, lack, driving)
    return nearest[1] if nearest else None


def _distance(site: Site, center: Center, drive: int, stay: int, lack: int, driving: int) -> Unserved:
    if driving > 0 and center.max_drive is not None:
        needed, available, of = drive, center.max_drive, "driving"
        reason = f"too far: the nearest center, {center.id}, would drive {needed} of {available} minutes"
    else:
        available = center.shift[1] - center.shift[0]
        needed, of = available + lack, "shift"
        reason = (
            f"too far: the nearest center, {center.id}, needs {needed} minutes for the way, setting up and the "
            f"shortest stay of {stay}, and has {available}"
        )
    return _unserved(site, "too_far", reason, center=center.id, needed=needed, available=available, of=of)


# -- what the plan gives up --


class _Best:
    """The best way into the plan as it stands for each site, alone or instead of one stop or of all of a day."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.visits = [
            (stop.site, route.center, route.day) for route in board.plan.routes for stop in route.stops
        ]
        place = board.problem.place_index
        self.places = np.array([place[board.problem.site_by_id[name].place] for name, _, _ in self.visits])

    def reason(self, site: Site) -> Unserved:
        """Return why the site has no visit."""
        found = self._best(site)
        facts: dict[str, Any] = {"center": "", "day": 0, "stay": 0}
        nearest = self._nearest(site)
        if nearest is not None:
            facts["nearest"] = nearest
        if found is None:
            return _unserved(site, "no_room", "no center has time for it beside its pinned visits", **facts)
        gain, stay, slot = found
        center, day = slot.key
        facts |= {"center": center, "day": day, "stay": stay}
        out = [self.board.routes[slot.key].stops[k].site for k in slot.out]
        if out:
            facts["instead_of"] = out
        swap = f" instead of {', '.join(out)}" if out else ""
        if gain > 0:
            reason = f"{center} could serve it on day {day}{swap} and gain {gain}: the search ended before"
            return _unserved(site, "left_over", reason, gain=gain, **facts)
        if not out:
            reason = f"the way costs more than it is worth: {center} would lose {-gain} on day {day}"
            return _unserved(site, "not_worth", reason, loss=-gain, **facts)
        reason = f"{center} would lose {-gain} by visiting it on day {day}{swap}"
        return _unserved(site, "displaced", reason, loss=-gain, **facts)

    def _best(self, site: Site) -> tuple[int, int, Slot] | None:
        board = self.board
        tries = board.table.tries(site)
        if board.problem.traffic is None:
            order = [int(tries.gain.argmax())] if len(tries.gain) else []
        else:
            order = np.argsort(-tries.gain, kind="stable").tolist()
        for row in order:
            if tries.gain[row] <= NEVER // 2:
                return None
            slot, stay = board.table.slots[row], int(tries.stay[row])
            if board.problem.traffic is None or board.takes(slot, site.id, stay):
                return int(tries.gain[row]), stay, slot
        return None

    def _nearest(self, site: Site) -> dict[str, Any] | None:
        """Return the nearest visit of the plan."""
        if not self.visits:
            return None
        minutes = self.board.minutes[self.board.problem.place_index[site.place], self.places]
        k = int(minutes.argmin())
        name, center, day = self.visits[k]
        return {"site": name, "center": center, "day": day, "minutes": int(minutes[k])}
