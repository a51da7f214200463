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


@inlined
def latest(arrive_by: Any, minutes: Any, pair: Any, rate: Any) -> Any:
    """Return the latest minute to begin a leg of `minutes` table minutes so as to be there by `arrive_by`."""
    if pair < 0 or minutes == 0:
        return arrive_by - minutes
    line = rate[pair]
    last = len(line) - 1
    per = line[last] - line[last - 1]
    if arrive_by > last:
        most = line[last] + (arrive_by - last) * per - 100 * minutes
    else:
        most = line[max(0, arrive_by)] - 100 * minutes
    if most >= line[last]:
        return last + (most - line[last]) // per
    low, high = -1, last  # line[low] <= most < line[high]
    while high - low > 1:
        middle = (low + high) // 2
        if line[middle] <= most:
            low = middle
        else:
            high = middle
    return low


@kernel
def _insert(front: Any, limit: Any, count: int, value: float, late: int, room: int, then: int) -> int:
    """Put an entry into a front unless others are as good in all respects; return how many there are now.

    Of entry e, front[e] is its value and limit[e] = (the latest minute, the most driving so far, the site that
    comes next or -1, that site of one entry that is better or -2): sorted by value, the most first. An entry goes
    when a better one has the same next site or none, or when two better ones with different next sites
    exist: so each next site can be ruled out later, and what is left is still the best. A full front melts its last
    two entries into one that is better than both.
    """
    at, better = 0, -2
    while at < count and front[at] >= value:
        if limit[at, 0] >= late and limit[at, 1] >= room:
            other = limit[at, 2]
            if other == -1 or other == then or (better != -2 and better != other):
                return count
            better = other
        at += 1
    kept = at
    for e in range(at, count):
        if limit[e, 0] <= late and limit[e, 1] <= room:
            if then == -1 or limit[e, 2] == then or (limit[e, 3] != -2 and limit[e, 3] != then):
                continue
            limit[e, 3] = then
        if kept != e:
            front[kept] = front[e]
            limit[kept, 0], limit[kept, 1] = limit[e, 0], limit[e, 1]
            limit[kept, 2], limit[kept, 3] = limit[e, 2], limit[e, 3]
        kept += 1
    count = kept
    if count == len(front):
        limit[count - 2, 0] = max(limit[count - 2, 0], limit[count - 1, 0])
        limit[count - 2, 1] = max(limit[count - 2, 1], limit[count - 1, 1])
        limit[count - 2, 2], limit[count - 2, 3] = -1, -2
        count -= 1
        at = min(at, count)
    for e in range(count, at, -1):
        front[e] = front[e - 1]
        limit[e, 0], limit[e, 1] = limit[e - 1, 0], limit[e - 1, 1]
        limit[e, 2], limit[e, 3] = limit[e - 1, 2], limit[e - 1, 3]
    front[at] = value
    limit[at, 0], limit[at, 1], limit[at, 2], limit[at, 3] = late, room, then, better
    return count + 1


@kernel
def _spread(front: Any, limit: Any, count: int, more: int, begin: int, width: int, line: Any) -> None:
    """Write into `line` [buckets] the most of a front that is still possible at each bucket's first minute;
    `more`: minutes by which the bucket's minute comes after the entry's.
    """
    for b in range(len(line)):
        line[b] = NEVER
        minute = begin + b * width
        for e in range(count):
            if limit[e, 0] + more >= minute:
                line[b] = front[e]
                break


