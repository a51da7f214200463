"""Nights away: kept, changed, pinned, published and driven; and what a far village is without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import local_instant
from fleet.errors import FleetError
from fleet.forecast import make_forecast
from fleet.network.mobile import DESKS, draw_mobile
from fleet.network.nights import FAR_VANS, HEAD_HOURS, NIGHTS, allowance
from fleet.network.towns import governorates
from fleet.planning.blobs import decode
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import judge, visits_of
from fleet.simulation.vans import load_vans
from fleet.store import Center, Plan, PlanVisit, Site, Visit
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from routing.solve import solve
from tests.fleet.nights_cast import FAR, FURTHER, SECOND, THURSDAY, VAN, desert, toured
from tests.fleet.planning_cast import FRIDAY, WEEK

TOUR = [(0, [(FAR, 180)], True), (1, [(FURTHER, 120)], False)]
"""Out on Saturday, a night there, on and home on Sunday."""


@pytest.fixture
def session() -> Iterator[Session]:
    with desert() as s:
        yield s


def at(session: Session, plan: Plan, code: str) -> PlanVisit:
    """The plan's visit of a place."""
    return next(v for v in visits_of(session, plan) if v.site.code == code)


def announced(session: Session, code: str) -> Visit:
    """The announced visit of a place."""
    return session.scalars(select(Visit).join(Site, Site.id == Visit.site_id).where(Site.code == code)).one()


def test_a_far_village_can_be_served_only_with_a_night(session: Session) -> None:
    """The same two stops break rules when the van comes home each evening, and none with the night."""
    plan = toured(session, TOUR)
    marks = marks_of(visits_of(session, plan), load_frame(session, WEEK))
    assert judge(marks, decode(plan.problem)).feasible
    home = [replace(m, overnight=False) for m in marks]
    codes = {f.code for f in judge(home, decode(plan.problem)).faults}
    assert codes & {"late_return", "too_much_driving"}


def test_the_problem_says_nights_and_their_cost(session: Session) -> None:
    """Three nights at the usual cost of a crew of three, in tenths of an hour; the other vans come home."""
    raw = planner.build_problem(session, WEEK, now=FRIDAY)
    van = next(c for c in raw["centers"] if c["id"] == VAN)
    assert raw["format"] == "fleet-problem/2"
    assert (van["nights"], van["night_cost"]) == (3, round(10 * HEAD_HOURS * 3))
    assert all("nights" not in c for c in raw["centers"] if c["id"] != VAN)
    with pytest.raises(FleetError):
        planner.set_nights(session, session.scalars(select(Center)).first(), nights=14)  # type: ignore[arg-type]


def test_an_accepted_tour_keeps_its_night_and_its_driving(session: Session) -> None:
    """The first day's last visit is marked; its share is the way out, the next day's the way on and home."""
    plan = toured(session, TOUR)
    far, further = at(session, plan, FAR), at(session, plan, FURTHER)
    assert (far.overnight, further.overnight) == (True, False)
    assert 150 < far.drive_minutes < 300 and 150 < further.drive_minutes < 300
    nights = planner.totals(session, plan)
    assert nights.drive_minutes == far.drive_minutes + further.drive_minutes
    _problem, answer = planner.export(session, plan)
    assert [r.get("overnight", False) for r in answer["routes"]] == [True, False]
    assert answer["routes"][1]["origin"] == f"S-{FAR}"
    assert check(Problem.from_json(_problem), Routes.from_json(answer)).feasible


def test_a_day_that_only_drives_home_is_borne_by_the_night_before(session: Session) -> None:
    """Out, a night, and nothing on the next day: the visit bears the way there and the way back."""
    plan = toured(session, [(0, [(FAR, 180)], True)])
    there_and_on = at(session, toured(session, TOUR), FAR).drive_minutes
    assert at(session, plan, FAR).drive_minutes == pytest.approx(2 * there_and_on, abs=2)


def test_publishing_tells_where_vans_sleep_and_start(session: Session) -> None:
    """The visit says the night, the next morning's says from where, and the van leaves there, not at its depot, for
    it."""
    plan = toured(session, TOUR)
    planner.publish(session, plan, actor="p", now=FRIDAY)
    far, further = announced(session, FAR), announced(session, FURTHER)
    assert (far.overnight, far.origin_site_id) == (True, None)
    assert (further.overnight, further.origin_site_id) == (False, far.site_id)
    assert further.depart_at is not None and far.depart_at is not None
    assert further.opens_at - further.depart_at < timedelta(hours=1, minutes=30)
    assert far.opens_at - far.depart_at > timedelta(hours=2, minutes=30)


