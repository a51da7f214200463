"""The best routes for given prices in machine code: partial routes as labels, grown from both ends.

A label stands for a partial route: where it is, since when, how long was driven, what it has earned, and which
sites it remembers. One that is later, poorer and remembers more than another at the same site is dropped. With
a full memory routes are elementary; with a memory of neighbourhoods (Baldacci, Mingozzi and Roberti 2011) a
route may come back to a site it has forgotten, which costs little of the bound and saves most of the labels.
Forward and backward labels meet half-way (Righini and Salani 2006). Backward is forward in mirrored time, so
that one kernel serves both. Subset-row cuts are carried as one bit each (Jepsen et al. 2008).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from routing.engine.compiled import inlined, kernel
from routing.engine.long.model import Array

NEVER = -1e15
EPS = 1e-9
ROUGH, MEMORY, SETS = range(
    3
)  # what a label must have less of to drop another: nothing, memory, or the same set
DONE, FULL, HALTED = range(3)


class Side(NamedTuple):
    """One direction of one gap. Sites are numbered among those that can pay.

    `legs` [from, to]: minutes from leaving to opening (travel and setup); `costs`, `drives` likewise; `first`,
    `first_cost`, `first_drive`: into the first site; `opens`, `closes`: earliest opening and latest leaving;
    `stay`, `prize` [site, option]; `memory` [site, word]: the sites remembered when at it; `cut` [site, word]:
    the cuts it counts in; `fine` [cut]: their prices; `hope` [site, bucket]: the most that can still be earned.
    """

    legs: Array
    costs: Array
    drives: Array
    first: Array
    first_cost: Array
    first_drive: Array
    opens: Array
    closes: Array
    stay: Array
    prize: Array
    memory: Array
    cut: Array
    fine: Array
    hope: Array
    origin: int
    width: int
    drive_most: int


class Labels(NamedTuple):
    """Labels as arrays, linked by site and bucket of time, and by bucket of what is still to be grown.

    There may be room for more sites, words and cuts than a side has.
    """

    time: Array
    drive: Array
    earned: Array
    node: Array
    option: Array
    parent: Array
    memory: Array
    cut: Array
    alive: Array
    following: Array
    queued: Array
    head: Array
    queue: Array
    top: Array
    low: Array
    best: Array
    made: Array
    draft: Array
    draft_cut: Array


def blank(sites: int, buckets: int, words: int, cut_words: int, most: int) -> Labels:
    """Return room for `most` labels."""
    return Labels(
        time=np.empty(most, np.int64),
        drive=np.empty(most, np.int64),
        earned=np.empty(most, np.float64),
        node=np.empty(most, np.int32),
        option=np.empty(most, np.int32),
        parent=np.empty(most, np.int32),
        memory=np.empty((most, words), np.uint64),
        cut=np.empty((most, cut_words), np.uint64),
        alive=np.empty(most, np.bool_),
        following=np.empty(most, np.int32),
        queued=np.empty(most, np.int32),
        head=np.empty((sites, buckets), np.int32),
        queue=np.empty(buckets, np.int32),
        top=np.empty((sites, buckets), np.float64),
        low=np.empty((sites, buckets), np.float64),
        best=np.empty((sites, buckets), np.float64),
        made=np.zeros(1, np.int64),
        draft=np.zeros(words, np.uint64),
        draft_cut=np.zeros(cut_words, np.uint64),
    )


@inlined
def _fined(fine: Array, bits: Any, word: int) -> float:
    """Return the prices of the cuts whose bits are set in the word numbered `word`."""
    total = 0.0
    at = 64 * word
    while bits != np.uint64(0):
        if bits & np.uint64(1):
            total += fine[at]
        bits >>= np.uint64(1)
        at += 1
    return total


@inlined
def _covers(labels: Labels, fine: Array, j: int, earned: float, mode: int) -> bool:
    """Say whether label `j`, no later and no poorer than the draft, drops it."""
    if mode == 0:
        return True
    for word in range(labels.draft.shape[0]):
        mine, other = labels.memory[j, word], labels.draft[word]
        if mine & ~other != np.uint64(0):
            return False
    owed = 0.0
    for word in range(labels.draft_cut.shape[0]):
        bits = labels.cut[j, word] & ~labels.draft_cut[word]
        if bits != np.uint64(0):
            owed += _fined(fine, bits, word)
    good: bool = labels.earned[j] - owed >= earned - EPS
    return good


@inlined
def _covered(labels: Labels, fine: Array, j: int, earned: float, mode: int) -> bool:
    """Say whether the draft, no later and no poorer than label `j`, drops it."""
    if mode == 0:
        return True
    for word in range(labels.draft.shape[0]):
        mine, other = labels.memory[j, word], labels.draft[word]
        if other & ~mine != np.uint64(0):
            return False
    owed = 0.0
    for word in range(labels.draft_cut.shape[0]):
        bits = labels.draft_cut[word] & ~labels.cut[j, word]
        if bits != np.uint64(0):
            owed += _fined(fine, bits, word)
    good: bool = earned - owed >= labels.earned[j] - EPS
    return good


@inlined
def _offer(
    side: Side,
    labels: Labels,
    w: int,
    option: int,
    time: int,
    drive: int,
    earned: float,
    parent: int,
    mode: int,
    floor: float,
) -> bool:
    """Keep the draft as a label unless it is hopeless or dropped by another. False when there is no room."""
    b = (time - side.origin) // side.width
    if earned + side.hope[w, b] <= floor:
        return True
    for bb in range(b, -1, -1):
        if labels.best[w, bb] < earned - EPS:
            break
        if labels.top[w, bb] < earned - EPS:
            continue
        j = labels.head[w, bb]
        while j >= 0:
            if (
                labels.earned[j] >= earned - EPS
                and labels.time[j] <= time
                and labels.drive[j] <= drive
                and _covers(labels, side.fine, j, earned, mode)
            ):
                return True
            j = labels.following[j]
    for bb in range(b, labels.head.shape[1]):
        if labels.low[w, bb] > earned + EPS:
            continue
        j, before = labels.head[w, bb], -1
        while j >= 0:
            after = labels.following[j]
            if (
                labels.earned[j] <= earned + EPS
                and labels.time[j] >= time
                and labels.drive[j] >= drive
                and _covered(labels, side.fine, j, earned, mode)
            ):
                labels.alive[j] = False
                if before < 0:
                    labels.head[w, bb] = after
                else:
                    labels.following[before] = after
            else:
                before = j
            j = after
    i = labels.made[0]
    if i >= len(labels.time):
        return False
    labels.made[0] = i + 1
    labels.time[i] = time
    labels.drive[i] = drive
    labels.earned[i] = earned
    labels.node[i] = w
    labels.option[i] = option
    labels.parent[i] = parent
    for word in range(labels.draft.shape[0]):
        labels.memory[i, word] = labels.draft[word]
    for word in range(labels.draft_cut.shape[0]):
        labels.cut[i, word] = labels.draft_cut[word]
    labels.alive[i] = True
    labels.following[i] = labels.head[w, b]
    labels.head[w, b] = i
    labels.queued[i] = labels.queue[b]
    labels.queue[b] = i
    labels.top[w, b] = max(labels.top[w, b], earned)
    labels.low[w, b] = min(labels.low[w, b], earned)
    for bb in range(b, labels.head.shape[1]):
        if labels.best[w, bb] >= earned:
            break
        labels.best[w, bb] = earned
    return True


@kernel
def grow(side: Side, labels: Labels, mode: int, until: int, floor: float, halt: Array) -> int:
    """Grow all labels whose time is at most `until`; drop those that cannot rise above `floor`.

    Return DONE, FULL when there was no room for all, or HALTED.
    """
    n, options = side.stay.shape
    words, cut_words = side.memory.shape[1], side.cut.shape[1]
    labels.head[:] = -1
    labels.queue[:] = -1
    labels.top[:] = NEVER
    labels.low[:] = -NEVER
    labels.best[:] = NEVER
    labels.made[0] = 0
    labels.draft[:] = np.uint64(0)
    labels.draft_cut[:] = np.uint64(0)
    for v in range(n):
        if side.first_drive[v] > side.drive_most:
            continue
        start = max(side.first[v], side.opens[v])
        for k in range(options):
            time = start + side.stay[v, k]
            if time > side.closes[v] or side.prize[v, k] <= NEVER / 2:
                continue
            for word in range(words):
                labels.draft[word] = np.uint64(0)
            labels.draft[v >> 6] |= np.uint64(1) << np.uint64(v & 63)
            for word in range(cut_words):
                labels.draft_cut[word] = side.cut[v, word]
            earned = side.prize[v, k] - side.first_cost[v]
            if not _offer(side, labels, v, k, time, side.first_drive[v], earned, -1, mode, floor):
                return 1
    steps = 0
    for b in range(len(labels.queue)):
        while labels.queue[b] >= 0:
            i = labels.queue[b]
            labels.queue[b] = labels.queued[i]
            if not labels.alive[i] or labels.time[i] > until:
                continue
            steps += 1
            if steps & 63 == 0 and halt[0]:
                return 2
            v = labels.node[i]
            for w in range(n):
                if labels.memory[i, w >> 6] >> np.uint64(w & 63) & np.uint64(1):
                    continue
                start = max(labels.time[i] + side.legs[v, w], side.opens[w])
                if start + side.stay[w, 0] > side.closes[w]:
                    continue
                drive = labels.drive[i] + side.drives[v, w]
                if drive > side.drive_most:
                    continue
                base = labels.earned[i] - side.costs[v, w]
                for word in range(words):
                    labels.draft[word] = labels.memory[i, word] & side.memory[w, word]
                labels.draft[w >> 6] |= np.uint64(1) << np.uint64(w & 63)
                for word in range(cut_words):
                    bits = side.cut[w, word]
                    both = labels.cut[i, word] & bits
                    if both != np.uint64(0):
                        base -= _fined(side.fine, both, word)
                    labels.draft_cut[word] = labels.cut[i, word] ^ bits
                for k in range(options):
                    time = start + side.stay[w, k]
                    if time > side.closes[w]:
                        break
                    if side.prize[w, k] <= NEVER / 2:
                        continue
                    if not _offer(side, labels, w, k, time, drive, base + side.prize[w, k], i, mode, floor):
                        return 1
    return 0


@inlined
def _enlist(
    side: Side,
    labels: Labels,
    table: Array,
    w: int,
    option: int,
    time: int,
    drive: int,
    earned: float,
    parent: int,
    floor: float,
) -> bool:
    """Keep the draft as a label unless it is hopeless or another order of the same sites is as good."""
    b = (time - side.origin) // side.width
    if earned + side.hope[w, b] <= floor:
        return True
    mark = np.uint64(w + 1) * np.uint64(0x9E3779B97F4A7C15)
    for word in range(labels.draft.shape[0]):
        mark = (mark ^ labels.draft[word]) * np.uint64(0x9E3779B97F4A7C15)
        mark ^= mark >> np.uint64(31)
    slot = np.int64(mark % np.uint64(len(table)))
    j = table[slot]
    while j >= 0:
        same = labels.node[j] == w
        for word in range(labels.draft.shape[0]):
            same = same and labels.memory[j, word] == labels.draft[word]
        if same and labels.alive[j]:
            if labels.earned[j] >= earned - EPS and labels.time[j] <= time and labels.drive[j] <= drive:
                return True
            if labels.earned[j] <= earned + EPS and labels.time[j] >= time and labels.drive[j] >= drive:
                labels.alive[j] = False
        j = labels.following[j]
    i = labels.made[0]
    if i >= len(labels.time):
        return False
    labels.made[0] = i + 1
    labels.time[i] = time
    labels.drive[i] = drive
    labels.earned[i] = earned
    labels.node[i] = w
    labels.option[i] = option
    labels.parent[i] = parent
    for word in range(labels.draft.shape[0]):
        labels.memory[i, word] = labels.draft[word]
    for word in range(labels.draft_cut.shape[0]):
        labels.cut[i, word] = labels.draft_cut[word]
    labels.alive[i] = True
    labels.following[i] = table[slot]
    table[slot] = i
    labels.queued[i] = labels.queue[b]
    labels.queue[b] = i
    return True


@kernel
def enlist(side: Side, labels: Labels, table: Array, floor: float, halt: Array) -> int:
    """Make a label of every elementary partial route that can still rise above `floor`, the best orders of
    each set of sites. Return DONE, FULL or HALTED.
    """
    n, options = side.stay.shape
    words, cut_words = side.memory.shape[1], side.cut.shape[1]
    table[:] = -1
    labels.queue[:] = -1
    labels.made[0] = 0
    labels.draft[:] = np.uint64(0)
    labels.draft_cut[:] = np.uint64(0)
    for v in range(n):
        if side.first_drive[v] > side.drive_most:
            continue
        start = max(side.first[v], side.opens[v])
        for k in range(options):
            time = start + side.stay[v, k]
            if time > side.closes[v] or side.prize[v, k] <= NEVER / 2:
                continue
            labels.draft[:] = np.uint64(0)
            labels.draft[v >> 6] |= np.uint64(1) << np.uint64(v & 63)
            for word in range(cut_words):
                labels.draft_cut[word] = side.cut[v, word]
            earned = side.prize[v, k] - side.first_cost[v]
            if not _enlist(side, labels, table, v, k, time, side.first_drive[v], earned, -1, floor):
                return 1
    steps = 0
    for b in range(len(labels.queue)):
        while labels.queue[b] >= 0:
            i = labels.queue[b]
            labels.queue[b] = labels.queued[i]
            if not labels.alive[i]:
                continue
            steps += 1
            if steps & 63 == 0 and halt[0]:
                return 2
            v = labels.node[i]
            for w in range(n):
                if labels.memory[i, w >> 6] >> np.uint64(w & 63) & np.uint64(1):
                    continue
                start = max(labels.time[i] + side.legs[v, w], side.opens[w])
                if start + side.stay[w, 0] > side.closes[w]:
                    continue
                drive = labels.drive[i] + side.drives[v, w]
                if drive > side.drive_most:
                    continue
                base = labels.earned[i] - side.costs[v, w]
                for word in range(words):
                    labels.draft[word] = labels.memory[i, word]
                labels.draft[w >> 6] |= np.uint64(1) << np.uint64(w & 63)
                for word in range(cut_words):
                    bits = side.cut[w, word]
                    both = labels.cut[i, word] & bits
                    if both != np.uint64(0):
                        base -= _fined(side.fine, both, word)
                    labels.draft_cut[word] = labels.cut[i, word] ^ bits
                for k in range(options):
                    time = start + side.stay[w, k]
                    if time > side.closes[w]:
                        break
                    if side.prize[w, k] > NEVER / 2 and not _enlist(
                        side, labels, table, w, k, time, drive, base + side.prize[w, k], i, floor
                    ):
                        return 1
    return 0


@kernel
def meet(
    side: Side,
    back: Side,
    ahead: Labels,
    labels: Labels,
    until: int,
    last: Array,
    last_cost: Array,
    last_drive: Array,
    rate: Array,
    pair: Array,
    best: Array,
    halt: Array,
) -> bool:
    """Put forward and backward labels together. `last`: the latest minute to leave each site for the end.

    `rate` [site + 1, site]: the best worth by the arc the two halves meet on (the last row: forward labels that
    go straight to the end), `pair` [.., .., 2] the labels. `best` [site, bucket] is filled with the most that
    backward labels earn that start in the bucket (of mirrored time) or later. False when halted.
    """
    n = side.stay.shape[0]
    buckets = best.shape[1]
    rate[:] = NEVER
    for w in range(n):
        for b in range(buckets):
            best[w, b] = labels.best[w, b]
    for i in range(ahead.made[0]):
        if not ahead.alive[i]:
            continue
        if i & 255 == 0 and halt[0]:
            return False
        v, time = ahead.node[i], ahead.time[i]
        if time <= last[v] and ahead.drive[i] + last_drive[v] <= side.drive_most:
            worth = ahead.earned[i] - last_cost[v]
            if worth > rate[n, v]:
                rate[n, v] = worth
                pair[n, v, 0] = i
                pair[n, v, 1] = -1
        if time <= until:
            continue
        for w in range(n):
            if ahead.memory[i, w >> 6] >> np.uint64(w & 63) & np.uint64(1):
                continue
            start = time + side.legs[v, w]
            if start + side.stay[w, 0] > side.closes[w]:
                continue
            base = ahead.earned[i] - side.costs[v, w]
            b = (-start - back.origin) // back.width  # backward labels up to this bucket start late enough
            if b < 0:
                continue
            if b >= buckets:
                b = buckets - 1
            if base + best[w, b] <= rate[v, w] or base + best[w, b] <= EPS:
                continue
            for bb in range(b, -1, -1):
                if base + labels.best[w, bb] <= rate[v, w]:
                    break
                if base + labels.top[w, bb] <= rate[v, w]:
                    continue
                j = labels.head[w, bb]
                while j >= 0:
                    worth = base + labels.earned[j]
                    if (
                        worth > rate[v, w]
                        and -labels.time[j] >= start
                        and ahead.drive[i] + side.drives[v, w] + labels.drive[j] <= side.drive_most
                    ):
                        apart = True
                        for word in range(ahead.memory.shape[1]):
                            if ahead.memory[i, word] & labels.memory[j, word]:
                                apart = False
                        if apart:
                            for word in range(ahead.cut.shape[1]):
                                both = ahead.cut[i, word] & labels.cut[j, word]
                                if both != np.uint64(0):
                                    worth -= _fined(side.fine, both, word)
                            if worth > rate[v, w]:
                                rate[v, w] = worth
                                pair[v, w, 0] = i
                                pair[v, w, 1] = j
                    j = labels.following[j]
    return True


@kernel
def foresee(side: Side, back: Side, labels: Labels, last: Array, last_cost: Array, hope: Array) -> None:
    """Fill `hope` [site, bucket]: the most that can be earned after leaving a site in the bucket or later, by
    backward labels of the whole day.
    """
    n, buckets = hope.shape
    for v in range(n):
        for b in range(buckets):
            time = side.origin + b * side.width
            most = -last_cost[v] if time <= last[v] else NEVER
            for w in range(n):
                if w == v:
                    continue
                bb = (-(time + side.legs[v, w]) - back.origin) // back.width
                if bb < 0:
                    continue
                if bb >= buckets:
                    bb = buckets - 1
                most = max(most, labels.best[w, bb] - side.costs[v, w])
            hope[v, b] = most
