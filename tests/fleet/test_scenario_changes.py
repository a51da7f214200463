"""Each kind of change changes the copied problem as it should, and nothing else; wrong changes are named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import FleetError, Invalid
from fleet.planning.scenarios.applying import EFFECTS, apply
from fleet.planning.scenarios.effects import _overlay
from fleet.planning.scenarios.kinds import KINDS
from routing.problem import Problem
from tests.fleet.planning_cast import FRIDAY, WEEK, planned
from tests.fleet.scenarios_cast import by_id, changed


def differ(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The parts of the problem that are not the same."""
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def test_every_kind_has_an_effect() -> None:
    """What can be read can be made."""
    assert set(KINDS) == set(EFFECTS)


def test_no_change_is_a_true_copy() -> None:
    """Without changes the scenario's problem is the week's, and changes never touch the original."""
    with planned() as (session, plan):
        base, same = changed(session, plan)
        assert same == base
        kept = copy.deepcopy(base)
        apply(
            session,
            base,
            [
                {"kind": "shift", "end": 1200},
                {"kind": "speed", "percent": 50},
                {"kind": "opening", "start": 480},
                {"kind": "penalties", "percent": 300},
                {"kind": "demand", "percent": 200},
                {"kind": "traffic", "start": 420, "end": 600, "percent": 150},
            ],
            WEEK,
            now=FRIDAY,
        )
        assert base == kept


def test_more_vans() -> None:
    """New vans copy their model but for their id, and may stand elsewhere and be of another class."""
    with planned() as (session, plan):
        base, after = changed(
            session,
            plan,
            {"kind": "add_vans", "like": ["MC-0-0"], "count": 2},
            {"kind": "add_vans", "like": ["MC-0-0"], "count": 1, "site": "F-11", "klass": "large"},
        )
        model, vans = by_id(base["centers"])["MC-0-0"], by_id(after["centers"])
        assert set(vans) - set(by_id(base["centers"])) == {"NEW-01", "NEW-02", "NEW-03"}
        assert vans["NEW-01"] == {**model, "id": "NEW-01"}
        place = by_id(base["sites"])["F-11"]["place"]
        assert vans["NEW-03"] == {**model, "id": "NEW-03", "depot": place, "class": "large"}
        assert differ(base, after) <= {"centers"}
        # A later change may name them, and a new van belongs to the governorate of its depot.
        _, both = changed(
            session,
            plan,
            {"kind": "add_vans", "like": ["MC-0-0"], "count": 1, "site": "F-11"},
            {"kind": "shift", "governorate": "EG-1", "end": 1200},
        )
        assert by_id(both["centers"])["NEW-01"]["shift"][1] == 1200
        assert by_id(both["centers"])["MC-0-0"]["shift"] == model["shift"]


def test_fewer_vans() -> None:
    """Vans are taken out by name, or the last so many of a governorate."""
    with planned() as (session, plan):
        base, after = changed(session, plan, {"kind": "remove_vans", "centers": ["MC-0-0"]})
        assert set(by_id(base["centers"])) - set(by_id(after["centers"])) == {"MC-0-0"}
        _, after = changed(session, plan, {"kind": "remove_vans", "governorate": "EG-1", "count": 1})
        assert set(by_id(base["centers"])) - set(by_id(after["centers"])) == {"MC-1-1"}


def test_days_off_depot_class_and_nights() -> None:
    """Fleet changes reach exactly the vans that they name."""
    with planned() as (session, plan):
        base, after = changed(
            session,
            plan,
            {"kind": "days_off", "governorate": "EG-0", "days": [0, 3]},
            {"kind": "depot", "centers": ["MC-1-0"], "site": "F-11"},
            {"kind": "klass", "centers": ["MC-1-0"], "klass": "large"},
            {"kind": "nights", "centers": ["MC-1-1"], "nights": 2, "night_cost": 5},
        )
        before, now = by_id(base["centers"]), by_id(after["centers"])
        for code in ("MC-0-0", "MC-0-1"):
            assert now[code] == {**before[code], "days": [d for d in before[code]["days"] if d not in (0, 3)]}
        place = by_id(base["sites"])["F-11"]["place"]
        assert now["MC-1-0"] == {**before["MC-1-0"], "depot": place, "class": "large"}
        assert now["MC-1-1"] == {**before["MC-1-1"], "nights": 2, "night_cost": 50}
        made = Problem.from_json(after)
        assert after["format"] == "fleet-problem/2" and made.center_by_id["MC-1-1"].nights == 2


