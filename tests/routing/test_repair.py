"""Day repair: the past stands, every alternative is feasible and worth what it says, nothing changes for nothing."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, ProblemError, check, solve
from routing.problem import Center, Place
from routing.repair import (
    CenterAdded,
    CenterOut,
    DemandChanged,
    Disruption,
    RoadSlowed,
    SiteClosed,
    Whereabouts,
    carried_on,
    from_json,
    repair,
    rest_of,
    to_json,
)
from routing.repair.roads import CUT_OFF, slowed
from routing.solution import earliest
from routing.travel import Travel
from routing.validate import faults_of
from tests.routing.make import rich, small

quick = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 10**6)
moments = st.tuples(st.integers(0, 2), st.sampled_from([0, 480, 540, 600, 700, 830, 1000]))


@cache
def planned(seed: int, matrix: bool = False) -> tuple[Problem, Plan]:
    """A random problem and a plan for it."""
    data = rich(seed, sites=9, centers=3, days=3, matrix=matrix)
    data.pop("pinned", None)
    for center in data["centers"]:
        center.pop("nights", None)
        center.pop("starts", None)
    problem = Problem.from_json(data)
    return problem, solve(problem, iterations=8, threads=1)


def happens(problem: Problem, seed: int, day: int, minute: int) -> list[Disruption]:
    """One or two random disruptions at the moment."""
    rnd = random.Random(seed)
    last = len(problem.days) - 1
    center, site, place = rnd.choice(problem.centers), rnd.choice(problem.sites), rnd.choice(problem.places)
    other = rnd.choice(problem.places)
    helper = Center(
        "H", problem.centers[0].depot, tuple(range(day, last + 1)), (480, 960), problem.centers[0].kind
    )
    return rnd.sample(
        [
            CenterOut(center.id, day, minute, rnd.randint(day, last), rnd.choice([None, 900])),
            SiteClosed(site.id, day, rnd.randint(day, last), minute),
            RoadSlowed(
                day, last, rnd.choice([None, 150, 300]), ((place.id, other.id),), place.lat, place.lon, 3.0
            ),
            RoadSlowed(
                day,
                last,
                rnd.choice([None, 200]),
                (),
                None,
                None,
                0.5,
                None if place.lat is None else ((place.lat, place.lon or 0.0), (30.0, 31.0)),
                ((place.id, other.id, 17, 3),),
            ),
            DemandChanged(site.id, rnd.choice([50, 300]), day, last),
            CenterAdded(helper, day, max(minute, 480)),
        ],
        rnd.randint(1, 2),
    )


def stops_of(plan: Plan) -> set[tuple[str, int, str, int, int]]:
    return {(r.center, r.day, s.site, s.start, s.stay) for r in plan.routes for s in r.stops}


@quick
@given(seed=seeds, moment=moments, matrix=st.booleans())
def test_alternatives_are_feasible_worth_what_they_say_and_ever_better(
    seed: int, moment: tuple[int, int], matrix: bool
) -> None:
    """Judged by the checker alone on the rest's problem, which is a valid fleet-problem."""
    problem, plan = planned(seed % 40, matrix)
    day, minute = moment
    happened = happens(problem, seed, day, minute)
    rest = rest_of(problem, plan, happened, day=day, minute=minute)
    assert faults_of(rest.problem.to_json()) == []
    found = repair(problem, plan, happened, day=day, minute=minute, iterations=3, threads=1)
    nothing = check(
        rest.problem, Plan("", tuple(carried_on(rest).values()), 0), travel=rest.travel, claims=False
    )
    assert nothing.feasible and 1 <= len(found) <= 3
    for one in found:
        verdict = check(rest.problem, Plan("", one.routes, one.objective))
        assert verdict.faults == ()
        assert one.gain == verdict.objective - nothing.objective >= 0
    gains = [one.gain for one in found]
    assert gains == sorted(set(gains))


@quick
@given(seed=seeds, moment=moments)
def test_the_past_never_changes_and_a_broken_center_does_nothing_more(
    seed: int, moment: tuple[int, int]
) -> None:
    """Every stop that was begun stands in every alternative; after the moment the broken center makes none."""
    problem, plan = planned(seed % 40)
    day, minute = moment
    broken = random.Random(seed).choice(problem.centers)
    last = len(problem.days) - 1
    found = repair(
        problem,
        plan,
        [CenterOut(broken.id, day, minute, last)],
        day=day,
        minute=minute,
        iterations=3,
        threads=1,
    )
    setup = {center.id: center.setup for center in problem.centers}
    begun = {s for s in stops_of(plan) if s[1] < day or (s[1] == day and s[3] - setup[s[0]] <= minute)}
    for one in found:
        made = stops_of(one.plan)
        assert begun <= made
        assert {s for s in made if s[1] < day} == {s for s in stops_of(plan) if s[1] < day}
        assert {s for s in made if s[0] == broken.id} <= begun
        assert all(s[3] >= minute for s in made - begun if s[1] == day)


