"""The planner's pages: the week board, changes with their verdicts, drafts, publication, who may do what."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.store import Plan, PlanVisit, Visit
from queueing import counter
from queueing.store import Queue, Ticket
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from tests.web import world as cast
from tests.web.planned import WEEK

pytestmark = pytest.mark.week("planned")

PART = {"X-Part": "1"}


@pytest.fixture
def stop(db_session: Session, plan: Plan) -> PlanVisit:
    """Its first visit."""
    return db_session.scalars(
        select(PlanVisit).where(PlanVisit.plan_id == plan.id).order_by(PlanVisit.id)
    ).all()[0]


def feasible(session: Session, plan: Plan, stop: PlanVisit) -> dict[str, str]:
    """A move of this visit that breaks no rule: another length at its own place and time."""
    for stay in (120, 180, 240, 300):
        if stay == stop.stay_minutes:
            continue
        change = planner.Change("move", visit_id=stop.id, stay_minutes=stay)
        if planner.try_change(session, plan, change, now=cast.NOW).feasible:
            return {"stay": str(stay)}
    raise AssertionError("no feasible change of this visit")


def publish(client: FlaskClient, plan: Plan) -> None:
    assert client.post(f"/planner/plans/{plan.id}/publish").status_code == 302


# Who may come in


@pytest.mark.parametrize("name", ["clerk", "supervisor", "agency", "van_clerk"])
@pytest.mark.parametrize(
    "path",
    [
        "/planner",
        "/planner/congestion",
        "/planner/forecast",
        "/planner/events",
        "/planner/live",
        "/planner/live/positions.json",
        "/planner/plans/1/plan.json",
    ],
)
def test_nobody_but_planners(login: Callable[..., FlaskClient], name: str, path: str) -> None:
    """Clerks, supervisors and agencies get 403 on every page of the planner, reading and writing."""
    other = login(name)
    assert other.get(path).status_code == 403
    assert other.post("/planner/drafts", data={"week": WEEK.isoformat()}).status_code == 403
    assert other.post("/planner/plans/1/publish").status_code == 403


def test_strangers_are_sent_to_sign_in(app: Flask) -> None:
    """A page leads to the sign-in and back; a section or a form is refused."""
    stranger = app.test_client()
    answer = stranger.get("/planner?plan=1")
    assert answer.status_code == 302 and "/login?next=/planner?plan%3D1" in answer.location.replace(
        "%2F", "/"
    ).replace("%3F", "?")
    assert stranger.get("/planner", headers=PART).status_code == 401
    assert stranger.post("/planner/plans/1/publish").status_code == 401


def test_forms_need_their_token(app: Flask, client: FlaskClient, plan: Plan, stop: PlanVisit) -> None:
    """With CSRF checks on, a forged post changes nothing; the board's own form works."""
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post(f"/planner/visits/{stop.id}/pin").status_code == 400
    page = client.get(f"/planner/visits/{stop.id}").get_data(as_text=True)
    form = cast.form_to(page, f"/planner/visits/{stop.id}/pin")
    assert client.post(form.action, data=form.fields).status_code == 302


# The week board


@pytest.mark.parametrize("language", ["", "/en"])
def test_the_board_shows_every_center_and_visit(
    client: FlaskClient, db_session: Session, plan: Plan, language: str
) -> None:
    """Each center has a row, each visit a link with its place; figures and the baseline stand above."""
    page = client.get(f"{language}/planner?week={WEEK}").get_data(as_text=True)
    assert "MC-ASN-01" in page and "MC-C-01" in page
    visits = db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == plan.id)).all()
    assert visits
    for visit in visits:
        assert f"{language}/planner/visits/{visit.id}" in page
        assert (visit.site.name_en if language else visit.site.name_ar) in page
    assert f"{plan.hours_saved:,.0f}" in page
    assert ("biggest towns in turn" if language else "أكبر المدن بالدور") in page


def test_a_week_without_a_plan_says_so_and_offers_a_draft(client: FlaskClient) -> None:
    """The next week over is empty; the form to draft it is there."""
    page = client.get("/en/planner?week=2026-12-05").get_data(as_text=True)
    assert "There is no plan for this week yet." in page
    assert cast.form_to(page, "/planner/drafts").fields["week"] == "2026-12-05"


