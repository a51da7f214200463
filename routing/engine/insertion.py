"""For long routes (many short stays): insertion by profit per minute, and tearing out and filling again.

Whole routes of ten stops cannot be listed, so this keeps one plan and improves it: it takes out stretches of
routes, puts in what pays best for the time it takes, and goes on from there while the plan is not much worse
than the best. After Vansteenwegen et al. (2009), iterated local search for the team orienteering problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from routing.engine.clock import Clock
from routing.engine.fleet import FAR, NEVER, Column, Fleet, Floats, Gap
from routing.engine.primal import Ledger, pack

_LIMIT_IN_ROUNDS = 50  # local search rounds that one iteration of the caller's limit stands for


@dataclass
class _Slot:
    """One member of a gap and the visits in it, with the table of what could be put in where."""

    gap: int
    visits: list[tuple[int, int]] = field(default_factory=list)
    score: Floats | None = (
        None  # [sites in the gap] the best score of putting the site in, NEVER if impossible
    )
    place: NDArray[np.intp] | None = None  # [sites] the position for it
    option: NDArray[np.intp] | None = None  # [sites] the stay for it


class Insertion:
    """One solve by insertion. `best`, `objective` and `bound` as in `Generation`."""

    def __init__(self, fleet: Fleet, clock: Clock, seed: int) -> None:
        self.fleet, self.clock = fleet, clock
        self.random = np.random.default_rng(seed)
        self.best: list[Column] = []
        self.objective = Ledger(fleet).objective()
        self.bound = knapsack_bound(fleet)
        self.slots: list[_Slot] = []

    def run(self, start: list[Column]) -> None:
        """Work until out of time, out of rounds, or stopped."""
        self._restore(pack(self.fleet, start).columns)
        self._repair(noise=0.0)
        self._offer("greedy")
        current, kept = self.objective, list(self.best)
        rounds = math.inf if self.clock.iterations is None else self.clock.iterations * _LIMIT_IN_ROUNDS
        count, stale, told = 0, 0, 0.0
        while count < rounds and not self.clock.over(0.2) and self.slots:
            count += 1
            self.clock.iteration = count // _LIMIT_IN_ROUNDS
            self._tear(stale)
            self._repair(noise=0.2)
            columns, value = self._columns()
            if value > self.objective:
                self.best, self.objective, stale = columns, value, 0
            else:
                stale += 1
            slack = 0.03 * abs(self.objective) * (1 - (count % 400) / 400)
            if value >= current or value >= self.objective - slack:
                current, kept = value, columns
            else:
                self._restore(kept)
            if stale and stale % 600 == 0:
                current, kept = self.objective, list(self.best)
                self._restore(kept)
            if self.clock.elapsed - told > 0.5:
                told = self.clock.elapsed
                self.clock.report("improving", self.objective, self.bound)
            if self.bound is not None and self.objective >= self.bound:
                break
        self.clock.report("done", self.objective, self.bound)

    # -- the plan as slots --

    def _restore(self, columns: list[Column]) -> None:
        by_gap: dict[int, list[Column]] = {}
        for column in columns:
            by_gap.setdefault(column.gap, []).append(column)
        self.slots = []
        self.free = np.ones((self.fleet.days, len(self.fleet.problem.sites)), dtype=bool)
        self.count = np.zeros(len(self.fleet.problem.sites), dtype=np.int32)
        for g, gap in enumerate(self.fleet.gaps):
            mine = by_gap.get(g, [])
            for n in range(len(gap.members)):
                self.slots.append(_Slot(g, list(mine[n].visits) if n < len(mine) else []))
        self._recount()

    def _recount(self) -> None:
        """Mark where each site may still be visited, from the visits made."""
        fleet = self.fleet
        self.free[:] = True
        self.count[:] = 0
        for slot in self.slots:
            day = fleet.gaps[slot.gap].day
            for site, _ in slot.visits:
                self._mark(site, day)
        self.relief = np.zeros(len(fleet.problem.sites))
        for group, left in zip(fleet.problem.groups, fleet.group_left, strict=True):
            members = [fleet.site_index[name] for name in group.sites]
            if left > int(self.count[members].sum()):
                self.relief[members] += group.penalty

    def _mark(self, site: int, day: int) -> None:
        self.count[site] += 1
        apart = self.fleet.problem.sites[site].min_gap_days
        self.free[max(0, day - apart + 1) : day + apart, site] = False
        if self.count[site] >= self.fleet.visits_left[site]:
            self.free[:, site] = False

    def _columns(self) -> tuple[list[Column], int]:
        made = []
        for slot in self.slots:
            if slot.visits:
                column = self.fleet.column(slot.gap, slot.visits)
                assert column is not None, "insertion keeps routes feasible"
                made.append(column)
        ledger = pack(self.fleet, made)
        return ledger.columns, ledger.objective()

    def _offer(self, phase: str) -> None:
        columns, value = self._columns()
        if value >= self.objective:
            self.best, self.objective = columns, value
        self.clock.report(phase, self.objective, self.bound)

    # -- taking out and putting in --

    def _tear(self, stale: int) -> None:
        """Take a stretch of stops out of some routes."""
        full = [slot for slot in self.slots if slot.visits]
        if not full:
            return
        many = 1 + int(self.random.integers(min(len(full), 4)))
        for k in self.random.choice(len(full), size=many, replace=False).tolist():
            slot = full[k]
            longest = max(1, len(slot.visits) // 2) if stale % 7 else len(slot.visits)
            length = 1 + int(self.random.integers(longest))
            begin = int(self.random.integers(len(slot.visits)))
            slot.visits = slot.visits[:begin] + slot.visits[begin + length :]
            slot.score = None
        self._recount()

    def _repair(self, noise: float) -> None:
        """Put in the visit with the best score until none pays."""
        while not self.clock.stopped and self.clock.left > 0.1:
            pick: tuple[float, _Slot, int] | None = None
            seen: set[tuple[int, tuple[tuple[int, int], ...]]] = set()
            for slot in self.slots:
                key = (slot.gap, tuple(slot.visits))
                if key in seen:
                    continue
                seen.add(key)
                if slot.score is None:
                    self._rate(slot, noise)
                assert slot.score is not None
                gap = self.fleet.gaps[slot.gap]
                score = np.where(self.free[gap.day, gap.nodes], slot.score, NEVER)
                at = int(score.argmax())
                if score[at] > 0 and (pick is None or score[at] > pick[0]):
                    pick = float(score[at]), slot, at
            if pick is None:
                return
            _, slot, at = pick
            assert slot.place is not None and slot.option is not None
            gap = self.fleet.gaps[slot.gap]
            site = int(gap.nodes[at])
            slot.visits.insert(int(slot.place[at]), (site, int(gap.menu.stay[site, slot.option[at]])))
            slot.score = None
            self._mark(site, gap.day)

    def _rate(self, slot: _Slot, noise: float) -> None:
        """Score every site of the gap at every position: profit squared for each minute it takes."""
        fleet, gap = self.fleet, self.fleet.gaps[slot.gap]
        nodes, places = gap.nodes, fleet.place[gap.nodes]
        spots, ends, latest, drive = _timetable(fleet, gap, slot.visits)
        before, after = spots[:-1], spots[1:]
        way_in = fleet.minutes[np.ix_(before, places)].astype(np.int64)
        way_out = fleet.minutes[np.ix_(places, after)].T.astype(np.int64)
        direct = fleet.minutes[before, after].astype(np.int64)[:, None]
        cost = (
            fleet.cost[np.ix_(before, places)].astype(float)
            + fleet.cost[np.ix_(places, after)].T
            - fleet.cost[before, after][:, None]
        )
        if not slot.visits:
            cost = cost + gap.fixed
        arrival = np.array(ends)[:, None] + way_in
        start = np.maximum(arrival + gap.setup, gap.menu.opens[nodes][None, :])
        extra = way_in + way_out - direct
        allowed = gap.drive - drive
        if gap.rule >= 0:
            spent = sum(
                c.drive
                for other in self.slots
                if other is not slot and other.visits and fleet.gaps[other.gap].rule == gap.rule
                for c in [fleet.column(other.gap, other.visits)]
                if c is not None
            )
            allowed = min(allowed, fleet.rules[gap.rule] - spent - (drive - gap.direct_minutes))
        fine = extra <= allowed
        best = np.full(start.shape, NEVER)
        option = np.zeros(start.shape, dtype=np.intp)
        for k in range(gap.menu.stay.shape[1]):
            stay = gap.menu.stay[nodes, k].astype(np.int64)
            end = start + stay[None, :]
            ok = fine & (end <= gap.menu.closes[nodes][None, :])
            ok &= end + way_out <= np.array(latest)[:, None]
            profit = (gap.menu.value[nodes, k] + self.relief[nodes])[None, :] - cost
            takes = np.maximum(1.0, extra + gap.setup + stay[None, :] + 0.3 * (start - arrival - gap.setup))
            score = np.where(ok & (profit > 0), profit * profit / takes, NEVER)
            better = score > best
            best[better], option[better] = score[better], k
        slot.place = best.argmax(axis=0)
        columns = np.arange(len(nodes))
        slot.score = best[slot.place, columns]
        slot.option = option[slot.place, columns]
        if noise:
            slot.score = slot.score * (1 + noise * self.random.random(len(nodes)))


def _timetable(
    fleet: Fleet, gap: Gap, visits: list[tuple[int, int]]
) -> tuple[NDArray[np.intp], list[int], list[int], int]:
    """Return the places passed, the minute each is left at the earliest, the latest arrival at each, the
    drive.
    """
    spots = [gap.origin, *(int(fleet.place[site]) for site, _ in visits), gap.target]
    ends, drive = [gap.ready], 0
    for n, (site, stay) in enumerate(visits):
        minutes = int(fleet.minutes[spots[n], spots[n + 1]])
        drive += minutes
        ends.append(max(ends[-1] + minutes + gap.setup, int(gap.menu.opens[site])) + stay)
    drive += int(fleet.minutes[spots[-2], spots[-1]])
    latest = [gap.deadline]
    for n in range(len(visits) - 1, -1, -1):
        site, stay = visits[n]
        leave = min(latest[0] - int(fleet.minutes[spots[n + 1], spots[n + 2]]), int(gap.menu.closes[site]))
        latest.insert(0, leave - stay - gap.setup)
    return np.array(spots), ends, latest, drive


def knapsack_bound(fleet: Fleet) -> int | None:
    """Return a bound that holds for every plan: all working time filled with the best values, at least
    travel.

    None where travel may cost less than nothing.
    """
    if (fleet.cost < 0).any():
        return None
    worth: dict[int, float] = {}
    takes: dict[int, int] = {}
    time, refund = 0, 0
    for gap in fleet.gaps:
        values = gap.menu.value[gap.nodes].max(axis=1)
        stays = gap.menu.stay[gap.nodes, 0] + gap.setup
        for site, value, stay in zip(gap.nodes.tolist(), values.tolist(), stays.tolist(), strict=True):
            worth[site] = max(worth.get(site, 0.0), value)
            takes[site] = min(takes.get(site, FAR), stay)
        refund += len(gap.members) * max(0, gap.direct_cost)
        time += len(gap.members) * max(0, gap.deadline - gap.ready + gap.setup)
    total = 0.0
    for site in sorted(worth, key=lambda site: -worth[site] / max(1, takes[site])):
        visits = int(fleet.visits_left[site])
        share = min(1.0, time / max(1, visits * takes[site]))
        total += share * visits * worth[site]
        time -= visits * takes[site]
        if time <= 0:
            break
    return math.floor(fleet.constant + total + refund + 1e-6)
