"""A change of a draft made by a press, wherever the button stands: made, told in words, or refused with its reasons."""

from __future__ import annotations

from dataclasses import dataclass

from flask import abort
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Change, Verdict
from fleet.store import Governorate, LocalUnit, Plan, PlanVisit, Site
from web import clock
from web.db import read, write
from web.i18n import named
from web.planner import words
from web.planner.door import actor, wanted_int


def press(plan_id: int, change: Change) -> Verdict:
    """Make the change of the plan at the form's `revision` (400 without one). Raises FleetError where it breaks a rule
    or somebody changed the plan since the form was opened."""
    revision, name, now = wanted_int("revision"), actor(), clock.now()
    if revision is None:
        abort(400)

    def work(session: Session) -> Verdict:
        plan = session.get(Plan, plan_id)
        if plan is None:
            abort(404)
        return planner.apply_change(session, plan, change, revision=revision, actor=name, now=now)

    return write(work)


def told(change: Change, verdict: Verdict) -> list[str]:
    """What a change did, in words."""
    hours = words.signed(verdict.delta_hours, 1)
    if change.kind == "remove":
        return [_("The visit was taken out. Hours saved: %(change)s.", change=hours)]
    shown = Shown.of(read(), verdict)
    if change.kind == "add":
        place = next(iter(shown.gains), "")
        if place:
            return [_("Added: %(place)s. Hours saved: %(change)s.", place=place, change=hours)]
    lines = [_("Done. Hours saved: %(change)s.", change=hours)]
    lines += [_("%(place)s now has a visit.", place=name) for name in shown.gains]
    lines += [_("%(place)s has no visit this week any more.", place=name) for name in shown.loses]
    return lines


def refusal(error: FleetError) -> list[str]:
    """Why a change was refused, in words: what is wrong, then each fault."""
    return [words.error(error), *faults_of(error)]


def faults_of(error: FleetError) -> list[str]:
    """The faults that a refusal carries, in words."""
    found = error.details.get("faults", ())
    lines = []
    for one in found:
        code = one.get("code", "") if isinstance(one, dict) else getattr(one, "code", str(one))
        said = one.get("words", "") if isinstance(one, dict) else getattr(one, "words", str(one))
        lines.append(words.fault_code(code, said))
    return list(dict.fromkeys(lines))


@dataclass(frozen=True, slots=True)
class Shown:
    """A verdict's ids as names."""

    faults: list[str]
    loses: list[str]
    gains: list[str]
    shifted: list[tuple[str, int, int]]
    groups_short: list[str]
    placed: str

    @classmethod
    def of(cls, session: Session, verdict: Verdict) -> Shown:
        """Look the names up."""
        sites = {
            site.id: named(site)
            for site in session.scalars(select(Site).where(Site.id.in_([*verdict.loses, *verdict.gains])))
        }
        shifted = []
        for shift in verdict.shifted:
            other = session.get(PlanVisit, shift.visit_id)
            if other is not None:
                shifted.append((named(other.site), shift.start_before, shift.start_after))
        placed = verdict.placed
        return cls(
            list(dict.fromkeys(words.fault(found) for found in verdict.faults)),
            [sites[i] for i in verdict.loses if i in sites],
            [sites[i] for i in verdict.gains if i in sites],
            shifted,
            _rules(session, verdict.groups_short),
            words.span(placed.start_minute, placed.stay_minutes) if placed is not None else "",
        )


def _rules(session: Session, names: tuple[str, ...]) -> list[str]:
    """The districts and governorates that rules of coverage are about (fleet.planning.coverage.groups)."""
    codes = [name.partition(":")[2] for name in names]
    known = {
        row.code: named(row) for row in session.scalars(select(LocalUnit).where(LocalUnit.code.in_(codes)))
    }
    chosen = select(Governorate).where(Governorate.iso.in_(codes))
    known |= {row.iso: named(row) for row in session.scalars(chosen)}
    return list(dict.fromkeys(known.get(code, code) for code in codes))