def test_a_simulated_van_sleeps_where_the_plan_says_and_starts_there(session: Session) -> None:
    """On Saturday evening it stands at the far place, on Sunday morning too; in the evening it is home."""
    plan = toured(session, TOUR)
    planner.publish(session, plan, actor="p", now=FRIDAY)
    far, further = announced(session, FAR), announced(session, FURTHER)
    there = (far.site.lat, far.site.lon)
    far.status, far.opened_at, far.closed_at = "closed", far.opens_at, far.closes_at
    session.flush()
    saturday = load_vans(session, WEEK, 1)[far.center_id]
    assert saturday.where(local_instant(WEEK, 1320))[:2] == ("away", there)
    sunday = WEEK + timedelta(days=1)
    van = load_vans(session, sunday, 1)[far.center_id]
    assert van.where(local_instant(sunday, 420))[:2] == ("away", there)
    further.status, further.opened_at, further.closed_at = "closed", further.opens_at, further.closes_at
    session.flush()
    assert load_vans(session, sunday, 1)[far.center_id].where(local_instant(sunday, 1320))[0] == "home"


def test_a_simulated_van_drives_home_on_a_day_without_visits(session: Session) -> None:
    """After a night away with nothing planned, it is on the road in the morning and home in the evening; the day after
    it has no way to tell."""
    plan = toured(session, [(0, [(FAR, 180)], True)])
    planner.publish(session, plan, actor="p", now=FRIDAY)
    far = announced(session, FAR)
    sunday, monday = WEEK + timedelta(days=1), WEEK + timedelta(days=2)
    van = load_vans(session, sunday, 1)[far.center_id]
    assert van.where(local_instant(sunday, 480))[0] == "returning"
    assert van.where(local_instant(sunday, 1000))[0] == "home"
    assert far.center_id not in load_vans(session, monday, 1)


def test_a_pin_keeps_the_whole_tour(session: Session) -> None:
    """Pinning one of its visits pins both, unpinning frees both, and a new draft holds them with the night."""
    plan = toured(session, TOUR)
    planner.pin(session, at(session, plan, FURTHER), actor="p", now=FRIDAY)
    assert at(session, plan, FAR).pinned and at(session, plan, FURTHER).pinned
    again = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY, from_plan=plan)
    pins = decode(again.problem).raw["pinned"]
    assert [(p["site"], p.get("overnight", False)) for p in pins] == [(FAR, True), (FURTHER, False)]
    assert again.message == ""
    planner.unpin(session, at(session, plan, FAR), actor="p", now=FRIDAY)
    assert not at(session, plan, FURTHER).pinned


def test_taking_out_the_stop_of_the_night_is_judged(session: Session) -> None:
    """Without the night the second stop cannot be reached: refused; the second can go, then the first."""
    plan = toured(session, TOUR)
    gone = planner.Change("remove", visit_id=at(session, plan, FAR).id)
    assert planner.try_change(session, plan, gone, now=FRIDAY).faults
    for code in (FURTHER, FAR):
        change = planner.Change("remove", visit_id=at(session, plan, code).id)
        planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
    assert visits_of(session, plan) == []


def test_a_planner_ends_a_day_away_or_at_home(session: Session) -> None:
    """With the night taken from it the tour breaks and is refused; given back, and moved a day on, it stands."""
    plan = toured(session, [(0, [(FAR, 180)], True)])
    visit = at(session, plan, FAR)
    home = planner.Change("move", visit_id=visit.id, start_minute=visit.start_minute, overnight=False)
    assert {f.code for f in planner.try_change(session, plan, home, now=FRIDAY).faults} & {
        "late_return",
        "too_much_driving",
    }
    later = planner.Change("move", visit_id=visit.id, day=WEEK + timedelta(days=2), overnight=True)
    planner.apply_change(session, plan, later, revision=plan.revision, actor="p", now=FRIDAY)
    assert (visit.day, visit.overnight) == (WEEK + timedelta(days=2), True)