def test_filters_keep_the_rows_that_match(client: FlaskClient, world: cast.World, plan: Plan) -> None:
    """By governorate, by code, and by a place's name typed another way; words that match nothing say so."""
    cairo = client.get(f"/planner?plan={plan.id}&governorate={world.governorate_b}").get_data(as_text=True)
    assert "MC-C-01" in cairo and "MC-ASN-01" not in cairo
    by_code = client.get(f"/planner?plan={plan.id}&q=mc-asn-01").get_data(as_text=True)
    assert "MC-ASN-01" in by_code and "MC-C-01" not in by_code
    by_name = client.get(f"/planner?plan={plan.id}&q=اسوان").get_data(as_text=True)
    assert "MC-ASN-01" in by_name and "MC-C-01" not in by_name
    assert "No center matches." in client.get(f"/en/planner?plan={plan.id}&q=xylophone").get_data(
        as_text=True
    )


def test_wrong_addresses_are_refused(client: FlaskClient) -> None:
    """A date or number that is none is a bad request, a plan or visit that is not there is not found."""
    assert client.get("/planner?week=tomorrow").status_code == 400
    assert client.get("/planner?plan=x").status_code == 400
    assert client.get("/planner?plan=999").status_code == 404
    assert client.get("/planner/visits/999").status_code == 404
    assert client.get("/planner/plans/1/rows").status_code == 400


def test_the_grid_stays_small(client: FlaskClient, plan: Plan) -> None:
    """A visit costs at most 190 bytes of markup, so that 107 centers with 800 visits fit in 15 KB gzipped."""
    rows = client.get(f"/planner/plans/{plan.id}/rows?centers=1,2").get_data()
    visits = rows.count(b"/planner/visits/")
    assert visits and (len(rows) - 200) / visits < 190
    assert len(gzip.compress(rows)) < len(rows) / 2


# One visit


def test_the_verdict_comes_without_changing_anything(
    client: FlaskClient, db_session: Session, plan: Plan, stop: PlanVisit
) -> None:
    """A section asked for by a script is JSON with words and the revision; the plan stays as it is."""
    query = feasible(db_session, plan, stop)
    answer = client.get(f"/en/planner/visits/{stop.id}/try", query_string=query, headers=PART).get_json()
    assert answer["feasible"] is True and answer["revision"] == plan.revision
    assert "Hours saved:" in answer["html"] and "Driving:" in answer["html"]
    before = stop.stay_minutes
    db_session.rollback()
    db_session.refresh(stop)
    assert stop.stay_minutes == before


@pytest.mark.parametrize(
    ("language", "words"), [("", "المركز لا يعمل في هذا اليوم"), ("/en", "does not work on this day")]
)
def test_an_impossible_move_says_why_in_words(
    client: FlaskClient, stop: PlanVisit, language: str, words: str
) -> None:
    """Friday is no working day of vans: the fault's code becomes a sentence of the page's language."""
    answer = client.get(f"{language}/planner/visits/{stop.id}/try?day=2026-12-04", headers=PART).get_json()
    assert answer["feasible"] is False and words in answer["html"]


def test_without_scripts_the_form_tries_and_moves(
    client: FlaskClient, db_session: Session, plan: Plan, stop: PlanVisit
) -> None:
    """The drawer's own page: 'what would change' keeps the choice and shows the verdict, 'move' makes it."""
    wanted = feasible(db_session, plan, stop)
    page = client.get(f"/planner/visits/{stop.id}").get_data(as_text=True)
    form = cast.form_to(page, f"/visits/{stop.id}/move")
    tried = client.get(f"/planner/visits/{stop.id}/try", query_string={**form.fields, **wanted}).get_data(
        as_text=True
    )
    assert 'class="verdict' in tried
    kept = cast.form_to(tried, f"/visits/{stop.id}/move")
    assert kept.fields["stay"] == wanted["stay"]
    moved = client.post(kept.action, data=kept.fields)
    assert moved.status_code == 302 and f"plan={plan.id}" in moved.location
    db_session.rollback()
    db_session.refresh(stop)
    assert stop.stay_minutes == int(wanted["stay"])


