"""Why not, why here, where else, what would more bring: the planner's pages that answer, and the press that acts."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planning import whatif as domain
from fleet.store import Plan, PlanVisit, Site
from tests.web import world as cast
from web.planner import whatif_runs as runs

pytestmark = pytest.mark.week("planned")

PART = {"X-Part": "1"}
ANSWERED = '<span class="quiet">planned anew'


@pytest.fixture
def stop(db_session: Session, plan: Plan) -> PlanVisit:
    """A visit that could also go elsewhere."""
    for visit in db_session.scalars(
        select(PlanVisit).where(PlanVisit.plan_id == plan.id).order_by(PlanVisit.id)
    ):
        if planner.why_this(db_session, visit, now=cast.NOW).elsewhere:
            return visit
    raise AssertionError("no visit could go anywhere else")


def forms(html: str) -> list[dict[str, str]]:
    """The hidden fields of each form that carries days."""
    found = []
    for form in re.findall(r"<form.*?</form>", html, re.S):
        fields = {n: unescape(v) for n, v in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
        if "days" in fields:
            found.append(fields)
    return found


def test_a_place_without_a_visit_says_everything(
    client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """Both languages: the reason, each obstacle with its count, and the ways with their price."""
    one = planner.unserved(db_session, plan)[0]
    why = planner.why_none(db_session, plan, one.site_id, now=cast.NOW)
    page = client.get(f"/en/planner/plans/{plan.id}/places/{one.site_id}").get_data(as_text=True)
    assert "What stands in the way" in page and len(forms(page)) == len(why.options)
    assert page.count('<th scope="row">') == len(why.obstacles)
    arabic = client.get(f"/planner/plans/{plan.id}/places/{one.site_id}").get_data(as_text=True)
    assert "ما الذي يمنع" in arabic and "What stands" not in arabic
    listed = client.get(f"/en/planner/plans/{plan.id}/unserved").get_data(as_text=True)
    assert f"/en/planner/plans/{plan.id}/places/{one.site_id}" in listed


def test_a_visit_says_what_it_brings_in_page_and_drawer(
    client: FlaskClient, db_session: Session, stop: PlanVisit
) -> None:
    why = planner.why_this(db_session, stop, now=cast.NOW)
    page = client.get(f"/en/planner/visits/{stop.id}/why").get_data(as_text=True)
    part = client.get(f"/en/planner/visits/{stop.id}/why", headers=PART).get_data(as_text=True)
    assert "Where else it could go" in page and "<html" in page
    assert "Where else it could go" in part and "<html" not in part
    assert len(forms(part)) == len(why.elsewhere) + len(why.otherwise)
    drawer = client.get(f"/planner/visits/{stop.id}", headers=PART).get_data(as_text=True)
    assert f"/planner/visits/{stop.id}/why" in drawer


def test_one_press_carries_it_out(
    client: FlaskClient, db_session: Session, plan: Plan, stop: PlanVisit
) -> None:
    """The form of the page moves the visit to where it says; pressed twice, or from an old page, it is refused."""
    option = planner.why_this(db_session, stop, now=cast.NOW).elsewhere[0]
    form = forms(client.get(f"/planner/visits/{stop.id}/why").get_data(as_text=True))[0]
    done = client.post(f"/planner/plans/{plan.id}/arrange", data=form)
    assert done.status_code == 302 and f"plan={plan.id}" in done.location
    db_session.rollback()
    placed = option.placed
    assert (stop.center_id, stop.day, stop.start_minute) == (
        placed.center_id,
        placed.day,
        placed.start_minute,
    )
    again = client.post(f"/en/planner/plans/{plan.id}/arrange", data=form)
    assert again.status_code == 409 and "Not possible" in again.get_data(as_text=True)


def test_a_pinned_visit_tells_the_price_of_its_pin(client: FlaskClient, stop: PlanVisit) -> None:
    """No press moves it while it is pinned; the page leads to planning again without the pin."""
    client.post(f"/planner/visits/{stop.id}/pin")
    page = client.get(f"/en/planner/visits/{stop.id}/why").get_data(as_text=True)
    assert "What the pin costs" in page and not forms(page)
    assert f"/whatif?pin={stop.id}" in page


@pytest.mark.parametrize(
    "days",
    ["", "x", "[]", "{}", "[[1]]", '[["1","2026-11-28",[]]]', "[[1,7,[]]]", "[[1,\"2026-11-28\",[[1,2]]]]",
     "[[true,\"2026-11-28\",[]]]", "[[1,\"2026-11-28\",[[1,-5,60]]]]", "[" * 5000,
     json.dumps([[1, "2026-11-28", []]] * 9)],
)  # fmt: skip
def test_forged_days_are_refused(client: FlaskClient, db_session: Session, plan: Plan, days: str) -> None:
    """400, and nothing is changed."""
    before = db_session.scalars(select(PlanVisit.id)).all()
    answer = client.post(f"/planner/plans/{plan.id}/arrange", data={"days": days, "revision": plan.revision})
    assert answer.status_code == 400
    assert db_session.scalars(select(PlanVisit.id)).all() == before


def test_a_published_plan_is_explained_but_not_changed(
    client: FlaskClient, plan: Plan, stop: PlanVisit
) -> None:
    client.post(f"/planner/plans/{plan.id}/publish")
    assert not forms(client.get(f"/planner/visits/{stop.id}/why").get_data(as_text=True))
    days = json.dumps([[stop.center_id, stop.day.isoformat(), []]])
    answer = client.post(f"/planner/plans/{plan.id}/arrange", data={"days": days, "revision": plan.revision})
    assert answer.status_code == 409


@pytest.mark.parametrize("name", ["clerk", "supervisor", "agency"])
def test_nobody_but_planners(login: Callable[..., FlaskClient], name: str) -> None:
    other = login(name)
    for path in ("/planner/plans/1/places/1", "/planner/visits/1/why", "/planner/plans/1/whatif"):
        assert other.get(path).status_code == 403
    assert other.post("/planner/plans/1/arrange").status_code == 403
    assert other.post("/planner/plans/1/whatif").status_code == 403


def test_unknown_things_are_not_found(client: FlaskClient, plan: Plan) -> None:
    for path in (f"plans/{plan.id}/places/9999", "plans/99/places/1", "visits/9999/why", "plans/99/whatif"):
        assert client.get(f"/planner/{path}").status_code == 404
    assert client.post(f"/planner/plans/{plan.id}/whatif", data={"kind": "moon"}).status_code == 400
    assert (
        client.post(f"/planner/plans/{plan.id}/whatif", data={"kind": "pin", "pin": "9999"}).status_code
        == 404
    )


def wait(client: FlaskClient, path: str, until: str) -> str:
    """The page once it says so (a process of its own works meanwhile)."""
    for _ in range(240):
        page: str = client.get(path).get_data(as_text=True)
        if until in page:
            return page
        assert "did not work out" not in page and "could not be made" not in page
        time.sleep(0.25)
    raise AssertionError(f"{path} never said {until!r}")


def test_estimates_come_by_themselves_and_an_answer_on_request(
    app: Flask, client: FlaskClient, db_session: Session, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page begins the estimates; a press plans anew; the answer stays until the plan changes."""
    monkeypatch.setattr(runs, "SECONDS", 2.0)
    path = f"/en/planner/plans/{plan.id}/whatif"
    page = wait(client, path, "at least")
    governorates = len(set(re.findall(r'name="governorate" value="(\d+)"', page)))
    assert (
        governorates == 2 and page.count("Work it out</button>") == 0
    )  # each names its governorate for the blind
    first = re.findall(r'name="governorate" value="(\d+)"', page)[0]
    assert client.post(path, data={"kind": "van", "governorate": first}).status_code == 302
    page = wait(client, path, ANSWERED)
    with app.app_context():
        state = domain.state_of(db_session, plan)
        question = next(
            e.question
            for e in domain.read_estimates(runs.look(runs.key_of(state, None)).answer)
            if (e.governorate_id, e.kind) == (int(first), "van")
        )
        answer = domain.read_answer(runs.look(runs.key_of(state, question)).answer)
    assert answer.gain >= -0.001 and answer.of == 2
    visit = db_session.scalars(select(PlanVisit)).first()
    assert visit is not None
    client.post(f"/planner/visits/{visit.id}/pin")
    assert ANSWERED not in client.get(path).get_data(as_text=True), "another plan, another answer"


