"""Driving by the clock in an installation's weeks: percentages by governorate, weekday and hour, from a file.

The file is JSON: {governorate's ISO code, or "*": steps, or {weekday, or "*": steps}}; weekdays are "saturday" to
"friday", steps are [[minute of the day, percent of the usual time], ...] as docs/routing.md describes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Center, Governorate, Site
from routing.notes import FORMAT_2, Notes, show
from routing.validate_tours import check_steps

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Hours = Mapping[str, Any]
"""What the file holds, checked."""


def read_traffic(path: Path) -> tuple[Hours, list[str]]:
    """Return what the file says and everything that is wrong with it; with faults nothing of it is to be used."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return {}, [f"cannot be read ({error})"]
    if not isinstance(data, dict):
        return {}, ["must hold an object {governorate: steps}"]
    notes = Notes()
    for region, given in data.items():
        if not isinstance(given, dict):
            check_steps(notes, region, given)
            continue
        for day, steps in given.items():
            if day != "*" and day not in WEEKDAYS:
                notes.say(f"{region}.{day}", f"no such weekday {show(day)}")
            check_steps(notes, f"{region}.{day}", steps)
    return data, notes.faults


def by_clock(session: Session, problem: Mapping[str, Any], hours: Hours | None) -> dict[str, Any]:
    """Return the problem with the traffic that `hours` says of its days; governorates without a place are left out.

    Raises nothing: a governorate that is not in the network has no places.
    """
    made = dict(problem)
    if not hours:
        return made
    governorate_of = dict(
        session.execute(
            select(Site.code, Governorate.iso).join(Governorate, Governorate.id == Site.governorate_id)
        ).all()
    ) | dict(
        session.execute(
            select(Center.code, Governorate.iso).join(Governorate, Governorate.id == Center.governorate_id)
        ).all()
    )
    regions: dict[str, list[str]] = {region: [] for region in hours if region != "*"}
    taken: set[str] = set()
    spots = [(c["id"], c["depot"]) for c in problem["centers"]] + [
        (s["id"], s["place"]) for s in problem["sites"]
    ]
    for name, place in spots:
        region = governorate_of.get(name, "*")
        if region in regions and place not in taken:
            taken.add(place)
            regions[region].append(place)
    regions = {region: places for region, places in regions.items() if places}
    percent = {
        region: _by_day(given, problem["days"])
        for region, given in hours.items()
        if region == "*" or region in regions
    }
    made["travel"] = {**problem["travel"], "traffic": {"regions": regions, "percent": percent}}
    made["format"] = FORMAT_2
    return made


def _by_day(given: Any, days: list[str]) -> Any:
    """Return the steps with weekdays turned into the problem's day indices."""
    if not isinstance(given, Mapping):
        return given
    named = {
        str(i): given[name]
        for i, day in enumerate(days)
        if (name := WEEKDAYS[date.fromisoformat(day).weekday()]) in given
    }
    return named | ({"*": given["*"]} if "*" in given else {})


def shifted(travel: Mapping[str, Any], offset: int, length: int) -> dict[str, Any]:
    """Return how the `length` days from `offset` on of a longer problem travel: traffic named by the new indices."""
    made = dict(travel)
    if made.get("traffic"):
        percent = {
            region: {
                day if day == "*" else str(int(day) - offset): steps
                for day, steps in given.items()
                if day == "*" or 0 <= int(day) - offset < length
            }
            if isinstance(given, Mapping)
            else given
            for region, given in made["traffic"]["percent"].items()
        }
        made["traffic"] = {**made["traffic"], "percent": percent}
    return made
