"""Nights away in a whole plan: where each day starts, drives home without a route, what nights cost and break."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date

from routing.problem import Center, Pin, Problem
from routing.solution import Route, mornings
from routing.verdict import Fault


class Nights:
    """The nights of a plan's routes. Of two routes of one center and day the first one counts."""

    def __init__(self, problem: Problem, routes: Iterable[Route]) -> None:
        self.problem = problem
        self.routes: dict[tuple[str, int], Route] = {}
        for route in routes:
            self.routes.setdefault(route.key, route)
        away = {center for (center, _), route in self.routes.items() if route.overnight}
        pinned = {pin.center for pin in problem.pinned if pin.overnight}
        self.centers = [c for c in problem.centers if c.id in away or c.id in pinned or c.starts]
        self.mornings = {center.id: mornings(problem, center, self.routes) for center in self.centers}
        self.last_pin: dict[tuple[str, int], Pin] = {}
        for pin in sorted(problem.pinned, key=lambda pin: pin.start):
            self.last_pin[pin.center, pin.day] = pin

    def origin(self, key: tuple[str, int]) -> str | None:
        """Return the place id where a center starts a day; None when nothing but its own rules decide."""
        return self.mornings.get(key[0], {}).get(key[1])

    def drives_home(self) -> list[Route]:
        """Return routes without stops for the days that start away and have no route of their own."""
        return [
            Route(center.id, day, center.begins(day)[1], (), origin=place)
            for center in self.centers
            for day, place in self.mornings[center.id].items()
            if place != center.depot and (center.id, day) not in self.routes
        ]

    def cost(self) -> int:
        """Return what all nights away cost."""
        return sum(center.night_cost * count for center in self.centers for _, count in self._counted(center))

    def faults(self) -> list[Fault]:
        """Return what the nights break beyond their single days."""
        return [fault for center in self.centers for fault in self._faults_of(center)]

    def _counted(self, center: Center) -> list[tuple[int, int]]:
        """Return (day, nights away after it) of every working day that ends away and has a next one."""
        days = sorted(set(center.days))
        return [
            (day, nights_between(self.problem, day, after))
            for day, after in itertools.pairwise(days)
            if self._away(center, day)
        ]

    def _away(self, center: Center, day: int) -> bool:
        route = self.routes.get((center.id, day))
        return route is not None and route.overnight and bool(route.stops)

    def _faults_of(self, center: Center) -> Iterable[Fault]:
        in_a_row, before = 0, -1
        for day, count in self._counted(center):
            in_a_row = count + (in_a_row if center.next_day(before) == day and before >= 0 else 0)
            before = day
            if in_a_row > center.nights >= in_a_row - count:
                text = f"is away for {in_a_row} nights in a row, may be for {center.nights}"
                yield self._fault("too_many_nights", center, day, text)
        for day in sorted(set(center.days)):
            yield from self._day_faults(center, day)

    def _day_faults(self, center: Center, day: int) -> Iterable[Fault]:
        route, after = self.routes.get((center.id, day)), center.next_day(day)
        away, pin = self._away(center, day), self.last_pin.get((center.id, day))
        if away and after is None:
            yield self._fault("overnight_last_day", center, day, "has no working day left to come home")
        if route is None or not route.stops:
            return
        if pin is not None:
            last = route.stops[-1]
            if away != pin.overnight:
                text = f"is pinned to {'stay away' if pin.overnight else 'come home'} for the night"
                yield self._fault("night_pinned", center, day, text)
            elif away and (last.site, last.start, last.stay) != (pin.site, pin.start, pin.stay):
                text = f"is pinned to spend the night at {pin.site}, spends it at {last.site}"
                yield self._fault("night_pinned", center, day, text)
        elif (
            away
            and after is not None
            and ((center.id, after) in self.last_pin or str(after) in center.starts)
        ):
            text = f"has to be home for the night: day {after} is pinned to start elsewhere"
            yield self._fault("night_pinned", center, day, text)

    @staticmethod
    def _fault(code: str, center: Center, day: int, text: str) -> Fault:
        return Fault(code, f"{center.id} day {day}: {text}", center.id, day)


def nights_between(problem: Problem, day: int, after: int) -> int:
    """Return the nights between two day indices: calendar days, so that a weekend between them counts."""
    return (date.fromisoformat(problem.days[after]) - date.fromisoformat(problem.days[day])).days