@quick
@given(seed=seeds, moment=moments)
def test_without_a_disruption_nothing_changes(seed: int, moment: tuple[int, int]) -> None:
    """One alternative, the plan as it is, at no price."""
    problem, plan = planned(seed % 40)
    (one,) = repair(problem, plan, [], day=moment[0], minute=moment[1], iterations=3, threads=1)
    assert (one.changes, one.gain, one.loss) == ((), 0, 0)
    assert stops_of(one.plan) == stops_of(plan)


@quick
@given(seed=seeds, moment=moments)
def test_changes_are_exactly_what_differs(seed: int, moment: tuple[int, int]) -> None:
    """Announced less what the changes take, plus what they bring, is the new plan; the rest is kept."""
    problem, plan = planned(seed % 40)
    happened = happens(problem, seed, *moment)
    for one in repair(problem, plan, happened, day=moment[0], minute=moment[1], iterations=3, threads=1):
        before = Counter(stops_of(plan))
        for change in one.changes:
            for side, visit in ((-1, change.before), (1, change.after)):
                if visit is not None:
                    before[visit.center, visit.day, visit.site, visit.start, visit.stay] += side
        assert {stop for stop, count in before.items() if count} == stops_of(one.plan)
        assert all(count in (0, 1) for count in before.values())
        assert {c.site for c in one.changes} == set(one.told.sites)
        told = {v.key for c in one.changes for v in (c.before, c.after) if v is not None}
        assert told == set(one.told.crews)


def lonely(**changes: object) -> tuple[Problem, Plan]:
    """Two centers, one of which stays in: the plan serves the four villages with M1 alone on two days."""
    data = small()
    data["centers"][1]["class"] = "small"
    problem = Problem.from_json({**data, **changes})
    one = Problem.from_json({**data, "centers": data["centers"][:1]})
    return problem, solve(one, iterations=10, threads=1)


def test_a_free_center_takes_over_what_a_broken_one_leaves() -> None:
    """M1 breaks down before it has left: M2, which was idle, makes all of its visits."""
    problem, plan = lonely()
    best = repair(problem, plan, [CenterOut("M1", 0, 400, 1)], day=0, minute=400, iterations=5, threads=1)[-1]
    assert {s[2] for s in stops_of(best.plan)} >= {s[2] for s in stops_of(plan)}
    assert {s[0] for s in stops_of(best.plan)} == {"M2"}
    assert "dropped" not in {c.kind for c in best.changes}


def test_a_site_that_is_flooded_gets_no_visit_while_it_is() -> None:
    """The visit moves to the day after, or is dropped; never on a flooded day."""
    problem, plan = lonely()
    site = next(r for r in plan.routes if r.day == 0).stops[0].site
    for one in repair(problem, plan, [SiteClosed(site, 0, 0)], day=0, minute=400, iterations=5, threads=1):
        assert (0, site) not in {(s[1], s[2]) for s in stops_of(one.plan)}


def test_more_demand_draws_a_center() -> None:
    """A place that nobody serves and that is suddenly worth much gets its visit in the best alternative."""
    problem, plan = lonely()
    served = {s[2] for s in stops_of(plan)}
    free = [site.id for site in problem.sites if site.id not in served]
    kept = Plan("small", tuple(r for r in plan.routes if r.day == 1), 0) if not free else plan
    wanted = free[0] if free else next(s[2] for s in stops_of(plan) if s[1] == 0)
    best = repair(
        problem, kept, [DemandChanged(wanted, 400, 0, 1)], day=0, minute=400, iterations=5, threads=1
    )[-1]
    assert wanted in {s[2] for s in stops_of(best.plan)}
    assert best.gain > 0


def test_a_van_starts_from_where_it_is() -> None:
    """Told to be far away and late, it cannot keep its first visit; nothing pretends that it can."""
    problem, plan = lonely()
    first = next(r for r in plan.routes if r.day == 0)
    far = Whereabouts(Place("@M1", 31.4, 32.3), 900)
    rest = rest_of(problem, plan, [], day=0, minute=600, live={"M1": far})
    assert rest.problem.center_by_id["M1@0"].begins(0) == ("@M1", 900)
    found = repair(problem, plan, [], day=0, minute=600, live={"M1": far}, iterations=3, threads=1)
    lost = {stop.site for stop in first.stops}
    assert lost <= {change.site for change in found[0].changes}


