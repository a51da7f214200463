"""The pages of scenarios and of plans side by side: made, changed, compared, taken over, never published."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planning.blobs import decode
from fleet.store import Plan, PlanVisit, Visit
from routing.problem import Problem
from routing.solve import solve
from tests.web import world as cast
from tests.web.planned import WEEK
from web import nightly, solving

pytestmark = pytest.mark.week("planned")


def made(client: FlaskClient, name: str = "Longer days") -> int:
    """A new scenario of the draft, by the form."""
    answer = client.post("/en/planner/scenarios", data={"plan": 1, "name": name})
    assert answer.status_code == 302
    return int(answer.location.rpartition("/")[2])


def add(client: FlaskClient, plan_id: int, kind: str, revision: int, **fields: Any) -> Any:
    """Send the form of a change."""
    data = {"verb": "add", "kind": kind, "revision": revision, **fields}
    return client.post(f"/en/planner/scenarios/{plan_id}/changes", data=data)


def solved(write: Callable[[Callable[[Session], Any]], Any], plan_id: int) -> None:
    """Solve it here, without a child process."""

    def work(session: Session) -> None:
        plan = session.get_one(Plan, plan_id)
        planner.reserve_scenario(session, plan, seconds=2, seed=1)
        planner.fill_draft(session, plan, planner.prepare(session, plan, now=cast.NOW))
        answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=3, seed=1, threads=1)
        planner.accept_solution(session, plan, answer.to_json(), now=cast.NOW)

    write(work)


def text(answer: Any) -> str:
    """The page, unescaped."""
    assert answer.status_code == 200, answer.status
    return unescape(answer.get_data(as_text=True))


@pytest.mark.parametrize("role", ["clerk", "supervisor", "agency"])
def test_planners_only(login: Callable[..., FlaskClient], role: str) -> None:
    """Nobody else sees or makes scenarios."""
    other = login(role)
    for path in (
        "/planner/scenarios",
        "/planner/scenarios/1",
        "/planner/compare?plan=1",
        "/planner/compare.csv?plan=1",
    ):
        assert other.get(path).status_code == 403
    assert other.post("/planner/scenarios", data={"plan": 1, "name": "x"}).status_code == 403


def test_the_list_says_what_each_one_changes(client: FlaskClient) -> None:
    """In both languages, in sentences."""
    plan_id = made(client, "ساعات أطول")
    add(client, plan_id, "shift", 0, end="19:30")
    add(client, plan_id, "demand", 1, percent=150, site_kind="village")
    english, arabic = text(client.get("/en/planner/scenarios")), text(client.get("/planner/scenarios"))
    assert (
        "ساعات أطول" in english
        and "All mobile centers: shift until" in english
        and "demand at 150%" in english
    )
    assert "19:30" in arabic and "الطلب 150%" in arabic and "not solved yet" in english


def test_every_kind_has_its_form_in_both_languages(client: FlaskClient) -> None:
    """A form for each kind, with a field for each of its values."""
    from fleet.planning.scenarios.kinds import KINDS

    plan_id = made(client)
    for kind in KINDS.values():
        for prefix in ("", "/en"):
            page = text(client.get(f"{prefix}/planner/scenarios/{plan_id}?kind={kind.name}"))
            assert f'name="kind" value="{kind.name}"' in page
            for field in kind.fields:
                assert f'name="{field.name}"' in page, (kind.name, field.name)
    assert 'name="kind"' not in text(client.get(f"/planner/scenarios/{plan_id}?kind=magic"))


def test_forms_make_the_changes_they_say(client: FlaskClient, db_session: Session) -> None:
    """What is filled in arrives as data: codes, minutes, numbers, days, a place by its name."""
    plan_id = made(client)
    center = db_session.scalars(select(PlanVisit)).first().center.code  # type: ignore[union-attr]
    place = decode(db_session.get_one(Plan, 1).problem).problem.sites[0]
    forms: list[tuple[str, dict[str, Any]]] = [
        ("add_vans", {"like": center, "count": "2"}),
        ("days_off", {"centers": center, "days": ["0", "2"]}),
        ("shift", {"start": "06:00", "end": "19:30", "max_drive": ""}),
        ("coverage", {"each": "district", "at_least": "1", "penalty": "12.5"}),
        ("demand", {"site": place.id, "percent": "80"}),
    ]
    for revision, (kind, fields) in enumerate(forms):
        assert add(client, plan_id, kind, revision, **fields).status_code == 302, kind
    db_session.rollback()
    assert db_session.get_one(Plan, plan_id).changes == [
        {"kind": "add_vans", "like": [center], "count": 2},
        {"kind": "days_off", "centers": [center], "days": [0, 2]},
        {"kind": "shift", "start": 360, "end": 1170},
        {"kind": "coverage", "each": "district", "at_least": 1, "penalty": 12.5},
        {"kind": "demand", "site": place.id, "percent": 80},
    ]
    form = text(client.get(f"/en/planner/scenarios/{plan_id}?edit=2"))
    assert 'value="replace"' in form and 'value="06:00"' in form and 'value="19:30"' in form
    assert form_ticked(text(client.get(f"/en/planner/scenarios/{plan_id}?edit=1"))) == ["0", "2"]
    altered = add(client, plan_id, "shift", 5, verb="replace", index=2, start="06:30", end="19:30")
    assert altered.status_code == 302
    db_session.rollback()
    assert db_session.get_one(Plan, plan_id).changes[2] == {"kind": "shift", "start": 390, "end": 1170}
    raised = client.post(
        f"/en/planner/scenarios/{plan_id}/changes", data={"verb": "raise", "index": 2, "revision": 6}
    )
    dropped = client.post(
        f"/en/planner/scenarios/{plan_id}/changes", data={"verb": "drop", "index": 0, "revision": 7}
    )
    assert raised.status_code == dropped.status_code == 302
    db_session.rollback()
    assert [c["kind"] for c in db_session.get_one(Plan, plan_id).changes] == [
        "shift",
        "days_off",
        "coverage",
        "demand",
    ]


def form_ticked(page: str) -> list[str]:
    """The ticked days of the form."""
    return re.findall(r'name="days" value="(\d+)" checked', page)


def test_a_place_is_found_by_its_name(client: FlaskClient, db_session: Session, world: cast.World) -> None:
    """A name that means one place is enough; an unknown one is told, and the form keeps what was typed."""
    from fleet.store import Site

    plan_id = made(client)
    village = db_session.get_one(Site, world.village_a)
    assert add(client, plan_id, "demand", 0, site=village.name_en, percent=50).status_code == 302
    db_session.rollback()
    assert db_session.get_one(Plan, plan_id).changes[0]["site"] == village.code
    answer = add(client, plan_id, "demand", 1, site="Atlantis", percent=55)
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422 and "there is no place Atlantis" in page
    assert 'value="Atlantis"' in page and 'value="55"' in page


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("shift", {"end": "05:00"}, "the end must be after the start"),
        ("shift", {}, "fill in: From"),
        ("speed", {"percent": "100"}, "it would change nothing in this week"),
        ("remove_vans", {"count": "50"}, "there are only"),
        ("demand", {"percent": "many"}, "Percent must be a whole number"),
        ("nights", {"nights": "99"}, "must be between 0 and 13"),
        ("days_off", {}, "fill in: Days"),
    ],
)
def test_a_wrong_change_is_told_in_place(
    client: FlaskClient, kind: str, fields: dict[str, str], says: str
) -> None:
    """The sentence names the change, in both languages, and nothing is stored."""
    plan_id = made(client)
    answer = add(client, plan_id, kind, 0, **fields)
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422 and "Change 1 (" in page and says in page
    arabic = client.post(
        f"/planner/scenarios/{plan_id}/changes", data={"verb": "add", "kind": kind, "revision": 0, **fields}
    )
    assert "التغيير 1 (" in arabic.get_data(as_text=True)
    assert "It is the week" not in page and "Nothing yet" in page


def test_two_planners_do_not_overwrite_each_other(client: FlaskClient) -> None:
    """A form opened before another change is refused."""
    plan_id = made(client)
    assert add(client, plan_id, "speed", 0, percent=80).status_code == 302
    answer = add(client, plan_id, "speed", 0, percent=90)
    assert answer.status_code == 422 and "Somebody changed this plan" in unescape(
        answer.get_data(as_text=True)
    )


def test_solved_in_the_background_and_compared(client: FlaskClient, app: Flask, db_session: Session) -> None:
    """The whole path without JavaScript: change, solve in the child process, see figures, compare, download."""
    plan_id = made(client)
    add(client, plan_id, "shift", 0, end="20:00")
    add(client, plan_id, "demand", 1, percent=200)
    page = f"/en/planner/scenarios/{plan_id}"
    assert client.post(f"{page}/solve", data={"seconds": 2}).status_code == 302
    end = time.monotonic() + 60
    while "being solved" in text(client.get(f"{page}/answer")):
        assert time.monotonic() < end
        time.sleep(0.1)
    answer = text(client.get(f"{page}/answer"))
    assert "Compare in full" in answer and "Hours saved for citizens" in answer
    scenario, draft = db_session.get_one(Plan, plan_id), db_session.get_one(Plan, 1)
    assert scenario.status == "solved" and (scenario.hours_saved or 0) > (draft.hours_saved or 0)
    query = f"plan=1&plan={plan_id}&baseline=1"
    for prefix in ("", "/en"):
        shown = text(client.get(f"{prefix}/planner/compare?{query}&show=km&sort=1"))
        assert "Longer days" in shown and "<svg" in shown
    rows = list(
        csv.DictReader(io.StringIO(client.get(f"/planner/compare.csv?{query}").get_data(as_text=True)[1:]))
    )
    wanted = planner.measure(db_session, scenario)
    total = [r for r in rows if r["plan"] == str(plan_id) and not r["governorate"]]
    assert float(next(r["value"] for r in total if r["figure"] == "hours")) == round(wanted.total.hours, 2)
    visits = [r for r in rows if r["plan"] == str(plan_id) and r["governorate"] and r["figure"] == "visits"]
    assert sum(float(r["value"]) for r in visits) == wanted.total.visits
    data = client.get(f"/planner/compare.json?{query}").get_json()
    assert [p["plan"] for p in data["plans"]] == [1, plan_id, None]
    assert data["plans"][1]["total"]["people"] == round(wanted.total.people, 2)
    week = text(client.get(f"{page}/week"))
    stops = [s for r in json.loads(gzip.decompress(scenario.solution))["routes"] for s in r["stops"]]
    assert week.count('href="/en/planner/sites/') == len(stops) and 'href="/en/planner/visits/' not in week
    problem = client.get(f"/planner/scenarios/{plan_id}/problem.json").get_json()
    plan_file = client.get(f"/planner/scenarios/{plan_id}/plan.json").get_json()
    assert plan_file["objective"] == scenario.objective and problem["centers"][0]["shift"][1] == 1200
    assert client.get(f"/planner/scenarios/{plan_id}/changes.json").get_json() == scenario.changes


def test_a_second_solve_is_refused_while_one_runs(client: FlaskClient, write: Any) -> None:
    """One solve at a time, drafts and scenarios alike, and the list cannot change meanwhile."""
    plan_id, other = made(client), made(client, "Other")

    def busy(session: Session) -> None:
        plan = session.get_one(Plan, other)
        plan.status, plan.progress = "solving", {**solving._mark(), "phase": "waiting"}

    write(busy)
    client.post(f"/en/planner/scenarios/{plan_id}/solve", data={"seconds": 2})
    assert "Another week is being planned just now" in text(client.get(f"/en/planner/scenarios/{plan_id}"))
    answer = add(client, other, "speed", 0, percent=80)
    assert answer.status_code == 422 and "Stop the search" in unescape(answer.get_data(as_text=True))
    client.post(f"/planner/scenarios/{other}/stop")


def test_nothing_publishes_a_scenario_by_any_address(
    client: FlaskClient, write: Any, app: Flask, db_session: Session
) -> None:
    """Pages and forms of plans do not know a scenario's number, and the weekly jobs pass it by."""
    plan_id = made(client)
    add(client, plan_id, "shift", 0, end="20:00")
    solved(write, plan_id)
    for path in ("publish", "compare", "unserved", "progress", "problem.json", "plan.json", "totals"):
        assert client.get(f"/planner/plans/{plan_id}/{path}").status_code == 404, path
    assert client.get(f"/planner?plan={plan_id}").status_code == 404
    for path in ("publish", "copy", "stop"):
        assert client.post(f"/planner/plans/{plan_id}/{path}").status_code == 404, path
    board = text(client.get(f"/planner?week={WEEK}"))
    assert '<option value="1"' in board and f'<option value="{plan_id}">{plan_id} –' not in board
    write(lambda session: setattr(session.get_one(Plan, 1), "status", "discarded"))
    friday = cast.NOW + timedelta(days=5)
    with app.app_context():
        assert nightly.publish_next_week(friday) == f"the week of {WEEK} has no draft"
    db_session.expire_all()
    assert db_session.get_one(Plan, plan_id).status == "solved"
    assert db_session.scalar(select(Visit.id).where(Visit.plan_id == plan_id)) is None


