"""What would more bring to a plan: the questions a planner can ask, for each governorate, and the answers in hours.

Reckoning takes seconds, so it is done by a process of its own (`reckon_command`); here is what it is given and how what
it says is read.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import Conflict, Invalid
from fleet.planning.blobs import decode, pack, unpack
from fleet.planning.export import export
from fleet.planning.frame import frozen, load_frame, marks_of
from fleet.planning.ledger import marks_in
from fleet.planning.shapes import TENTHS
from fleet.store import Center, Plan, PlanVisit, Site
from routing.whatif.questions import KINDS, Question


@dataclass(frozen=True, slots=True)
class Material:
    """What a reckoning is given: problem and plan, gzipped JSON; for estimates also the governorates."""

    problem: bytes
    plan: bytes
    regions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a change of a governorate would bring, person-hours: at least (only places without a visit are used), and by
    the prices of the last search (None: it left none). `question` asks for more."""

    governorate_id: int
    kind: str
    centers: tuple[str, ...]
    at_least: float
    priced: float | None
    question: Mapping[str, Any]

    @property
    def most(self) -> float:
        """The larger of both, to sort by."""
        return max(self.at_least, self.priced or 0.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """The part that was planned anew, before and after."""

    hours: float
    stops: int
    places: int
    drive_minutes: int
    km: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a change brings by planning anew, person-hours after driving; truly between `low` and `high` (None: not
    proven). `searched`: what planning anew brings without the change. `centers` of `of` were planned anew."""

    gain: float
    low: float | None
    high: float | None
    searched: float
    centers: int
    of: int
    before: Figures
    after: Figures
    served: bool

    @property
    def exact(self) -> bool:
        """Whether the difference is proven to a tenth of an hour."""
        return self.low is not None and self.high is not None and self.high - self.low < 0.15


def state_of(session: Session, plan: Plan) -> str:
    """Return a short name of the plan as it stands: it changes with every visit, pin and search."""
    marks = marks_in(session, plan, load_frame(session, plan.week))
    shown = repr([(m.center, m.day, m.site, m.start, m.stay, m.pinned, m.overnight) for m in marks])
    digest = hashlib.sha256(plan.problem)
    digest.update(shown.encode())
    digest.update(plan.solution)
    return f"{plan.id}-{digest.hexdigest()[:16]}"


def material(session: Session, plan: Plan, *, now: datetime) -> Material:
    """Return what reckonings about the plan as it stands are given."""
    problem, answer = export(session, plan)
    prices = (unpack(plan.solution) if plan.solution else {}).get("prices")
    if prices is not None:
        answer = {**answer, "prices": prices}
    frame = load_frame(session, plan.week)
    known = decode(plan.problem).problem
    ready = session.execute(
        select(Center.governorate_id, Center.code).where(Center.status == "ready").order_by(Center.code)
    )
    regions: dict[str, list[str]] = {}
    for governorate_id, code in ready:
        if code in known.center_by_id and known.center_by_id[code].days:
            regions.setdefault(str(governorate_id), []).append(code)
    villages: dict[str, list[str]] = {}
    for governorate_id, code in session.execute(
        select(Site.governorate_id, Site.code).where(Site.kind == "village").order_by(Site.code)
    ):
        if code in known.site_by_id:
            villages.setdefault(str(governorate_id), []).append(code)
    closed = [i for i in range(len(known.days)) if frozen(frame.day(i), now)]
    return Material(
        pack(problem), pack(answer), {"regions": regions, "crew_sites": villages, "closed_days": closed}
    )


def read_estimates(data: Sequence[Mapping[str, Any]]) -> list[Estimate]:
    """Return the estimates that a reckoning wrote."""
    return [
        Estimate(
            int(one["region"]),
            one["question"]["kind"],
            tuple(one["question"]["centers"]),
            one["at_least"] / TENTHS,
            None if one["priced"] is None else one["priced"] / TENTHS,
            one["question"],
        )
        for one in data
    ]


def read_answer(data: Mapping[str, Any]) -> Answer:
    """Return the answer that a reckoning wrote."""
    return Answer(
        data["gain"] / TENTHS,
        None if data["low"] is None else data["low"] / TENTHS,
        None if data["high"] is None else data["high"] / TENTHS,
        data["searched"] / TENTHS,
        data["centers"],
        data["of"],
        _figures(data["before"]),
        _figures(data["after"]),
        data["served"],
    )


def _figures(data: Mapping[str, Any]) -> Figures:
    return Figures(data["value"] / TENTHS, data["stops"], data["sites"], data["drive"], data["km"])


def pin_question(session: Session, visit: PlanVisit) -> dict[str, Any]:
    """Return the question what the pin on `visit` costs. Raises Conflict `not_pinned`."""
    if not visit.pinned:
        raise Conflict("not_pinned", "This visit is not pinned.", visit=visit.id)
    (mark,) = marks_of([visit], load_frame(session, visit.plan.week))
    return Question("unpin", visits=((mark.center, mark.day, mark.site, mark.start, mark.stay),)).to_json()


def visit_question(session: Session, visit: PlanVisit) -> dict[str, Any]:
    """Return the question what the week is without `visit`. Raises Conflict `visit_pinned`."""
    if visit.pinned:
        raise Conflict("visit_pinned", "This visit is pinned: unpin it first.", visit=visit.id)
    (mark,) = marks_of([visit], load_frame(session, visit.plan.week))
    return Question("skip", visits=((mark.center, mark.day, mark.site, mark.start, mark.stay),)).to_json()


def site_question(session: Session, plan: Plan, site: Site) -> dict[str, Any]:
    """Return the question what serving the place for certain costs. Raises Invalid `unknown_site`."""
    if site.code not in decode(plan.problem).problem.site_by_id:
        raise Invalid("unknown_site", "That place is not a candidate of this plan.", site=site.id)
    return Question("serve", sites=(site.code,)).to_json()


def reckon_command(
    folder: Path, question: Mapping[str, Any] | None, *, seconds: float, threads: int
) -> list[str]:
    """Return the argv that reckons with problem.json.gz and plan.json.gz in `folder` and writes answer.json there;
    without a question the estimates for regions.json."""
    command = [sys.executable, "-m", "routing.whatif", str(folder / "problem.json.gz")]
    command += [str(folder / "plan.json.gz"), "--out", str(folder / "answer.json")]
    if question is None:
        return [*command, "--estimates", str(folder / "regions.json")]
    if question.get("kind") not in KINDS:
        raise Invalid("unknown_question", "There is no such question.", kind=str(question.get("kind")))
    said = json.dumps(question, ensure_ascii=False)
    return [*command, "--question", said, "--seconds", f"{seconds:g}", "--threads", str(threads)]