def test_closed_roads_are_driven_around_and_a_place_that_is_cut_off_is_not_reached() -> None:
    """A leg closed by name costs the way over another place; a closed circle around a place leaves no way in."""
    problem = Problem.from_json(small())
    usual = Travel(problem).leg("D", "A")[0]
    around, _ = slowed(problem, [RoadSlowed(0, 1, None, (("D", "A"),))])
    d, a = problem.place_index["D"], problem.place_index["A"]
    assert usual < around.minutes[d][a] < CUT_OFF
    assert around.minutes[d][a] == min(
        around.minutes[d][k] + around.minutes[k][a] for k in range(len(problem.places)) if k not in (d, a)
    )
    cut, _ = slowed(problem, [RoadSlowed(0, 1, None, (), 30.05, 31.05, 1.0)])
    assert all(cut.minutes[k][a] >= CUT_OFF for k in range(len(problem.places)) if k != a)
    slow, _ = slowed(problem, [RoadSlowed(0, 1, 200, (("D", "A"),))])
    assert slow.minutes[d][a] == 2 * usual


def test_disruptions_survive_json_and_unknown_ones_are_refused() -> None:
    """What is written is what is read; a center, site or place that the problem does not know is named."""
    problem, plan = lonely()
    for seed in range(12):
        for one in happens(problem, seed, 0, 500):
            assert from_json(to_json(one)) == one
    with pytest.raises(ProblemError, match="earthquake"):
        from_json({"kind": "earthquake"})
    with pytest.raises(ProblemError, match="no such center M9"):
        repair(problem, plan, [CenterOut("M9", 0, 500, 1)], day=0, minute=500, iterations=1)


def test_the_same_question_gets_the_same_answer() -> None:
    """Under a limit in iterations."""
    problem, plan = planned(7)
    happened = [CenterOut(problem.centers[0].id, 0, 600, 2)]
    first, second = (
        repair(problem, plan, happened, day=0, minute=600, iterations=4, threads=1, seed=3) for _ in range(2)
    )
    assert [one.to_json() for one in first] == [one.to_json() for one in second]


def test_the_command_answers_a_request_and_names_what_is_wrong_with_it(tmp_path: Path) -> None:
    """`python -m routing.repair`: exit code 0 with alternatives, 2 with the fault and no answer."""
    problem, plan = lonely()
    request = {
        "problem": problem.to_json(),
        "plan": plan.to_json(),
        "disruptions": [to_json(CenterOut("M1", 0, 400, 1))],
        "day": 0,
        "minute": 400,
    }
    asked, answered = tmp_path / "request.json", tmp_path / "answer.json"
    for wrong in ("M9", None):
        asked.write_text(json.dumps(request if wrong is None else {
            **request, "disruptions": [to_json(CenterOut(wrong, 0, 400, 1))]
        }))  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "routing.repair", str(asked), "--out", str(answered), "--threads", "1"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, answered.exists()) == ((2, False) if wrong else (0, True)), done.stderr
        assert ("no such center M9" in done.stderr) == (wrong is not None)
    answer = json.loads(answered.read_text())
    assert [one["gain"] for one in answer["alternatives"]] == sorted(
        {a["gain"] for a in answer["alternatives"]}
    )
    assert Plan.from_json(answer["alternatives"][-1]["plan"]).routes


def test_the_time_that_a_closed_place_leaves_is_used() -> None:
    """A van that loses its visit goes to a place that nobody served, unless nothing is to be changed."""
    data = small()
    data["centers"] = [data["centers"][0] | {"days": [0]}]
    problem = Problem.from_json(data)
    plan = Plan("small", (earliest(problem, Travel(problem), "M1", 0, [("SA", 120), ("SB", 120)]),), 0)
    found = repair(problem, plan, [SiteClosed("SA", 0, 1)], day=0, minute=400, iterations=5, threads=1)
    assert {s[2] for s in stops_of(found[0].plan)} == {"SB"}
    assert {s[2] for s in stops_of(found[-1].plan)} & {"SC", "SE"}
    assert found[-1].gain > 0