def test_a_script_gets_the_rows_that_changed(
    client: FlaskClient, db_session: Session, plan: Plan, stop: PlanVisit
) -> None:
    """The answer to a move names the centers to draw again and the new revision; their rows can be fetched."""
    data = {**feasible(db_session, plan, stop), "revision": str(plan.revision)}
    answer = client.post(f"/planner/visits/{stop.id}/move", data=data, headers=PART).get_json()
    assert answer["ok"] and answer["centers"] == [stop.center_id] and answer["revision"] == plan.revision + 1
    rows = client.get(f"/planner/plans/{plan.id}/rows?centers={stop.center_id}", headers=PART).get_data(
        as_text=True
    )
    assert f"id=r{stop.center_id}" in rows and rows.count("<tr") == 1


def test_a_stale_form_changes_nothing_and_says_so(
    client: FlaskClient, db_session: Session, plan: Plan, stop: PlanVisit
) -> None:
    """Somebody pinned another visit meanwhile: the move is refused with 409, on a page and for a script."""
    data = {**feasible(db_session, plan, stop), "revision": str(plan.revision)}
    other = db_session.scalars(
        select(PlanVisit).where(PlanVisit.plan_id == plan.id, PlanVisit.id != stop.id)
    ).first()
    assert other is not None
    client.post(f"/planner/visits/{other.id}/pin")
    page = client.post(f"/en/planner/visits/{stop.id}/move", data=data)
    assert page.status_code == 409 and "Somebody changed this plan" in page.get_data(as_text=True)
    script = client.post(f"/planner/visits/{stop.id}/move", data=data, headers=PART)
    assert script.status_code == 409 and script.get_json()["code"] == "stale_revision"


def test_a_refused_move_keeps_what_was_chosen(client: FlaskClient, plan: Plan, stop: PlanVisit) -> None:
    """The form comes back with the chosen day and the reasons."""
    data = {"day": "2026-12-04", "revision": str(plan.revision)}
    answer = client.post(f"/en/planner/visits/{stop.id}/move", data=data)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409 and "does not work on this day" in page
    assert cast.form_to(page, "/move").fields["day"] == "2026-12-04"


def test_pin_and_unpin(client: FlaskClient, db_session: Session, stop: PlanVisit) -> None:
    """A pinned visit carries its mark on the board and cannot be moved until it is unpinned."""
    client.post(f"/planner/visits/{stop.id}/pin")
    db_session.rollback()
    db_session.refresh(stop)
    assert stop.pinned
    assert "pinned" in client.get(f"/en/planner?plan={stop.plan_id}").get_data(as_text=True)
    refused = client.get(f"/en/planner/visits/{stop.id}/try?day=2026-12-01", headers=PART).get_json()
    assert refused["feasible"] is False and "Unpin it first" in refused["html"]
    client.post(f"/planner/visits/{stop.id}/unpin")
    db_session.rollback()
    db_session.refresh(stop)
    assert not stop.pinned


def test_taking_a_visit_out_and_adding_it_again(
    client: FlaskClient, db_session: Session, plan: Plan, stop: PlanVisit
) -> None:
    """What is taken out shows among the places without a visit, with its reason, and can be added from there."""
    site, center, day = stop.site, stop.center_id, stop.day
    page = client.get(f"/planner/visits/{stop.id}").get_data(as_text=True)
    form = cast.form_to(page, "/remove")
    assert client.post(form.action, data=form.fields).status_code == 302
    others = db_session.scalars(
        select(PlanVisit).where(PlanVisit.plan_id == plan.id, PlanVisit.site_id == site.id)
    ).all()
    tray = client.get(f"/en/planner/plans/{plan.id}/unserved").get_data(as_text=True)
    if not [v for v in others if v.id != stop.id]:
        assert site.name_en in tray
    adding = cast.forms(client.get(f"/planner/plans/{plan.id}/add?site={site.id}").get_data(as_text=True))[-1]
    fields = {**adding.fields, "center": str(center), "day": day.isoformat()}
    tried = client.get(f"/en/planner/plans/{plan.id}/add", query_string=fields).get_data(as_text=True)
    assert "Possible." in tried
    added = client.post(f"/planner/plans/{plan.id}/add", data=fields)
    assert added.status_code == 302
    db_session.rollback()
    again = db_session.scalars(
        select(PlanVisit).where(
            PlanVisit.plan_id == plan.id, PlanVisit.site_id == site.id, PlanVisit.day == day
        )
    ).all()
    assert again and again[0].center_id == center


