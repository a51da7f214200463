"""The local search in machine code: tear out stretches of visits that lie close together, put in what pays.

After Christiaens and Vanden Berghe (2020), slack induction by string removals, with the orienteering question
added: which sites to serve at all. An insertion is tested in constant time against the earliest departures
before it and the latest arrivals after it (Savelsbergh 1992). Worse plans are accepted by simulated annealing;
shorter driving breaks ties, so that time gathers where one more visit may fit.

All kernels are in this file, see `kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from routing.engine.compiled import inlined, kernel
from routing.engine.long.model import Array, Data

MENU, ORIGIN, TARGET, READY, DEADLINE, SETUP, DRIVE, DIRECT, DIRECT_COST, FIXED, DAY, RULE = range(12)
OBJECTIVE, BEST, DRIVEN, BEST_DRIVEN = range(4)
NEVER = -1e15
_WIDE = 16  # with more routes than this a move looks at some of them only
_SOME = 12
_MANY = 300  # with more sites than this a move looks at those close by only
_TABLE = 1 << 17
_POOL = 4096  # routes kept between two visits of the interpreter


class State(NamedTuple):
    """One plan under change, what it leaves, the best plan seen, and the routes met on the way.

    `seq`, `opt` [slot, position]: origin, sites, target, and the option of each visit; `end`: the minute a
    position is left at the earliest; `latest`: the last minute to arrive there; `number` [4]: objective, best
    objective, minutes driven in all, and those of the best plan.
    """

    seq: Array
    opt: Array
    end: Array
    latest: Array
    size: Array
    drive: Array
    worth: Array
    visits: Array
    block: Array
    relief: Array
    cover: Array
    spent: Array
    at: Array
    number: Array
    random: Array
    old_seq: Array
    old_opt: Array
    old_size: Array
    touched: Array
    best_seq: Array
    best_opt: Array
    best_size: Array
    key: Array
    table: Array
    pool_seq: Array
    pool_opt: Array
    pool_size: Array
    pool_gap: Array
    pooled: Array
    routes: Array
    some: Array
    key_of: Array
    order: Array
    score: Array
    place: Array
    option: Array
    stale: Array


def blank(data: Data, seed: int) -> State:
    """Return the plan without visits."""
    slots, sites, long = len(data.slot), len(data.left), data.longest
    random = np.random.default_rng(seed)
    state = State(
        seq=np.zeros((slots, long), np.int32),
        opt=np.zeros((slots, long), np.int32),
        end=np.zeros((slots, long), np.int64),
        latest=np.zeros((slots, long), np.int64),
        size=np.zeros(slots, np.int32),
        drive=np.zeros(slots, np.int64),
        worth=np.zeros(slots),
        visits=np.zeros(sites, np.int32),
        block=np.zeros((max(1, data.days), sites), np.int32),
        relief=np.zeros(sites),
        cover=np.zeros(len(data.need), np.int32),
        spent=np.zeros(len(data.rules), np.int64),
        at=np.full(sites, -1, np.int32),
        number=np.zeros(4),
        random=random.integers(1, 2**63, size=1, dtype=np.uint64),
        old_seq=np.zeros((slots, long), np.int32),
        old_opt=np.zeros((slots, long), np.int32),
        old_size=np.full(slots, -1, np.int32),
        touched=np.zeros(slots + 1, np.int32),
        best_seq=np.zeros((slots, long), np.int32),
        best_opt=np.zeros((slots, long), np.int32),
        best_size=np.zeros(slots, np.int32),
        key=random.integers(1, 2**63, size=(sites, data.stay.shape[2]), dtype=np.uint64),
        table=np.zeros(_TABLE, np.uint64),
        pool_seq=np.zeros((_POOL, long), np.int32),
        pool_opt=np.zeros((_POOL, long), np.int32),
        pool_size=np.zeros(_POOL, np.int32),
        pool_gap=np.zeros(_POOL, np.int32),
        pooled=np.zeros(2, np.int64),
        routes=np.zeros(_WIDE + 8, np.int32),
        some=np.zeros(sites + 8, np.int32),
        key_of=np.zeros(sites + 8),
        order=np.zeros(sites + 8, np.int32),
        score=np.zeros((_WIDE + 8, sites + 8)),
        place=np.zeros((_WIDE + 8, sites + 8), np.int32),
        option=np.zeros((_WIDE + 8, sites + 8), np.int32),
        stale=np.zeros(_WIDE + 8, np.bool_),
    )
    load(data, state, state.best_seq, state.best_opt, state.best_size)
    save(state)
    return state


@inlined
def _next(state: State) -> float:
    """Return the next random number of 53 bits as a share of one (xorshift64)."""
    x = state.random[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state.random[0] = x
    share: float = (x >> np.uint64(11)) * 1.1102230246251565e-16
    return share


@inlined
def _below(state: State, n: int) -> int:
    return min(n - 1, int(_next(state) * n))


@inlined
def _timetable(data: Data, state: State, r: int) -> None:
    """Compute the times, the driving and the worth of route `r` anew."""
    g = data.gap[data.slot[r]]
    menu, setup = g[MENU], g[SETUP]
    seq, opt, end, latest = state.seq[r], state.opt[r], state.end[r], state.latest[r]
    legs, costs = data.legs, data.costs
    stays, values, opens, closes = data.stay[menu], data.value[menu], data.opens[menu], data.closes[menu]
    n = state.size[r]
    seq[0] = g[ORIGIN]
    seq[n + 1] = g[TARGET]
    clock = g[READY]
    end[0] = clock
    drive = 0
    worth = g[DIRECT_COST] + 0.0
    if n > 0:
        worth -= g[FIXED]
    here = seq[0]
    for p in range(1, n + 1):
        v = seq[p]
        leg = legs[here, v]
        drive += leg
        worth += values[v, opt[p]] - costs[here, v]
        clock = max(clock + leg + setup, opens[v]) + stays[v, opt[p]]
        end[p] = clock
        here = v
    drive += legs[here, seq[n + 1]]
    worth -= costs[here, seq[n + 1]]
    latest[n + 1] = g[DEADLINE]
    for p in range(n, 0, -1):
        v = seq[p]
        leave = min(latest[p + 1] - legs[v, seq[p + 1]], closes[v])
        latest[p] = leave - stays[v, opt[p]] - setup
    if g[RULE] >= 0:
        state.spent[g[RULE]] += drive - state.drive[r]
    state.number[OBJECTIVE] += worth - state.worth[r]
    state.number[DRIVEN] += drive - state.drive[r]
    state.drive[r] = drive
    state.worth[r] = worth


@inlined
def _mark(data: Data, state: State, v: int, r: int, step: int) -> None:
    """Count a visit of site `v` in route `r` as made (step 1) or taken back (step -1)."""
    state.visits[v] += step
    day = data.gap[data.slot[r], DAY]
    apart = data.apart[v]
    for other in range(max(0, day - apart + 1), min(data.days, day + apart)):
        state.block[other, v] += step
    state.at[v] = r if step > 0 else -1
    if len(data.need) > 0:
        _count(data, state, v, step)


@inlined
def _count(data: Data, state: State, v: int, step: int) -> None:
    """Count a visit of site `v` for its groups."""
    for i in range(data.site_at[v], data.site_at[v + 1]):
        group = data.site_group[i]
        before = state.cover[group]
        state.cover[group] += step
        was, now = before < data.need[group], state.cover[group] < data.need[group]
        if step > 0 and was:
            state.number[OBJECTIVE] += data.penalty[group]
        if step < 0 and now:
            state.number[OBJECTIVE] -= data.penalty[group]
        if was != now:
            change = data.penalty[group] if now else -data.penalty[group]
            for j in range(data.group_at[group], data.group_at[group + 1]):
                state.relief[data.group_site[j]] += change


@kernel
def load(data: Data, state: State, seq: Array, opt: Array, size: Array) -> None:
    """Make the plan anew: the visits of `seq` and `opt`, in whole routes."""
    state.visits[:] = 0
    state.block[:] = 0
    state.relief[:] = 0.0
    state.cover[:] = 0
    state.spent[:] = 0
    state.at[:] = -1
    state.worth[:] = 0.0
    state.drive[:] = 0
    state.number[OBJECTIVE] = data.constant
    state.number[DRIVEN] = 0.0
    for rule in range(len(data.rules)):
        state.spent[rule] = 0
    for group in range(len(data.need)):
        if data.need[group] > 0:
            state.number[OBJECTIVE] -= data.need[group] * data.penalty[group]
            for j in range(data.group_at[group], data.group_at[group + 1]):
                state.relief[data.group_site[j]] += data.penalty[group]
    for r in range(len(data.slot)):
        g = data.slot[r]
        if data.gap[g, RULE] >= 0:  # the direct leg is counted for already
            state.spent[data.gap[g, RULE]] -= data.gap[g, DIRECT]
        state.size[r] = size[r]
        for p in range(1, size[r] + 1):
            state.seq[r, p] = seq[r, p]
            state.opt[r, p] = opt[r, p]
            _mark(data, state, seq[r, p], r, 1)
        _timetable(data, state, r)


@kernel
def save(state: State) -> None:
    """Keep the plan as the best one."""
    state.number[BEST] = state.number[OBJECTIVE]
    state.number[BEST_DRIVEN] = state.number[DRIVEN]
    for r in range(len(state.size)):
        n = state.size[r]
        state.best_size[r] = n
        for p in range(n + 2):
            state.best_seq[r, p] = state.seq[r, p]
            state.best_opt[r, p] = state.opt[r, p]


@inlined
def _touch(state: State, r: int) -> None:
    """Remember how route `r` was before this move."""
    if state.old_size[r] >= 0:
        return
    n = state.size[r]
    state.old_size[r] = n
    for p in range(n + 2):
        state.old_seq[r, p] = state.seq[r, p]
        state.old_opt[r, p] = state.opt[r, p]
    state.touched[state.touched[len(state.size)]] = r
    state.touched[len(state.size)] += 1


@inlined
def _insert(data: Data, state: State, r: int, p: int, v: int, k: int) -> None:
    """Put site `v` with option `k` after position `p` of route `r`."""
    _touch(state, r)
    for q in range(state.size[r] + 1, p, -1):
        state.seq[r, q + 1] = state.seq[r, q]
        state.opt[r, q + 1] = state.opt[r, q]
    state.seq[r, p + 1] = v
    state.opt[r, p + 1] = k
    state.size[r] += 1
    _mark(data, state, v, r, 1)
    _timetable(data, state, r)


@inlined
def _cut(data: Data, state: State, r: int, p: int, length: int) -> None:
    """Take `length` visits out of route `r`, from position `p` on."""
    _touch(state, r)
    n = state.size[r]
    for q in range(p, p + length):
        _mark(data, state, state.seq[r, q], r, -1)
    for q in range(p + length, n + 2):
        state.seq[r, q - length] = state.seq[r, q]
        state.opt[r, q - length] = state.opt[r, q]
    state.size[r] = n - length
    _timetable(data, state, r)


@inlined
def _rate(
    gap: Array,
    n: int,
    seq: Array,
    end: Array,
    latest: Array,
    spare: int,
    v: int,
    price: float,
    relief: float,
    legs: Array,
    costs: Array,
    stays: Array,
    values: Array,
    opens: Array,
    closes: Array,
) -> tuple[float, int, int, float, float]:
    """Return the best way to put site `v` into a route: rating, position, option, gain, minutes it takes.

    The rating is the gain less `price` for each minute by which what follows is delayed. The arrays come one
    by one, because taking them out of `data` costs more than rating a position does.
    """
    best, where, option, gained, taken = NEVER, -1, 0, 0.0, 1.0
    menu, setup = gap[MENU], gap[SETUP]
    open_, close = opens[menu, v], closes[menu, v]
    least = stays[menu, v, 0]
    for p in range(n + 1):
        left = end[p]
        if left + setup + least > close:
            break
        b = seq[p + 1]
        back = legs[v, b]
        by = min(latest[p + 1] - back, close) - least
        if open_ > by or left + setup > by:
            continue
        a = seq[p]
        way = legs[a, v]
        start = max(left + way + setup, open_)
        if start > by:
            continue
        direct = legs[a, b]
        if way + back - direct > spare:
            continue
        cost = costs[a, v] + costs[v, b] - costs[a, b] + 0.0
        if n == 0:
            cost += gap[FIXED]
        for k in range(stays.shape[2]):
            stay = stays[menu, v, k]
            if start + stay - least > by:
                break
            gain = values[menu, v, k] - cost + relief
            if gain <= 0:
                continue
            takes = start + stay + back - left - direct
            rating = gain - price * takes
            if rating > best:
                best, where, option, gained, taken = rating, p, k, gain, takes + 0.0
    return best, where, option, gained, taken


@inlined
def _spare(data: Data, state: State, r: int) -> int:
    """Return the minutes of driving that route `r` may still add."""
    g = data.gap[data.slot[r]]
    spare: int = g[DRIVE] - state.drive[r]
    if g[RULE] >= 0:
        spare = min(spare, data.rules[g[RULE]] - state.spent[g[RULE]])
    return spare


@inlined
def _undo(data: Data, state: State) -> None:
    """Put the touched routes back as they were."""
    slots = len(state.size)
    many = state.touched[slots]
    for i in range(many):
        r = state.touched[i]
        for p in range(1, state.size[r] + 1):
            _mark(data, state, state.seq[r, p], r, -1)
    for i in range(many):
        r = state.touched[i]
        n = state.old_size[r]
        state.size[r] = n
        for p in range(1, n + 1):
            state.seq[r, p] = state.old_seq[r, p]
            state.opt[r, p] = state.old_opt[r, p]
            _mark(data, state, state.seq[r, p], r, 1)
        _timetable(data, state, r)


@inlined
def _forget(state: State) -> None:
    """End the move: nothing is touched."""
    slots = len(state.size)
    for i in range(state.touched[slots]):
        state.old_size[state.touched[i]] = -1
    state.touched[slots] = 0


@inlined
def _note(data: Data, state: State, everything: bool) -> None:
    """Put the touched routes (or all) into the pool, those that were never there."""
    slots = len(state.size)
    many = slots if everything else state.touched[slots]
    for i in range(many):
        r = i if everything else state.touched[i]
        n = state.size[r]
        if n == 0 or state.pooled[0] >= len(state.pool_size) or state.pooled[1] > len(state.table) // 2:
            continue
        mark = np.uint64(data.slot[r] + 1) * np.uint64(0x9E3779B97F4A7C15)
        for p in range(1, n + 1):  # the order counts
            mark = (mark ^ state.key[state.seq[r, p], state.opt[r, p]]) * np.uint64(0x100000001B3)
            mark ^= mark >> np.uint64(29)
        if mark == np.uint64(0):
            mark = np.uint64(1)
        at = np.int64(mark & np.uint64(len(state.table) - 1))
        while state.table[at] != np.uint64(0) and state.table[at] != mark:
            at = (at + 1) % len(state.table)
        if state.table[at] == mark:
            continue
        state.table[at] = mark
        state.pooled[1] += 1
        j = state.pooled[0]
        state.pooled[0] += 1
        state.pool_gap[j] = data.slot[r]
        state.pool_size[j] = n
        for p in range(n):
            state.pool_seq[j, p] = state.seq[r, p + 1]
            state.pool_opt[j, p] = state.opt[r, p + 1]


@inlined
def _string(data: Data, state: State, r: int, v: int, longest: int) -> None:
    """Take a stretch of route `r` out that holds site `v`, perhaps with some visits kept inside it."""
    n = state.size[r]
    at = 0
    for p in range(1, n + 1):
        if state.seq[r, p] == v:
            at = p
    if at == 0:
        return
    length = 1 + _below(state, min(n, longest))
    keep = 0
    if length > 1 and length < n and _next(state) < 0.5:
        keep = 1
        while length + keep < n and _next(state) > 0.5:
            keep += 1
    span = length + keep
    low, high = max(1, at - span + 1), min(at, n - span + 1)
    begin = low + _below(state, high - low + 1)
    if keep == 0:
        _cut(data, state, r, begin, length)
        return
    first = _below(state, length + 1)  # so many before the kept ones, the others after
    if length - first > 0:
        _cut(data, state, r, begin + first + keep, length - first)
    if first > 0:
        _cut(data, state, r, begin, first)


@inlined
def _ruin(data: Data, state: State, seed: int, size: float) -> None:
    """Take visits out, about `size` in all."""
    slots = len(state.size)
    served, full = 0, 0
    if slots > _WIDE:
        served, full = 8 * _SOME, _SOME
    else:
        for r in range(slots):
            served += state.size[r]
            full += state.size[r] > 0
    if full == 0:
        return
    kind = _next(state)
    if kind < 0.2 and slots <= _WIDE:  # here and there
        many = 1 + _below(state, int(size))
        for _ in range(many):
            r = _below(state, slots)
            if state.size[r] > 0:
                _cut(data, state, r, 1 + _below(state, state.size[r]), 1)
        return
    longest = max(1, min(10, int(0.6 * served / full) + 1))
    strings = 1 + int(_next(state) * (2.0 * size / (1 + longest)))
    if state.at[seed] >= 0:
        _string(data, state, state.at[seed], seed, longest)
        strings -= 1
    for i in range(data.near.shape[1]):
        if strings <= 0:
            return
        v = data.near[seed, i]
        r = state.at[v]
        if r >= 0 and state.old_size[r] < 0:
            _string(data, state, r, v, longest)
            strings -= 1


@inlined
def _routes_near(data: Data, state: State, seed: int, routes: Array) -> int:
    """Fill `routes` with the routes that the move may change; return how many."""
    slots = len(state.size)
    if slots <= _WIDE:
        for r in range(slots):
            routes[r] = r
        return slots
    many = 0
    for i in range(state.touched[slots]):
        routes[many] = state.touched[i]
        many += 1
    for i in range(data.near.shape[1]):
        if many >= _SOME:
            break
        r = state.at[data.near[seed, i]]
        if r >= 0:
            new = True
            for j in range(many):
                new = new and routes[j] != r
            if new:
                routes[many] = r
                many += 1
    for _ in range(4):
        r = _below(state, slots)
        new = True
        for j in range(many):
            new = new and routes[j] != r
        if new:
            routes[many] = r
            many += 1
    return many


@inlined
def _sites_near(data: Data, state: State, seed: int, sites: Array) -> int:
    """Fill `sites` with those that may be put in; return how many."""
    many = 0
    total = len(state.visits)
    if total <= _MANY:
        for v in range(total):
            if state.visits[v] < data.left[v]:
                sites[many] = v
                many += 1
        return many
    slots = len(state.size)
    if state.visits[seed] < data.left[seed]:
        sites[many] = seed
        many += 1
    for i in range(data.near.shape[1]):
        v = data.near[seed, i]
        if state.visits[v] < data.left[v]:
            sites[many] = v
            many += 1
    for i in range(state.touched[slots]):
        r = state.touched[i]
        for p in range(1, state.old_size[r] + 1):
            v = state.old_seq[r, p]
            if state.visits[v] < data.left[v]:
                new = True
                for j in range(many):
                    new = new and sites[j] != v
                if new and many < len(sites):
                    sites[many] = v
                    many += 1
    return many


@inlined
def _in_turn(
    data: Data,
    state: State,
    sites: Array,
    many: int,
    routes: Array,
    ways: int,
    price: float,
    key: Array,
    seed: int,
) -> None:
    """Put sites in one after the other, in an order by chance, each where it costs least."""
    _order(data, state, sites, many, key, seed)
    order = state.order
    _sort(key, order, many)
    legs, costs, stays, values, opens, closes = (
        data.legs,
        data.costs,
        data.stay,
        data.value,
        data.opens,
        data.closes,
    )
    seq, end, latest, size, slot = state.seq, state.end, state.latest, state.size, data.slot
    gaps, allowed, count, block, left, relief = (
        data.gap,
        data.allowed,
        state.visits,
        state.block,
        data.left,
        state.relief,
    )
    for i in range(many):
        v = sites[order[i]]
        again = True
        while again and count[v] < left[v]:
            best, route, where, option = NEVER, -1, 0, 0
            bare = -1
            for j in range(ways):
                r = routes[j]
                g = slot[r]
                if not allowed[g, v] or block[gaps[g, DAY], v] > 0:
                    continue
                if size[r] == 0:
                    if bare == g:
                        continue
                    bare = g
                if _next(state) < 0.02:
                    continue
                rating, p, k, _, _ = _rate(
                    gaps[g],
                    size[r],
                    seq[r],
                    end[r],
                    latest[r],
                    _spare(data, state, r),
                    v,
                    price,
                    relief[v],
                    legs,
                    costs,
                    stays,
                    values,
                    opens,
                    closes,
                )
                if p >= 0 and rating > best:
                    best, route, where, option = rating, r, p, k
            again = route >= 0
            if again:
                _insert(data, state, route, where, v, option)


@inlined
def _sort(key: Array, order: Array, many: int) -> None:
    """Fill `order` with the positions of `key`, the smallest first (a heap: no memory is asked for)."""
    for i in range(many):
        order[i] = i
    for at in range(many // 2 - 1, -1, -1):
        _sink(key, order, at, many)
    for last in range(many - 1, 0, -1):
        order[0], order[last] = order[last], order[0]
        _sink(key, order, 0, last)


@inlined
def _sink(key: Array, order: Array, at: int, many: int) -> None:
    moved = order[at]
    while True:
        child = 2 * at + 1
        if child >= many:
            break
        if child + 1 < many and key[order[child + 1]] > key[order[child]]:
            child += 1
        if key[order[child]] <= key[moved]:
            break
        order[at] = order[child]
        at = child
    order[at] = moved


@inlined
def _order(data: Data, state: State, sites: Array, many: int, key: Array, seed: int) -> None:
    """Fill `key` with what the sites are to be sorted by."""
    kind = _next(state)
    m = data.gap[0, MENU]
    value, stay, opens, closes, legs, relief = (
        data.value,
        data.stay,
        data.opens,
        data.closes,
        data.legs,
        state.relief,
    )
    for i in range(many):
        v = sites[i]
        chance = _next(state)
        top = value[m, v, 0] + relief[v]
        if kind < 0.3:
            key[i] = chance
        elif kind < 0.55:
            key[i] = -top * (0.6 + 0.8 * chance)
        elif kind < 0.8:
            key[i] = -top / (1.0 + stay[m, v, 0] + legs[seed, v]) * (0.6 + 0.8 * chance)
        elif kind < 0.9:
            key[i] = (closes[m, v] - opens[m, v]) * (0.6 + 0.8 * chance)
        else:
            key[i] = legs[seed, v] * (0.6 + 0.8 * chance)
        if v == seed and kind > 0.5:
            key[i] = -1e18


@inlined
def _by_worth(
    data: Data,
    state: State,
    sites: Array,
    many: int,
    routes: Array,
    ways: int,
    price: float,
    power: float,
    noise: float,
) -> None:
    """Put in, again and again, what brings most for the minutes it takes."""
    score, place, option, stale = state.score, state.place, state.option, state.stale
    stale[:ways] = True
    legs, costs, stays, values, opens, closes = (
        data.legs,
        data.costs,
        data.stay,
        data.value,
        data.opens,
        data.closes,
    )
    seq, end, latest, size, slot = state.seq, state.end, state.latest, state.size, data.slot
    gaps, allowed, count, block, left, relief = (
        data.gap,
        data.allowed,
        state.visits,
        state.block,
        data.left,
        state.relief,
    )
    while True:
        for i in range(ways):
            if not stale[i]:
                continue
            stale[i] = False
            r = routes[i]
            g = slot[r]
            day = gaps[g, DAY]
            for j in range(many):
                v = sites[j]
                score[i, j] = NEVER
                if allowed[g, v] and count[v] < left[v] and block[day, v] == 0:
                    _, p, k, gain, takes = _rate(
                        gaps[g],
                        size[r],
                        seq[r],
                        end[r],
                        latest[r],
                        _spare(data, state, r),
                        v,
                        price,
                        relief[v],
                        legs,
                        costs,
                        stays,
                        values,
                        opens,
                        closes,
                    )
                    if p >= 0:
                        worth = gain**power / max(1.0, takes)
                        score[i, j] = worth * (1.0 + noise * _next(state))
                        place[i, j] = p
                        option[i, j] = k
        best, route, at = NEVER, -1, -1
        for i in range(ways):
            day = gaps[slot[routes[i]], DAY]
            for j in range(many):
                if score[i, j] > best and count[sites[j]] < left[sites[j]] and block[day, sites[j]] == 0:
                    best, route, at = score[i, j], i, j
        if route < 0:
            return
        r = routes[route]
        _insert(data, state, r, place[route, at], sites[at], option[route, at])
        for i in range(ways):  # a shared allowance of driving changes for all
            if i == route or gaps[slot[r], RULE] >= 0:
                stale[i] = True


@kernel
def improve(data: Data, state: State, moves: int, heat: float, ease: float, band: float, halt: Array) -> int:
    """Make `moves` moves at temperature `heat`; return how many were made before `halt` was raised.

    `ease` values a minute driven when plans are compared; routes of plans within `band` of the best go to the
    pool.
    """
    slots, sites = len(state.size), len(state.visits)
    routes, some, key = state.routes, state.some, state.key_of
    for move in range(moves):
        if halt[0]:
            return move
        before, driven = state.number[OBJECTIVE], state.number[DRIVEN]
        seed = _below(state, sites)
        visits = 0
        if slots <= _WIDE:
            for r in range(slots):
                visits += state.size[r]
        else:
            visits = 40
        _ruin(data, state, seed, min(12.0, max(3.0, 0.35 * visits)))
        ways = _routes_near(data, state, seed, routes)
        many = _sites_near(data, state, seed, some)
        price = data.rate * 2.0 * _next(state)
        if _next(state) < 0.75:
            _in_turn(data, state, some, many, routes, ways, price, key, seed)
        else:
            power = 1.0 + 2.0 * _next(state)
            _by_worth(data, state, some, many, routes, ways, price, power, 0.3)
        now = state.number[OBJECTIVE]
        change = now - before - ease * (state.number[DRIVEN] - driven)
        if change >= 0 or change > heat * np.log(max(1e-12, _next(state))):
            if now > state.number[BEST] - band:
                _note(data, state, False)
            if now > state.number[BEST] + 0.5 or (
                now > state.number[BEST] - 0.5 and state.number[DRIVEN] < state.number[BEST_DRIVEN]
            ):
                save(state)
        else:
            _undo(data, state)
        _forget(state)
    return moves
