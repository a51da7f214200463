"""The fleet as plain arrays, as the kernels read it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.fleet import Fleet
from routing.engine.roads import PLAIN
from routing.engine.terms import FAR, Menu

Array = NDArray[Any]

_NEAR = 100  # neighbours kept for each site


class Data(NamedTuple):
    """What does not change during a solve. Nodes are the sites, then the places where gaps begin or end.

    `legs` (clock minutes), `costs` [node, node]; `stay`, `value` [menu, site, option]; `opens`, `closes`
    [menu, site]; `gap` [gap, 12]: menu, origin, target, ready, deadline, setup, drive, direct minutes,
    direct cost, fixed cost, day, rule; `allowed` [gap, site]; `slot` [slot]: the gap it is a member of;
    `near` [site, k]: the closest other sites; `left` [site]: visits not pinned; `apart` [site]: days
    between visits; groups: `site_at`, `site_group` (groups of a site) and `group_at`, `group_site` (sites
    of a group) in compressed rows, `need`, `penalty` [group]; `rules` [rule]: minutes of driving shared on
    a pinned day.
    """

    legs: Array
    costs: Array
    stay: Array
    value: Array
    opens: Array
    closes: Array
    gap: Array
    allowed: Array
    slot: Array
    near: Array
    left: Array
    apart: Array
    site_at: Array
    site_group: Array
    group_at: Array
    group_site: Array
    need: Array
    penalty: Array
    rules: Array
    constant: float
    rate: float
    days: int
    longest: int


def make(fleet: Fleet) -> Data:
    """Return the arrays of `fleet`."""
    sites = len(fleet.problem.sites)
    spots = sorted({gap.origin for gap in fleet.gaps} | {gap.target for gap in fleet.gaps})
    spot = {place: sites + i for i, place in enumerate(spots)}
    places = np.concatenate([fleet.place, np.array(spots, dtype=np.int32)])
    legs = np.ascontiguousarray(_slowest(fleet)[np.ix_(places, places)], dtype=np.int32)
    costs = np.ascontiguousarray(fleet.cost[np.ix_(places, places)], dtype=np.int32)
    menus: dict[int, int] = {}
    kept: list[Menu] = []
    for gap in fleet.gaps:
        if id(gap.menu) not in menus:
            menus[id(gap.menu)] = len(kept)
            kept.append(gap.menu)
    width = max((menu.stay.shape[1] for menu in kept), default=1)
    stay = np.full((len(kept), sites, width), FAR, dtype=np.int32)
    value = np.full((len(kept), sites, width), -1e15)
    for m, menu in enumerate(kept):
        stay[m, :, : menu.stay.shape[1]] = menu.stay
        value[m, :, : menu.value.shape[1]] = menu.value
    rows = [
        (
            menus[id(g.menu)],
            spot[g.origin],
            spot[g.target],
            g.ready,
            g.deadline,
            g.setup,
            g.drive,
            g.direct_minutes,
            g.direct_cost,
            g.fixed,
            g.day,
            g.rule,
        )
        for g in fleet.gaps
    ]
    allowed = np.zeros((len(fleet.gaps), sites), dtype=np.bool_)
    for i, g in enumerate(fleet.gaps):
        allowed[i, g.nodes] = True
    slot = [i for i, g in enumerate(fleet.gaps) for _ in g.members]
    site_at, site_group, group_at, group_site = _groups(fleet)
    time = sum(len(g.members) * max(1, g.deadline - g.ready) for g in fleet.gaps)
    best = np.zeros(sites)
    for g in fleet.gaps:
        top = np.maximum(0.0, g.menu.value.max(axis=1))
        best[g.nodes] = np.maximum(best[g.nodes], top[g.nodes])
    return Data(
        legs=legs,
        costs=costs,
        stay=stay,
        value=value,
        opens=np.array([menu.opens for menu in kept], dtype=np.int32).reshape(len(kept), sites),
        closes=np.array([menu.closes for menu in kept], dtype=np.int32).reshape(len(kept), sites),
        gap=np.array(rows, dtype=np.int64).reshape(len(rows), 12),
        allowed=allowed,
        slot=np.array(slot, dtype=np.int32),
        near=_near(legs[:sites, :sites]),
        left=fleet.visits_left.astype(np.int32),
        apart=np.array([site.min_gap_days for site in fleet.problem.sites], dtype=np.int32),
        site_at=site_at,
        site_group=site_group,
        group_at=group_at,
        group_site=group_site,
        need=np.array(fleet.group_left, dtype=np.int32),
        penalty=np.array([float(g.penalty) for g in fleet.problem.groups]),
        rules=np.array(fleet.rules, dtype=np.int64),
        constant=float(fleet.constant),
        rate=float((best * np.maximum(0, fleet.visits_left)).sum()) / max(1, time),
        days=fleet.days,
        longest=max((g.stops for g in fleet.gaps), default=0) + 3,
    )


def _slowest(fleet: Fleet) -> Array:
    """Return the clock minutes of all legs at the worst of times: what fits then fits always, as leaving later
    never means arriving sooner.
    """
    roads = fleet.roads
    if not roads.timed or not len(roads.rate):
        return fleet.minutes
    least = min(PLAIN, int(np.diff(roads.rate, axis=1).min()))
    return -(-PLAIN * fleet.minutes.astype(np.int64) // least)


def _near(legs: Array) -> Array:
    """Return the closest other sites of each site, by minutes there and back."""
    both = legs.astype(np.int64) + legs.T
    np.fill_diagonal(both, np.iinfo(np.int64).max)
    count = max(0, min(_NEAR, len(both) - 1))
    return np.ascontiguousarray(np.argsort(both, axis=1, kind="stable")[:, :count], dtype=np.int32)


def _groups(fleet: Fleet) -> tuple[Array, Array, Array, Array]:
    """Return the groups of each site and the sites of each group, in compressed rows."""
    groups_of: dict[int, list[int]] = defaultdict(list)
    members: list[list[int]] = []
    for g, group in enumerate(fleet.problem.groups):
        members.append([fleet.site_index[name] for name in group.sites])
        for site in members[-1]:
            groups_of[site].append(g)
    rows = [groups_of.get(i, []) for i in range(len(fleet.problem.sites))]
    return (*_compressed(rows), *_compressed(members))


def _compressed(rows: list[list[int]]) -> tuple[Array, Array]:
    at = np.zeros(len(rows) + 1, dtype=np.int32)
    at[1:] = np.cumsum([len(row) for row in rows], dtype=np.int64)
    return at, np.array([i for row in rows for i in row], dtype=np.int32)
