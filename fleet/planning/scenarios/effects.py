"""What changes of the fleet, its shifts and its roads do to a copied problem. Each returns how many things it
touched: vans, places, regions or pins."""

from __future__ import annotations

import math
from typing import Any

from fleet.planning.scenarios.kinds import refuse
from fleet.planning.scenarios.work import Change, Work
from fleet.planning.shapes import TENTHS

NEW_VAN = "NEW-{:02d}"
PLAIN = 100
"""Percent of the table's time that driving takes without traffic."""

Steps = list[list[int]]


def add_vans(work: Work, change: Change) -> int:
    """New vans like one that there is: its depot (or another place's), class, shift, days and limits."""
    models = work.centers(change, name="like")
    here = _place(work, change)
    for model in models:
        for _ in range(change["count"]):
            n = 1 + sum(1 for c in work.problem["centers"] if c["id"].startswith("NEW-"))
            van = {k: v for k, v in model.items() if k != "starts"} | {"id": NEW_VAN.format(n)}
            if here is not None:
                van["depot"] = here
            if "klass" in change:
                van["class"] = change["klass"]
            governorate = work.book.center_governorate.get(model["id"], "")
            if "site" in change:
                governorate = work.book.site_governorate[change["site"]]
            work.book = work.book.with_centers({van["id"]: governorate})
            work.problem["centers"].append(van)
            for site in work.problem["sites"]:  # who may be served by the model alone may be by its like
                if model["id"] in (site.get("centers") or ()):
                    site["centers"] = [*site["centers"], van["id"]]
    return int(change["count"]) * len(models)


def remove_vans(work: Work, change: Change) -> int:
    """Fewer vans: those named, or the last `count` of them by code."""
    found = work.centers(change)
    if "count" in change:
        if change["count"] > len(found):
            words = f"there are {len(found)} vans there, not {change['count']}"
            raise refuse(work.number, change["kind"], "too_many", words, field="count", there=len(found))
        found = sorted(found, key=lambda c: str(c["id"]))[-change["count"] :]
    gone = {center["id"] for center in found}
    work.problem["centers"] = [c for c in work.problem["centers"] if c["id"] not in gone]
    for site in work.problem["sites"]:
        if gone.intersection(site.get("centers") or ()):
            site["centers"] = [code for code in site["centers"] if code not in gone]
    return len(gone)


def days_off(work: Work, change: Change) -> int:
    """Vans that stand still on some days."""
    off, touched = set(change["days"]), 0
    for center in work.centers(change):
        left = [day for day in center["days"] if day not in off]
        touched += left != center["days"]
        center["days"] = left
        if "starts" in center:
            center["starts"] = {d: at for d, at in center["starts"].items() if int(d) in left}
    return _touched(work, change, touched)


def depot(work: Work, change: Change) -> int:
    """Vans that start from another place."""
    place, found = _place(work, change), work.centers(change)
    touched = sum(1 for center in found if center["depot"] != place)
    for center in found:
        center["depot"] = place
        work.book = work.book.with_centers({center["id"]: work.book.site_governorate[change["site"]]})
    return _touched(work, change, touched)


def klass(work: Work, change: Change) -> int:
    """Vans of another class: other offers everywhere."""
    found = work.centers(change)
    touched = sum(1 for center in found if center.get("class") != change["klass"])
    for center in found:
        center["class"] = change["klass"]
    return _touched(work, change, touched)


def nights(work: Work, change: Change) -> int:
    """Vans that may stay away overnight, at most so many nights in a row, at so many person-hours a night."""
    found = work.centers(change)
    cost = round(TENTHS * change.get("night_cost", 0))
    before = [(c.get("nights", 0), c.get("night_cost", 0)) for c in found]
    for center in found:
        center["nights"], center["night_cost"] = change["nights"], cost
    work.newer()
    return _touched(work, change, sum(1 for pair in before if pair != (change["nights"], cost)))


def shift(work: Work, change: Change) -> int:
    """Other working hours, or another limit of driving."""
    touched = 0
    for center in work.centers(change):
        start, end = center["shift"]
        wanted = [change.get("start", start), change.get("end", end)]
        if wanted[0] >= wanted[1]:
            words = f"the shift of {center['id']} would end before it starts"
            raise refuse(
                work.number, change["kind"], "start_after_end", words, field="end", value=center["id"]
            )
        limit = change.get("max_drive", center.get("max_drive"))
        touched += wanted != [start, end] or limit != center.get("max_drive")
        center["shift"] = wanted
        if limit is not None:
            center["max_drive"] = limit
    return _touched(work, change, touched)


