"""What each class of centers may offer on each day, with what the pins leave of visits and groups."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from routing.engine.terms import FAR, NEVER, Ints, Menu
from routing.problem import Problem


class Menus:
    """Menus by class and day, made when asked for.

    `visits_left` [sites]; `blocked` [days, sites]: days too close to a pinned visit; `group_left`: visits that
    each group still needs.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        index = {site.id: i for i, site in enumerate(problem.sites)}
        self.visits_left: Ints = np.array([site.max_visits for site in problem.sites], dtype=np.int32)
        self.blocked: NDArray[np.bool_] = np.zeros((len(problem.days), len(problem.sites)), dtype=bool)
        pinned: dict[str, int] = defaultdict(int)
        for pin in problem.pinned:
            i = index[pin.site]
            self.visits_left[i] -= 1
            apart = problem.sites[i].min_gap_days
            self.blocked[max(0, pin.day - apart + 1) : pin.day + apart, i] = True
            pinned[pin.site] += 1
        self.blocked[:, self.visits_left <= 0] = True
        self.group_left = [max(0, g.at_least - sum(pinned[site] for site in g.sites)) for g in problem.groups]
        self._made: dict[tuple[str, int], Menu] = {}

    def of(self, kind: str, day: int) -> Menu:
        """Return the menu of class `kind` on `day`, what pins forbid left out."""
        found = self._made.get((kind, day))
        if found is None:
            found = self._made[kind, day] = self._make(kind, day)
        return found

    def _make(self, kind: str, day: int) -> Menu:
        sites = self.problem.sites
        width = max((len(site.offers_for(kind)) for site in sites), default=0) or 1
        stay = np.full((len(sites), width), FAR, dtype=np.int32)
        value = np.full((len(sites), width), NEVER)
        opens = np.full(len(sites), FAR, dtype=np.int32)
        closes = np.full(len(sites), -1, dtype=np.int32)
        for i, site in enumerate(sites):
            window = site.window(day)
            if window is None or self.blocked[day, i]:
                continue
            opens[i], closes[i] = window
            best, k = -1, 0
            for offer in sorted(site.offers_for(kind), key=lambda offer: offer.stay):
                worth = site.worth(offer.value, day)
                if worth > best:
                    best = worth
                    stay[i, k], value[i, k] = offer.stay, worth
                    k += 1
        return Menu(stay, value, opens, closes)