def test_taken_over_as_a_draft(client: FlaskClient, write: Any, db_session: Session) -> None:
    """The page says what is taken over and what not; the press makes an ordinary draft, published by nobody."""
    plan_id = made(client)
    add(client, plan_id, "coverage", 0, each="district", at_least=1, penalty=50)
    add(client, plan_id, "demand", 1, percent=150)
    before = client.get(f"/en/planner/scenarios/{plan_id}/take-over")
    assert before.status_code == 302  # not solved yet
    solved(write, plan_id)
    page = text(client.get(f"/en/planner/scenarios/{plan_id}/take-over"))
    taken, _, left = page.partition("Not taken over")
    assert "a missing one costs 50 hours" in taken and "demand at 150%" in left
    answer = client.post(f"/en/planner/scenarios/{plan_id}/take-over")
    draft = db_session.get_one(Plan, int(answer.location.rpartition("=")[2]))
    assert (draft.kind, draft.status, draft.source_id) == ("plan", "draft", plan_id) and draft.visits
    assert "This is a draft of the scenario" in text(client.get(answer.location))
    assert db_session.scalar(select(Plan.id).where(Plan.status == "published")) is None


def test_renamed_copied_and_thrown_away(client: FlaskClient, db_session: Session) -> None:
    """A scenario is called otherwise, copied with its changes, and goes from the list."""
    plan_id = made(client)
    add(client, plan_id, "speed", 0, percent=80)
    client.post(f"/en/planner/scenarios/{plan_id}/name", data={"name": "Slow <roads>"})
    assert "Slow &lt;roads&gt;" in client.get(f"/en/planner/scenarios/{plan_id}").get_data(as_text=True)
    copy = client.post("/en/planner/scenarios", data={"plan": plan_id, "name": "Slow twice"})
    other = int(copy.location.rpartition("/")[2])
    assert db_session.get_one(Plan, other).changes == db_session.get_one(Plan, plan_id).changes
    client.post(f"/en/planner/scenarios/{plan_id}/discard")
    assert client.get(f"/planner/scenarios/{plan_id}").status_code == 404
    assert "Slow twice" in text(client.get("/en/planner/scenarios"))
    assert client.post("/en/planner/scenarios", data={"plan": 1, "name": " "}).status_code == 302
    assert "Give the scenario a name" in text(client.get("/en/planner/scenarios"))


