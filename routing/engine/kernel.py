"""The compiled inner loops of pricing: what a route can still earn, and the search through all routes.

Both work on one gap's sites "in play", numbered 0..n-1; `place` leads from there into the travel tables. Times
are minutes, money is the problem's unit as floats. With traffic, `rate` [pairs of regions, minutes] holds the
running sum of units of progress by clock minute (see docs/routing.md); without, it is empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from routing.engine.compiled import allocating, inlined, kernel

NEVER = -1e15
FAR = 10**9


@inlined
def arrive(depart: Any, minutes: Any, pair: Any, rate: Any) -> Any:
    """Return the clock minute of arrival of a leg of `minutes` table minutes begun at minute `depart`."""
    if pair < 0 or minutes == 0:
        return depart + minutes
    line = rate[pair]
    last = len(line) - 1
    if depart >= last:  # beyond the table the last minute's speed goes on
        per = line[last] - line[last - 1]
        return depart + (100 * minutes + per - 1) // per
    need = line[depart] + 100 * minutes
    if need > line[last]:
        per = line[last] - line[last - 1]
        return last + (need - line[last] + per - 1) // per
    low, high = depart, last
    while low < high:
        middle = (low + high) // 2
        if line[middle] >= need:
            high = middle
        else:
            low = middle + 1
    return low


@allocating
def completions(
    minutes: Any,
    costs: Any,
    toll: float,
    place: Any,
    setup: int,
    opens: Any,
    closes: Any,
    home: Any,
    cost_out: Any,
    deadline: int,
    night: Any,
    stay: Any,
    prize: Any,
    stops: int,
    begin: int,
    width: int,
    buckets: int,
    pace: int,
) -> tuple[Any, Any]:
    """Return upper bounds on what can still be earned, by stops left and time, as (leave, come).

    leave[r, i, b]: site i is left at minute `begin + b * width` or later with r stops more at most, the way
    home (or the night's worth) included; come[r, k, b]: site k opens at such a minute at the earliest and up
    to r more follow. A site may come twice in what is counted here, and times are rounded down to the grid:
    the bounds are never too low. `home` [n]: latest minute to leave for the target; `pace`: most units of
    progress in a minute (100 without traffic).
    """
    n = len(prize)
    leave = np.full((stops, n, buckets), NEVER)
    come = np.full((stops, n, buckets), NEVER)
    ends = np.zeros(n, dtype=np.int64)
    for i in range(n):
        for b in range(buckets):
            minute = begin + b * width
            value = NEVER
            if minute <= home[i]:
                value = -cost_out[i]
            if minute <= deadline and night[i] > value:
                value = night[i]
            leave[0, i, b] = value
    for r in range(stops):
        _arrivals(opens, closes, stay, prize, begin, width, leave[r], come[r], ends)
        if r + 1 < stops:
            _departures(
                minutes, costs, toll, place, setup, width, pace, leave[0], come[r], ends, leave[r + 1]
            )
    return leave, come


@kernel
def _arrivals(
    opens: Any,
    closes: Any,
    stay: Any,
    prize: Any,
    begin: int,
    width: int,
    leave: Any,
    come: Any,
    ends: Any,
) -> None:
    """Fill `come` [sites, buckets] from what leaving is worth; `ends`: buckets until which it is worth anything."""
    n, options = prize.shape
    buckets = come.shape[1]
    for k in range(n):
        ends[k] = 0
        for b in range(buckets):
            start = max(begin + b * width, opens[k])
            best = NEVER
            for o in range(options):
                end = start + stay[k, o]
                if end > closes[k]:
                    break
                at = (end - begin) // width
                if at < buckets:
                    value = prize[k, o] + leave[k, at]
                    if value > best:
                        best = value
            come[k, b] = best
            if best > NEVER / 2 and ends[k] == b:
                ends[k] = b + 1


@kernel
def _departures(
    minutes: Any,
    costs: Any,
    toll: float,
    place: Any,
    setup: int,
    width: int,
    pace: int,
    out: Any,
    come: Any,
    ends: Any,
    leave: Any,
) -> None:
    """Fill `leave` [sites, buckets] with the better of `out` and of going on to any other site.

    Compiled without reference counts: views of arrays in the inner loop cost nothing then.
    """
    n, buckets = leave.shape
    for i in range(n):
        target = leave[i]
        for b in range(buckets):
            target[b] = out[i, b]
        there = minutes[place[i]]
        paid = costs[place[i]]
        for k in range(n):
            if k == i or ends[k] == 0:
                continue
            leg = there[place[k]]
            cost = paid[place[k]] + toll * leg
            if pace != 100:
                leg = (100 * leg + pace - 1) // pace
            shift = (leg + setup) // width
            most = ends[k] - shift
            # both fall with time: what does not beat the last bucket at first beats none
            if most <= 0 or come[k, shift] - cost <= target[most - 1]:
                continue
            later = come[k, shift:]
            for b in range(most):  # written so that the compiler makes vector instructions of it
                value = later[b] - cost
                target[b] = value if value > target[b] else target[b]


@allocating
def _mix(value: Any) -> Any:
    """Return a well-mixed 64-bit number for a small one (splitmix64)."""
    z = np.uint64(value) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@allocating
def _compact(worth: Any, key: Any, path: Any, count: int, want: int) -> tuple[int, bool]:
    """Keep the best entry of each set of sites, and of those the `want` best; return (how many, any lost)."""
    order = np.argsort(-worth[:count], kind="mergesort")
    seen = set()
    picked = np.empty(min(count, want), dtype=np.int64)
    kept, lost = 0, False
    for at in order:
        if key[at] in seen:
            continue
        if kept == want:
            lost = True
            break
        seen.add(key[at])
        picked[kept] = at
        kept += 1
    picked = picked[:kept]
    worth[:kept] = worth[picked]
    key[:kept] = key[picked]
    path[:kept] = path[picked]
    return kept, lost


@allocating
def search(
    minutes: Any,
    costs: Any,
    toll: float,
    place: Any,
    setup: int,
    opens: Any,
    closes: Any,
    home: Any,
    cost_out: Any,
    drive_out: Any,
    deadline: int,
    night: Any,
    stay: Any,
    prize: Any,
    leave: Any,
    come: Any,
    begin: int,
    width: int,
    ready: int,
    way_in: Any,
    drive_in: Any,
    cost_in: Any,
    drive_most: int,
    base: float,
    floor: float,
    want: int,
    budget: int,
    site: Any,
    cut_from: Any,
    cut_of: Any,
    fine: Any,
    region: Any,
    pair: Any,
    rate: Any,
) -> tuple[Any, Any, Any, Any]:
    """Search all routes depth first; return those above `floor`, the best of each set of sites, best first.

    Returns (worth [c], path [c, 2 + 2 stops], most, whole): a path holds its number of stops, 1 if it ends at
    its last stop for the night, and then site and option by turns. `most` is an upper bound on every route's
    worth, `whole` says that no set of sites above the floor is missing.
    A cut c (cut_of[cut_from[site]:cut_from[site + 1]]) costs `fine[c]` once two of its visits are in a route.
    More than `budget` steps end the search: `most` is then the bound known at the beginning.
    """
    n, options = prize.shape
    stops, buckets = come.shape[0], come.shape[2]
    room = 1 if want == 1 else 2 * want + 32
    worth = np.empty(room)
    key = np.empty(room, dtype=np.uint64)
    path = np.zeros((room, 2 + 2 * stops), dtype=np.int32)
    count, lost = 0, False
    at = np.zeros(stops, dtype=np.int64)
    node = np.zeros(stops, dtype=np.int64)
    option = np.zeros(stops, dtype=np.int64)
    start = np.zeros(stops, dtype=np.int64)
    end = np.zeros(stops, dtype=np.int64)
    drive = np.zeros(stops, dtype=np.int64)
    before = np.zeros(stops)
    profit = np.zeros(stops)
    mark = np.zeros(stops, dtype=np.uint64)
    touched = np.zeros(max(1, len(fine)), dtype=np.int64)
    roof = NEVER
    promise = np.full(n, NEVER)
    turn = np.arange(n)
    for k in range(n):
        ready_at = ready + way_in[k] + setup
        b = max(0, (ready_at - begin) // width)
        if b < buckets:
            promise[k] = base - cost_in[k] + come[stops - 1, k, b]
            if promise[k] > roof:
                roof = promise[k]
    for front in range(min(n, 6)):  # the most promising first stops first, so that the floor rises soon
        top = front
        for other in range(front + 1, n):
            if promise[turn[other]] > promise[turn[top]]:
                top = other
        turn[front], turn[top] = turn[top], turn[front]
    pos, steps = 0, 0
    while True:
        if at[pos] >= n * options:
            if pos == 0:
                break
            pos -= 1
            k = node[pos]
            for c in range(cut_from[site[k]], cut_from[site[k] + 1]):
                touched[cut_of[c]] -= 1
            continue
        rank = at[pos] // options
        o = at[pos] - rank * options
        k = turn[rank] if pos == 0 else rank
        if pos == 0 and o == 0 and promise[k] <= floor:
            at[pos] += options
            continue
        if o == 0:
            steps += 1
            if pos == 0:
                here = ready + way_in[k]
                value = base - cost_in[k]
                driven = drive_in[k]
            else:
                i = node[pos - 1]
                twice = False
                for p in range(pos):
                    if node[p] == k:
                        twice = True
                if twice:
                    at[pos] += options
                    continue
                leg = minutes[place[i], place[k]]
                here = end[pos - 1] + leg
                if len(rate):
                    here = arrive(end[pos - 1], leg, pair[region[i], region[k]], rate)
                value = profit[pos - 1] - costs[place[i], place[k]] - toll * leg
                driven = drive[pos - 1] + leg
            here += setup
            b = max(0, (here - begin) // width)
            if b >= buckets or driven > drive_most or value + come[stops - 1 - pos, k, b] <= floor:
                at[pos] += options
                continue
            charge = 0.0
            for c in range(cut_from[site[k]], cut_from[site[k] + 1]):
                if touched[cut_of[c]] == 1:
                    charge += fine[cut_of[c]]
            if charge > 0.0:
                value -= charge
                if value + come[stops - 1 - pos, k, b] <= floor:
                    at[pos] += options
                    continue
            start[pos] = max(here, opens[k])
            before[pos] = value
            drive[pos] = driven
        at[pos] += 1
        done = start[pos] + stay[k, o]
        if done > closes[k]:
            at[pos] = (rank + 1) * options
            continue
        value = before[pos] + prize[k, o]
        b = max(0, (done - begin) // width)
        if b >= buckets or value + leave[stops - 1 - pos, k, b] <= floor:
            continue
        mark_here = _mix(site[k])
        if pos > 0:
            mark_here += mark[pos - 1]
        node[pos] = k
        option[pos] = o
        for sleeps in range(2):  # home, or the night here: both are kept, a tour may need either
            total = NEVER
            if sleeps == 0:
                if done <= home[k] and drive[pos] + drive_out[k] <= drive_most:
                    total = value - cost_out[k]
            elif done <= deadline and night[k] > NEVER / 2:
                total = value + night[k]
            if total <= floor:
                continue
            if want == 1:
                lost = lost or count == 1
                floor, count = total, 0
            elif count == room:
                count, any_lost = _compact(worth, key, path, count, want)
                lost = lost or any_lost
                if count == want:
                    floor = max(floor, worth[want - 1])
                if total <= floor:
                    continue
            worth[count] = total
            key[count] = mark_here + np.uint64(sleeps) * _mix(site[k] + 1_000_003)
            path[count, 0] = pos + 1
            path[count, 1] = sleeps
            for p in range(pos + 1):
                path[count, 2 + 2 * p] = node[p]
                path[count, 3 + 2 * p] = option[p]
            count += 1
        if pos + 1 < stops:
            if steps > budget:
                count, any_lost = _compact(worth, key, path, count, want)
                return worth[:count], path[:count], roof, False
            end[pos] = done
            profit[pos] = value
            mark[pos] = mark_here
            for c in range(cut_from[site[k]], cut_from[site[k] + 1]):
                touched[cut_of[c]] += 1
            pos += 1
            at[pos] = 0
    count, any_lost = _compact(worth, key, path, count, want)
    lost = lost or any_lost
    best = floor
    if count and worth[0] > best:
        best = worth[0]
    return worth[:count], path[:count], best, not lost


@allocating
def sweep(
    minutes: Any,
    costs: Any,
    place: Any,
    setup: int,
    come: Any,
    begin: int,
    width: int,
    ready: int,
    drive_most: int,
    base: float,
    rent: float,
    region: Any,
    pair: Any,
    rate: Any,
    origins: Any,
    origin_regions: Any,
    but: Any,
    homeward: Any,
) -> Any:
    """Return upper bounds [origins] on what a day begun at each of some places, and what follows, can earn.

    Either straight home, which costs `rent` and earns `homeward` (NEVER where it is too late), or by a route,
    by the bounds `come` of `completions`, that does not begin at site `but` [origins] (-1: at any).
    """
    stops, n, buckets = come.shape
    most = np.full(len(origins), NEVER)
    for q in range(len(origins)):
        best = NEVER
        for k in range(n):
            leg = minutes[origins[q], place[k]]
            if leg > drive_most or k == but[q]:
                continue
            here = ready + leg
            if len(rate):
                here = arrive(ready, leg, pair[origin_regions[q], region[k]], rate)
            b = max(0, (here + setup - begin) // width)
            if b < buckets:
                value = come[stops - 1, k, b] - costs[origins[q], place[k]]
                if value > best:
                    best = value
        if best > NEVER / 2:
            most[q] = base + best
        if homeward[q] > NEVER / 2 and homeward[q] - rent > most[q]:
            most[q] = homeward[q] - rent
    return most


@allocating
def sharp_sweep(
    minutes: Any,
    costs: Any,
    toll: float,
    place: Any,
    setup: int,
    opens: Any,
    closes: Any,
    home: Any,
    cost_out: Any,
    drive_out: Any,
    deadline: int,
    night: Any,
    stay: Any,
    prize: Any,
    leave: Any,
    come: Any,
    begin: int,
    width: int,
    ready: int,
    drive_most: int,
    base: float,
    rent: float,
    budget: int,
    site: Any,
    cut_from: Any,
    cut_of: Any,
    fine: Any,
    region: Any,
    pair: Any,
    rate: Any,
    origins: Any,
    origin_regions: Any,
    but: Any,
    homeward: Any,
) -> Any:
    """Return what `sweep` bounds, exactly but for sites that come on several days.

    As `search` from that place at minute `ready`, with one route wanted; or straight home, which costs `rent`
    and earns `homeward` [origins] (NEVER where it is too late).
    """
    n = len(place)
    most = np.full(len(origins), NEVER)
    way_in = np.zeros(n, dtype=np.int32)
    drive_in = np.zeros(n, dtype=np.int32)
    cost_in = np.zeros(n)
    for q in range(len(origins)):
        for k in range(n):
            leg = minutes[origins[q], place[k]]
            drive_in[k] = leg
            if len(rate):
                way_in[k] = arrive(ready, leg, pair[origin_regions[q], region[k]], rate) - ready
            else:
                way_in[k] = leg
            cost_in[k] = costs[origins[q], place[k]] + toll * leg
            if k == but[q]:
                cost_in[k] = -NEVER
        least = homeward[q] - rent if homeward[q] > NEVER / 2 else NEVER
        worth, _, roof, _ = search(
            minutes,
            costs,
            toll,
            place,
            setup,
            opens,
            closes,
            home,
            cost_out,
            drive_out,
            deadline,
            night,
            stay,
            prize,
            leave,
            come,
            begin,
            width,
            ready,
            way_in,
            drive_in,
            cost_in,
            drive_most,
            base,
            max(least, -1e9),
            1,
            budget,
            site,
            cut_from,
            cut_of,
            fine,
            region,
            pair,
            rate,
        )
        if len(worth):
            most[q] = max(roof, worth[0])
        elif roof > -1e9 + 1.0 and roof > least + 1e-9:
            most[q] = roof
        else:
            most[q] = least
    return most
