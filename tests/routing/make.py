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
