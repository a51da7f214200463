"""The public figures: counted right, of days that are over, and telling of nobody who could be recognised."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from fleet import figures
from fleet.figures.privacy import LEAST, hidden, with_sums
from fleet.store import Plan, Visit
from tests.web import world as cast
from tests.web.past import add_hours, add_ticket, add_visit, rate_event

LAST_SUNDAY = cast.TODAY - timedelta(days=7)
THIS_WEEK, LAST_WEEK = date(2026, 11, 21), date(2026, 11, 14)


@pytest.fixture
def world(memory: Session) -> cast.World:
    """The cast of the web tests: two governorates, visits today and tomorrow, nothing behind it."""
    return cast.build(memory)


def counted(session: Session, **more: object) -> dict:  # type: ignore[type-arg]
    session.flush()
    found = figures.compute(session, now=cast.NOW, **more)  # type: ignore[arg-type]
    assert json.loads(json.dumps(found)) == found, "stored as JSON"
    return found


def test_wilson_gives_the_published_intervals() -> None:
    """Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    published = (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    )
    for hits, of, low, high in published:
        share, begins, ends = figures.wilson(hits, of)
        assert (share, begins, ends) == (
            pytest.approx(hits / of), pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4),
        )  # fmt: skip
    with pytest.raises(ValueError):
        figures.wilson(1, 0)


@given(st.integers(1, 5000), st.data())
def test_wilson_holds_its_share_within_0_and_1(of: int, data: st.DataObject) -> None:
    share, low, high = figures.wilson(data.draw(st.integers(0, of)), of)
    assert 0 <= low <= share <= high <= 1


TABLES = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), st.integers(0, 12), min_size=1, max_size=16
)


@given(TABLES)
def test_no_small_count_is_shown_nor_can_be_worked_out_from_a_line(
    counts: dict[tuple[str, str], int],
) -> None:
    """Whoever knows a line's sum and all that is shown of it knows at most that two or more cells hold five or more
    together; whoever does not know the sum cannot add it up."""
    table = with_sums(counts)
    gone = hidden(table)
    assert all(cell in gone for cell, count in table.items() if 0 < count < LEAST)
    for place, end in ((0, 1), (1, 0)):
        for name in {cell[place] for cell in table}:
            line = [cell for cell in table if cell[place] == name]
            (total,) = (cell for cell in line if cell[end] is None)
            parts = [cell for cell in line if cell != total and cell in gone]
            if total in gone:
                assert parts, "all parts shown: their sum is known"
            elif parts:
                assert len(parts) > 1 and sum(table[cell] for cell in parts) >= LEAST


def test_what_is_hidden_stays_small_where_it_can() -> None:
    """One small cell takes the smallest other of its row and of its column with it, not the whole table."""
    counts = {(r, c): 100 + 10 * i for i, (r, c) in enumerate(product("abcd", "wxyz"))} | {("b", "x"): 3}
    gone = hidden(with_sums(counts))
    assert ("b", "x") in gone and len(gone) == 4 and not any(None in cell for cell in gone)


def test_a_table_of_large_counts_hides_nothing() -> None:
    assert hidden(with_sums({("a", "x"): 9, ("b", "x"): 0, ("a", "y"): 5})) == set()


def test_the_figures_are_those_of_the_days_that_are_over(memory: Session, world: cast.World) -> None:
    """By governorate and week, with the country as their sum; today does not count yet."""
    service = next(iter(world.services.values()))
    add_hours(memory, world.queue_a, LAST_SUNDAY, 40, left=10)
    add_hours(memory, world.queue_b, THIS_WEEK, 70)
    add_hours(memory, world.queue_b, cast.TODAY, 1000)
    waits = [300, 600, 900, 1200, 5400]
    for n, waited in enumerate(waits, 1):
        add_ticket(
            memory,
            world.queue_a,
            service,
            LAST_SUNDAY,
            n,
            waited_s=waited,
            promised=(200, 1000),
            score=1 + n % 5,
        )
    add_visit(memory, world.center_a, world.village_a, LAST_SUNDAY)
    add_visit(memory, world.center_a, world.village_a2, LAST_SUNDAY + timedelta(days=1))
    add_visit(memory, world.center_a, world.village_a2, LAST_SUNDAY + timedelta(days=2), status="cancelled")
    found = counted(memory)
    assert (found["first"], found["last"]) == (LAST_WEEK.isoformat(), "2026-11-21")
    country, aswan, cairo = (found["areas"][key] for key in ("", "EG-ASN", "EG-C"))
    assert [week["week"] for week in country["weeks"]] == [LAST_WEEK.isoformat(), THIS_WEEK.isoformat()]
    assert [week["served"] for week in country["weeks"]] == [40, 70] and country["total"]["served"] == 110
    assert (aswan["total"]["served"], cairo["total"]["served"]) == (40, 70)
    assert aswan["total"]["left_share"] == 0.2
    assert aswan["total"]["wait"] == {"people": 5, "median_s": 900, "nine_of_ten_s": 5400}
    assert aswan["total"]["kept"]["people"] == 5 and aswan["total"]["kept"]["share"] == 0.6
    assert aswan["total"]["satisfied"] == {"people": 5, "share": 0.4, "low": 0.1176, "high": 0.7693}
    assert (aswan["total"]["visits"], aswan["total"]["places"], aswan["total"]["villages"]) == (2, 2, 2)
    assert country["total"]["districts"] == aswan["total"]["districts"] and cairo["total"]["visits"] == 0
    assert cairo["total"]["wait"] is None and cairo["total"]["satisfied"] is None
    assert found["saved"] is None and aswan["total"]["hours_saved"] is None, "no plan reckoned these visits"