def test_shifts_second_crew_and_opening_hours() -> None:
    """Working hours move as told; a second crew doubles driving and readying; closed days stay closed."""
    with planned() as (session, plan):
        base, after = changed(
            session,
            plan,
            {"kind": "shift", "centers": ["MC-0-0"], "start": 360, "max_drive": 200},
            {"kind": "second_crew", "governorate": "EG-1", "until": 1320},
            {"kind": "opening", "site": "F-00", "end": 1080},
        )
        before, now = by_id(base["centers"]), by_id(after["centers"])
        assert now["MC-0-0"] == {
            **before["MC-0-0"],
            "shift": [360, before["MC-0-0"]["shift"][1]],
            "max_drive": 200,
        }
        one = before["MC-1-0"]
        assert now["MC-1-0"] == {
            **one,
            "shift": [one["shift"][0], 1320],
            "max_drive": 2 * one["max_drive"],
            "fixed_cost": 2 * one["fixed_cost"],
        }
        for code in ("V-000", "V-101"):
            old, new = (by_id(p["sites"])[code]["open"] for p in (base, after))
            late = 1260 if code == "V-101" else 0
            assert new == {day: [hours[0], max(hours[1], late)] for day, hours in old.items()}
        old, new = by_id(base["sites"])["F-00"]["open"], by_id(after["sites"])["F-00"]["open"]
        assert new == {day: [hours[0], 1080] for day, hours in old.items()} and old != new


def test_demand_is_valued_by_the_model() -> None:
    """Half as much demand again is worth more, but no straight line; only the named places change."""
    with planned() as (session, plan):
        base, after = changed(
            session, plan, {"kind": "demand", "percent": 150, "governorate": "EG-0", "site_kind": "fixed"}
        )
        old, new = by_id(base["sites"]), by_id(after["sites"])
        assert {code for code in old if old[code] != new[code]} == {"F-00", "F-01"}
        assert value(new["F-00"]) > 1.05 * value(old["F-00"])
        _, less = changed(session, plan, {"kind": "demand", "percent": 0, "site": "F-00"})
        assert value(by_id(less["sites"])["F-00"]) == 0


def test_demand_changes_multiply_and_come_back() -> None:
    """Twice and then half is what was expected: the copy's own values come out of the model again."""
    with planned() as (session, plan):
        base, after = changed(
            session, plan, {"kind": "demand", "percent": 200}, {"kind": "demand", "percent": 50}
        )
        assert after["sites"] == base["sites"]


def test_village_demand_and_days() -> None:
    """A village's errands grow with demand; a day that is named alone changes its percentage alone."""
    with planned() as (session, plan):
        base, after = changed(session, plan, {"kind": "demand", "percent": 150, "site": "V-001"})
        assert value(by_id(after["sites"])["V-001"]) > value(by_id(base["sites"])["V-001"])
        _, one_day = changed(session, plan, {"kind": "demand", "percent": 20, "site": "V-001", "days": [2]})
        percents = by_id(one_day["sites"])["V-001"]["day_percent"]
        assert 0 < percents[2] < 60 and percents[1] == 100


def test_a_rush_on_a_center() -> None:
    """People beyond those expected make a visit there worth more on that day."""
    with planned() as (session, plan):
        base, after = changed(session, plan, {"kind": "surge", "site": "F-01", "people": 400, "days": [3]})
        old, new = by_id(base["sites"])["F-01"], by_id(after["sites"])["F-01"]
        assert worth(new, 3) > 1.2 * max(1, worth(old, 3))
        assert worth(new, 4) == pytest.approx(worth(old, 4), abs=value(new) / 100)  # whole percents


def test_coverage_rules() -> None:
    """At least so many visits replace the rules of their kind; a weight multiplies; a limit finds who is due."""
    with planned() as (session, plan):
        base, after = changed(
            session, plan, {"kind": "coverage", "each": "district", "at_least": 2, "penalty": 40}
        )
        groups = {g["name"]: g for g in after["groups"]}
        districts = {name for name in groups if name.startswith("local_unit:")}
        assert districts == {f"local_unit:U{g}{u}" for g in (0, 1) for u in (0, 1)}
        assert groups["local_unit:U00"] == {
            "name": "local_unit:U00", "sites": ["F-00", "V-000", "V-001"], "at_least": 2, "penalty": 400,
        }  # fmt: skip
        kept = [g for g in base["groups"] if g["name"].startswith("governorate:")]
        assert [g for g in after["groups"] if g["name"].startswith("governorate:")] == kept
        _, double = changed(session, plan, {"kind": "penalties", "each": "governorate", "percent": 200})
        assert [g["penalty"] for g in double["groups"] if g["name"].startswith("governorate:")] == [
            2 * g["penalty"] for g in kept
        ]
        _, none = changed(session, plan, {"kind": "penalties", "percent": 0})
        assert none["groups"] == []