def test_what_cannot_be_compared_is_said(client: FlaskClient) -> None:
    """One plan, or one that is not solved, has nothing to stand beside; unknown ones are 404; a name that looks like
    a formula stays a text in the spreadsheet."""
    plan_id = made(client)
    assert client.get("/en/planner/compare?plan=1").status_code == 302
    assert client.get(f"/en/planner/compare?plan=1&plan={plan_id}").status_code == 302
    assert client.get("/planner/compare?plan=1&plan=999").status_code == 404
    assert client.get("/planner/compare?plan=x").status_code == 400
    assert client.get("/planner/compare.csv?plan=1").status_code == 400
    assert client.get("/planner/compare.csv?plan=1&baseline=1").status_code == 200


def test_forms_of_nonsense_are_refused(client: FlaskClient) -> None:
    """What no page of ours sends is 400."""
    plan_id = made(client)
    path = f"/planner/scenarios/{plan_id}/changes"
    for data in (
        {"verb": "add", "kind": "speed", "percent": 80},
        {"verb": "add", "kind": "magic", "revision": 0},
        {"verb": "drop", "revision": 0},
        {"verb": "burn", "index": 0, "revision": 0},
        {"verb": "add", "kind": "shift", "revision": 0, "end": "99:99"},
    ):
        assert client.post(path, data=data).status_code == 400, data