def test_a_stop_behind_the_last_takes_the_night_over(session: Session) -> None:
    """Added after the stop of the night, a visit becomes the place where the van sleeps."""
    plan = toured(session, [(0, [(FAR, 120)], True)])
    codes = {site.code: site.id for site in session.scalars(select(Site))}
    first = at(session, plan, FAR)
    change = planner.Change(
        "add",
        center_id=first.center_id,
        site_id=codes[FURTHER],
        day=first.day,
        stay_minutes=120,
    )
    planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
    assert not at(session, plan, FAR).overnight and at(session, plan, FURTHER).overnight


def test_a_tour_over_a_weeks_end_is_published_and_carried_into_the_next(session: Session) -> None:
    """Thursday's night in a horizon of two weeks: the first week's own plan has the Saturday on which the van comes
    home, and a plan of the second week starts where it slept."""
    make_forecast(session, SECOND, now=FRIDAY)
    plan = toured(session, [(5, [(FAR, 180)], True), (7, [(FURTHER, 120)], False)], weeks=2)
    report = planner.publish(session, plan, actor="p", now=FRIDAY, until=WEEK)
    part = session.get_one(Plan, report.parts[0])
    van = decode(part.problem).problem.center_by_id[VAN]
    assert van.days[-1] == 7 and announced(session, FAR).day == THURSDAY
    second = planner.build_problem(session, SECOND, now=FRIDAY)
    starts = next(c for c in second["centers"] if c["id"] == VAN)["starts"]
    assert starts == {"0": [f"S-{FAR}", 420]}
    last = planner.publish(session, plan, actor="p", now=FRIDAY)
    session.get_one(Plan, last.parts[0])
    assert announced(session, FURTHER).origin_site_id == announced(session, FAR).site_id


def test_a_draft_that_does_not_know_where_a_van_slept_is_stale(session: Session) -> None:
    """The second week was drafted before the first was published with a night over its end: it names the van."""
    make_forecast(session, SECOND, now=FRIDAY)
    second = toured(session, [], week=SECOND)
    plan = toured(session, [(5, [(FAR, 180)], True), (7, [(FURTHER, 120)], False)], weeks=2)
    planner.publish(session, plan, actor="p", now=FRIDAY, until=WEEK)
    assert planner.stale(session, second).centers == (VAN,)
    with pytest.raises(FleetError) as caught:
        planner.publish(session, second, actor="p", now=FRIDAY)
    assert caught.value.code == "draft_stale"


def test_cancelling_a_visit_of_a_tour_keeps_the_night(session: Session) -> None:
    """The visit before the night is cancelled: the van still sleeps there, or its next stop could not be reached."""
    plan = toured(session, TOUR)
    planner.publish(session, plan, actor="p", now=FRIDAY)
    far = announced(session, FAR)
    planner.cancel_visit(session, far, "عطل", "broken", actor="p", now=FRIDAY)
    sunday = WEEK + timedelta(days=1)
    assert announced(session, FURTHER).origin_site_id == far.site_id
    assert load_vans(session, sunday, 1)[far.center_id].where(local_instant(sunday, 400))[0] == "away"
    evening = load_vans(session, WEEK, 1)[far.center_id].where(local_instant(WEEK, 1200))
    assert evening[:2] == ("away", (far.site.lat, far.site.lon))


def test_the_network_gives_far_governorates_nights() -> None:
    """All vans of those governorates, one of those with a far corner, none elsewhere; a night costs by the crew."""
    drawn = draw_mobile(governorates(), count=107, seed=1)
    for record in drawn:
        number = int(record.code.rpartition("-")[2])
        expected = NIGHTS.get(record.iso, 0) if number <= FAR_VANS.get(record.iso, number) else 0
        assert record.nights == expected
        assert record.night_cost == (HEAD_HOURS * (1 + DESKS[record.klass]) if expected else 0)
    assert {r.iso for r in drawn if r.nights} == set(NIGHTS)
    assert allowance("EG-C", 1, 3) == (0, 0.0)


def test_a_cancelled_last_stop_lets_the_van_come_home(session: Session) -> None:
    """Where nothing of the tour is left behind it, the cancelled visit's night is given up with it."""
    plan = toured(session, [(0, [(FAR, 180)], True)])
    planner.publish(session, plan, actor="p", now=FRIDAY)
    far = announced(session, FAR)
    planner.cancel_visit(session, far, "عطل", "broken", actor="p", now=FRIDAY)
    assert not far.overnight
    assert load_vans(session, WEEK + timedelta(days=1), 1) == {}