def test_longest_time_without_a_visit() -> None:
    """With a shorter limit, a district that was visited lately is due as well."""
    from datetime import timedelta

    from sqlalchemy import select

    from fleet.store import Center, Site, Visit
    from tests.fleet.planning_cast import published

    with planned() as (session, plan):
        published(session)
        seen = session.scalars(select(Visit)).first()
        assert seen is not None
        unit = session.get_one(Site, seen.site_id).local_unit.code
        assert session.get_one(Center, seen.center_id)
        seen.day = WEEK - timedelta(days=14)
        for other in session.scalars(select(Visit).where(Visit.id != seen.id)):
            other.status = "cancelled"
        session.flush()
        base = {**plan_problem(session, plan), "groups": []}

        def due(weeks: int) -> set[str]:
            made = apply(session, base, [{"kind": "unvisited", "weeks": weeks}], WEEK, now=FRIDAY).problem
            return {g["name"] for g in made["groups"]}

        assert f"local_unit:{unit}" in due(2) and f"local_unit:{unit}" not in due(6)


def plan_problem(session: Any, plan: Any) -> dict[str, Any]:
    return changed(session, plan)[0]


def test_roads() -> None:
    """Half the speed doubles the time of a drive; traffic stretches it at its hours and nowhere else."""
    from routing.travel import Travel

    with planned() as (session, plan):
        base, slow = changed(session, plan, {"kind": "speed", "percent": 50})
        _, jam = changed(
            session,
            plan,
            {"kind": "traffic", "governorate": "EG-0", "start": 420, "end": 600, "percent": 200, "days": [1]},
        )
        plain, slower = Travel(Problem.from_json(base)), Travel(Problem.from_json(slow))
        ends = by_id(base["centers"])["MC-0-0"]["depot"], by_id(base["sites"])["V-011"]["place"]
        minutes = plain.leg(*ends)[0]
        assert minutes >= 10 and 2 * minutes - 2 <= slower.leg(*ends)[0] <= 2 * minutes
        crowded = Travel(Problem.from_json(jam))
        assert crowded.arrive(*ends, 420, 1) == 420 + 2 * minutes
        assert (
            crowded.arrive(*ends, 420, 2) == 420 + minutes and crowded.arrive(*ends, 700, 1) == 700 + minutes
        )
        south = by_id(base["centers"])["MC-1-0"]["depot"], by_id(base["sites"])["V-111"]["place"]
        assert crowded.arrive(*south, 420, 1) == 420 + plain.leg(*south)[0]


@given(
    st.lists(
        st.tuples(st.integers(0, 1400), st.integers(1, 200), st.integers(10, 300)), min_size=1, max_size=5
    ),
    st.integers(0, 1440),
)
@settings(max_examples=60, deadline=None)
def test_traffic_changes_overlay_one_another(spans: list[tuple[int, int, int]], minute: int) -> None:
    """At every minute the last change that covers it counts; elsewhere driving takes its plain time."""
    steps: list[list[int]] = []
    wanted = 100
    for start, length, percent in spans:
        steps = _overlay(steps, start, start + length, percent)
        if start <= minute < start + length:
            wanted = percent
    assert [s[0] for s in steps] == sorted({s[0] for s in steps})
    assert next((p for m, p in reversed(steps) if m <= minute), 100) == wanted


def test_pins_go_when_told_and_when_impossible() -> None:
    """Pinned visits stay, may be let go, and fall with the van that made them."""
    from fleet import planner
    from fleet.planning.ledger import visits_of
    from fleet.planning.scenarios.standing import sound

    with planned() as (session, plan):
        first = visits_of(session, plan)[0]
        planner.pin(session, first, actor="p", now=FRIDAY)
        code = first.center.code
        base, after = changed(session, plan, {"kind": "unpin"})
        assert len(base["pinned"]) == 1 and not after["pinned"]
        _, gone = changed(session, plan, {"kind": "remove_vans", "centers": [code]})
        problem, dropped = sound(gone)
        assert "pinned" not in problem and [p["center"] for p in dropped] == [code]
        _, kept = changed(session, plan, {"kind": "shift", "end": 1200})
        problem, dropped = sound(kept)
        assert problem["pinned"] == base["pinned"] and not dropped


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "magic"}, "unknown_kind"),
    ({"kind": "shift", "end": 1200, "colour": 3}, "unknown_field"),
    ({"kind": "shift"}, "missing"),
    ({"kind": "depot", "centers": ["MC-0-0"]}, "missing"),
    ({"kind": "shift", "end": "late"}, "not_a_number"),
    ({"kind": "shift", "end": True}, "not_a_number"),
    ({"kind": "shift", "end": 5000}, "out_of_range"),
    ({"kind": "shift", "start": 900, "end": 600}, "start_after_end"),
    ({"kind": "shift", "end": 400}, "start_after_end"),
    ({"kind": "shift", "end": 1020, "start": 420}, "no_effect"),
    ({"kind": "days_off", "days": [9]}, "not_days"),
    ({"kind": "days_off", "days": "all"}, "not_days"),
    ({"kind": "days_off", "days": [6]}, "no_effect"),
    ({"kind": "remove_vans", "centers": ["MC-9"]}, "unknown_center"),
    ({"kind": "remove_vans", "count": 9}, "too_many"),
    ({"kind": "remove_vans", "count": 4}, "no_vans"),
    ({"kind": "shift", "governorate": "EG-9", "end": 1200}, "unknown_governorate"),
    ({"kind": "demand", "site": "X", "percent": 50}, "unknown_site"),
    ({"kind": "demand", "percent": 100}, "no_effect"),
    ({"kind": "surge", "site": "V-000", "people": 100}, "not_fixed"),
    ({"kind": "klass", "klass": "huge"}, "unknown_class"),
    ({"kind": "coverage", "each": "street", "at_least": 1, "penalty": 5}, "unknown_choice"),
    ({"kind": "second_crew", "until": 900}, "no_later"),
    ({"kind": "speed", "percent": 100}, "no_effect"),
    ({"kind": "unpin"}, "no_effect"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG, ids=[f"{c['kind']}-{r}" for c, r in WRONG])