def test_every_unserved_place_has_a_reason_in_both_languages(
    client: FlaskClient, app: Flask, plan: Plan
) -> None:
    """Each row of the tray has words of ours, not a code and not the solver's English in the Arabic page."""
    with Session(app.extensions["writer"].engine) as session:
        found = planner.unserved(session, session.get_one(Plan, plan.id))
    arabic = client.get(f"/planner/plans/{plan.id}/unserved").get_data(as_text=True)
    for one in found:
        assert one.words not in arabic and one.code not in arabic.replace(f'value="{one.code}"', "")
    assert arabic.count("<tr>") == len(found) + 1


# Publishing


def test_publishing_says_what_will_happen_and_does_it(
    client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """The confirmation counts the visits and leaves no trace; pressing twice announces each visit once."""
    planned = len(db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == plan.id)).all())
    before = len(db_session.scalars(select(Visit)).all())
    page = client.get(f"/en/planner/plans/{plan.id}/publish").get_data(as_text=True)
    noun = "new visit is" if planned == 1 else "new visits are"
    assert f"{planned} {noun} announced" in page
    db_session.rollback()
    assert len(db_session.scalars(select(Visit)).all()) == before
    assert db_session.get_one(Plan, plan.id).status == "draft"
    publish(client, plan)
    again = client.post(f"/en/planner/plans/{plan.id}/publish", follow_redirects=True).get_data(as_text=True)
    assert "published already" in again
    db_session.rollback()
    assert len(db_session.scalars(select(Visit)).all()) == before + planned


def test_a_copy_of_the_published_plan_can_be_changed_and_compared(
    client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """A draft of the published plan without one visit: the comparison names who loses, publishing would cancel one."""
    publish(client, plan)
    copied = client.post(f"/planner/plans/{plan.id}/copy")
    number = int(copied.location.rsplit("plan=", 1)[1])
    db_session.rollback()
    visits = db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == number)).all()
    once = next(v for v in visits if [w.site_id for w in visits].count(v.site_id) == 1)
    client.post(f"/planner/visits/{once.id}/remove", data={"revision": "0"})
    page = client.get(f"/en/planner/plans/{number}/compare").get_data(as_text=True)
    loses = page[page.index("Who loses") : page.index("Who gains")]
    assert once.site.name_en in loses
    confirm = client.get(f"/en/planner/plans/{number}/publish").get_data(as_text=True)
    assert "1 announced visit is cancelled" in confirm


def test_cancelling_a_visit_needs_a_reason_and_counts_the_tickets(
    client: FlaskClient, db_session: Session, plan: Plan, world: cast.World, write: Callable[[Any], Any]
) -> None:
    """Without a reason nothing happens; with one the visit stays on the board, struck through, its ticket closed."""
    publish(client, plan)
    db_session.rollback()
    visit = db_session.scalars(select(Visit).where(Visit.plan_id == plan.id).order_by(Visit.id)).all()[0]

    def ticket(session: Session) -> None:
        queue = session.get_one(Queue, visit.queue_id)
        queue.state = "open"
        counter.issue(session, queue, "NID-01", request_id="r-1", actor="test", now=cast.NOW)

    write(ticket)
    url = f"/planner/announced/{visit.id}/cancel"
    assert "1 person holds a ticket" in client.get(f"/en{url}").get_data(as_text=True)
    assert client.post(url, data={"reason_ar": " ", "reason_en": ""}).status_code == 409
    db_session.rollback()
    assert db_session.get_one(Visit, visit.id).status == "announced"
    done = client.post(url, data={"reason_ar": "عطل في المركبة", "reason_en": "The van broke down"})
    assert done.status_code == 302
    db_session.rollback()
    cancelled = db_session.get_one(Visit, visit.id)
    assert (cancelled.status, cancelled.reason_en) == ("cancelled", "The van broke down")
    assert db_session.scalars(select(Ticket.state).where(Ticket.queue_id == visit.queue_id)).all() == [
        "cancelled"
    ]
    assert "class=x" in client.get(f"/planner?plan={plan.id}").get_data(as_text=True)


