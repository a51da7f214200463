"""Problems for the tests of routing: a small fixed one, and random ones for hypothesis."""

from __future__ import annotations

import random
from typing import Any

Json = dict[str, Any]


def small(**changes: Any) -> Json:
    """Return a valid problem: two centers of one depot, two days, four villages within an hour's drive."""
    spots = [
        ("D", 30.00, 31.00),
        ("A", 30.05, 31.05),
        ("B", 30.10, 31.00),
        ("C", 29.95, 31.10),
        ("E", 30.02, 31.2),
    ]
    problem: Json = {
        "format": "fleet-problem/1",
        "name": "small",
        "unit": "person-hours",
        "days": ["2026-11-22", "2026-11-23"],
        "places": [{"id": name, "lat": lat, "lon": lon} for name, lat, lon in spots],
        "travel": {"road": {"detour": 1.35, "speeds": [[5, 25], [45, 50], [None, 75]], "cost_per_km": 1}},
        "centers": [
            {"id": "M1", "depot": "D", "days": [0, 1], "shift": [480, 960], "class": "small", "setup": 20},
            {
                "id": "M2",
                "depot": "D",
                "days": [0, 1],
                "shift": [480, 960],
                "class": "large",
                "fixed_cost": 10,
            },
        ],
        "sites": [
            {
                "id": f"S{name}",
                "place": name,
                "open": [510, 900],
                "offers": {
                    "small": [{"stay": 120, "value": 100}, {"stay": 240, "value": 150}],
                    "large": [{"stay": 120, "value": 140}, {"stay": 240, "value": 200}],
                },
            }
            for name, _, _ in spots[1:]
        ],
    }
    problem.update(changes)
    return problem


