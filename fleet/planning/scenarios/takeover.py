"""From a scenario to an ordinary draft: what can be decided is taken over, what was supposed is not.

The draft answers the real week: the fleet, forecast and rules as they are now. Into its problem go the scenario's
decisions (vans that stay at home, rules of coverage). Its visits are the scenario's as far as the real week
allows them; every other change, and every visit that depends on one, is named as left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from fleet import baseline
from fleet.errors import Conflict, FleetError
from fleet.planning import drafts
from fleet.planning.blobs import decode, pack, unpack
from fleet.planning.filling import Filling, draft_like, fill, worked_out
from fleet.planning.frame import Mark, frozen, load_frame, marks_of
from fleet.planning.ledger import visits_of
from fleet.planning.scenarios.applying import apply, is_decision
from fleet.planning.scenarios.standing import keep_feasible, marks_of_answer
from fleet.planning.scenarios.verbs import source_of
from fleet.planning.travel import Driving
from fleet.store import Plan
from routing.problem import Problem


@dataclass(frozen=True, slots=True)
class TakeOver:
    """What a draft made of a scenario would hold. Changes are named by their index (from 0)."""

    scenario_id: int
    problem: bytes
    filling: Filling
    """Its visits."""
    taken: tuple[int, ...]
    """Changes that are in force in the draft: decisions."""
    not_taken: tuple[int, ...]
    """Changes that are not: suppositions, and decisions about what is not there."""
    left_out: tuple[Mark, ...]
    """Visits of the scenario that the real week does not allow."""
    baseline_hours: float

    @property
    def visits(self) -> tuple[Mark, ...]:
        """The draft's visits."""
        return self.filling.marks


def prepare_takeover(
    session: Session, scenario: Plan, *, now: datetime, driving: Driving | None = None
) -> TakeOver:
    """Work out the draft; `driving` is that of a draft. Reads only, and takes seconds for a country.

    Raises Conflict `not_a_scenario`, `scenario_not_solved`, `week_over`.
    """
    if scenario.kind != "scenario":
        raise Conflict("not_a_scenario", "This is no scenario.", plan=scenario.id)
    if scenario.status != "solved":
        raise Conflict("scenario_not_solved", "Solve the scenario first.", plan=scenario.id)
    frame = load_frame(session, scenario.week)
    days = decode(scenario.problem).problem.days
    if all(frozen(frame.day(d), now) for d in range(len(days))):
        raise Conflict("week_over", "Every day of that week has begun: there is nothing left to plan.")
    real = unpack(drafts.prepare(session, _bare(scenario), now=now, driving=driving).problem)
    problem, taken = _with_decisions(session, scenario, real, now)
    decoded = decode(pack(problem))
    fixed = [
        Mark(0, p["center"], p["day"], p["site"], p["start"], p["stay"], True, bool(p.get("overnight")))
        for p in problem.get("pinned", ())
    ]
    pinned = {_what(m) for m in marks_of(visits_of(session, source_of(session, scenario)), frame) if m.pinned}
    wanted = [m for m in marks_of_answer(unpack(scenario.solution)) if not frozen(frame.day(m.day), now)]
    marks = [*fixed, *(m for m in wanted if _what(m) not in {_what(f) for f in fixed})]
    kept = keep_feasible([replace(m, id=n) for n, m in enumerate(marks)], decoded)
    there = {_what(m) for m in kept}
    full = Problem.from_json(decoded.raw)
    return TakeOver(
        scenario.id,
        pack(problem),
        worked_out([replace(m, pinned=m.pinned or _what(m) in pinned) for m in kept], decoded),
        taken,
        tuple(i for i in range(len(scenario.changes)) if i not in taken),
        tuple(m for m in wanted if _what(m) not in there),
        baseline.hours(full, baseline.rankings(session, full), decoded.travel),
    )


def fill_takeover(session: Session, takeover: TakeOver, *, actor: str, now: datetime) -> Plan:
    """Return the draft: an ordinary one, to be looked at, changed and published like any other."""
    scenario = session.get_one(Plan, takeover.scenario_id)
    draft = draft_like(
        session, scenario, takeover.problem, actor=actor, now=now, source_id=scenario.id,
        baseline_hours=takeover.baseline_hours,
    )  # fmt: skip
    fill(session, draft, takeover.filling, load_frame(session, draft.week))
    return draft


def _bare(scenario: Plan) -> Plan:
    """A plan of the scenario's weeks that is in no session: what the real week's problem is asked for."""
    return Plan(kind="plan", week=scenario.week, weeks=scenario.weeks)


def _with_decisions(
    session: Session, scenario: Plan, real: dict[str, Any], now: datetime
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return the real problem with the scenario's decisions in it, and which changes those are."""
    problem, taken = real, []
    for index, change in enumerate(scenario.changes):
        if not is_decision(change):
            continue
        try:
            problem = apply(session, problem, [change], scenario.week, now=now).problem
        except FleetError:  # about a van that exists in the scenario alone, or true already
            continue
        taken.append(index)
    return _with_pins(problem, real), tuple(taken)


def _with_pins(problem: dict[str, Any], real: dict[str, Any]) -> dict[str, Any]:
    """What has begun stands: a van with visits on begun days keeps those days, whatever was decided."""
    pins = real.get("pinned", [])
    days: dict[str, set[int]] = {}
    for pin in pins:
        days.setdefault(pin["center"], set()).add(pin["day"])
    here = {center["id"]: center for center in problem["centers"]}
    centers = []
    for center in real["centers"]:
        known = here.get(center["id"])
        held = days.get(center["id"], set())
        if known is None and held:
            centers.append({**center, "days": sorted(held)})
        elif known is not None:
            centers.append({**known, "days": sorted(held.union(known["days"]))})
    made = {**problem, "centers": centers}
    return {**made, "pinned": pins} if pins else {k: v for k, v in made.items() if k != "pinned"}


def _what(mark: Mark) -> tuple[str, int, str, int, int]:
    return mark.center, mark.day, mark.site, mark.start, mark.stay
