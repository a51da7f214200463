"""Synthetic villages around real towns: names, points and populations drawn with a seed. Pure.

Each stands for a village with its hamlets. Points lie on the way from its town to one of the nearest towns,
so that they follow the valley, the delta and the coast roads instead of falling into the sea or the desert.
Populations are log-normal and fill up exactly what the 2017 census of the governorate leaves beside the
towns.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Sequence
from random import Random

from fleet.network.geo import km_matrix
from fleet.network.records import GovernorateRecord, UnitRecord, VillageRecord
from fleet.network.shares import largest_remainder
from fleet.network.towns import URBAN, read_table

SIZE_SIGMA = 0.55
"""Spread of log population among the villages of a governorate."""

EVEN_OUT = 0.7
"""Villages per governorate go with rural population to this power: thin governorates keep a fair number of
stops."""

FARTHEST_KM = 22.0
NEAREST_KM = 2.5
LONG_WAY_KM = 45.0
DESERT = frozenset({"EG-MT", "EG-WAD", "EG-BA", "EG-SIN", "EG-JS"})
UPPER = frozenset({"EG-BNS", "EG-FYM", "EG-MN", "EG-AST", "EG-SHG", "EG-KN", "EG-LX", "EG-ASN"})


@functools.cache
def words(part: str, region: str = "any") -> tuple[tuple[str, str], ...]:
    """(Arabic, English) name parts or landmarks for a region (those for any region included)."""
    rows = read_table("village_words.csv")
    return tuple(
        (r["ar"], r["en"])
        for r in rows
        if r["part"] == part and r["region"] in (region, "any", "" if region else "any")
    )


def region_of(iso: str) -> str:
    """Which naming habits a governorate has: urban, desert, upper (Egypt) or delta."""
    if iso in URBAN:
        return "urban"
    if iso in DESERT:
        return "desert"
    return "upper" if iso in UPPER else "delta"


def draw_villages(
    governorates: Sequence[GovernorateRecord], towns: Sequence[UnitRecord], *, count: int, seed: int
) -> list[VillageRecord]:
    """`count` villages over all governorates, at least 6 each; the same seed draws the same ones."""
    members: dict[str, list[UnitRecord]] = defaultdict(list)
    for town in towns:
        members[town.iso].append(town)
    rural = [g.population - sum(t.population for t in members[g.iso]) for g in governorates]
    counts = largest_remainder(count, [people**EVEN_OUT for people in rural], at_least=6)
    villages: list[VillageRecord] = []
    for governorate, number, people in zip(governorates, counts, rural, strict=True):
        rng = Random(f"villages/{seed}/{governorate.iso}")
        villages += _of_governorate(governorate, members[governorate.iso], towns, number, people, rng)
    return villages


def _of_governorate(
    governorate: GovernorateRecord,
    own: Sequence[UnitRecord],
    towns: Sequence[UnitRecord],
    number: int,
    people: int,
    rng: Random,
) -> list[VillageRecord]:
    sizes = largest_remainder(
        people, [math.exp(rng.gauss(0.0, SIZE_SIGMA)) for _ in range(number)], at_least=200
    )
    hosts = [town for town in own if town.has_center]
    per_town = largest_remainder(
        number, [math.sqrt(town.population) for town in hosts], at_least=min(1, number // len(hosts))
    )
    names = _names(region_of(governorate.iso), number, rng)
    neighbours = _neighbours(hosts, towns)
    marks = words("landmark")
    villages: list[VillageRecord] = []
    for host, share, near in zip(hosts, per_town, neighbours, strict=True):
        for _ in range(share):
            n = len(villages)
            lat, lon = _point(host, near, rng)
            landmark = rng.choice(marks)
            villages.append(
                VillageRecord(
                    code=f"V-{governorate.code}-{n + 1:03d}",
                    iso=governorate.iso,
                    unit=host.code,
                    name_ar=names[n][0],
                    name_en=names[n][1],
                    lat=lat,
                    lon=lon,
                    population=sizes[n],
                    synthetic=True,
                    source="synthetic",
                    landmark_ar=landmark[0],
                    landmark_en=landmark[1],
                )
            )
    return villages


def _neighbours(
    hosts: Sequence[UnitRecord], towns: Sequence[UnitRecord]
) -> list[list[tuple[UnitRecord, float]]]:
    """For each town the five nearest others that lie at least 3 km away (any governorate), with their
    distance in km."""
    km = km_matrix(
        [t.lat for t in hosts], [t.lon for t in hosts], [t.lat for t in towns], [t.lon for t in towns]
    )
    return [[(towns[int(j)], float(row[j])) for j in row.argsort()[:30] if row[j] >= 3.0][:5] for row in km]


def _point(host: UnitRecord, near: Sequence[tuple[UnitRecord, float]], rng: Random) -> tuple[float, float]:
    """Somewhere on the way to a near town, with a little scatter; nearer neighbours are more likely."""
    weights = [(3 if town.iso == host.iso else 1) / (distance + 5) for town, distance in near]
    other, km = rng.choices(near, weights=weights)[0]
    # Where the next town is far the way is a desert or coast road that bends: stay near.
    farthest = FARTHEST_KM if km <= LONG_WAY_KM else FARTHEST_KM / 4
    along = rng.uniform(min(NEAREST_KM, km / 3), min(farthest, km * 0.6))
    scatter = min(2.0, 0.15 * along)
    part = along / km
    lat = host.lat + part * (other.lat - host.lat) + rng.gauss(0, scatter / 2) / 111.2
    lon = (
        host.lon
        + part * (other.lon - host.lon)
        + rng.gauss(0, scatter / 2) / (111.2 * math.cos(math.radians(host.lat)))
    )
    return round(lat, 5), round(lon, 5)


def _names(region: str, number: int, rng: Random) -> list[tuple[str, str]]:
    """Distinct names; `second` words alone cannot run out because every first word multiplies them."""
    pairs = [(f"{a} {b}", f"{c} {d}") for a, c in words("first", region) for b, d in words("second")]
    return rng.sample(pairs, number)
