"""Three that share no code agree: the checker, the rules read off the description, and the exhaustive search."""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, check
from tests.routing.brute import best_plan
from tests.routing.judge import judge
from tests.routing.make import touring

Json = dict[str, Any]
often = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def agree(data: Json, plan: Json) -> None:
    ours = check(Problem.from_json(data), Plan.from_json(plan), claims=False)
    assert (len(ours.faults), ours.objective) == judge(data, plan), [fault.text for fault in ours.faults]


def made_up(rnd: random.Random, data: Json) -> Json:
    """Return a plan thrown together: most of what it does breaks something."""
    routes = []
    for center in data["centers"]:
        for day in range(len(data["days"])):
            if rnd.random() < 0.3:
                continue
            clock = rnd.choice([450, 480, 500])
            route: Json = {"center": center["id"], "day": day, "depart": clock, "stops": []}
            for site in rnd.sample(data["sites"], rnd.randint(0, 2)):
                clock += rnd.randint(0, 200)
                stay = rnd.choice([90, 120, 180, 240])
                route["stops"].append({"site": site["id"], "start": clock, "stay": stay})
                clock += stay
            if rnd.random() < 0.5:
                route["overnight"] = True
            routes.append(route)
    return {"routes": routes}


@settings(often, max_examples=300)
@given(seed=st.integers(0, 10**6), matrix=st.booleans())
def test_the_checker_counts_the_faults_and_worth_of_any_plan_as_the_description_does(
    seed: int, matrix: bool
) -> None:
    data = touring(seed, matrix=matrix)
    agree(data, made_up(random.Random(seed), data))


@settings(often, max_examples=60)
@given(seed=st.integers(0, 10**6), matrix=st.booleans())
def test_the_best_plan_of_the_exhaustive_search_is_feasible_and_worth_what_it_says(
    seed: int, matrix: bool
) -> None:
    data = touring(seed, sites=3, matrix=matrix)
    best = best_plan(data, most_stops=2)
    if best is None:
        return
    verdict = check(Problem.from_json(data), Plan.from_json(best))
    assert verdict.faults == ()
    assert judge(data, best) == (0, best["objective"])


@settings(often, max_examples=60)
@given(seed=st.integers(0, 10**6), matrix=st.booleans())
def test_no_small_change_to_the_best_plan_is_feasible_and_better(seed: int, matrix: bool) -> None:
    """A route left out, a night spent elsewhere, a stop dropped: what the checker lets pass is worth no more."""
    rnd = random.Random(seed)
    data = touring(seed, sites=3, matrix=matrix)
    best = best_plan(data, most_stops=2)
    if best is None or not best["routes"]:
        return
    problem = Problem.from_json(data)
    for _ in range(10):
        plan = copy.deepcopy(best)
        route = rnd.choice(plan["routes"])
        action = rnd.randrange(4)
        if action == 0:
            plan["routes"].remove(route)
        elif action == 1:
            route["overnight"] = not route.get("overnight", False)
        elif action == 2:
            route["stops"].pop(rnd.randrange(len(route["stops"])))
        else:
            route["center"] = rnd.choice(data["centers"])["id"]
        agree(data, plan)
        verdict = check(problem, Plan.from_json(plan), claims=False)
        assert not verdict.feasible or verdict.objective <= best["objective"]
