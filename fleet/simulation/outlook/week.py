"""One run of a week: the citizens, drawn once, and what becomes of them under each policy. Pure, seeded.

Common random numbers: every citizen of a run has one time of arrival, one desk time, one patience and one draw for the
choice, whatever the policy; only what the vans change is different. So the difference of two policies is known far
better than either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleet.relief import DEMAND_CV, DRAIN_H, Floats
from fleet.simulation.engine import EVERY_SKILL, LEFT, SERVED, Ints, Lines, People, play
from fleet.simulation.outlook.facts import Facts, Forecourt, Village, Visits
from fleet.stock import REGROW_WEEKS

LONGEST_AFTER_H = 1.5
"""A van in a village serves who is there at its closing for at most so long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy does in one run. Hours are person-hours."""

    waited: float
    """At the centers and at the vans beside them."""
    left: float
    """Citizens who gave up there."""
    at_vans: float = 0.0
    """Citizens served by vans."""
    village_waited: float = 0.0
    trips: float = 0.0
    """Hours of trips spared."""
    km: float = 0.0
    fewer_waited: float = 0.0
    """Waiting that the villagers served at home spare their centers, until their errands would all have come there."""
    fewer_left: float = 0.0


class Run:
    """The citizens of one run and the lines they meet without vans."""

    def __init__(self, facts: Facts, seed: int, run: int) -> None:
        self.facts, self.key = facts, (seed, run)
        draw = np.random.default_rng([seed, run, 1])
        size, days = facts.arrivals.shape[:2]
        factor = draw.gamma(1 / facts.spread**2, facts.spread**2, (size, days))
        counts = draw.poisson(facts.arrivals * factor[:, :, None])
        # Places are the open pairs of line and day, in that order.
        self.open = np.argwhere(facts.arrivals.sum(axis=2) > 0)
        line, day = self.open[:, 0], self.open[:, 1]
        counts = counts[line, day]
        self.place_of = {(int(q), int(d)): p for p, (q, d) in enumerate(self.open)}
        n = int(counts.sum())
        place, hour = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
        opens, closes = facts.windows[line, day].T
        begin = np.maximum(hour, opens[place])
        end = np.maximum(np.minimum(hour + 1, closes[place]), begin + 1e-6)
        arrives = begin + draw.random(n) * (end - begin)
        order = np.lexsort((arrives, place))
        self.place, self.arrives = place[order], arrives[order]
        self.first = np.concatenate([[0], np.cumsum(counts.sum(axis=1))])
        of = line[self.place]
        cs2 = facts.cs2[of]
        unit = draw.gamma(1 / cs2, cs2)
        self.service = np.maximum(unit * facts.service_h[of], 1e-4)
        self.service_van = np.maximum(unit * facts.van_h[of], 1e-4)
        rate = facts.leave_rate[of]
        with np.errstate(divide="ignore"):
            self.patience = np.where(rate > 0, draw.exponential(1.0, n) / rate, np.inf)
        self.would = draw.random(n) < facts.share[of]
        self.chance = draw.logistic(0.0, 1.0, n)
        self.stays_away = draw.random(n)
        self.desks = self._desks(draw.random(len(self.open)))

    def _desks(self, luck: Floats) -> _Desks:
        """The desks of every place: how many are staffed in each hour, drawn once for a day (who is absent is absent
        all day), as spells."""
        facts = self.facts
        line, day = self.open.T
        opens, closes = facts.windows[line, day].T
        hours = np.arange(24)
        part = np.minimum(hours + 1, closes[:, None]) - np.maximum(hours, opens[:, None])
        mean = np.minimum(facts.staffed[line] / np.clip(part, 0.25, 1.0), facts.desks[line][:, None])
        number = np.floor(mean) + (luck[:, None] < mean - np.floor(mean))
        number = np.where(part > 1e-9, number, 0)
        number[:, :] = np.where((number.max(axis=1, keepdims=True) == 0) & (part > 1e-9), 1, number)
        most = number.max(axis=1).astype(np.int64)
        place = np.repeat(np.arange(len(line)), most)
        rank = np.arange(len(place)) - np.repeat(np.cumsum(most) - most, most)
        on = np.zeros((len(place), 26), bool)
        on[:, 1:25] = number[place] > rank[:, None]
        edge = np.diff(on.astype(np.int8), axis=1)
        desk, begins = np.nonzero(edge == 1)
        _, ends = np.nonzero(edge == -1)
        return _Desks(
            place,
            desk,
            np.maximum(begins.astype(float), opens[place[desk]]),
            np.minimum(ends.astype(float), closes[place[desk]]),
        )

    def without(self, away: Floats | None = None) -> tuple[float, float]:
        """(person-hours waited, citizens who left) without vans; `away` is the share of each line's citizens who do
        not come."""
        who = self._people()
        if away is not None:
            who = _only(who, self.stays_away >= away[self.open[:, 0]][self.place])
        tickets = play(self._lines(self.desks, np.ones(len(self.open), np.int64), ()), who)
        return float(tickets.waited(who).sum()), float((tickets.state == LEFT).sum())

    def under(self, visits: Visits, plain: tuple[float, float]) -> Outcome:
        """What becomes of the run's citizens with these visits; `plain` is `without()`."""
        beside = [v for v in visits.forecourts if (v.line, v.day) in self.place_of]
        waited, left, at_vans = self._beside(beside) if beside else (*plain, 0)
        served, village_waited = self._villages(visits.villages)
        away = np.zeros(len(self.facts.desks))
        weekly = self.facts.arrivals.sum(axis=(1, 2)) / (len(self.facts.days) / 7)
        for village, people in zip(visits.villages, served, strict=True):
            if village.line >= 0 and weekly[village.line] > 0:
                away[village.line] += people / (weekly[village.line] * REGROW_WEEKS)
        scale = REGROW_WEEKS / (len(self.facts.days) / 7)
        fewer = self.without(np.minimum(away, 1.0)) if away.any() else plain
        return Outcome(
            waited,
            left,
            at_vans + float(served.sum()),
            village_waited,
            float(sum(v.trip * people for v, people in zip(visits.villages, served, strict=True))),
            float(sum(v.km * people for v, people in zip(visits.villages, served, strict=True))),
            scale * (plain[0] - fewer[0]),
            scale * (plain[1] - fewer[1]),
        )

    def _beside(self, visits: list[Forecourt]) -> tuple[float, float, int]:
        """Vans beside centers: waiting and leaving at both together, and who went to the vans."""
        visits = sorted(visits, key=lambda v: (self.place_of[v.line, v.day], v.begins))
        place = np.array([self.place_of[v.line, v.day] for v in visits])
        count = 1 + np.bincount(place, minlength=len(self.open))
        first = np.cumsum(count) - count
        van_line = first[place] + 1 + _rank(place)
        who = self._people()
        other = np.full(len(self.place), -1)
        for line, visit, p in zip(van_line.tolist(), visits, place.tolist(), strict=True):
            low, high = self.first[p], self.first[p + 1]
            window = slice(
                low + int(np.searchsorted(self.arrives[low:high], visit.begins)),
                low + int(np.searchsorted(self.arrives[low:high], visit.ends)),
            )
            # Where two vans stand at once, every other citizen looks at the second.
            free = (other[window] < 0) | (np.arange(window.stop - window.start) % 2 == 0)
            other[window] = np.where(free, line, other[window])
        who = People(
            who.first, who.arrives, first[self.place], np.where(self.would, other, -1), who.skill, who.head_start,
            who.patience, who.service, who.service_other, who.lean, who.chance,
        )  # fmt: skip
        tickets = play(self._lines(self.desks, count, tuple(visits)), who)
        gone = tickets.line != who.home
        return (
            float(tickets.waited(who).sum()),
            float((tickets.state == LEFT).sum()),
            int((gone & (tickets.state == SERVED)).sum()),
        )

    def _people(self) -> People:
        n = len(self.place)
        zeros = np.zeros(n)
        return People(
            self.first, self.arrives, self.place, np.full(n, -1), np.zeros(n, np.int64), zeros, self.patience,
            self.service, self.service_van, zeros, self.chance,
        )  # fmt: skip

    def _lines(self, desks: _Desks, count: Ints, vans: tuple[Forecourt, ...]) -> Lines:
        """The lines of all places: the center's, then its vans', which stand in the order of places."""
        facts = self.facts
        line, day = self.open.T
        first = np.cumsum(count) - count
        total = int(count.sum())
        van = np.ones(total, bool)
        van[first] = False
        van_line = np.flatnonzero(van)
        van_desks = np.array([v.desks for v in vans], np.int64)
        desk_line = np.concatenate([first[desks.place], np.repeat(van_line, van_desks)])
        spell_desk = np.concatenate([desks.desk, len(desks.place) + np.arange(int(van_desks.sum()))])
        on = np.concatenate([desks.on, np.repeat(np.array([v.begins for v in vans]), van_desks)])
        off = np.concatenate([desks.off, np.repeat(np.array([v.ends for v in vans]), van_desks)])
        order = np.argsort(desk_line, kind="stable")
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        spells = np.argsort(position[spell_desk], kind="stable")
        place = np.repeat(np.arange(len(line)), count)
        shut = facts.windows[line, day, 1][place] + DRAIN_H
        pace = np.where(van, facts.van_h[line][place], facts.service_h[line][place])
        takes_from, takes_until = np.zeros(total), np.zeros(total)
        takes_from[van_line] = [v.begins for v in vans]
        takes_until[van_line] = [v.ends for v in vans]
        return Lines(
            np.concatenate([[0], np.cumsum(count)]),
            np.concatenate([[0], np.cumsum(np.bincount(desk_line, minlength=total))]),
            np.full(len(desk_line), EVERY_SKILL),
            np.concatenate([[0], np.cumsum(np.bincount(position[spell_desk], minlength=len(desk_line)))]),
            on[spells],
            off[spells],
            np.ones(total, bool),
            shut,
            pace,
            takes_from,
            takes_until,
        )

    def _villages(self, visits: tuple[Village, ...]) -> tuple[Floats, float]:
        """(citizens served by visit, person-hours waited at the vans). Drawn by place and day, so that policies that
        visit the same village meet the same luck."""
        if not visits:
            return np.zeros(0), 0.0
        facts = self.facts
        counts, parts = [], []
        for v in visits:
            draw = np.random.default_rng([*self.key, 2, v.day, round(1000 * v.people), round(60 * v.begins)])
            n = int(draw.poisson(v.people * draw.gamma(1 / DEMAND_CV**2, DEMAND_CV**2)))
            arrives = np.sort(v.begins + draw.random(n) * (v.ends - v.begins))
            counts.append(n)
            parts.append((arrives, draw.gamma(1 / facts.village_cs2, facts.village_cs2 * facts.village_h, n)))
        arrives, service = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        place = np.repeat(np.arange(len(visits)), counts)
        desks = np.array([v.desks for v in visits])
        size, total, n = len(visits), int(desks.sum()), len(place)
        begins, ends = np.array([v.begins for v in visits]), np.array([v.ends for v in visits])
        lines = Lines(
            np.arange(size + 1), np.concatenate([[0], np.cumsum(desks)]), np.full(total, EVERY_SKILL),
            np.arange(total + 1), np.repeat(begins, desks), np.repeat(ends, desks), np.ones(size, bool),
            ends + LONGEST_AFTER_H, np.full(size, facts.village_h), np.zeros(size), np.zeros(size),
        )  # fmt: skip
        zeros = np.zeros(n)
        service = np.maximum(service, 1e-4)
        who = People(
            np.concatenate([[0], np.cumsum(counts)]), arrives, place, np.full(n, -1), np.zeros(n, np.int64), zeros,
            np.full(n, np.inf), service, service, zeros, zeros,
        )  # fmt: skip
        tickets = play(lines, who)
        served: Floats = np.bincount(place, (tickets.state == SERVED).astype(float), size).astype(float)
        return served, float(tickets.waited(who).sum())


@dataclass(frozen=True, slots=True)
class _Desks:
    """Desks by place, and their spells by desk."""

    place: Ints
    desk: Ints
    on: Floats
    off: Floats


def _rank(sorted_values: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... within each run of equal values."""
    starts = np.flatnonzero(np.diff(sorted_values, prepend=-1))
    return np.arange(len(sorted_values)) - np.repeat(starts, np.diff(np.append(starts, len(sorted_values))))


def _only(who: People, kept: NDArray[np.bool_]) -> People:
    """Some of the people."""
    before = np.concatenate([[0], np.cumsum(kept)])
    return People(
        before[who.first], who.arrives[kept], who.home[kept], who.other[kept], who.skill[kept], who.head_start[kept],
        who.patience[kept], who.service[kept], who.service_other[kept], who.lean[kept], who.chance[kept],
    )  # fmt: skip
