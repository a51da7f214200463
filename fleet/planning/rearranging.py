"""Whole days of a plan put in the place of others: which visit is which afterwards. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fleet.planning.frame import Frame, Mark
from fleet.planning.shapes import DayStops, Fault
from routing.problem import Problem

NEW = 0


def rearranged(
    marks: Sequence[Mark], days: Sequence[DayStops], problem: Problem, frame: Frame
) -> tuple[list[Mark], list[Fault]]:
    """Return the plan's visits with `days` in it, and what forbids even trying.

    A stop at a place that had a visit on one of these days is that visit, first of all one of the same day: its id,
    and what hangs on it, goes along. Pinned visits must be among the stops as they are. A day that stays away for the
    night does so after its last stop, which must be the visit that did before.
    """
    faults: list[Fault] = []
    wanted: list[Mark] = []
    keys: set[tuple[str, int]] = set()
    for one in days:
        center, index = frame.center_code.get(one.center_id), frame.day_index(one.day)
        if center is None or center not in problem.center_by_id:
            faults.append(Fault("unknown_center", "That center is not part of this plan.", {}))
            continue
        if not 0 <= index < len(problem.days):
            faults.append(Fault("outside_week", "That day is not in the plan's week.", {"day": str(one.day)}))
            continue
        keys.add((center, index))
        for site_id, start, stay in one.stops:
            site = frame.site_code.get(site_id)
            if site is None or site not in problem.site_by_id:
                faults.append(Fault("unknown_site", "That place is not a candidate of this plan.", {}))
                continue
            wanted.append(Mark(NEW, center, index, site, start, stay))
    if faults:
        return list(marks), faults
    old = [m for m in marks if m.key in keys]
    matched = _matched(old, wanted)
    for mark in old:
        if mark.pinned and mark not in matched:
            words = f"The visit of {mark.center} to {mark.site} is pinned: unpin it first."
            faults.append(Fault("visit_pinned", words, {"center": mark.center, "site": mark.site}))
    for mark in old:
        is_now = next((m for m in matched if m.id == mark.id), None)
        if mark.overnight and (is_now is None or is_now.key != mark.key or _another_later(is_now, matched)):
            words = f"{mark.center} stays the night at {mark.site}."
            faults.append(Fault("night_pinned", words, {"center": mark.center, "site": mark.site}))
    return [m for m in marks if m.key not in keys] + matched, faults


def _another_later(mark: Mark, marks: Sequence[Mark]) -> bool:
    return any(m.key == mark.key and m.start > mark.start for m in marks)


def _matched(old: Sequence[Mark], wanted: Sequence[Mark]) -> list[Mark]:
    """Give each wanted stop the visit that it was."""
    left = list(old)
    found: dict[int, Mark] = {}
    for same_day in (True, False):
        for i, mark in enumerate(wanted):
            if i in found:
                continue
            was = next((m for m in left if m.site == mark.site and (m.key == mark.key or not same_day)), None)
            if was is not None:
                left.remove(was)
                found[i] = replace(was, center=mark.center, day=mark.day, start=mark.start, stay=mark.stay)
    return [found.get(i, mark) for i, mark in enumerate(wanted)]