def test_a_new_plan_without_the_tour_leaves_no_van_away(session: Session) -> None:
    """Published again without it, the old night is gone with its visit: the second week starts at the depot."""
    make_forecast(session, SECOND, now=FRIDAY)
    plan = toured(session, [(5, [(FAR, 180)], True), (7, [(FURTHER, 120)], False)], weeks=2)
    planner.publish(session, plan, actor="p", now=FRIDAY, until=WEEK)
    planner.publish(session, toured(session, []), actor="p", now=FRIDAY)
    second = planner.build_problem(session, SECOND, now=FRIDAY)
    assert "starts" not in next(c for c in second["centers"] if c["id"] == VAN)


def solved_again(session: Session, plan: Plan) -> Plan:
    """The draft solved by the engine and accepted: the checker has the last word on its nights."""
    answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=2, seed=1, threads=1)
    planner.accept_solution(session, plan, answer.to_json(), now=FRIDAY)
    return plan


def test_the_solver_serves_far_villages_by_nights(session: Session) -> None:
    """Left to itself it goes out there, sleeps, and comes home; without nights nobody can go there."""
    plan = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY)
    solved_again(session, plan)
    assert {FAR, FURTHER} <= {v.site.code for v in visits_of(session, plan)}
    assert any(v.overnight for v in visits_of(session, plan))
    van = session.scalars(select(Center).where(Center.code == VAN)).one()
    planner.set_nights(session, van, nights=0)
    home = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY)
    solved_again(session, home)
    assert not {FAR, FURTHER} & {v.site.code for v in visits_of(session, home)}
    reasons = {r.site_id: r.code for r in planner.unserved(session, home)}
    far = session.scalars(select(Site).where(Site.code == FAR)).one()
    assert reasons[far.id] in ("needs_night", "too_far")


def test_a_pinned_tour_comes_through_the_solver(session: Session) -> None:
    """Both days and the night between them are in the next draft exactly."""
    plan = toured(session, TOUR)
    planner.pin(session, at(session, plan, FAR), actor="p", now=FRIDAY)
    again = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY, from_plan=plan)
    solved_again(session, again)
    for code in (FAR, FURTHER):
        old, new = at(session, plan, code), at(session, again, code)
        assert (new.day, new.start_minute, new.overnight, new.pinned) == (
            old.day,
            old.start_minute,
            old.overnight,
            True,
        )


def test_a_week_drafted_again_under_way_starts_where_the_van_slept(session: Session) -> None:
    """On Saturday at noon the day and its night stand; Sunday is free, and its first leg is from the far place, with
    something to do there or home."""
    plan = toured(session, TOUR)
    planner.publish(session, plan, actor="p", now=FRIDAY)
    noon = local_instant(WEEK, 720)
    again = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=noon)
    solved_again(session, again)
    assert at(session, again, FAR).pinned and at(session, again, FAR).overnight
    answer = planner.export(session, again)[1]
    sunday = [r for r in answer["routes"] if (r["center"], r["day"]) == (VAN, 1)]
    assert all(r["origin"] == f"S-{FAR}" for r in sunday)


def test_a_tour_carried_into_a_week_is_solved(session: Session) -> None:
    """The second week's own draft begins where Thursday's night was, and is published after it."""
    make_forecast(session, SECOND, now=FRIDAY)
    plan = toured(session, [(5, [(FAR, 180)], True), (7, [(FURTHER, 120)], False)], weeks=2)
    planner.publish(session, plan, actor="p", now=FRIDAY, until=WEEK)
    slept = announced(session, FAR).site_id
    second = planner.create_draft(session, SECOND, seconds=1, seed=1, actor="p", now=FRIDAY)
    solved_again(session, second)
    assert not planner.stale(session, second)
    planner.publish(session, second, actor="p", now=FRIDAY)
    first = [v for v in session.scalars(select(Visit).where(Visit.day == SECOND)) if v.center.code == VAN]
    first.sort(key=lambda v: v.opens_at)
    assert [v.origin_site_id for v in first] == [slept, *[None] * (len(first) - 1)][: len(first)]
