"""What changes of the coverage rules do to a copied problem."""

from __future__ import annotations

from typing import Any

from fleet.planning.scenarios.work import Change, Work
from fleet.planning.shapes import TENTHS

PREFIX = {"district": "local_unit", "governorate": "governorate"}
"""How the groups of build_problem are named (coverage.py)."""


def coverage(work: Work, change: Change) -> int:
    """At least so many visits to each district or governorate, or a penalty for each that is missing: in place
    of the rules of that kind that there were."""
    prefix, penalty = PREFIX[change["each"]], round(TENTHS * change["penalty"])
    places = _members(work, change["each"], change.get("governorate"))
    names = {f"{prefix}:{code}" for code in places}
    before = [group for group in work.problem["groups"] if group.get("name") in names]
    work.problem["groups"] = [g for g in work.problem["groups"] if g.get("name") not in names]
    fresh = [
        {"name": f"{prefix}:{code}", "sites": sites, "at_least": change["at_least"], "penalty": penalty}
        for code, sites in sorted(places.items())
        if change["at_least"] and penalty
    ]
    work.problem["groups"] += fresh
    if before == fresh:
        raise work.no_effect(change)
    return len(names)


def penalties(work: Work, change: Change) -> int:
    """Rules that weigh more or less; at 0 percent they fall away."""
    prefixes = [f"{PREFIX[each]}:" for each in PREFIX if change.get("each") in (None, each)]
    touched = 0
    for group in work.problem["groups"]:
        name = str(group.get("name", ""))
        if not any(name.startswith(prefix) for prefix in prefixes):
            continue
        if change.get("governorate") in (None, _governorate_of(work, group)) and change["percent"] != 100:
            group["penalty"] = round(group["penalty"] * change["percent"] / 100)
            touched += 1
    work.problem["groups"] = [g for g in work.problem["groups"] if g["penalty"] > 0]
    if not touched:
        raise work.no_effect(change)
    return touched


def unvisited(work: Work, change: Change) -> int:
    """No district longer without a visit than so many weeks: the districts due by this limit, in place of those
    due by their own."""
    overdue = work.overdue[change["weeks"]]
    places = _members(work, "district", change.get("governorate"))
    ruled = {f"local_unit:{code}" for code in places}
    before = [g for g in work.problem["groups"] if g.get("name") in ruled]
    work.problem["groups"] = [g for g in work.problem["groups"] if g.get("name") not in ruled]
    fresh = [
        {
            "name": f"local_unit:{code}",
            "sites": sites,
            "at_least": overdue[code][0],
            "penalty": overdue[code][1],
        }
        for code, sites in sorted(places.items())
        if code in overdue
    ]
    work.problem["groups"] += fresh
    if sorted(before, key=_name) == fresh:
        raise work.no_effect(change)
    return len(fresh)


def _members(work: Work, each: str, governorate: str | None) -> dict[str, list[str]]:
    """The sites of each district or governorate, in the problem's order."""
    book = work.book
    of = book.site_unit if each == "district" else book.site_governorate
    found: dict[str, list[str]] = {}
    for site in work.problem["sites"]:
        code = site["id"]
        if code in of and governorate in (None, book.site_governorate[code]):
            found.setdefault(of[code], []).append(code)
    return found


def _governorate_of(work: Work, group: dict[str, Any]) -> str | None:
    return next((work.book.site_governorate.get(code) for code in group["sites"]), None)


def _name(group: dict[str, Any]) -> str:
    return str(group.get("name", ""))
