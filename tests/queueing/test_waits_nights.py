"""Waits learned each night from the product's own tickets, tried on the last days, steered by the waits that came."""

from __future__ import annotations

import heapq
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.daytime import at_minute, day_bounds, local_day
from queueing.store import DeskShift, QueueDay, Ticket
from queueing.store_waits import WaitModel, WaitScore, WaitSteering
from queueing.waits import model as model_module
from queueing.waits import refit as nights
from queueing.waits.days import read_days
from queueing.waits.habits import habits_of, leaving_of
from queueing.waits.judging import how_told, judge_queues, keep_turns, whose_turn
from queueing.waits.ladder import Shelf, last_night
from queueing.waits.live import LEARNED, PLAYED, foresee
from queueing.waits.snapshots import Floats
from queueing.waits.standing import center_at, line_at, pauses_of
from queueing.waits.today import columns_of, judged
from tests.builders import MORNING, Place

ZONE = "Africa/Cairo"
TODAY = local_day(MORNING, ZONE)
OPENS, CLOSES, LUNCH = 540.0, 840.0, 700.0


def one_day(place: Place, day: date, seed: int, *, upto: float = 1e9, slow: float = 1.0) -> None:
    """A day of two desks, first come first served, one desk at lunch for 40 minutes; rows as the verbs leave them."""
    draw = np.random.default_rng([seed, day.toordinal()])
    session, queue = place.session, place.queue
    arrives = np.sort(OPENS + draw.random(90) * (CLOSES - OPENS) * 0.9)
    free = [(OPENS, place.desks[0].id), (OPENS, place.desks[1].id)]
    heapq.heapify(free)
    service = place.services["id"].id
    issued = 0
    for number, at in enumerate(arrives, 1):
        if at > upto:
            break
        ready, desk = heapq.heappop(free)
        begin = max(ready, float(at))
        if desk == place.desks[1].id and LUNCH <= begin < LUNCH + 40:
            begin = LUNCH + 40
        end = begin + slow * float(draw.gamma(4.0, 1.6))
        heapq.heappush(free, (end, desk))
        called, ended = begin <= upto, end <= upto
        issued = number

        def when(minute: float) -> object:
            return at_minute(day, 0, ZONE) + timedelta(minutes=minute)

        session.add(
            Ticket(
                code=f"{seed}-{day}-{number}", queue_id=queue.id, day=day, number=number, label=f"A{number:03d}",
                service_id=service, state="served" if ended else "serving" if called else "waiting",
                issued_at=when(float(at)), aged_from=when(float(at)), called_at=when(begin) if called else None,
                started_at=when(begin) if called else None, ended_at=when(end) if ended else None,
                desk_id=desk if called else None,
            )
        )  # fmt: skip
    for desk, spells in (
        (place.desks[0], [(OPENS, CLOSES + 60)]),
        (place.desks[1], [(OPENS, LUNCH), (LUNCH + 40, CLOSES + 60)]),
    ):
        for begin, end in spells:
            if begin > upto:
                continue
            running = session.scalar(
                select(DeskShift).where(DeskShift.desk_id == desk.id, DeskShift.closed_at.is_(None))
            )
            if end > upto:
                if running is None:
                    session.add(DeskShift(desk_id=desk.id, queue_id=queue.id, opened_at=when(begin)))
                else:
                    running.opened_at = when(begin)
                continue
            session.add(
                DeskShift(desk_id=desk.id, queue_id=queue.id, opened_at=when(begin), closed_at=when(end))
            )
    session.merge(QueueDay(queue_id=queue.id, day=day, next_number=issued + 1, issued=issued))
    session.flush()