@allocating
def fronts(
    minutes: Any,
    costs: Any,
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
    stops: int,
    ready: int,
    drive_most: int,
    begin: int,
    width: int,
    buckets: int,
    site: Any,
    cut_from: Any,
    cut_of: Any,
    fine: Any,
    region: Any,
    pair: Any,
    rate: Any,
    size: int,
) -> tuple[Any, Any, Any, Any, Any]:
    """Return what a route can still earn from each site on, as (worth, limit, start, leave, come).

    Each entry e in start[k] until start[k + 1] is a way to visit site k and up to `stops` in all and then to go
    home, or to stay for the `night`: worth[e] its value, most first, limit[e] = (the latest minute to arrive at k,
    the most table minutes driven until then, the next site; -1: none, or any). Nothing better is missing: exact up
    to two stops (unless more than `size` ways differ at a site), beyond that a site may come twice, with another
    between. `fine` as in `search`, counted for routes of at most two stops. `leave` and `come`: as
    `completions` tells.
    """
    n, options = prize.shape
    leave = np.empty((stops, n, buckets))
    come = np.empty((stops, n, buckets))
    worth = np.empty((2, n * size))
    limit = np.empty((2, n * size, 3), dtype=np.int32)
    start = np.zeros((2, n + 1), dtype=np.int64)
    gone, came = np.empty(size), np.empty(size)
    gone_limit, came_limit = np.empty((size, 4), dtype=np.int32), np.empty((size, 4), dtype=np.int32)
    marked = np.zeros(max(1, len(fine)), dtype=np.bool_)
    timed = len(rate) > 0
    top = np.empty(n)  # of what was found before at each site: the most value,
    spare = np.empty(n, dtype=np.int32)  # the most driving until then
    due = np.empty(n, dtype=np.int32)  # and the latest minute
    for r in range(stops):
        now, before = r % 2, (r + 1) % 2
        for j in range(n if r > 0 else 0):
            top[j], spare[j], due[j] = NEVER, -1, -1
            for e in range(start[before, j], start[before, j + 1]):
                top[j] = max(top[j], worth[before, e])
                spare[j] = max(spare[j], limit[before, e, 1])
                due[j] = FAR if timed else max(due[j], limit[before, e, 0])
        for i in range(n):
            soonest = FAR
            for o in range(options):
                if prize[i, o] > NEVER / 2:
                    soonest = min(soonest, max(ready + setup, opens[i]) + stay[i, o])
            left = 0
            near = drive_most - drive_out[i]
            if home[i] < soonest:
                near = -1
            if near >= 0:
                left = _insert(gone, gone_limit, left, -cost_out[i], home[i], near, -1)
            if deadline >= soonest and night[i] > NEVER / 2:
                left = _insert(gone, gone_limit, left, night[i], deadline, drive_most, -1)
            if r > 0 and soonest < FAR:
                fined = stops == 2 and len(fine) > 0 and cut_from[site[i]] < cut_from[site[i] + 1]
                if fined:
                    for c in range(cut_from[site[i]], cut_from[site[i] + 1]):
                        marked[cut_of[c]] = True
                there = minutes[place[i]]
                paid = costs[place[i]]
                least = night[i]
                for j in range(n):
                    leg = there[place[j]]
                    if leg > spare[j] or leg > due[j] - soonest or top[j] - paid[place[j]] <= least or j == i:
                        continue
                    cost = paid[place[j]] * 1.0
                    if fined:
                        for c in range(cut_from[site[j]], cut_from[site[j] + 1]):
                            if marked[cut_of[c]]:
                                cost += fine[cut_of[c]]
                    row = -1
                    if timed:
                        row = pair[region[i], region[j]]
                    for e in range(start[before, j], start[before, j + 1]):
                        value = worth[before, e] - cost
                        if value <= least:
                            break
                        room = limit[before, e, 1] - leg
                        if room < 0 or limit[before, e, 2] == i:
                            continue
                        late = latest(limit[before, e, 0], leg, row, rate)
                        if late >= soonest and (value > -cost_out[i] or room > near or late > home[i]):
                            left = _insert(gone, gone_limit, left, value, late, room, j)
                if fined:
                    for c in range(cut_from[site[i]], cut_from[site[i] + 1]):
                        marked[cut_of[c]] = False
            _spread(gone, gone_limit, left, 0, begin, width, leave[r, i])
            made = 0
            for e in range(left):
                for o in range(options):
                    if prize[i, o] <= NEVER / 2:
                        continue
                    opened = min(closes[i], gone_limit[e, 0]) - stay[i, o]
                    if opened >= opens[i] and opened - setup >= ready:
                        value = gone[e] + prize[i, o]
                        then = gone_limit[e, 2]
                        made = _insert(came, came_limit, made, value, opened - setup, gone_limit[e, 1], then)
            _spread(came, came_limit, made, setup, begin, width, come[r, i])
            first = start[now, i]
            for e in range(made):
                worth[now, first + e] = came[e]
                for part in range(3):
                    limit[now, first + e, part] = came_limit[e, part]
            start[now, i + 1] = first + made
    last = (stops - 1) % 2
    end = start[last, n]
    return worth[last, :end].copy(), limit[last, :end].copy(), start[last], leave, come


@allocating
def sweep(
    minutes: Any,
    costs: Any,
    place: Any,
    worth: Any,
    limit: Any,
    start: Any,
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
    """Return the most [origins] that a day begun at each of some places, and what follows, can earn.

    Either straight home, which costs `rent` and earns `homeward` (NEVER where it is too late), or by a route,
    by the `fronts`, whose first two stops leave out site `but` [origins] (-1: none).
    """
    n = len(place)
    most = np.full(len(origins), NEVER)
    top = np.full(n, NEVER)
    for k in range(n):
        if start[k] < start[k + 1]:
            top[k] = worth[start[k]]
    for q in range(len(origins)):
        best = NEVER
        if homeward[q] > NEVER / 2:
            best = homeward[q] - rent - base
        there = minutes[origins[q]]
        paid = costs[origins[q]]
        for k in range(n):
            if top[k] - paid[place[k]] <= best or k == but[q]:
                continue
            leg = there[place[k]]
            here = ready + leg
            if len(rate):
                here = arrive(ready, leg, pair[origin_regions[q], region[k]], rate)
            for e in range(start[k], start[k + 1]):
                value = worth[e] - paid[place[k]]
                if value <= best:
                    break
                if limit[e, 0] >= here and limit[e, 1] >= leg:
                    if limit[e, 2] >= 0 and limit[e, 2] == but[q]:
                        continue
                    best = value
                    break
        if best > NEVER / 2:
            most[q] = base + best
    return most
