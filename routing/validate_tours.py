"""What is wrong with the fields that only `fleet-problem/2` has: nights away, starts under way, traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing import notes
from routing.notes import Notes

LEAST_TRAFFIC, MOST_TRAFFIC = 10, 1000
"""The percentages of the table's time that driving may take."""


def too_new(v: Notes, data: Mapping[str, Any]) -> None:
    """Note the fields of `/2` in a file that calls itself `/1`."""
    if data.get("format") != notes.FORMAT:
        return
    found = ["travel.traffic"] if _has(data.get("travel"), "traffic") else []
    for key, names in (("centers", ("nights", "night_cost", "starts")), ("pinned", ("overnight",))):
        for i, item in enumerate(v.items(data, key, quiet=True)):
            found.extend(f"{key}[{i}].{name}" for name in names if _has(item, name))
    for path in found:
        v.say(path, f"is of {notes.FORMAT_2!r}, the file says {notes.FORMAT!r}")


def _has(item: object, key: str) -> bool:
    return isinstance(item, Mapping) and key in item


def check_center(v: Notes, path: str, center: Mapping[str, Any]) -> None:
    """Check a center's nights, their cost, and where it starts days that are under way."""
    for key, most in (("nights", notes.MOST_COUNT), ("night_cost", notes.MOST_WORTH)):
        if center.get(key) is not None:
            v.whole(f"{path}.{key}", center[key], least=0, most=most)
    starts = center.get("starts")
    if starts is None:
        return
    if not isinstance(starts, Mapping):
        v.say(f"{path}.starts", "must be an object {day index: [place id, minute]}")
        return
    days = center.get("days")
    works = {str(day) for day in days} if isinstance(days, list | tuple) else set()
    for day, start in starts.items():
        spot = f"{path}.starts.{day}"
        if day not in v.indices:
            v.say(spot, f"no such day {notes.show(day)}, there are {len(v.days)}")
        elif day not in works:
            v.say(spot, "the center does not work that day")
        if not isinstance(start, list | tuple) or len(start) != 2:
            v.say(spot, "must be [place id, minute]")
            continue
        if not isinstance(start[0], str) or start[0] not in v.places:
            v.say(f"{spot}[0]", f"no such place {notes.show(start[0])}")
        v.whole(f"{spot}[1]", start[1], least=0, most=notes.MOST_MINUTES)


def check_traffic(v: Notes, travel: object) -> None:
    """Check regions, their places and their percentages by day and minute."""
    if not isinstance(travel, Mapping) or travel.get("traffic") is None:
        return
    path, traffic = "travel.traffic", travel["traffic"]
    if not isinstance(traffic, Mapping):
        v.say(path, "must be an object {regions, percent}")
        return
    regions = _regions(v, f"{path}.regions", traffic.get("regions"))
    percent = traffic.get("percent")
    if not isinstance(percent, Mapping):
        v.say(f"{path}.percent", "is missing" if percent is None else "must be an object {region: steps}")
        return
    for name, given in percent.items():
        spot = f"{path}.percent.{name}"
        if name != "*" and name not in regions:
            v.say(spot, f"no such region {notes.show(name)}")
        if not isinstance(given, Mapping):
            check_steps(v, spot, given)
            continue
        for day, steps in given.items():
            if day != "*" and day not in v.indices:
                v.say(f"{spot}.{day}", f"no such day {notes.show(day)}, there are {len(v.days)}")
            check_steps(v, f"{spot}.{day}", steps)


def _regions(v: Notes, path: str, regions: object) -> set[str]:
    if regions is None:
        return set()
    if not isinstance(regions, Mapping):
        v.say(path, "must be an object {region: [place ids]}")
        return set()
    taken: set[str] = set()
    for name, places in regions.items():
        if name == "*" or not notes.is_text(name):
            v.say(f"{path}.{name}", "must have a name of its own: * is every place without a region")
        if not isinstance(places, list | tuple):
            v.say(f"{path}.{name}", "must be a list of place ids")
            continue
        for i, place in enumerate(places):
            if not isinstance(place, str) or place not in v.places:
                v.say(f"{path}.{name}[{i}]", f"no such place {notes.show(place)}")
            elif place in taken:
                v.say(f"{path}.{name}[{i}]", f"{notes.show(place)} is already in a region")
            else:
                taken.add(place)
    return set(regions)


def check_steps(v: Notes, path: str, steps: object) -> None:
    """Note what is wrong with a list of [minute, percent]."""
    if not isinstance(steps, list | tuple):
        v.say(path, "must be a list of [minute, percent]")
        return
    before = -1
    for i, step in enumerate(steps):
        if not isinstance(step, list | tuple) or len(step) != 2:
            v.say(f"{path}[{i}]", "must be [minute, percent]")
            continue
        minute = v.whole(f"{path}[{i}][0]", step[0], least=0, most=notes.MOST_MINUTES)
        v.whole(f"{path}[{i}][1]", step[1], least=LEAST_TRAFFIC, most=MOST_TRAFFIC)
        if minute is not None:
            if minute <= before:
                v.say(f"{path}[{i}][0]", f"must come after minute {before}, is {minute}")
            before = max(before, minute)


def check_nights(v: Notes, data: Mapping[str, Any]) -> None:
    """Check that pinned nights end their day, have a day after them, and are no more in a row than allowed."""
    pins = [(i, pin) for i, pin in enumerate(v.items(data, "pinned", optional=True, quiet=True))]
    last: dict[tuple[str, int], int] = {}
    nights: dict[tuple[str, int], int] = {}
    for i, pin in pins:
        if not isinstance(pin, Mapping) or not _whole_pin(v, pin):
            continue
        key = pin["center"], pin["day"]
        last[key] = max(last.get(key, 0), pin["start"])
        if pin.get("overnight") is True:
            nights[key] = i
    for (name, day), i in nights.items():
        path, center = f"pinned[{i}].overnight", v.centers[name]
        if pins[i][1]["start"] < last[name, day]:
            v.say(path, "must be on the last visit of its day")
        if _next_day(center, day) is None:
            v.say(path, f"{name} has no working day after it to come home")
        elif (away := _in_a_row(v, nights, name, day)) > (most := center.get("nights") or 0):
            v.say(path, f"makes {away} nights in a row, {name} may be away for {most}")


def _whole_pin(v: Notes, pin: Mapping[str, Any]) -> bool:
    """Say whether center, day and start are such that nights can be counted; other faults are noted already."""
    center = pin.get("center")
    if not isinstance(center, str) or center not in v.centers:
        return False
    days, nights = v.centers[center].get("days"), v.centers[center].get("nights")
    fine = isinstance(days, list | tuple) and all(map(notes.is_whole, days))
    fine = fine and (nights is None or notes.is_whole(nights))
    day = pin.get("day")
    return fine and notes.is_whole(pin.get("start")) and notes.is_whole(day) and str(day) in v.indices


def _next_day(center: Mapping[str, Any], day: int) -> int | None:
    return min((d for d in center["days"] if d > day), default=None)


def _in_a_row(v: Notes, nights: Mapping[tuple[str, int], int], name: str, day: int) -> int:
    """Return the nights of the pinned tour up to the night after `day`; 0 where a date is missing."""
    center, count = v.centers[name], 0
    here: int | None = day
    while here is not None and (name, here) in nights:
        after = _next_day(center, here)
        begin, end = v.days[here], None if after is None or after >= len(v.days) else v.days[after]
        count += 0 if begin is None or end is None else (end - begin).days
        here = max((d for d in center["days"] if d < here), default=None)
    return count