def test_the_cost_of_a_pin_is_worked_out(
    client: FlaskClient, plan: Plan, stop: PlanVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SECONDS", 2.0)
    client.post(f"/planner/visits/{stop.id}/pin")
    path = f"/en/planner/plans/{plan.id}/whatif?pin={stop.id}"
    assert "What does the pin on" in client.get(path).get_data(as_text=True)
    assert (
        client.post(f"/planner/plans/{plan.id}/whatif", data={"kind": "pin", "pin": stop.id}).status_code
        == 302
    )
    wait(client, path, "Without the pin the week would gain:")


def test_a_week_without_a_visit_is_worked_out(
    client: FlaskClient, plan: Plan, stop: PlanVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of reasons leads there; the answer is never a gain worth telling where it is proven."""
    monkeypatch.setattr(runs, "SECONDS", 2.0)
    assert f"/whatif?visit={stop.id}" in client.get(f"/planner/visits/{stop.id}/why").get_data(as_text=True)
    path = f"/en/planner/plans/{plan.id}/whatif?visit={stop.id}"
    form = {"kind": "visit", "visit": stop.id}
    assert client.post(f"/planner/plans/{plan.id}/whatif", data=form).status_code == 302
    wait(client, path, "Without the visit the week would change by:")


def test_only_one_question_at_a_time(
    app: Flask, client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """While one is being worked out another is refused in words; the folder of the first stays its own."""
    with app.app_context():
        folder = app.extensions["settings"].data_dir / "whatif" / "another"
        folder.mkdir(parents=True)
        (folder / "question.json.gz").write_bytes(b"")
        (folder / "pid").write_text(f"{os.getpid()} {time.time():.0f}")
        site = db_session.scalars(select(Site)).first()
        assert site is not None
        code = planner.unserved(db_session, plan)[0].site_id
    answer = client.post(
        f"/en/planner/plans/{plan.id}/whatif", data={"kind": "site", "site": code}, follow_redirects=True
    )
    assert "Another question is being worked out just now" in answer.get_data(as_text=True)


def test_a_reckoning_that_breaks_down_says_so(
    client: FlaskClient, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page does not wait for ever for a process that is gone."""
    monkeypatch.setattr(runs, "reckon_command", lambda *_, **__: ["/bin/false"])
    path = f"/en/planner/plans/{plan.id}/whatif"
    client.get(path)
    for _ in range(100):
        page = client.get(path).get_data(as_text=True)
        if "could not be made" in page:
            return
        time.sleep(0.1)
    raise AssertionError(page)
