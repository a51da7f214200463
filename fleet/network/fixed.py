"""Fixed centers: how many a town has, where they stand, and whom they serve. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from random import Random

from fleet.network.geo import km_between, km_matrix
from fleet.network.records import FixedRecord, GovernorateRecord, UnitRecord, VillageRecord
from fleet.network.shares import highest_averages, largest_remainder
from fleet.network.villages import words

CENTER_AR, CENTER_EN = "المركز التكنولوجي", "Technology center"
COMPLEX_AR, COMPLEX_EN = "مجمع الخدمات الحكومية المتكامل", "Integrated government services complex"


def draw_fixed(
    units: Sequence[UnitRecord], villages: Sequence[VillageRecord], *, count: int, seed: int, source: str
) -> list[FixedRecord]:
    """At least one center per unit that has any, more by highest averages of the people around; `count` in
    all.

    A network with more units than `count` gets one center each (the number of local units wins over the
    target).
    """
    hosts = [unit for unit in units if unit.has_center]
    around: dict[str, int] = defaultdict(int)
    for village in villages:
        around[village.unit] += village.population
    seats = highest_averages(max(count, len(hosts)), [u.population + around[u.code] for u in hosts])
    names = _counts_by_name(hosts)
    taken: set[tuple[float, float]] = set()
    records = []
    for unit, number in zip(hosts, seats, strict=True):
        rng = Random(f"fixed/{seed}/{unit.code}")
        near = _other_units(unit, hosts)
        weights = [rng.uniform(0.65, 1.35) for _ in range(number)]
        for n in range(number):
            # Units of one city often share its point: only the first center stands on it.
            first = n == 0 and (unit.lat, unit.lon) not in taken
            lat, lon = (unit.lat, unit.lon) if first else _spread(unit, near, number, rng)
            taken.add((lat, lon))
            label_ar, label_en = _label(unit, names)
            suffix = f" {n + 1}" if number > 1 else ""
            landmark = rng.choice(words("office"))
            records.append(
                FixedRecord(
                    code=f"F-{unit.code}-{n + 1:02d}",
                    kind="fixed",
                    iso=unit.iso,
                    unit=unit.code,
                    name_ar=f"{CENTER_AR} – {label_ar}{suffix}",
                    name_en=f"{CENTER_EN} – {label_en}{suffix}",
                    lat=lat,
                    lon=lon,
                    weight=weights[n] / sum(weights),
                    source=source,
                    landmark_ar=landmark[0],
                    landmark_en=landmark[1],
                    aliases=(unit.name_ar, unit.name_en, *unit.aliases),
                )
            )
    return records


def draw_complex(governorate: GovernorateRecord, units: Sequence[UnitRecord], *, source: str) -> FixedRecord:
    """The integrated complex, 1.5 km from the point of the town nearest to the governorate's capital."""
    home = min(
        (u for u in units if u.iso == governorate.iso),
        key=lambda u: km_between(u.lat, u.lon, governorate.lat, governorate.lon),
    )
    return FixedRecord(
        code=f"X-{governorate.code}-01",
        kind="complex",
        iso=governorate.iso,
        unit=home.code,
        name_ar=f"{COMPLEX_AR} – {governorate.capital_ar}",
        name_en=f"{COMPLEX_EN} – {governorate.capital_en}",
        lat=round(governorate.lat - 0.0105, 5),
        lon=round(governorate.lon + 0.0075, 5),
        weight=1.0,
        source=source,
        landmark_ar="طريق الكورنيش",
        landmark_en="On the Corniche road",
        aliases=(governorate.capital_ar, governorate.capital_en),
    )