def past(place: Place, days: int, *, seed: int = 3) -> list[date]:
    """So many days before today."""
    found = [TODAY - timedelta(days=ago) for ago in range(days, 0, -1)]
    for day in found:
        one_day(place, day, seed)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer trees, and less to learn from, than a night has."""
    monkeypatch.setattr(model_module, "ROUNDS", 40)
    monkeypatch.setattr(model_module, "SPREAD_ROUNDS", 20)
    monkeypatch.setattr(nights, "LEAST_TICKETS", 300)
    monkeypatch.setattr(nights, "TRIAL_TICKETS", 150)


def noon(minute: float) -> object:
    """An instant of today."""
    return at_minute(TODAY, 0, ZONE) + timedelta(minutes=minute)


def test_a_past_day_stands_at_any_moment_as_it_stood(quick: Place) -> None:
    """Read back at a moment, a finished day shows who waited then, who was at a desk, and nothing later."""
    one_day(quick, TODAY - timedelta(days=1), 5)
    day = read_days(quick.session, [quick.queue.id], TODAY - timedelta(days=1), TODAY)[0]
    habits = habits_of(quick.session, quick.queue.id, TODAY)
    assert habits is not None
    now = 640.0
    waits = line_at(day, habits, now)
    by_hand = [row for row in range(len(day)) if day.issued[row] <= now and not (day.called[row] <= now)]
    assert waits.tolist() == by_hand and len(by_hand) > 0
    found = center_at(day, habits, now)
    assert found is not None
    center, line, _ = found
    assert len(center.people) == len(line) == len(by_hand)
    assert sum(counter.busy is not None for counter in center.counters) == 2


def test_columns_know_nothing_of_what_comes_after(quick: Place) -> None:
    """The same day cut off at a moment gives the same columns to whoever came before it."""
    yesterday = TODAY - timedelta(days=1)
    one_day(quick, yesterday, 5)
    whole = read_days(quick.session, [quick.queue.id], yesterday, yesterday)[0]
    habits = habits_of(quick.session, quick.queue.id, TODAY)
    assert habits is not None
    who = np.flatnonzero(whole.issued < 660.0)
    before = columns_of(whole, habits, who, whole.issued[who])
    for ticket in quick.session.scalars(select(Ticket)):
        if ticket.issued_at > day_bounds(yesterday, ZONE)[0] + timedelta(minutes=660):
            quick.session.delete(ticket)
    quick.session.flush()
    cut = read_days(quick.session, [quick.queue.id], yesterday, yesterday)[0]
    after = columns_of(cut, habits, who, cut.issued[who])
    assert len(who) > 20
    for name, column in before.items():
        np.testing.assert_allclose(column, after[name], err_msg=name)


def test_a_desk_pauses_as_on_the_days_on_which_it_stood_as_now() -> None:
    """Staffed at noon: days on which it was away then say nothing. Closed: it may come back, or not come at all."""
    lunch, late, absent = ((540.0, 700.0), (740.0, 900.0)), ((600.0, 900.0),), ()
    assert pauses_of([lunch, late, absent], 690.0, staffed=True) == (((10.0, 50.0),), ())
    away = pauses_of([lunch, late, absent], 560.0, staffed=False)
    assert away[0][0][1] == 40.0 and away[1][0][1] > 1e5
    assert pauses_of([lunch], 950.0, staffed=True) == ((),)


def test_who_was_called_counts_as_having_stayed(quick: Place) -> None:
    """Nobody left: the rate is small, and what little is known fills it up."""
    past(quick, 2)
    days = read_days(quick.session, [quick.queue.id], TODAY - timedelta(days=2), TODAY)
    rates = leaving_of(days)
    assert all(0 < rate < 1 / 200 for _, rate in rates)


def test_a_night_learns_tries_and_keeps_what_errs_least(quick: Place, small: None) -> None:
    """From nine days: all three methods are compared on the same tickets, the best is kept with its figures, people
    are told by it, and the next night keeps the date since which it holds."""
    past(quick, 10)
    session = quick.session
    made = nights.refit(session, now=MORNING, zone=ZONE)
    assert made is not None
    assert set(made.figures) == {"formula", "played", "learned"}
    errors = {name: found["mae_common"] for name, found in made.figures.items()}
    best = LEARNED if errors["learned"] < min(errors["formula"], errors["played"]) else PLAYED
    assert made.method == best and (made.model is not None) == (best == LEARNED)
    assert errors[best] < errors["formula"]
    assert 0.65 < made.figures["played"]["cover90"] <= 1.0
    first = nights.keep_refit(session, made, now=MORNING)
    again = nights.keep_refit(session, made, now=MORNING + timedelta(days=1))
    assert again.since == first.since == MORNING
    night = last_night(session)
    assert night is not None and night.method == best and night.errors == errors
    ladder = Shelf().ladder(session, quick.queue.id, special=False)
    assert ladder.method == best and ladder.steering.level.hoped > 0
    one_day(quick, TODAY, 9, upto=640.0)
    told = foresee(session, quick.queue.id, now=noon(640.0), ladder=ladder)  # type: ignore[arg-type]
    assert told.people and told.joining is not None
    assert {one.method for one in told.people.values()} == {best}


def test_what_is_worse_is_refused_and_said(
    quick: Place, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that knows nothing is not used: people go on being told by playing forward, and the row says why."""
    past(quick, 10)
    honest = nights.fit_rows

    def mixed_up(columns: dict[str, Floats], rows: nights.Rows, *, seed: int) -> model_module.Model:
        wrong = np.random.default_rng(1).permutation(rows.wait) * 4
        return honest(columns, replace(rows, wait=wrong), seed=seed)

    monkeypatch.setattr(nights, "fit_rows", mixed_up)
    made = nights.refit(quick.session, now=MORNING, zone=ZONE)
    assert made is not None
    assert (made.method, made.model, made.refused) == (PLAYED, None, "worse_than_formula")
    nights.keep_refit(quick.session, made, now=MORNING)
    assert quick.session.scalars(select(WaitModel)).one().model is None
    assert Shelf().ladder(quick.session, quick.queue.id, special=False).method == PLAYED