def test_a_wrong_change_is_named_with_its_reason(change: dict[str, Any], reason: str) -> None:
    """The error says which change it is, of which kind, and why; earlier ones are not blamed."""
    with planned() as (session, plan), pytest.raises(Invalid) as caught:
        changed(session, plan, {"kind": "penalties", "percent": 150}, change)
    assert caught.value.code == "bad_change"
    assert caught.value.details["reason"] == reason and caught.value.details["change"] == 2


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 3000),
    st.floats(allow_nan=True),
    st.sampled_from(["", "EG-0", "MC-0-0", "F-00", "V-000", "village", "district", "large", "x" * 300]),
    st.lists(st.one_of(st.integers(-2, 9), st.sampled_from(["MC-0-0", "MC-1-1"])), max_size=3),
)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.lists(VALUES, min_size=8, max_size=8)), max_size=4)
)
@settings(max_examples=60, deadline=None)
def test_any_data_is_refused_in_words_or_makes_a_valid_problem(drawn: list[tuple[str, list[Any]]]) -> None:
    """Whatever comes in: `bad_change`, or a problem that the solver can read."""
    changes = [
        {
            "kind": kind,
            **{f.name: v for f, v in zip(KINDS[kind].fields, values, strict=False) if v is not None},
        }
        for kind, values in drawn
    ]
    with planned() as (session, plan):
        try:
            _, after = changed(session, plan, *changes)
        except FleetError as error:
            assert error.code == "bad_change"
        else:
            Problem.from_json({**after, "pinned": []})


def value(site: dict[str, Any]) -> int:
    """The most that the best stay of a large van is worth."""
    return max(int(offer["value"]) for offer in site["offers"]["large"])


def worth(site: dict[str, Any], day: int) -> float:
    """The same on one day."""
    return value(site) * int(site["day_percent"][day]) / 100


def test_a_table_of_driving_times_is_scaled_and_never_altered() -> None:
    """Where a router gave the minutes, speed divides them; traffic stands beside them; the copy keeps its own."""
    with planned() as (session, plan):
        base, _ = changed(session, plan)
        count = len(base["places"])
        table = [[0 if i == j else 7 + i for j in range(count)] for i in range(count)]
        base["travel"] = {"minutes": table, "cost": [[0] * count] * count}
        kept = copy.deepcopy(base)
        changes = [
            {"kind": "traffic", "governorate": "EG-0", "start": 420, "end": 600, "percent": 150},
            {"kind": "traffic", "start": 900, "end": 1000, "percent": 130},
            {"kind": "speed", "percent": 80},
        ]
        after = apply(session, base, changes, WEEK, now=FRIDAY).problem
        assert base == kept
        assert after["travel"]["minutes"] == [[-(-100 * m // 80) for m in row] for row in table]
        assert set(after["travel"]["traffic"]["percent"]) == {"*", "EG-0"}
        again = apply(session, after, [{**changes[0], "end": 700}], WEEK, now=FRIDAY).problem
        assert again["travel"]["traffic"]["percent"]["EG-0"]["*"] == [
            [420, 150],
            [700, 100],
            [900, 130],
            [1000, 100],
        ]
        assert (
            after["travel"]["traffic"]["percent"]["EG-0"]["*"]
            != again["travel"]["traffic"]["percent"]["EG-0"]["*"]
        )
        Problem.from_json(again)