def test_the_command_line_makes_solves_and_compares(app: Flask, tmp_path: Path) -> None:
    """`plan scenario new|solve|list|compare`: the same path for scripts."""
    changes = tmp_path / "changes.json"
    changes.write_text(json.dumps([{"kind": "shift", "end": 1200}]))

    def run(*words: str) -> Any:
        result = app.test_cli_runner().invoke(args=["plan", "scenario", *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout.splitlines()[-1])

    new = run("new", "--from", "1", "--name", "Longer", "--changes", str(changes))
    assert new["status"] == "editing" and new["changes"] == [{"kind": "shift", "end": 1200}]
    assert run("solve", str(new["id"]), "--seconds", "2")["status"] == "solved"
    assert [s["id"] for s in run("list")["scenarios"]] == [new["id"]]
    both = run("compare", "1", str(new["id"]))
    assert [p["plan"] for p in both["plans"]] == [1, new["id"]]
    published = app.test_cli_runner().invoke(args=["plan", "publish", str(new["id"])])
    assert published.exit_code == 1 and "never published" in published.output
    changes.write_text('[{"kind": "shift", "end": 1}]')
    wrong = app.test_cli_runner().invoke(
        args=["plan", "scenario", "new", "--from", "1", "--name", "x", "--changes", str(changes)]
    )
    assert wrong.exit_code == 1 and "Change 1 (shift)" in wrong.output