def test_too_few_days_teach_nothing(place: Place, small: None) -> None:
    """From five days the line is played forward; from two nothing is decided at all."""
    past(place, 2)
    assert nights.refit(place.session, now=MORNING, zone=ZONE) is None
    for ago in range(3, 7):
        one_day(place, TODAY - timedelta(days=ago), 3)
    made = nights.refit(place.session, now=MORNING, zone=ZONE)
    assert made is not None and (made.method, made.refused) == (PLAYED, "too_few_days")
    row = nights.keep_refit(place.session, made, now=MORNING)
    place.session.expire(row)
    assert row.figures["played"]["mae_common"] > 0 and row.leaving == [list(one) for one in made.leaving]


def test_waits_that_came_steer_the_bands_and_are_counted(place: Place) -> None:
    """A day on which everything takes twice as long: the queue's level rises, each wait is judged once, and who answers
    for the queue sees the error."""
    session, queue = place.session, place.queue.id
    past(place, 6)
    one_day(place, TODAY, 9, upto=800.0, slow=2.2)
    now = noon(800.0)
    assert whose_turn(session, TODAY) == [queue]

    def turn() -> int:
        ladder = Shelf().ladder(session, queue, special=False)
        return keep_turns(session, judge_queues(session, {queue: ladder}, now=now))  # type: ignore[arg-type]

    count = turn()
    assert count > 20
    assert turn() == 0  # nothing has ended since
    steered = Shelf().ladder(session, queue, special=False).steering
    assert steered.level.factor > 1.05
    score = session.get(WaitScore, (queue, TODAY, PLAYED))
    assert score is not None and score.judged == count
    told = how_told(session, [queue], TODAY, TODAY)
    assert told is not None and told.judged == count and told.bias_s < 0
    assert 0 <= told.half <= told.most <= 1 and told.half_width_s < told.most_width_s
    assert how_told(session, [queue], TODAY - timedelta(days=3), TODAY - timedelta(days=1)) is None
    assert session.get_one(WaitSteering, queue).judged_to == now
    assert (
        len(judged(read_days(session, [queue], TODAY, TODAY)[0], habits_of(session, queue, TODAY))) >= count
    )  # type: ignore[arg-type]


def test_sessions_are_not_needed_to_tell_two_queues_apart(session: Session) -> None:
    """Nothing is known of a queue that does not exist."""
    assert habits_of(session, 999, TODAY) is None
    assert read_days(session, [], TODAY, TODAY) == []
