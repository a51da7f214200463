"""A center with shared desks, priorities, appointments and impatient people, and what can be known in it at
each moment.

The days are played by the national simulator (`fleet.simulation.engine`). Every fourth person never gives
up: only they are tested, so that those who left early do not make the waits look short. What promises are
made of is learned from the days before: service times by service, who overtakes and how often, how fast
people give up. Rosters (late desks, lunch, early ends), today's pace and today's demand are hidden.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from fleet.simulation.engine import SERVED, Lines, People, Tickets, play
from queueing.waits.forward import Center, Counter, Leaving, Overtakers, Person, Times

MEANS = np.array([4.0, 6.0, 9.0, 14.0, 20.0, 7.0])
CV2 = np.array([0.4, 0.3, 0.5, 0.4, 0.35, 0.6])
SHARES = np.array([0.28, 0.22, 0.18, 0.12, 0.08, 0.12])
DESKS = ({0, 1}, {0, 1, 2}, {2, 3}, {3, 4}, {4, 5}, {0, 1, 2, 3, 4, 5}, {1, 5}, {2, 3, 4})
OPENS, CLOSES = 8.0, 15.0
PER_HOUR = np.array([55.0, 71.0, 67.0, 55.0, 46.0, 37.0, 21.0])
BOOKED = 0.25
SHOWS = 0.85
HEAD_STARTS, CLASS_SHARES = np.array([0.0, 0.5, 0.75]), np.array([0.7, 0.2, 0.1])
BOOKED_HEAD = 1.5
PATIENCE_H = 2.5
AWAY = 30.0
DAY_PACE, DAY_DEMAND = 0.12, 0.10
PATIENT_SHARE = 0.25


@dataclass(frozen=True)
class Day:
    """One day as it went, times in minutes from midnight."""

    arrives: np.ndarray
    service: np.ndarray
    head: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    desk: np.ndarray
    served: np.ndarray
    booked: np.ndarray
    tested: np.ndarray
    appointments: np.ndarray
    """Time and service of every appointment of the day, kept or not."""
    spells: list[list[tuple[float, float]]]
    pace: float
    """What nobody can see: how much longer than usual all services take today."""


def days(number: int, seed: int) -> list[Day]:
    """Play so many days."""
    return [_day(np.random.default_rng([seed, day])) for day in range(number)]


def _day(draw: np.random.Generator) -> Day:
    hours = np.arange(len(PER_HOUR))
    counts = draw.poisson(PER_HOUR * np.exp(draw.normal(0, DAY_DEMAND)))
    at = np.concatenate(
        [OPENS + hour + draw.random(count) for hour, count in zip(hours, counts, strict=True)]
    )
    slots = np.round((OPENS + draw.random(draw.poisson(BOOKED * PER_HOUR.sum())) * 6.5) * 6) / 6
    kept = draw.random(len(slots)) < SHOWS
    booked_service = draw.choice(len(MEANS), len(slots), p=SHARES)
    service = np.concatenate([draw.choice(len(MEANS), len(at), p=SHARES), booked_service[kept]])
    head = np.concatenate(
        [draw.choice(HEAD_STARTS, len(at), p=CLASS_SHARES), np.full(kept.sum(), BOOKED_HEAD)]
    )
    booked = np.concatenate([np.zeros(len(at), bool), np.ones(kept.sum(), bool)])
    at = np.concatenate([at, slots[kept]])
    order = np.argsort(at, kind="stable")
    at, service, head, booked = at[order], service[order], head[order], booked[order]
    n = len(at)
    sigma = np.sqrt(np.log1p(CV2))[service]
    pace = np.exp(draw.normal(0, DAY_PACE))
    length = MEANS[service] * np.exp(sigma * draw.normal(size=n) - sigma**2 / 2) * pace / 60
    tested = draw.random(n) < PATIENT_SHARE
    patience = np.where(tested, np.inf, draw.exponential(PATIENCE_H, n))
    spells = [_spells(draw, desk) for desk in range(len(DESKS))]
    first = np.cumsum([0, *(len(some) for some in spells)])
    lines = Lines(
        np.array([0, 1]), np.array([0, len(DESKS)]), np.array([sum(1 << one for one in some) for some in DESKS]),
        first, np.array([on for some in spells for on, _ in some]),
        np.array([off for some in spells for _, off in some]),
        np.array([True]), np.array([24.0]), np.array([0.1]), np.array([0.0]), np.array([24.0]),
    )  # fmt: skip
    zeros = np.zeros(n)
    people = People(
        np.array([0, n]), at, np.zeros(n, np.int64), np.full(n, -1), service, head, patience, length, length,
        zeros, zeros,
    )  # fmt: skip
    went: Tickets = play(lines, people)
    minutes = [[(on * 60, off * 60) for on, off in some] for some in spells]
    return Day(
        at * 60, service, head * 60, went.begins * 60, went.ends * 60, went.desk, went.state == SERVED, booked,
        tested & (went.state == SERVED) & ~booked, np.column_stack([slots * 60, booked_service]), minutes,
        float(pace),
    )  # fmt: skip


def _spells(draw: np.random.Generator, desk: int) -> list[tuple[float, float]]:
    """When a desk is staffed: some begin late, end early, all pause; on some days one stays shut for two
    hours more."""
    begin = OPENS + (draw.random() * 1.0 if draw.random() < 0.25 else 0.0)
    end = CLOSES - (draw.random() * 1.0 if draw.random() < 0.15 else 0.0)
    pause = 11.5 + 0.5 * (desk % 4) + draw.random() * 0.2
    longer = 0.5 + (draw.random() * 1.0 if draw.random() < 0.05 else 0.0)
    return [(begin, pause), (min(pause + longer, end - 0.1), end)]


@dataclass(frozen=True)
class Known:
    """What the days before have taught."""

    times: tuple[Times, ...]
    overtakers: tuple[tuple[Overtakers, ...], ...]
    """By hour since opening."""
    leaving: Leaving
    tau_line: float
    tau_desk: float
    tau_service: np.ndarray
    rosters: tuple[tuple[tuple[tuple[float, float], ...], ...], ...]
    """Spells of each desk on each day before, desk by desk."""


def learn(past: list[Day]) -> Known:
    """From what anybody could see. People who give up are censored: the rate is leavers over minutes waited."""
    lengths = [
        np.concatenate([(day.ends - day.begins)[day.served & (day.service == k)] for day in past])
        for k in range(len(MEANS))
    ]
    times = tuple(Times(float(some.mean()), float(some.var() / some.mean() ** 2)) for some in lengths)
    overtakers = tuple(
        tuple(
            Overtakers(
                head * 60,
                sum(((day.head == head * 60) & (day.arrives // 60 == OPENS + hour)).sum() for day in past)
                / (60 * len(past)),
                tuple(SHARES),
            )
            for head in HEAD_STARTS[1:]
        )
        for hour in range(len(PER_HOUR))
    )
    rows = [row for day in past for row in _plain(day, np.flatnonzero(day.tested))]
    ahead, same, desks, wait, service = (np.array(column) for column in zip(*rows, strict=True))
    tau_service = np.array([_tau(wait[service == k], same[service == k] + 1) for k in range(len(MEANS))])
    return Known(
        times,
        overtakers,
        _leaving(past),
        _tau(wait, ahead + 1),
        _tau(wait, (ahead + 1) / desks),
        tau_service,
        tuple(tuple(tuple(day.spells[desk]) for day in past) for desk in range(len(DESKS))),
    )


def _leaving(past: list[Day]) -> Leaving:
    """People who gave up over all minutes waited, by how long they had waited."""
    edges = np.array([0.0, 30.0, 60.0, 120.0])
    ends = np.array([*edges[1:], np.inf])
    gone, minutes = np.zeros(len(edges)), np.full(len(edges), 1e-6)
    for day in past:
        waited = day.begins - day.arrives
        minutes += np.clip(waited[:, None] - edges, 0.0, ends - edges).sum(axis=0)
        gone += np.histogram(waited[~day.served], bins=[*edges, np.inf])[0]
    return tuple((float(edge), float(rate)) for edge, rate in zip(edges, gone / minutes, strict=True))


def _tau(wait: np.ndarray, people: np.ndarray) -> float:
    """Minutes a person that make the mean error least: a weighted median."""
    ratio = wait / people
    order = np.argsort(ratio)
    total = np.cumsum(people[order])
    return float(ratio[order][np.searchsorted(total, total[-1] / 2)])


def _plain(day: Day, places: np.ndarray) -> list[tuple[float, float, float, float, int]]:
    """People ahead in the line, ahead with the same service, open desks, the wait, the service."""
    rows = []
    for place in places:
        now = day.arrives[place]
        line = (day.arrives < now) & (day.begins > now)
        before = line & (day.arrives - day.head < now - day.head[place])
        staffed = sum(any(on <= now < off for on, off in spells) for spells in day.spells)
        same = before & (day.service == day.service[place])
        rows.append(
            (before.sum(), same.sum(), max(1, staffed), day.begins[place] - now, int(day.service[place]))
        )
    return rows


def ql(day: Day, known: Known, places: np.ndarray) -> dict[str, np.ndarray]:
    """Three forms of people ahead times minutes a person: of the whole line, over open desks, of the same service."""
    rows = _plain(day, places)
    ahead, same, desks, _, service = (np.array(column) for column in zip(*rows, strict=True))
    return {
        "line": (ahead + 1) * known.tau_line,
        "desks": (ahead + 1) / desks * known.tau_desk,
        "service": (same + 1) * known.tau_service[service],
    }


ROSTER, PACE, PEOPLE = "roster", "pace", "people"
"""What an oracle may know beside what the days before have taught: when each desk will be away; today's true pace,
and the laws of the services; who will overtake, and which appointments are kept."""


def truth(known: Known) -> Known:
    """What is known, with the laws of the services as they are."""
    times = tuple(Times(float(mean), float(cv2)) for mean, cv2 in zip(MEANS, CV2, strict=True))
    return replace(known, times=times)


def state(day: Day, known: Known, place: int, knows: frozenset[str] = frozenset()) -> tuple[Center, float]:
    """The center as it stands when somebody arrives, that person last in `people`; and today's pace so far."""
    now = day.arrives[place]
    own = now - day.head[place]
    waiting = np.flatnonzero((day.arrives < now) & (day.begins > now) & (day.arrives - day.head < own))
    counters = []
    for desk, serves in enumerate(DESKS):
        at = np.flatnonzero((day.desk == desk) & (day.begins <= now) & (day.ends > now))
        staffed = any(on <= now < off for on, off in day.spells[desk]) or now > day.spells[desk][-1][1]
        rosters = (tuple(day.spells[desk]),) if ROSTER in knows else known.rosters[desk]
        ahead = _ahead(rosters, now, staffed)
        busy = int(day.service[at[0]]) if len(at) else None
        elapsed = float(now - day.begins[at[0]]) if len(at) else 0.0
        away = 0.0 if staffed or busy is not None or ahead else AWAY
        counters.append(Counter(frozenset(serves), busy, elapsed, away, ahead))
    people = [
        Person(
            float(day.arrives[one] - day.head[one] - now),
            int(day.service[one]),
            waited=float(now - day.arrives[one]),
        )
        for one in waiting
    ]
    if PEOPLE in knows:
        for one in np.flatnonzero((day.arrives > now) & (day.arrives - day.head < own)):
            at = float(day.arrives[one] - now)
            people.append(Person(at - float(day.head[one]), int(day.service[one]), at))
    else:
        for at, service in day.appointments:
            if at > now and at - BOOKED_HEAD * 60 < own:
                people.append(
                    Person(float(at - BOOKED_HEAD * 60 - now), int(service), float(at - now), SHOWS)
                )
    people.append(Person(float(own - now), int(day.service[place])))
    done = day.served & (day.ends <= now)
    mean = np.array([times.mean for times in known.times])
    hoped = mean[day.service[done]].sum()
    pace = ((day.ends - day.begins)[done].sum() + 150.0) / (hoped + 150.0)
    hour = min(len(PER_HOUR) - 1, int(now / 60 - OPENS))
    overtakers = () if PEOPLE in knows else known.overtakers[hour]
    return (
        Center(known.times, tuple(counters), tuple(people), overtakers, known.leaving),
        day.pace if PACE in knows else float(pace),
    )


def _ahead(
    rosters: tuple[tuple[tuple[float, float], ...], ...], now: float, staffed: bool
) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Pauses still to come, as they were on earlier days on which the desk stood as it stands now. After
    its last spell a desk goes on while somebody waits."""
    found = []
    for spells in rosters:
        gaps = [(-1e6, spells[0][0]), *((one[1], other[0]) for one, other in itertools.pairwise(spells))]
        if staffed == any(begin <= now < end for begin, end in gaps):
            continue
        found.append(tuple((begin - now, end - now) for begin, end in gaps if end > now))
    return tuple(found)
