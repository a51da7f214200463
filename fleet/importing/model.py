"""What official files leave open, modelled and marked as such: people of nested units and of villages, which stops
count.

Files give (modelled) people per local unit and points of villages without people. Here:
- a unit 'inside its markaz' takes its people from the nearest modelled unit of its governorate, so that sums stay;
- the rural part of a unit's people is spread over its villages and hamlets by the size that their kind of name suggests
  (an `ezba` is a hamlet, a `kafr` a small village) and a seeded spread; known town figures count as they are;
- the biggest of each unit are candidate stops ('active'), each with the people of the smaller ones nearest to it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import numpy as np

from fleet.importing.records import LocalityRow, UnitRow
from fleet.names import fold
from fleet.network.geo import km_between, km_matrix
from fleet.network.records import UnitRecord, VillageRecord
from fleet.network.shares import largest_remainder
from fleet.network.villages import words

RURAL_SHARE = {"markaz": 0.72, "qism": 0.10, "city": 0.15, "new_city": 0.10}
"""Part of a unit's people who live in its villages where it has any (57% of Egyptians live in villages, 2017
census)."""

ACTIVE_PER_UNIT = {"markaz": 7, "qism": 2, "city": 2, "new_city": 1}
"""Candidate stops per unit: the biggest villages. Together some 1,200 of 10,580 localities."""

ACTIVE_AT_LEAST = 400
"""Nobody sends a van to fewer people."""

NAME_SIZE = {
    "izbit": 0.22, "izbat": 0.22, "izba": 0.22, "izab": 0.25, "nag": 0.45, "nugu": 0.45, "nazlat": 0.7, "zat": 0.4,
    "taftish": 0.3, "kafr": 0.75, "kafrit": 0.6, "minshat": 0.9, "manshat": 0.9, "munshat": 0.9, "mit": 1.2,
    "bani": 1.3, "shubra": 1.3, "mahalat": 1.4,
}  # fmt: skip
"""Relative size that the first word of a (folded Latin) name suggests; 1.0 for others. Own estimates."""

SIZE_SIGMA = 0.6
MARKAZ_FIRST_KM = 4.0
"""A quarter of a city is only taken as a village's home when it is this much nearer than the rural district."""

SAME_PLACE_KM = 2.0
"""A locality of the unit's own name within this distance is the town itself."""


def model_units(rows: Sequence[UnitRow]) -> list[UnitRecord]:
    """Units with people for all: nested ones take theirs from the nearest modelled unit of the governorate."""
    people = {row.code: row.population or 0 for row in rows}
    methods = {row.code: row.method for row in rows}
    for row in rows:
        if row.population is not None:
            continue
        hosts = [other for other in rows if other.iso == row.iso and other.population]
        if not hosts:
            methods[row.code] = "not modelled"
            continue
        host = min(hosts, key=lambda other: km_between(row.lat, row.lon, other.lat, other.lon))
        part = min(
            row.town_population or round(0.08 * (host.population or 0)), round(0.25 * people[host.code])
        )
        people[host.code] -= part
        people[row.code] = part
        methods[row.code] = f"estimated, taken from {host.name_en}"[:60]
    return [
        UnitRecord(
            code=row.code,
            iso=row.iso,
            kind=row.kind,
            name_ar=row.name_ar,
            name_en=row.name_en,
            lat=row.lat,
            lon=row.lon,
            population=people[row.code],
            method=methods[row.code],
            source=row.source,
        )
        for row in rows
    ]


def model_villages(
    localities: Sequence[LocalityRow], units: Sequence[UnitRecord], *, seed: int
) -> tuple[list[int], list[VillageRecord], list[int]]:
    """People left in each unit's town, every locality as a village (active if big), and the inhabitants of each
    village.

    A stop's own `population` has those of the hamlets it serves too, so inhabitants (0 where the locality is the town
    itself) are what sums must be taken of: towns and inhabitants together are the units' people.
    """
    members: dict[str, list[LocalityRow]] = defaultdict(list)
    homes = _homes(localities, units)
    for locality, unit in zip(localities, homes, strict=True):
        members[unit.code].append(locality)
    towns: list[int] = []
    villages: list[VillageRecord] = []
    inhabitants: list[int] = []
    for unit in units:
        own = members.get(unit.code, [])
        places = [locality for locality in own if not _is_town_itself(locality, unit)]
        sizes = _sizes(unit, places, seed)
        towns.append(unit.population - sum(sizes))
        people = dict(zip((p.code for p in places), sizes, strict=True))
        villages += _villages(unit, own, people, seed)
        inhabitants += [people.get(locality.code, 0) for locality in own]
    return towns, villages, inhabitants