def catchments(
    units: Sequence[UnitRecord], villages: Sequence[VillageRecord], fixed: Sequence[FixedRecord]
) -> tuple[list[int], list[tuple[int, float]]]:
    """People per fixed center, and for each village the index of its nearest fixed center and the km.

    A unit's own people go to its centers by weight, those of a unit without any to the nearest one;
    villagers to the nearest center of their governorate (local-unit services are bound to it). Governorates
    keep their sums exactly.
    """
    people = [0] * len(fixed)
    of_unit: dict[str, list[int]] = defaultdict(list)
    of_governorate: dict[str, list[int]] = defaultdict(list)
    for i, center in enumerate(fixed):
        of_unit[center.unit].append(i)
        of_governorate[center.iso].append(i)
    for unit in units:
        own = of_unit.get(unit.code)
        if own:
            parts = largest_remainder(unit.population, [fixed[i].weight for i in own])
            for i, part in zip(own, parts, strict=True):
                people[i] += part
        else:
            people[_nearest(unit.lat, unit.lon, fixed, of_governorate[unit.iso])[0]] += unit.population
    nearest: list[tuple[int, float]] = [(0, 0.0)] * len(villages)
    by_iso: dict[str, list[int]] = defaultdict(list)
    for v, village in enumerate(villages):
        by_iso[village.iso].append(v)
    for iso, rows in by_iso.items():
        options = of_governorate[iso] or list(range(len(fixed)))
        km = km_matrix(
            [villages[v].lat for v in rows],
            [villages[v].lon for v in rows],
            [fixed[i].lat for i in options],
            [fixed[i].lon for i in options],
        )
        for v, row in zip(rows, km, strict=True):
            best = int(row.argmin())
            nearest[v] = (options[best], round(float(row[best]), 2))
            people[options[best]] += villages[v].population
    return people, nearest


def desks_for(load: float, rng: Random) -> int:
    """Desks of a center with an offered load in erlangs, for a target utilisation drawn between 0.6 and 1.1.

    Whole desks never exceed the drawn target's, so most centers end up calmer than their target and the few
    whose load just fits are crowded: the uneven picture that the press describes.
    """
    target = rng.triangular(0.6, 1.1, 1.0)
    return max(1, math.ceil(load / target))


def _nearest(
    lat: float, lon: float, fixed: Sequence[FixedRecord], options: Sequence[int]
) -> tuple[int, float]:
    options = options or range(len(fixed))
    km = km_matrix([lat], [lon], [fixed[i].lat for i in options], [fixed[i].lon for i in options])[0]
    best = int(km.argmin())
    return options[best], float(km[best])


def _counts_by_name(hosts: Sequence[UnitRecord]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for unit in hosts:
        counts[unit.name_ar] += 1
    return counts


def _label(unit: UnitRecord, names: dict[str, int]) -> tuple[str, str]:
    """The unit's name; two of the same name are told apart by their kind and governorate in the site's own
    fields."""
    if names[unit.name_ar] == 1:
        return unit.name_ar, unit.name_en
    return f"{unit.name_ar} ({unit.code})", f"{unit.name_en} ({unit.code})"


def _other_units(unit: UnitRecord, hosts: Sequence[UnitRecord]) -> list[tuple[UnitRecord, float]]:
    km = km_matrix([unit.lat], [unit.lon], [u.lat for u in hosts], [u.lon for u in hosts])[0]
    return [(hosts[int(j)], float(km[j])) for j in km.argsort()[:20] if km[j] >= 2.0][:6]


def _spread(
    unit: UnitRecord, near: Sequence[tuple[UnitRecord, float]], number: int, rng: Random
) -> tuple[float, float]:
    """Another place in the same city: towards its neighbours (never into sea or desert), within its
    radius."""
    radius = 1.6 * math.sqrt(number)
    other, km = rng.choice(near)
    part = rng.uniform(0.25 * min(radius, km), 0.85 * min(radius, km)) / km
    scatter = 0.35 / 111.2
    lat = unit.lat + part * (other.lat - unit.lat) + rng.uniform(-scatter, scatter)
    lon = unit.lon + part * (other.lon - unit.lon) + rng.uniform(-scatter, scatter)
    return round(lat, 5), round(lon, 5)
