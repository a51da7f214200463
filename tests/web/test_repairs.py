"""Day repair at the screen and on the command line: from what happened to everybody being told."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Center, Plan, Repair, RepairCall, Site, Visit
from queueing.store import Outbox
from tests.web import world as cast
from tests.web.repairing_cast import before_it_opens, first_visit, make_published
from web import repairing


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cast with the coming week published, made once."""
    template, _world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_published(template, tmp_path_factory.mktemp("published"))


@pytest.fixture
def app(published: Path, clock: cast.StillClock, over: Callable[[Path], Flask]) -> Flask:
    """The application an hour before the week's first visit opens."""
    made = over(published)
    with Session(made.extensions["writer"].engine) as session:
        clock.set(before_it_opens(first_visit(session)))
    return made


@pytest.fixture
def client(login: Callable[..., FlaskClient]) -> FlaskClient:
    """The planner at work."""
    return login("planner")


@pytest.fixture
def visit(db_session: Session) -> Visit:
    """The week's first visit; its center breaks down."""
    return first_visit(db_session)


def reported(client: FlaskClient, visit: Visit, **more: Any) -> int:
    """Report the breakdown and wait for the proposals; the repair's id."""
    form = {"kind": "center_out", "center": visit.center_id, "until": visit.day.isoformat(), **more}
    answer = client.post("/en/planner/repair", data=form)
    assert answer.status_code == 302, answer.get_data(as_text=True)[:500]
    number = int(answer.headers["Location"].rsplit("/", 1)[1])
    deadline = time.monotonic() + 40
    while "Looking for ways" in client.get(f"/en/planner/repairs/{number}/part").get_data(as_text=True):
        assert time.monotonic() < deadline, "no answer came"
        time.sleep(0.2)
    return number


def test_from_breakdown_to_everybody_told(client: FlaskClient, visit: Visit, db_session: Session) -> None:
    """Report, choose, tick off: the visit is no longer announced as it was, and the list gets empty."""
    number = reported(client, visit)
    page = client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    assert "Only cancel" in page and "Hours won back" in page and 'http-equiv="refresh"' not in page
    db_session.rollback()
    assert db_session.get_one(Visit, visit.id).status == "announced", "nothing is announced by looking"
    choice = re.findall(r'name="choice" value="(\w+)"', page)[0]
    said = client.post(f"/en/planner/repairs/{number}/accept", data={"choice": choice}, follow_redirects=True)
    assert "Announced." in said.get_data(as_text=True), re.findall(
        r"flash[^<]*<?[^<]*", said.get_data(as_text=True)
    )
    db_session.rollback()
    gone = db_session.get_one(Visit, visit.id)
    assert gone.status == "cancelled" and gone.reason_ar and gone.reason_en
    after = client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    assert "Who must be told" in after and "أُلغيت زيارة" in after
    for call in db_session.scalars(select(RepairCall).where(RepairCall.repair_id == number)).all():
        client.post(f"/en/planner/calls/{call.id}", data={"told": "1"})
    assert "Everybody has been told." in client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    listed = client.get("/en/planner/repairs").get_data(as_text=True)
    assert "everybody told" in listed and "In service again" in listed
    client.post(f"/en/planner/centers/{visit.center_id}/ready")
    db_session.rollback()
    assert db_session.get_one(Center, visit.center_id).status == "ready"


def test_the_waiting_page_hears_of_the_answer(client: FlaskClient, visit: Visit, db_session: Session) -> None:
    """The plan's screens get an outbox row; without scripts the page reloads by itself meanwhile."""
    number = reported(client, visit)
    db_session.rollback()
    rows = db_session.scalars(select(Outbox).where(Outbox.part == "repair")).all()
    assert [row.data["repair"] for row in rows] == [number]


def test_too_late_a_choice_is_refused_in_words_and_worked_out_again(
    client: FlaskClient, visit: Visit, clock: cast.StillClock, db_session: Session
) -> None:
    """An hour later the proposals no longer hold; one press asks again from where the centers are then."""
    number = reported(client, visit)
    clock.advance(hours=1)
    page = client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    assert "too old" in page
    client.post(f"/en/planner/repairs/{number}/accept", data={"choice": "nothing"}, follow_redirects=True)
    db_session.rollback()
    assert db_session.get_one(Repair, number).status == "proposed"
    assert db_session.get_one(Visit, visit.id).status == "announced"
    answer = client.post(f"/en/planner/repairs/{number}/again")
    assert int(answer.headers["Location"].rsplit("/", 1)[1]) > number
    db_session.rollback()
    assert db_session.get_one(Repair, number).status == "dismissed"


def test_nothing_changes_when_the_planner_decides_so(
    client: FlaskClient, visit: Visit, db_session: Session
) -> None:
    """Dismissed: every visit stands, and it can no longer be accepted."""
    number = reported(client, visit)
    client.post(f"/en/planner/repairs/{number}/dismiss")
    client.post(f"/en/planner/repairs/{number}/accept", data={"choice": "nothing"})
    db_session.rollback()
    assert db_session.get_one(Repair, number).status == "dismissed"
    assert db_session.get_one(Visit, visit.id).status == "announced"
    assert db_session.scalars(select(Plan).where(Plan.status == "published")).one().id == 1