def two_stops(first: int = 120, second: int = 120) -> tuple[Problem, Plan]:
    """M1 alone, at A and then at B on the first day, so many minutes each."""
    data = small()
    data["centers"] = [data["centers"][0] | {"days": [0]}]
    problem = Problem.from_json(data)
    return problem, Plan(
        "small", (earliest(problem, Travel(problem), "M1", 0, [("SA", first), ("SB", second)]),), 0
    )


@pytest.mark.parametrize(("late", "changed"), [(0, False), (8, False), (14, False), (15, True), (40, True)])
def test_everyday_lateness_changes_no_announced_time(late: int, changed: bool) -> None:
    """A van that leaves its first stop a few minutes late keeps what was announced; a quarter of an hour is said."""
    problem, plan = two_stops()
    stop = plan.routes[0].stops[0]
    now = stop.start + stop.stay + late
    there = {"M1": Whereabouts(Place("A"), now, frozenset({"SA"}))}
    found = repair(
        problem, plan, [SiteClosed("SE", 0, 0)], day=0, minute=now, live=there, iterations=3, threads=1
    )
    moved = [(c.kind, c.after.start - c.before.start) for c in found[0].changes if c.before and c.after]
    assert moved == ([("other_time", late)] if changed else [])
    assert all(one.stranded == () for one in found)


def test_a_closed_road_is_no_everyday_lateness() -> None:
    """The way around makes the next stop late, however little: that is said, because the drive is what is new."""
    problem, plan = two_stops()
    stop = plan.routes[0].stops[0]
    now = stop.start + stop.stay + 5
    there = {"M1": Whereabouts(Place("A"), now, frozenset({"SA"}))}
    slow = RoadSlowed(0, 0, 150, (("A", "B"),))
    extra = Travel(problem).leg("A", "B")[0]
    found = repair(problem, plan, [slow], day=0, minute=now, live=there, iterations=3, threads=1)
    (change,) = found[0].changes
    assert change.kind == "other_time" and change.before and change.after
    assert 0 < change.after.start - change.before.start <= extra


def test_what_concerns_nobody_costs_nothing_wherever_vans_are() -> None:
    """Hours lost are those of the disruption alone: a van that has not begun what its timetable says is no gain."""
    problem, plan = two_stops()
    stop = plan.routes[0].stops[1]
    now = stop.start - 10  # by the timetable it sets up; it was heard of still driving
    there = {"M1": Whereabouts(Place("A"), now, frozenset({"SA"}))}
    (one,) = repair(
        problem, plan, [SiteClosed("SE", 0, 0)], day=0, minute=now, live=there, iterations=3, threads=1
    )
    assert (one.gain, one.loss) == (0, 0)


def test_the_drive_home_of_a_van_that_broke_down_is_no_gain() -> None:
    """It stands at its last stop with nothing left to do: nothing is lost, and nothing won."""
    problem, plan = two_stops()
    stop = plan.routes[0].stops[1]
    now = stop.start + stop.stay + 5
    there = {"M1": Whereabouts(Place("B"), now, frozenset({"SA", "SB"}))}
    (one,) = repair(
        problem, plan, [CenterOut("M1", 0, now, 0)], day=0, minute=now, live=there, iterations=3, threads=1
    )
    assert (one.gain, one.loss, one.changes) == (0, 0, ())


def test_a_late_crew_closes_in_time_rather_than_not_to_come() -> None:
    """Too late for the announced stay, in time for a shorter one: nobody has to decide that."""
    problem, plan = two_stops(second=240)
    stop = plan.routes[0].stops[1]
    latest = next(
        m for m in range(960, 0, -1)
        if m + Travel(problem).leg("A", "B")[0] + 20 + 240 + Travel(problem).leg("B", "D")[0] <= 960
    )  # fmt: skip
    there = {"M1": Whereabouts(Place("A"), latest + 30, frozenset({"SA"}))}
    rest = rest_of(problem, plan, [], day=0, minute=latest + 30, live=there)
    (route,) = carried_on(rest).values()
    assert [s.site for s in route.stops] == ["SB"] and route.stops[0].stay < stop.stay


def test_what_nobody_can_make_is_named_in_every_alternative() -> None:
    """A broken van's visits are stranded, whatever an alternative does about them."""
    problem, plan = lonely()
    found = repair(problem, plan, [CenterOut("M1", 0, 400, 1)], day=0, minute=400, iterations=5, threads=1)
    for one in found:
        assert {v.site for v in one.stranded} == {s[2] for s in stops_of(plan)}
        assert [v["site"] for v in one.to_json()["stranded"]] == [v.site for v in one.stranded]
