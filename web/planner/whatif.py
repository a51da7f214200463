"""What one more van, longer shifts or a second crew would bring by governorate; what a pin or a place costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import FleetError
from fleet.planning import whatif as domain
from fleet.planning.whatif import Answer, Estimate
from fleet.store import Governorate, Plan, PlanVisit, Site
from web import clock
from web.db import read
from web.i18n import named
from web.planner import whatif_runs as runs
from web.planner import words
from web.planner.door import blueprint, the_plan, wanted_int, wants_part

KINDS = ("van", "shift", "crew")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, how far its reckoning is, and the answer."""

    question: Mapping[str, Any]
    state: str
    seconds: int = 0
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in the table for one governorate and kind of change."""

    estimate: Estimate
    asked: Asked


@blueprint.get("/plans/<int:plan_id>/whatif")
def whatif(plan_id: int) -> Any:
    """The page; asked for as a part, the section of it that lives."""
    plan = the_plan(plan_id)
    if plan.status not in ("draft", "published", "superseded"):
        return redirect(url_for("planner.draft", plan_id=plan_id))
    session = read()
    state = domain.state_of(session, plan)
    found = runs.reckoned(session, plan, None, now=clock.now())
    estimates = domain.read_estimates(found.answer) if found.name == "done" else []
    table: dict[int, dict[str, Cell]] = {}
    for one in estimates:
        table.setdefault(one.governorate_id, {})[one.kind] = Cell(one, _asked(state, one.question))
    names = {g.id: named(g) for g in session.scalars(select(Governorate))}
    order = _order(table, names)
    special = _special(session, plan, state)
    asked = [cell.asked for cells in table.values() for cell in cells.values()]
    asked += [special["asked"]] if special else []
    live = found.name != "done" or any(one.state == "working" for one in asked)
    template = "planner/_whatif.html" if wants_part() else "planner/whatif.html"
    return render_template(
        template, plan=plan, words=words, kinds=KINDS, rows=[(g, names.get(g, ""), table[g]) for g in order],
        state=found.name, priced=any(e.priced is not None for e in estimates), sort=request.args.get("sort", ""),
        special=special, live=live, here=url_for("planner.whatif", plan_id=plan_id, **_kept()),
    )  # fmt: skip


@blueprint.post("/plans/<int:plan_id>/whatif")
def ask(plan_id: int) -> Any:
    """Begin to reckon one question by planning anew."""
    plan = the_plan(plan_id)
    session = read()
    state = domain.state_of(session, plan)
    question = _question(session, plan, state)
    if question is None:
        flash(_("The plan has changed since this page was opened. Look again."), "error")
    elif runs.reckoned(session, plan, question, now=clock.now()).name == "none":
        flash(_("Another question is being worked out just now. Wait some seconds and ask again."), "error")
    return redirect(url_for("planner.whatif", plan_id=plan_id, **_kept()))


def _kept() -> dict[str, Any]:
    """What the address says beside the plan."""
    wanted = {
        "pin": wanted_int("pin"),
        "site": wanted_int("site"),
        "sort": request.values.get("sort") or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _question(session: Session, plan: Plan, state: str) -> Mapping[str, Any] | None:
    """The question that the form asks; None when the plan is not any more the one it was asked of."""
    kind = request.form.get("kind", "")
    if kind in ("pin", "visit", "site"):
        special = _special_question(session, plan)
        if special is None:
            abort(404)
        return special[0]
    if kind not in KINDS:
        abort(400)
    found = runs.look(runs.key_of(state, None))
    governorate_id = wanted_int("governorate")
    for one in domain.read_estimates(found.answer) if found.name == "done" else ():
        if (one.governorate_id, one.kind) == (governorate_id, kind):
            return one.question
    return None


def _special_question(session: Session, plan: Plan) -> tuple[Mapping[str, Any], str, str] | None:
    """A question about a pin or a place that the address names, with its kind and the place's name."""
    pin_id, visit_id, site_id = wanted_int("pin"), wanted_int("visit"), wanted_int("site")
    try:
        if pin_id is not None or visit_id is not None:
            visit = session.get(PlanVisit, pin_id or visit_id)
            if visit is not None and visit.plan_id == plan.id:
                if pin_id is not None:
                    return domain.pin_question(session, visit), "pin", named(visit.site)
                return domain.visit_question(session, visit), "visit", named(visit.site)
        elif site_id is not None:
            site = session.get(Site, site_id)
            if site is not None:
                return domain.site_question(session, plan, site), "site", named(site)
    except FleetError:
        return None
    return None


def _special(session: Session, plan: Plan, state: str) -> dict[str, Any] | None:
    found = _special_question(session, plan)
    if found is None:
        return None
    question, kind, place = found
    return {"kind": kind, "place": place, "asked": _asked(state, question)}


def _asked(state: str, question: Mapping[str, Any]) -> Asked:
    found = runs.look(runs.key_of(state, question))
    answer = domain.read_answer(found.answer) if found.name == "done" else None
    return Asked(question, found.name, found.seconds, answer)


def _order(table: Mapping[int, Mapping[str, Cell]], names: Mapping[int, str]) -> list[int]:
    """Governorates by what the chosen change brings most, else by what a van brings."""
    by = request.args.get("sort", "")
    kind = by if by in KINDS else "van"

    def worth(governorate_id: int) -> float:
        cell = table[governorate_id].get(kind)
        if cell is None:
            return 0.0
        return cell.asked.answer.gain if cell.asked.answer is not None else cell.estimate.most

    return sorted(table, key=lambda g: (-worth(g), names.get(g, "")))