@pytest.mark.parametrize("kind", ["center_out", "site_closed", "road_slowed", "demand_changed"])
def test_each_kind_has_its_form(client: FlaskClient, visit: Visit, kind: str) -> None:
    """With what it is about in the address one press is left; a place is found by part of its name."""
    address = f"/en/planner/repair?kind={kind}"
    if kind != "center_out":
        found = client.get(f"{address}&place={visit.site.name_en[:5]}").get_data(as_text=True)
        assert visit.site.name_en in found
    page = client.get(f"{address}&site={visit.site_id}&center={visit.center_id}").get_data(as_text=True)
    assert "Work out ways to go on" in page and "the end of today" in page


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"kind": "center_out", "center": ""}, "Choose the center."),
        ({"kind": "site_closed", "site": ""}, "Choose the place."),
        ({"kind": "demand_changed", "site": "1"}, "Something is missing."),
        ({"kind": "center_out", "center": "1", "until": "2027-01-01"}, "Something is missing."),
    ],
)
def test_what_is_missing_is_said(client: FlaskClient, visit: Visit, form: dict[str, str], words: str) -> None:
    """A form that says too little comes back with what to do."""
    answer = client.post("/en/planner/repair", data={"until": visit.day.isoformat(), **form})
    assert answer.status_code == 422 and words in answer.get_data(as_text=True)


def test_only_planners_repair(login: Callable[..., FlaskClient], visit: Visit) -> None:
    """A clerk may not even look."""
    clerk = login("clerk")
    for path in ("/planner/repairs", "/planner/repair", "/planner/repairs/1"):
        assert clerk.get(path).status_code == 403
    assert clerk.post("/planner/repair", data={"kind": "center_out"}).status_code == 403


def test_a_child_that_breaks_down_is_said_and_can_be_asked_again(
    app: Flask, client: FlaskClient, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so and offers another try."""

    def broken(*_: Any) -> dict[str, object]:
        raise repairing._Failed("solver_ended: code 3")

    monkeypatch.setattr(repairing, "_answer", broken)
    number = reported(client, visit)
    page = client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    assert "No proposals could be worked out" in page and "Work it out again" in page


def test_the_live_list_leads_to_the_form(client: FlaskClient, visit: Visit) -> None:
    """Each center on duty has its link."""
    assert f"kind=center_out&amp;center={visit.center_id}" in client.get("/en/planner/live").get_data(
        as_text=True
    )


def test_the_command_line_repairs_too(app: Flask, visit: Visit, db_session: Session) -> None:
    """`plan repair center_out CODE --json` proposes, `--accept` announces; unknown codes are one sentence."""
    runner = app.test_cli_runner()
    code = visit.center.code
    made = runner.invoke(args=["plan", "repair", "center_out", code, "--json"])
    assert made.exit_code == 0, made.output
    answer = json.loads(made.output)
    assert answer["proposals"][0]["hours_won_back"] == 0
    name = answer["proposals"][-1]["name"]
    done = runner.invoke(args=["plan", "repair", "center_out", code, "--accept", name])
    assert done.exit_code == 0 and "is published" in done.output, done.output
    db_session.rollback()
    assert db_session.get_one(Visit, visit.id).status in ("cancelled", "announced")
    assert db_session.scalars(select(Plan).where(Plan.status == "published")).one().id > 1
    wrong = runner.invoke(args=["plan", "repair", "center_out", "MC-NONE"])
    assert wrong.exit_code == 1 and "there is no center MC-NONE" in wrong.output


def test_a_stretch_between_two_places_is_closed_step_by_step(
    client: FlaskClient, visit: Visit, db_session: Session
) -> None:
    """Without scripts: the first place, the second, the strip's width; then proposals that name both ends."""
    near = select(Site).where(Site.governorate_id == visit.site.governorate_id, Site.id != visit.site_id)
    other = db_session.scalars(near.where(Site.active).order_by(Site.id)).all()[0]
    start = client.get("/en/planner/repair?kind=road_slowed").get_data(as_text=True)
    assert "A stretch between two places" in start and "two points of the map" in start
    address = f"/en/planner/repair?kind=road_slowed&shape=stretch&site={visit.site_id}"
    second = client.get(f"{address}&place={other.name_en[:6]}").get_data(as_text=True)
    assert "To which place?" in second and f"other={other.id}" in second
    form = client.get(f"{address}&other={other.id}").get_data(as_text=True)
    assert 'name="width"' in form and "shortest way around the edge" in form
    number = reported(
        client, visit, kind="road_slowed", shape="stretch", way="closed", width="1.5",
        site=visit.site_id, other=other.id,
    )  # fmt: skip
    page = client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    assert "on a strip 1.5 km wide" in page and visit.site.name_en in page and other.name_en in page
    db_session.rollback()
    assert db_session.get_one(Repair, number).status == "proposed"
    assert db_session.get_one(Repair, number).disruption["other_id"] == other.id


def test_a_stretch_between_two_points_is_closed_and_nonsense_is_refused(
    client: FlaskClient, visit: Visit
) -> None:
    """Coordinates as maps give them, also with the Arabic comma; not two equal points, words, another continent."""
    form = {"kind": "road_slowed", "shape": "points", "way": "slow", "percent": "200", "width": "2"}
    number = reported(client, visit, **form, **{"from": "30.05, 31.20", "to": "30.10\u060c 31.25"})
    page = client.get(f"/en/planner/repairs/{number}").get_data(as_text=True)
    assert "takes 200% of the usual time" in page and "30.05, 31.2" in page
    for start, end in (("30.05, 31.2", "30.05, 31.2"), ("bridge", "30.1, 31.2"), ("30.0, 31.0", "48.8, 2.3")):
        answer = client.post(
            "/en/planner/repair", data={**form, "until": visit.day.isoformat(), "from": start, "to": end}
        )
        assert answer.status_code == 422 and "Something is missing." in answer.get_data(as_text=True)
        assert 'value="2"' in answer.get_data(as_text=True), "what was typed is still there"
