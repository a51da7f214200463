"""The event simulation compiled: the same tickets as `engine_plain`, some thirty times faster.

Kernels that call each other stand in this one file: numba's cache does not notice a change elsewhere. Where the plain
arm keeps the desks' next moments on a heap, here the few desks of a line are scanned; ties fall to the lowest desk in
both.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import numpy as np

from fleet.simulation.engine import Lines, People, Tickets
from routing.engine.compiled import inlined, kernel

_INF = np.inf


def play_places(lines: Lines, people: People, tickets: Tickets, sensitivity: float) -> None:
    """Play every place into `tickets`."""
    if not people.count:
        return
    desks = len(lines.skills)
    most = int(np.diff(people.first).max(initial=0))
    width = int(np.diff(lines.place_first).max(initial=1))
    skills = int(people.skill.max(initial=0)) + 1
    choice = bool((people.other >= 0).any())
    _play(
        (
            lines.place_first,
            lines.desk_first,
            lines.skills,
            lines.spell_first,
            lines.spell_on,
            lines.spell_off,
        ),
        (lines.overtime, lines.shut, lines.pace, lines.takes_from, lines.takes_until),
        (people.first, people.home, people.other, people.skill),
        (people.arrives, people.head_start, people.patience, people.service, people.service_other),
        (people.lean, people.chance, float(sensitivity)),
        (tickets.line, tickets.desk, tickets.begins, tickets.ends, tickets.state),
        (np.full(desks, _INF), np.zeros(desks, np.int64), np.zeros(desks, np.int8)),
        (
            np.empty((width * skills, most)),
            np.empty((width * skills, most), np.int64),
            np.zeros(width * skills, np.int64),
            np.empty((width, most if choice else 1)),
            np.empty((width, most if choice else 1), np.int64),
            np.zeros(width, np.int64),
            np.zeros(width, np.int64),
            np.zeros(width),
        ),
    )


# A desk is 0 (waits for its next moment, or is done with its day), 1 idle or 2 busy until its next moment. A ticket
# is 0 served, 1 left, 2 sent home, as in `engine`.


@inlined
def _push(keys, ids, size, key, i):
    """Put (key, i) on the heap of `size` entries."""
    k = size
    while k > 0:
        up = (k - 1) >> 1
        if keys[up] < key or (keys[up] == key and ids[up] < i):
            break
        keys[k] = keys[up]
        ids[k] = ids[up]
        k = up
    keys[k] = key
    ids[k] = i


@inlined
def _pop(keys, ids, size):
    """Take the first off the heap of `size` entries."""
    last = size - 1
    key, i = keys[last], ids[last]
    k = 0
    while True:
        down = 2 * k + 1
        if down >= last:
            break
        right = down + 1
        if right < last and (
            keys[right] < keys[down] or (keys[right] == keys[down] and ids[right] < ids[down])
        ):
            down = right
        if key < keys[down] or (key == keys[down] and i < ids[down]):
            break
        keys[k] = keys[down]
        ids[k] = ids[down]
        k = down
    keys[k] = key
    ids[k] = i


@inlined
def _earliest(due, low, high):
    """When the first desk of a line is due."""
    first = np.inf
    for d in range(low, high):
        if due[d] < first:
            first = due[d]
    return first


@inlined
def _serve(i, s, d, now, facts, stay, out, desks):
    """Service begins."""
    end = now + (stay[3][i] if facts[1][i] == s else stay[4][i])
    out[1][i] = d
    out[2][i] = now
    out[3][i] = end
    out[4][i] = 0
    desks[0][d] = end
    desks[2][d] = 2


@inlined
def _left(i, gone, out):
    """Patience is over."""
    out[2][i] = gone
    out[3][i] = gone
    out[4][i] = 1


@inlined
def _take(row, skills, mask, now, stay, out, heaps, line):
    """Take the first in the order whom a desk can serve; -1: nobody. Who has left is dropped on the way."""
    keys, ids, sizes = heaps[0], heaps[1], heaps[2]
    found, best, who = -1, 0.0, -1
    for k in range(skills):
        h = row + k
        if sizes[h] == 0 or not (mask >> k) & 1:
            continue
        while sizes[h] > 0:
            i = ids[h, 0]
            if out[4][i] == 1:
                _pop(keys[h], ids[h], sizes[h])
                sizes[h] -= 1
                continue
            gone = stay[0][i] + stay[2][i]
            if gone < now:
                _pop(keys[h], ids[h], sizes[h])
                sizes[h] -= 1
                _left(i, gone, out)
                heaps[6][line] -= 1
                continue
            break
        if sizes[h] > 0 and (found < 0 or keys[h, 0] < best or (keys[h, 0] == best and ids[h, 0] < who)):
            found, best, who = h, keys[h, 0], ids[h, 0]
    if found < 0:
        return -1
    _pop(keys[found], ids[found], sizes[found])
    sizes[found] -= 1
    heaps[6][line] -= 1
    return who


@inlined
def _advance(s, line, skills, now, shape, hours, facts, stay, out, desks, heaps):
    """Let every desk of line `s` act that is due by `now`."""
    due, at, doing = desks
    low, high = shape[1][s], shape[1][s + 1]
    while heaps[7][line] <= now and heaps[7][line] < np.inf:
        t, d = np.inf, -1
        for k in range(low, high):
            if due[k] < t:
                t, d = due[k], k
        due[d] = np.inf
        doing[d] = 0
        last = shape[3][d + 1]
        while at[d] < last and t >= shape[5][at[d]]:
            at[d] += 1
        over = at[d] == last
        if not ((over and not hours[0][s]) or t >= hours[1][s]):
            if not over and t < shape[4][at[d]]:
                due[d] = shape[4][at[d]]
            else:
                i = _take(line * skills, skills, shape[2][d], t, stay, out, heaps, line)
                if i >= 0:
                    _serve(i, s, d, t, facts, stay, out, desks)
                elif not over:
                    doing[d] = 1
        heaps[7][line] = _earliest(due, low, high)


@inlined
def _shown(s, line, skills, now, shape, hours, facts, stay, out, desks, heaps):
    """(people waiting, and one more where no desk is free) x pace / open desks."""
    _advance(s, line, skills, now, shape, hours, facts, stay, out, desks, heaps)
    ends, ids, sizes = heaps[3], heaps[4], heaps[5]
    while sizes[line] > 0 and ends[line, 0] < now:
        i = ids[line, 0]
        gone = ends[line, 0]
        _pop(ends[line], ids[line], sizes[line])
        sizes[line] -= 1
        if out[1][i] == -1 and out[4][i] != 1:
            _left(i, gone, out)
            heaps[6][line] -= 1
    on, free = 0, 0
    for d in range(shape[1][s], shape[1][s + 1]):
        if desks[2][d] == 2:
            on += 1
        elif desks[2][d] == 1:
            for k in range(shape[3][d], shape[3][d + 1]):
                if shape[4][k] <= now < shape[5][k]:
                    on += 1
                    free += 1
                    break
    ahead = heaps[6][line] + (0 if free else 1)
    return ahead * hours[2][s] / max(on, 0.5)


@inlined
def _arrive(i, s, line, skills, choice, now, shape, hours, facts, stay, out, desks, heaps):
    """The first idle desk with the skill serves at once; else the person stands in line."""
    due, at, doing = desks
    skill = facts[3][i]
    for d in range(shape[1][s], shape[1][s + 1]):
        if doing[d] != 1 or not (shape[2][d] >> skill) & 1:
            continue
        last = shape[3][d + 1]
        while at[d] < last and now >= shape[5][at[d]]:
            at[d] += 1
        if at[d] < last and now >= shape[4][at[d]] and now < hours[1][s]:
            _serve(i, s, d, now, facts, stay, out, desks)
            heaps[7][line] = min(heaps[7][line], due[d])
            return
        doing[d] = 0
        if at[d] < last and now < hours[1][s]:
            due[d] = shape[4][at[d]]
            heaps[7][line] = min(heaps[7][line], due[d])
    h = line * skills + skill
    _push(heaps[0][h], heaps[1][h], heaps[2][h], now - stay[1][i], i)
    heaps[2][h] += 1
    heaps[6][line] += 1
    gone = now + stay[2][i]
    if choice and gone < np.inf:
        _push(heaps[3][line], heaps[4][line], heaps[5][line], gone, i)
        heaps[5][line] += 1


@kernel
def _play(shape, hours, facts, stay, choosing, out, desks, heaps):
    """Everybody comes in turn; then the lines are worked off. Tuples are in the order of `play_places`."""
    places, firsts = shape[0], facts[0]
    skills = heaps[0].shape[0] // heaps[3].shape[0]
    for p in range(len(places) - 1):
        first, count = places[p], places[p + 1] - places[p]
        if firsts[p] == firsts[p + 1]:
            continue
        choice = count > 1
        for line in range(count):
            s = first + line
            heaps[5][line] = heaps[6][line] = 0
            for k in range(skills):
                heaps[2][line * skills + k] = 0
            for d in range(shape[1][s], shape[1][s + 1]):
                desks[1][d] = shape[3][d]
                if shape[3][d + 1] > shape[3][d]:
                    desks[0][d] = shape[4][shape[3][d]]
            heaps[7][line] = _earliest(desks[0], shape[1][s], shape[1][s + 1])
        for i in range(firsts[p], firsts[p + 1]):
            now = stay[0][i]
            s = facts[1][i]
            other = facts[2][i]
            if other >= 0 and hours[3][other] <= now < hours[4][other]:
                here = _shown(s, s - first, skills, now, shape, hours, facts, stay, out, desks, heaps)
                there = _shown(
                    other, other - first, skills, now, shape, hours, facts, stay, out, desks, heaps
                )
                if choosing[0][i] + choosing[2] * (here - there) > choosing[1][i]:
                    s = other
            out[0][i] = s
            line = s - first
            _advance(s, line, skills, now, shape, hours, facts, stay, out, desks, heaps)
            _arrive(i, s, line, skills, choice, now, shape, hours, facts, stay, out, desks, heaps)
        for line in range(count):
            s = first + line
            _advance(s, line, skills, np.inf, shape, hours, facts, stay, out, desks, heaps)
            for k in range(skills):
                h = line * skills + k
                for n in range(heaps[2][h]):
                    i = heaps[1][h, n]
                    if out[4][i] == 1:
                        continue
                    gone = stay[0][i] + stay[2][i]
                    if gone < hours[1][s]:
                        _left(i, gone, out)
                    else:
                        end = min(gone, max(hours[1][s], stay[0][i]))
                        out[2][i] = end
                        out[3][i] = end
                        out[4][i] = 2