def test_fewer_than_five_are_not_told_of(memory: Session, world: cast.World) -> None:
    """Four people of one governorate are hidden, and so is the other one, which would tell on them."""
    add_hours(memory, world.queue_a, LAST_SUNDAY, 4)
    add_hours(memory, world.queue_b, LAST_SUNDAY, 70)
    found = counted(memory)
    assert found["areas"]["EG-ASN"]["total"]["served"] is None
    assert found["areas"]["EG-C"]["total"]["served"] is None
    assert found["areas"][""]["total"]["served"] == 74


def test_a_rating_counts_once(memory: Session, world: cast.World) -> None:
    """A reason that is added to a rating is no second rating."""
    service = next(iter(world.services.values()))
    add_hours(memory, world.queue_a, LAST_SUNDAY, 6)
    for n in range(6):
        ticket = add_ticket(memory, world.queue_a, service, LAST_SUNDAY, n + 1, waited_s=60, score=5)
    rate_event(memory, ticket, 5, ticket.ended_at + timedelta(hours=1))  # type: ignore[operator]
    assert counted(memory)["areas"]["EG-ASN"]["total"]["satisfied"]["people"] == 6


def test_waits_that_people_changed_and_appointments_are_left_out(memory: Session, world: cast.World) -> None:
    service = next(iter(world.services.values()))
    for n in range(6):
        add_ticket(memory, world.queue_a, service, LAST_SUNDAY, n + 1, waited_s=60)
    put_aside, booked = (
        add_ticket(memory, world.queue_a, service, LAST_SUNDAY, n, waited_s=9000) for n in (8, 9)
    )
    put_aside.parked_s, booked.appointment_at = 30, booked.issued_at
    assert counted(memory)["areas"]["EG-ASN"]["total"]["wait"] == {
        "people": 6,
        "median_s": 60,
        "nine_of_ten_s": 60,
    }


def test_hours_saved_of_the_newest_week_that_has_begun(memory: Session, world: cast.World) -> None:
    """As planned, as played (given by the caller), and so far; a week that has not begun is not promised yet."""
    plan = Plan(
        week=THIS_WEEK,
        status="published",
        created_at=cast.NOW,
        created_by="t",
        hours_saved=300.0,
        baseline_hours=120.0,
    )
    coming = Plan(week=THIS_WEEK + timedelta(days=7), status="published", created_at=cast.NOW, created_by="t")
    memory.add_all([plan, coming])
    memory.flush()
    memory.get_one(Visit, world.visit_a).plan_id = plan.id
    memory.get_one(Visit, world.visit_b).plan_id = plan.id
    add_visit(memory, world.center_a, world.village_a2, THIS_WEEK, hours_saved=50.0, plan_id=plan.id)
    played = {THIS_WEEK: {"mean": 244.44, "low": 230.0, "high": 260.0}}
    found = counted(memory, played=played)
    assert found["saved"] == {
        "week": "2026-11-21", "planned": 250.0, "so_far": 50.0,
        "played": {"mean": 244.4, "low": 230.0, "high": 260.0}, "towns_in_turn": 120.0,
    }  # fmt: skip
    assert counted(memory)["saved"]["played"] is None
    assert found["areas"]["EG-ASN"]["total"]["hours_saved"] == 50.0


def test_districts_that_wait_longest_come_first_the_never_visited_before_them(
    memory: Session, world: cast.World
) -> None:
    """A visit of today is to come, not past; each has its limit and its next visit."""
    add_visit(memory, world.center_a, world.village_a, cast.TODAY - timedelta(days=40))
    found = counted(memory)["districts"]
    by_last = defaultdict(list)
    for one in found["longest"]:
        by_last[one["last"]].append(one)
    assert found["longest"][0]["last"] is None and found["never"] == found["all"] - 1
    (seen,) = by_last["2026-10-13"]
    assert seen["weeks"] == 5 and seen["next"] == cast.TODAY.isoformat() and found["longest"][-1] is seen
    assert found["over"] == found["all"]
    memory.get_one(Visit, world.visit_a).site.local_unit.max_weeks_unvisited = 6
    assert counted(memory)["districts"]["over"] == found["all"] - 1


def test_they_are_kept_until_counted_anew(memory: Session, world: cast.World) -> None:
    assert figures.kept(memory) is None
    add_hours(memory, world.queue_a, LAST_SUNDAY, 40)
    figures.keep(memory, counted(memory))
    memory.flush()
    assert figures.kept(memory)["areas"][""]["total"]["served"] == 40  # type: ignore[index]
    add_hours(memory, world.queue_a, LAST_SUNDAY + timedelta(days=1), 8)
    figures.keep(memory, counted(memory))
    memory.flush()
    assert figures.kept(memory)["areas"][""]["total"]["served"] == 48  # type: ignore[index]