def second_crew(work: Work, change: Change) -> int:
    """A second crew takes the van over and brings it back at `until`: twice the driving may be done, and twice
    the crews are readied and paid. Villages of the vans' governorates stay open until `open_until`, or the longer
    day would find closed doors."""
    found = work.centers(change)
    for center in found:
        if center["shift"][1] >= change["until"]:
            words = f"the shift of {center['id']} lasts as long already"
            raise refuse(work.number, change["kind"], "no_later", words, field="until", value=center["id"])
        center["shift"] = [center["shift"][0], change["until"]]
        if center.get("max_drive") is not None:
            center["max_drive"] = 2 * center["max_drive"]
        center["fixed_cost"] = 2 * (center.get("fixed_cost") or 0)
    book, late = work.book, change["open_until"]
    land = {book.center_governorate.get(center["id"]) for center in found}
    for site in work.problem["sites"]:
        code = site["id"]
        if book.site_kind.get(code) == "village" and book.site_governorate.get(code) in land:
            site["open"] = {day: [w[0], max(w[1], late)] for day, w in _windows(site).items()}
    return len(found)


def opening(work: Work, change: Change) -> int:
    """Other opening hours on the days that a place is open."""
    touched = 0
    for site in work.sites(change):
        hours = site["open"]
        windows = dict(hours) if isinstance(hours, dict) else {"*": hours}
        for day, window in windows.items():
            if window is None:
                continue
            wanted = [change.get("start", window[0]), change.get("end", window[1])]
            if wanted[0] >= wanted[1]:
                words = f"{site['id']} would close before it opens"
                raise refuse(
                    work.number, change["kind"], "start_after_end", words, field="end", value=site["id"]
                )
            windows[day] = wanted
        touched += windows != (dict(hours) if isinstance(hours, dict) else {"*": hours})
        site["open"] = windows
    return _touched(work, change, touched)


def speed(work: Work, change: Change) -> int:
    """Driving at another percentage of its speed everywhere: by the formula, or the table's minutes."""
    travel, percent = work.problem["travel"], change["percent"]
    if percent == PLAIN:
        raise work.no_effect(change)
    if "road" in travel:
        road = travel["road"]
        travel["road"] = {**road, "speeds": [[km, kmh * percent / 100] for km, kmh in road["speeds"]]}
    else:
        travel["minutes"] = [[math.ceil(100 * m / percent) for m in row] for row in travel["minutes"]]
    return 1


def traffic(work: Work, change: Change) -> int:
    """From one minute to another, driving in a governorate (or everywhere) takes a percentage of its time."""
    known = work.problem["travel"].get("traffic") or {}
    regions, percent = dict(known.get("regions") or {}), dict(known.get("percent") or {})
    work.problem["travel"]["traffic"] = {"regions": regions, "percent": percent}
    percent.setdefault("*", [])
    for name, steps in percent.items():
        percent[name] = dict(steps) if isinstance(steps, dict) else {"*": steps}
    wanted = change.get("governorate")
    if wanted is not None and wanted not in regions:
        taken = {place for places in regions.values() for place in places}
        places = sorted(_places_in(work, wanted) - taken)
        if not places:
            raise work.no_effect(change)
        regions[wanted] = places
        percent[wanted] = dict(percent["*"])
    for name in [*percent] if wanted is None else [wanted]:
        percent[name] = _overlaid(percent[name], change)
    work.newer()
    return 1 if wanted is not None else len(percent)


def unpin(work: Work, change: Change) -> int:
    """Let pinned visits go."""
    named = {center["id"] for center in work.centers(change)}
    kept = [pin for pin in work.problem["pinned"] if pin["center"] not in named]
    touched = len(work.problem["pinned"]) - len(kept)
    work.problem["pinned"] = kept
    return _touched(work, change, touched)


def _windows(site: dict[str, Any]) -> dict[str, list[int]]:
    """The opening hours by day; closed days are missing."""
    hours = site["open"]
    return {day: w for day, w in hours.items() if w is not None} if isinstance(hours, dict) else {"*": hours}


def _touched(work: Work, change: Change, count: int) -> int:
    if not count:
        raise work.no_effect(change)
    return count


def _place(work: Work, change: Change) -> str | None:
    wanted = change.get("site")
    return next((str(site["place"]) for site in work.problem["sites"] if site["id"] == wanted), None)


def _places_in(work: Work, governorate: str) -> set[str]:
    places = {
        s["place"] for s in work.problem["sites"] if work.book.site_governorate.get(s["id"]) == governorate
    }
    return places | {
        c["depot"]
        for c in work.problem["centers"]
        if work.book.center_governorate.get(c["id"]) == governorate
    }


def _overlaid(by_day: dict[str, Any], change: Change) -> dict[str, Any]:
    """Put the change's percentage over the steps of its days; of all days when it names none."""
    found = {day: [list(step) for step in steps] for day, steps in by_day.items()}
    found.setdefault("*", [])
    days = [str(day) for day in change["days"]] if "days" in change else list(found)
    for day in days:
        found[day] = _overlay(found.get(day, found["*"]), change["start"], change["end"], change["percent"])
    return found


def _overlay(steps: Steps, start: int, end: int, percent: int) -> Steps:
    after = next((p for minute, p in reversed(steps) if minute <= end), PLAIN)
    before = [step for step in steps if step[0] < start]
    return [*before, [start, percent], [end, after], *(step for step in steps if step[0] > end)]