def rich(seed: int, *, sites: int = 6, centers: int = 2, days: int = 2, matrix: bool = False) -> Json:
    """Return a random problem with every feature of the format; the same seed gives the same problem."""
    rnd = random.Random(seed)
    names = ["D0", "D1", *(f"P{i}" for i in range(sites))]
    places = [
        {"id": name, "lat": 30 + rnd.uniform(-0.25, 0.25), "lon": 31 + rnd.uniform(-0.25, 0.25)}
        for name in names
    ]
    travel: Json = {
        "road": {"detour": 1.3, "speeds": [[5, 25], [None, 60]], "cost_per_km": rnd.choice([0, 1, 3])}
    }
    if matrix:
        minutes = [[0 if a == b else rnd.randint(3, 90) for b in names] for a in names]
        travel = {
            "minutes": minutes,
            "cost": [[rnd.randint(0, 60) if m else 0 for m in row] for row in minutes],
        }
    fleet = []
    for i in range(centers):
        center: Json = {
            "id": f"M{i}",
            "depot": rnd.choice(["D0", "D0", "D1"]),
            "shift": [480, rnd.choice([840, 960])],
        }
        center["days"] = sorted(rnd.sample(range(days), rnd.randint(1, days)))
        center["class"] = rnd.choice(["small", "large"])
        center.update(rnd.choice([{}, {"setup": 20}]) | rnd.choice([{}, {"max_drive": 120}]))
        center.update(rnd.choice([{}, {"fixed_cost": 15}]))
        fleet.append(center)
    made = [_site(rnd, i, days, fleet) for i in range(sites)]
    problem: Json = {
        "name": f"rich-{seed}",
        "days": [f"2026-11-{22 + d}" for d in range(days)],
        "places": places,
        "travel": travel,
        "centers": fleet,
        "sites": made,
        "groups": [
            {
                "name": "half",
                "sites": [s["id"] for s in made[: sites // 2]],
                "at_least": 2,
                "penalty": rnd.choice([0, 80]),
            }
        ],
    }
    if rnd.random() < 0.5:
        problem["pinned"] = _pins(rnd, problem)
    return problem


def touring(
    seed: int, *, sites: int = 4, centers: int = 2, days: int = 3, matrix: bool = False, traffic: bool = True
) -> Json:
    """Return a random problem with all of `fleet-problem/2`: nights away, days under way, pinned nights, traffic."""
    rnd = random.Random(seed)
    data = rich(seed, sites=sites, centers=centers, days=days, matrix=matrix)
    data.pop("pinned", None)
    data["format"] = "fleet-problem/2"
    data["days"] = [f"2026-11-{22 + d + (d > 1)}" for d in range(days)]
    spread = rnd.choice([1, 2, 4])
    for place in data["places"]:
        place["lat"], place["lon"] = 30 + spread * (place["lat"] - 30), 31 + spread * (place["lon"] - 31)
    names = [place["id"] for place in data["places"]]
    for center in data["centers"]:
        center["days"] = sorted(rnd.sample(range(days), rnd.randint(min(2, days), days)))
        if rnd.random() < 0.7:
            center["nights"], center["night_cost"] = rnd.randint(1, 3), rnd.choice([0, 10])
        if rnd.random() < 0.3:
            day = rnd.choice(center["days"])
            center["starts"] = {str(day): [rnd.choice(names), rnd.choice([450, 500, 600])]}
    if traffic and rnd.random() < 0.7:
        data["travel"] = data["travel"] | {"traffic": _traffic(rnd, names, days)}
    if rnd.random() < 0.9 and not _keepable(data):
        for center in data["centers"]:
            center.pop("starts", None)
    if rnd.random() < 0.6:
        for _ in range(20):
            data["pinned"] = _touring_pins(rnd, data)
            if _keepable(data) or rnd.random() < 0.02:
                return data
        del data["pinned"]
    return data


def _keepable(data: Json) -> bool:
    """Say whether the plan of the pinned visits alone keeps the rules."""
    from tests.routing.judge import judge

    routes: dict[tuple[str, int], Json] = {}
    for pin in sorted(data.get("pinned", []), key=lambda pin: pin["start"]):
        center = next(c for c in data["centers"] if c["id"] == pin["center"])
        opens = center.get("starts", {}).get(str(pin["day"]), [0, center["shift"][0]])[1]
        empty: Json = {"center": pin["center"], "day": pin["day"], "depart": opens, "stops": []}
        route = routes.setdefault((pin["center"], pin["day"]), empty)
        route["stops"].append({key: pin[key] for key in ("site", "start", "stay")})
        route["overnight"] = pin.get("overnight", False)
    return judge(data, {"routes": list(routes.values())})[0] == 0


def _traffic(rnd: random.Random, names: list[str], days: int) -> Json:
    def steps() -> list[list[int]]:
        minutes = sorted(rnd.sample(range(400, 1000, 7), rnd.randint(0, 3)))
        return [[minute, rnd.choice([50, 90, 130, 200, 333])] for minute in minutes]

    mixed = rnd.sample(names, len(names))
    cut = sorted(rnd.sample(range(len(mixed)), 2))
    by_day: Json = {str(d): steps() for d in range(days) if rnd.random() < 0.5}
    return {
        "regions": {"town": mixed[: cut[0]], "shore": mixed[cut[0] : cut[1]]},
        "percent": {"town": by_day | {"*": steps()}, "*": steps()} | rnd.choice([{}, {"shore": steps()}]),
    }


def _touring_pins(rnd: random.Random, data: Json) -> list[Json]:
    """Return one or two pins of one center, perhaps with the night after them; not every choice can be kept."""
    center = rnd.choice(data["centers"])
    pins = []
    for day in sorted(rnd.sample(center["days"], min(len(center["days"]), rnd.randint(1, 2)))):
        site = rnd.choice(data["sites"])
        offers = site["offers"]
        if isinstance(offers, dict):
            offers = offers.get(center["class"], offers["*"])
        pin: Json = {"center": center["id"], "day": day, "site": site["id"]}
        pin |= {"start": rnd.choice([540, 600, 690]), "stay": rnd.choice(offers)["stay"]}
        after = next((d for d in center["days"] if d > day), None)
        if after is not None and rnd.random() < 0.6:
            nights = int(data["days"][after][-2:]) - int(data["days"][day][-2:])
            if nights <= center.get("nights", 0) and not any(pin.get("overnight") for pin in pins):
                pin["overnight"] = True
        pins.append(pin)
    return pins


def _site(rnd: random.Random, i: int, days: int, fleet: list[Json]) -> Json:
    window = sorted(rnd.sample(range(480, 1000, 30), 2))
    if window[1] - window[0] < 150:
        window = [510, 900]
    site: Json = {"id": f"S{i}", "place": f"P{i}", "open": window}
    if rnd.random() < 0.3:
        site["open"] = {str(d): window for d in range(days) if rnd.random() < 0.7}
    if rnd.random() < 0.1:
        site["open"] = {"*": window}
    stays = sorted(rnd.sample([90, 120, 180, 240], rnd.randint(1, 2)))
    site["offers"] = [{"stay": stay, "value": rnd.randint(0, 300)} for stay in stays]
    if rnd.random() < 0.5:
        more = [{"stay": stay, "value": rnd.randint(50, 300)} for stay in stays]
        site["offers"] = {"small": site["offers"], "*": more}
    if rnd.random() < 0.4:
        site["day_percent"] = [rnd.randint(40, 150) for _ in range(days)]
    if rnd.random() < 0.5:
        site["max_visits"] = rnd.randint(1, 3)
        site["min_gap_days"] = rnd.randint(1, 2)
    if rnd.random() < 0.2:
        site["centers"] = [rnd.choice(fleet)["id"]]
    return site


def _pins(rnd: random.Random, problem: Json) -> list[Json]:
    """Return one pin that the rules allow, or none: the first visit of a route that a plan could hold."""
    from routing import Problem, Route, Stop, Travel
    from routing.check import check_route
    from routing.solution import earliest

    made = Problem.from_json(problem)
    travel = Travel(made)
    options = [(c, d, s) for c in made.centers for d in c.days for s in made.sites]
    rnd.shuffle(options)
    for center, day, site in options:
        for offer in site.offers_for(center.kind):
            route: Route = earliest(made, travel, center.id, day, [(site.id, offer.stay)])
            stop: Stop = route.stops[0]
            if not check_route(made, travel, route).faults:
                return [
                    {"center": center.id, "day": day, "site": site.id, "start": stop.start, "stay": stop.stay}
                ]
    return []
