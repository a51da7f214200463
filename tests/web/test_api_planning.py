"""The API's explanations: what planners read of a plan, closed to everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planning import repair
from fleet.planning.repair_shapes import Disrupted
from fleet.store import Plan, PlanVisit, Site
from tests.web import world as cast
from tests.web.repairing_cast import before_it_opens, first_visit
from web.api.operations import OPERATIONS
from web.api.schema import check
from web.api.shapes import COMPONENTS

pytestmark = pytest.mark.week("planned")

API = "/api/v1"
BY_NAME = {operation.name: operation for operation in OPERATIONS}


def told(name: str, answer: Any, *statuses: int) -> dict[str, Any]:
    """The answer, which is what the document promises of it."""
    assert answer.status_code in (statuses or (200,)), answer.get_data(as_text=True)
    schema = BY_NAME[name].answers[answer.status_code].schema
    assert schema is not None
    data: dict[str, Any] = answer.get_json()
    assert check(schema, data, COMPONENTS) == []
    return data


def test_why_a_place_is_not_served_is_what_the_page_says(
    client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """The same obstacles and ways with their price, the dearest place first; an unknown place is a 404."""
    site_id = planner.unserved(db_session, plan)[0].site_id
    why = planner.why_none(db_session, plan, site_id, now=cast.NOW)
    data = told("why_site", client.get(f"{API}/plans/{plan.id}/sites/{site_id}/why"))
    assert [o["code"] for o in data["obstacles"]] == [o.code for o in why.obstacles]
    assert [o["gain"] for o in data["options"]] == [o.gain for o in why.options]
    assert data["code"] == why.code != "" and data["revision"] == plan.revision
    missing = client.get(f"{API}/plans/{plan.id}/sites/999999/why")
    assert missing.status_code == 404 and missing.get_json()["code"] == "unknown_site"


def test_why_a_visit_stands_and_what_its_pin_costs(
    client: FlaskClient, write: Any, db_session: Session, plan: Plan
) -> None:
    """The pin's price is null until the visit is pinned; a visit of another plan is a 404."""
    stop = db_session.scalars(select(PlanVisit).order_by(PlanVisit.id)).first()
    assert stop is not None
    path = f"{API}/plans/{plan.id}/visits/{stop.id}/why"
    data = told("why_visit", client.get(path))
    assert data["pin"] is None and data["visit"]["site"] == stop.site_id and data["hours"] > 0
    write(lambda s: planner.pin(s, s.get_one(PlanVisit, stop.id), actor="p", now=cast.NOW))
    assert told("why_visit", client.get(path))["pin"]["at_least"] >= 0
    assert client.get(f"{API}/plans/{plan.id}/visits/999999/why").status_code == 404


def test_estimates_and_an_answer_by_planning_anew(
    client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """Both are worked out beside: 202 until they are there; the same question again is the same reckoning."""

    def until_done(name: str, ask: Callable[[], Any]) -> dict[str, Any]:
        for _ in range(600):
            data = told(name, ask(), 200, 202)
            if data["state"] == "done":
                return data
            assert data["state"] == "working"
            time.sleep(0.2)
        raise AssertionError(f"{name} was never done")

    path = f"{API}/plans/{plan.id}/whatif"
    found = until_done("list_estimates", lambda: client.get(path))
    assert {one["kind"] for one in found["estimates"]} <= {"van", "shift", "crew"} and found["estimates"]
    site = db_session.get_one(Site, planner.unserved(db_session, plan)[0].site_id)
    question = {"kind": "site", "site": site.id}
    answer = until_done("ask_whatif", lambda: client.post(path, json=question))["answer"]
    assert answer["centers"] <= answer["of"] and answer["before"]["stops"] > 0


def test_questions_are_refused_with_what_is_wrong(
    client: FlaskClient, plan: Plan, db_session: Session
) -> None:
    """An unknown kind 422, a pin that is none 409, a form instead of JSON 400."""
    path = f"{API}/plans/{plan.id}/whatif"
    assert client.post(path, json={"kind": "magic"}).status_code == 422
    stop = db_session.scalars(select(PlanVisit.id)).first()
    refused = client.post(path, json={"kind": "pin", "visit": stop})
    assert refused.status_code == 409 and refused.get_json()["code"] == "not_pinned"
    forged = client.post(path, data='{"kind": "site", "site": 1}', content_type="text/plain")
    assert forged.status_code == 400


@pytest.mark.parametrize("who", [None, "clerk", "supervisor"])
def test_nobody_but_planners_reads_them(
    app: Flask, login: Callable[..., FlaskClient], plan: Plan, who: str | None
) -> None:
    """Who is not signed in gets 401, other roles 403, as problems."""
    client = login(who) if who else app.test_client()
    stop = 1
    for path in (
        f"/plans/{plan.id}/sites/1/why", f"/plans/{plan.id}/visits/{stop}/why", f"/plans/{plan.id}/whatif",
        "/repairs/1",
    ):  # fmt: skip
        answer = client.get(API + path)
        assert (answer.status_code, answer.content_type) == (403 if who else 401, "application/problem+json")
    assert client.post(f"{API}/plans/{plan.id}/whatif", json={"kind": "van"}).status_code == (
        403 if who else 401
    )


def test_a_repairs_alternatives_carry_their_price(
    client: FlaskClient, write: Any, clock: cast.StillClock, db_session: Session, plan: Plan
) -> None:
    """A van breaks down an hour before its first visit: each way to go on with gain, loss, changes and who is told."""
    write(lambda s: planner.publish(s, s.get_one(Plan, plan.id), actor="p", now=cast.NOW))
    db_session.rollback()
    visit = first_visit(db_session)
    now = before_it_opens(visit)
    clock.set(now)

    def work(session: Session) -> int:
        happened = Disrupted("center_out", visit.day, center_id=visit.center_id)
        made = repair.report_disruption(session, happened, actor="p", now=now)
        repair.propose_repairs(session, made, now=now, iterations=2)
        return made.id

    data = told("get_repair", client.get(f"{API}/repairs/{write(work)}"))
    assert data["status"] == "proposed" and data["happened"]["kind"] == "center_out"
    assert data["alternatives"] and all(one["crews"] for one in data["alternatives"] if one["changes"])
    assert client.get(f"{API}/repairs/999").status_code == 404