def test_a_published_plan_has_no_move_form(client: FlaskClient, plan: Plan, stop: PlanVisit) -> None:
    """It offers cancelling and a draft instead; a forged move is refused."""
    publish(client, plan)
    page = client.get(f"/planner/visits/{stop.id}").get_data(as_text=True)
    assert "/move" not in page and "/cancel" in page
    forged = client.post(
        f"/en/planner/visits/{stop.id}/move", data={"day": "2026-12-01", "revision": str(plan.revision)}
    )
    assert forged.status_code == 409 and "Only a draft can be changed" in forged.get_data(as_text=True)


# Drafts and files


def test_a_draft_is_started_watched_and_ready(client: FlaskClient, db_session: Session, plan: Plan) -> None:
    """The form starts a child process; its page ends with the way to the board. Pins of the plan shown are kept."""
    stop = db_session.scalars(
        select(PlanVisit).where(PlanVisit.plan_id == plan.id).order_by(PlanVisit.id)
    ).all()[0]
    client.post(f"/planner/visits/{stop.id}/pin")
    form = cast.form_to(client.get(f"/planner?plan={plan.id}").get_data(as_text=True), "/planner/drafts")
    started = client.post(form.action, data={**form.fields, "seconds": "2", "from_plan": str(plan.id)})
    number = int(started.location.rsplit("/", 1)[1])
    assert number != plan.id
    end = time.monotonic() + 60
    while "See it on the week board" not in (
        page := client.get(f"/en/planner/plans/{number}/progress").get_data(as_text=True)
    ):
        assert time.monotonic() < end and "flash-error" not in page, page
        time.sleep(0.1)
    db_session.rollback()
    kept = db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == number, PlanVisit.pinned)).all()
    assert [(v.center_id, v.site_id, v.day, v.start_minute) for v in kept] == [
        (stop.center_id, stop.site_id, stop.day, stop.start_minute)
    ]


def test_a_wrong_time_limit_is_refused_in_words(client: FlaskClient, plan: Plan) -> None:
    """A search of two hours does not begin."""
    answer = client.post(
        "/en/planner/drafts", data={"week": WEEK.isoformat(), "seconds": "7200"}, follow_redirects=True
    )
    assert "between 1 second and 1 hour" in answer.get_data(as_text=True)


def test_the_downloads_agree_with_each_other(client: FlaskClient, plan: Plan) -> None:
    """The plan's file is feasible for the problem's file, as the referee sees it."""
    problem = json.loads(client.get(f"/planner/plans/{plan.id}/problem.json").data)
    answer = client.get(f"/planner/plans/{plan.id}/plan.json")
    assert "attachment" in answer.headers["Content-Disposition"]
    verdict = check(Problem.from_json(problem), Routes.from_json(json.loads(answer.data)))
    assert verdict.feasible and verdict.objective == plan.objective


# Language


@pytest.mark.parametrize(
    "path",
    [
        "/planner?plan={p}",
        "/planner/visits/{v}",
        "/planner/plans/{p}",
        "/planner/plans/{p}/compare",
        "/planner/plans/{p}/publish",
        "/planner/plans/{p}/unserved",
        "/planner/plans/{p}/add?site={s}",
        "/planner/congestion",
        "/planner/forecast",
        "/planner/events",
        "/planner/live",
        "/planner/sites/{s}",
    ],
)
def test_no_page_leaves_a_text_in_the_other_language(client: FlaskClient, stop: PlanVisit, path: str) -> None:
    """Every text of the Arabic page is Arabic but for names of files and codes, and the English page has no Arabic."""
    url = path.format(p=stop.plan_id, v=stop.id, s=stop.site_id)
    body = client.get(url).get_data(as_text=True)
    plain = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", body, flags=re.S)
    words = re.findall(r"[A-Za-z]{4,}", unescape(re.sub(r"<[^>]+>", " ", plain)))
    assert set(words) <= {"English", "planner", "JSON", "Escape", "Enter", "Natural", "Earth", "Fran"}, words
    english = client.get(f"/en{url}").get_data(as_text=True)
    plain = re.sub(r'<a class="lang".*?</a>', " ", english)
    assert not re.findall(r"[\u0621-\u064a]{3,}", unescape(re.sub(r"<[^>]+>", " ", plain)))
