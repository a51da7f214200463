"""Why plans are as they are and what would change them, as JSON, for planners who are signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue

from fleet import planner
from fleet.planner import Placement
from fleet.planning import whatif
from fleet.planning.repair_proposals import proposals_of
from fleet.store import Plan, PlanVisit, Repair, Site
from web import clock
from web.api import planning_shapes as shapes
from web.api.operation import Refused
from web.api.shapes import instant
from web.db import read
from web.planner import whatif_runs as runs

WITH_VISITS = ("draft", "published", "superseded")


def why_site(id: int, site: int) -> ResponseReturnValue:
    """`GET /plans/{id}/sites/{site}/why`."""
    plan = _plan(id)
    return jsonify(shapes.why_not(planner.why_none(read(), plan, site, now=clock.now()), plan.revision))


def why_visit(id: int, visit: int) -> ResponseReturnValue:
    """`GET /plans/{id}/visits/{visit}/why`."""
    plan, session, now = _plan(id), read(), clock.now()
    stop = _stop(plan, visit)
    found = planner.why_this(session, stop, now=now)
    pin = planner.pin_price(session, stop, now=now) if stop.pinned else None
    here = Placement(stop.center_id, stop.site_id, stop.day, stop.start_minute, stop.stay_minutes)
    return jsonify(shapes.why_visit(found, here, pin, plan.revision))


def estimates(id: int) -> ResponseReturnValue:
    """`GET /plans/{id}/whatif`."""
    plan, session = _plan(id), read()
    found = runs.reckoned(session, plan, None, now=clock.now())
    rows = whatif.read_estimates(found.answer) if found.name == "done" else []
    answer = jsonify(state=found.name, estimates=[shapes.estimate(one) for one in rows])
    return answer, 202 if found.name == "working" else 200


def ask(id: int, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /plans/{id}/whatif`."""
    plan, session = _plan(id), read()
    found = runs.reckoned(session, plan, _question(plan, body), now=clock.now())
    if found.name == "none":
        raise Refused(
            409, "reckoning_busy", "another question is being worked out; ask again in some seconds"
        )
    answer = shapes.gain(whatif.read_answer(found.answer)) if found.name == "done" else None
    status = 202 if found.name == "working" else 200
    return jsonify(state=found.name, seconds=found.seconds, answer=answer), status


def show_repair(id: int) -> ResponseReturnValue:
    """`GET /repairs/{id}`."""
    session = read()
    made = session.get(Repair, id)
    if made is None:
        raise Refused(404, "repair_not_found", "there is no such repair")
    proposals = proposals_of(session, made) if made.status == "proposed" else ()
    return jsonify(
        id=made.id,
        plan=made.plan_id,
        status=made.status,
        happened=dict(made.disruption),
        created_at=instant(made.created_at),
        moment=instant(made.moment) if made.moment else None,
        choice=made.choice or None,
        result=made.result_id,
        alternatives=[shapes.alternative(one) for one in proposals],
    )


def _plan(number: int) -> Plan:
    plan = read().get(Plan, number)
    if plan is None or plan.kind != "plan" or plan.status not in WITH_VISITS:
        raise Refused(404, "plan_not_found", "there is no such plan with visits")
    return plan


def _stop(plan: Plan, number: int | None) -> PlanVisit:
    stop = read().get(PlanVisit, number) if number is not None else None
    if stop is None or stop.plan_id != plan.id:
        raise Refused(404, "visit_not_found", "the plan has no such visit")
    return stop


def _question(plan: Plan, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The question that a body asks. Raises Refused, FleetError."""
    session, kind = read(), body["kind"]
    if kind == "pin":
        return whatif.pin_question(session, _stop(plan, body.get("visit")))
    if kind == "visit":
        return whatif.visit_question(session, _stop(plan, body.get("visit")))
    if kind == "site":
        site = session.get(Site, body.get("site") or 0)
        if site is None:
            raise Refused(404, "unknown_site", "there is no such place")
        return whatif.site_question(session, plan, site)
    found = runs.reckoned(session, plan, None, now=clock.now())
    for one in whatif.read_estimates(found.answer) if found.name == "done" else ():
        if (one.governorate_id, one.kind) == (body.get("governorate"), kind):
            return one.question
    if found.name == "working":
        raise Refused(
            409, "estimates_first", "the estimates are still being worked out; ask again in some seconds"
        )
    raise Refused(404, "no_such_question", "there is nothing to ask of that kind there")