def _homes(localities: Sequence[LocalityRow], units: Sequence[UnitRecord]) -> list[UnitRecord]:
    """The nearest unit of the locality's governorate (of any, where the file names none)."""
    homes: list[UnitRecord | None] = [None] * len(localities)
    groups: dict[str, list[int]] = defaultdict(list)
    for i, locality in enumerate(localities):
        groups[locality.iso].append(i)
    for iso, rows in groups.items():
        options = [unit for unit in units if unit.iso == iso] or list(units)
        km = km_matrix(
            [localities[i].lat for i in rows],
            [localities[i].lon for i in rows],
            [unit.lat for unit in options],
            [unit.lon for unit in options],
        ) + np.array([0.0 if unit.kind == "markaz" else MARKAZ_FIRST_KM for unit in options])
        for i, best in zip(rows, km.argmin(axis=1), strict=True):
            homes[i] = options[int(best)]
    return [home for home in homes if home is not None]


def _is_town_itself(locality: LocalityRow, unit: UnitRecord) -> bool:
    near = km_between(locality.lat, locality.lon, unit.lat, unit.lon) <= SAME_PLACE_KM
    return near and (
        fold(locality.name_latin) in fold(unit.name_en) or locality.population >= 0.5 * unit.population
    )


def _sizes(unit: UnitRecord, places: Sequence[LocalityRow], seed: int) -> list[int]:
    if not places:
        return []
    total = int(unit.population * RURAL_SHARE[unit.kind])
    rng = Random(f"localities/{seed}/{unit.code}")
    weights = [
        NAME_SIZE.get(fold(place.name_latin).split(" ")[0], 1.0) * math.exp(rng.gauss(0.0, SIZE_SIGMA))
        for place in places
    ]
    known = sum(place.population for place in places)
    if known > 0.9 * total:
        return largest_remainder(
            total, [place.population + w for place, w in zip(places, weights, strict=True)]
        )
    unknown = [0.0 if place.population else weight for place, weight in zip(places, weights, strict=True)]
    rest = largest_remainder(total - known, unknown)
    return [part + place.population for part, place in zip(rest, places, strict=True)]


def _villages(
    unit: UnitRecord, own: Sequence[LocalityRow], people: dict[str, int], seed: int
) -> list[VillageRecord]:
    biggest = sorted(people, key=lambda code: (-people[code], code))[: ACTIVE_PER_UNIT[unit.kind]]
    by_code = {locality.code: locality for locality in own}
    stops = [by_code[code] for code in biggest]
    served = _with_hamlets(stops, [by_code[code] for code in people], people)
    rng = Random(f"landmarks/{seed}/{unit.code}")
    marks = words("landmark")
    villages = []
    for locality in own:
        landmark = rng.choice(marks)
        count = served.get(locality.code, people.get(locality.code, 0))
        villages.append(
            VillageRecord(
                code=f"W{locality.code}",
                iso=unit.iso,
                unit=unit.code,
                name_ar=locality.name_ar or locality.name_latin,
                name_en=locality.name_latin,
                lat=locality.lat,
                lon=locality.lon,
                population=count,
                synthetic=False,
                source=locality.source,
                landmark_ar=landmark[0],
                landmark_en=landmark[1],
                active=locality.code in served and count >= ACTIVE_AT_LEAST,
            )
        )
    return villages


def _with_hamlets(
    stops: Sequence[LocalityRow], places: Sequence[LocalityRow], people: dict[str, int]
) -> dict[str, int]:
    """People of each stop with those of the unit's other places that are nearest to it."""
    served = {stop.code: 0 for stop in stops}
    if not stops:
        return served
    km = km_matrix(
        [p.lat for p in places], [p.lon for p in places], [s.lat for s in stops], [s.lon for s in stops]
    )
    for place, best in zip(places, km.argmin(axis=1), strict=True):
        stop = place if place.code in served else stops[int(best)]
        served[stop.code] += people[place.code]
    return served
