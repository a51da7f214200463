"""The rules of a ticket, without a database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.errors import Conflict, MoveNotPossible
from queueing.store import TICKET_STATES
from queueing.ticket import AT_DESK, ENDED, LIVE, MOVES, LightTicket, move, possible, restore, served_seconds
from tests.builders import MORNING, light, minutes

ACTIONS = sorted({action for state, action in MOVES if state is not None})


def at(minute: float) -> Any:
    """So many minutes after nine."""
    return MORNING + minutes(minute)


def fields(ticket: LightTicket) -> dict[str, Any]:
    """Everything a ticket is."""
    return {name: getattr(ticket, name) for name in LightTicket.__slots__}


def test_the_table_names_only_known_states_and_ended_tickets_stay_ended() -> None:
    """Every state of the table exists in the store; nothing leads out of an end."""
    states = {state for state, _action in MOVES if state} | set(MOVES.values())
    assert states == set(TICKET_STATES) == set(LIVE) | set(ENDED)
    assert not any(state in ENDED for state, _action in MOVES)


def test_every_live_state_can_be_closed_by_the_night() -> None:
    """No ticket can get stuck: whatever state it is in, closing ends it."""
    assert all(MOVES[state, "close"] in ENDED for state in LIVE)


def test_the_full_path_keeps_waiting_walking_and_serving_apart() -> None:
    """Waited 10, walked 1, was served 7 minutes."""
    ticket = light()
    move(ticket, "call", now=at(10), desk_id=3)
    move(ticket, "start", now=at(11))
    change = move(ticket, "finish", now=at(18))
    assert (ticket.state, ticket.desk_id) == ("served", 3)
    assert (ticket.called_at, ticket.started_at, ticket.ended_at) == (at(10), at(11), at(18))
    assert served_seconds(ticket) == 7 * 60
    assert (change.action, change.state_from, change.state_to) == ("finish", "serving", "served")


def test_parked_time_is_not_service_time() -> None:
    """Served 5, parked 20, served 4 minutes makes 9."""
    ticket = light()
    move(ticket, "call", now=at(10), desk_id=3)
    move(ticket, "start", now=at(10))
    move(ticket, "park", now=at(15))
    assert ticket.parked_at == at(15)
    move(ticket, "resume", now=at(35), desk_id=4)
    assert (ticket.state, ticket.desk_id, ticket.parked_s, ticket.parked_at) == ("serving", 4, 1200, None)
    move(ticket, "finish", now=at(39))
    assert served_seconds(ticket) == 9 * 60


def test_two_pauses_add_up() -> None:
    """Parked time accumulates over pauses."""
    ticket = light()
    move(ticket, "call", now=at(0), desk_id=1)
    move(ticket, "start", now=at(0))
    for begin in (2, 10):
        move(ticket, "park", now=at(begin))
        move(ticket, "resume", now=at(begin + 3), desk_id=1)
    move(ticket, "finish", now=at(20))
    assert ticket.parked_s == 360
    assert served_seconds(ticket) == 14 * 60


def test_parked_then_back_in_the_line_counts_only_time_at_a_desk() -> None:
    """From parking until the next start nobody serves, whether parked, waiting or walking."""
    ticket = light()
    move(ticket, "call", now=at(0), desk_id=1)
    move(ticket, "start", now=at(0))
    move(ticket, "park", now=at(5))
    move(ticket, "requeue", now=at(10))
    move(ticket, "call", now=at(20), desk_id=2)
    move(ticket, "start", now=at(21))
    move(ticket, "finish", now=at(24))
    assert served_seconds(ticket) == 8 * 60


def test_finishing_from_the_call_counts_from_the_call() -> None:
    """Where nobody pressed start, the time at the desk begins with the call, also after a pause."""
    ticket = light()
    move(ticket, "call", now=at(4), desk_id=1)
    move(ticket, "finish", now=at(9))
    assert served_seconds(ticket) == 300
    parked = light()
    move(parked, "call", now=at(0), desk_id=1)
    move(parked, "start", now=at(0))
    move(parked, "park", now=at(2))
    move(parked, "call", now=at(12), desk_id=1)
    move(parked, "finish", now=at(15))
    assert served_seconds(parked) == 5 * 60


def test_leaving_while_parked_closes_every_period() -> None:
    """Leaving at any point leaves no running period behind."""
    ticket = light()
    move(ticket, "call", now=at(0), desk_id=1)
    move(ticket, "start", now=at(1))
    move(ticket, "park", now=at(3))
    move(ticket, "leave", now=at(13))
    assert (ticket.state, ticket.ended_at, ticket.parked_at, ticket.parked_s) == ("left", at(13), None, 600)


def test_a_cancelled_call_restores_place_and_age() -> None:
    """Requeue gives back the age; the call stands no longer."""
    ticket = light(came=2)
    move(ticket, "call", now=at(10), desk_id=1)
    move(ticket, "requeue", now=at(11))
    assert (ticket.state, ticket.aged_from, ticket.called_at, ticket.desk_id) == (
        "waiting",
        at(2),
        None,
        None,
    )


def test_a_no_show_is_held_and_keeps_age() -> None:
    """After a miss the ticket is held for the cool-down, also once it waits again, until it is called."""
    ticket = light()
    move(ticket, "call", now=at(10), desk_id=1)
    move(ticket, "miss", now=at(12), hold_s=300)
    assert (ticket.state, ticket.hold_until) == ("missed", at(17))
    move(ticket, "requeue", now=at(13))
    assert (ticket.hold_until, ticket.aged_from) == (at(17), at(0))
    move(ticket, "call", now=at(14), desk_id=1)
    assert ticket.hold_until is None


def test_a_missed_person_can_be_resumed_and_is_called_afresh() -> None:
    """Resume shows a missed person again: called, with the calls counted anew."""
    ticket = light()
    move(ticket, "call", now=at(10), desk_id=1)
    move(ticket, "recall", now=at(11), recall_limit=3)
    move(ticket, "miss", now=at(12), hold_s=300)
    move(ticket, "resume", now=at(14), desk_id=2)
    assert (ticket.state, ticket.desk_id, ticket.called_at, ticket.recalls) == ("called", 2, at(14), 0)


@pytest.mark.parametrize("limit", [0, 3])
def test_recall_stops_at_the_limit(limit: int) -> None:
    """A limit of 0 allows no second announcement, one of 3 allows three; a new call counts anew."""
    ticket = light()
    move(ticket, "call", now=at(0), desk_id=1)
    for _ in range(limit):
        move(ticket, "recall", now=at(1), recall_limit=limit)
    with pytest.raises(Conflict) as caught:
        move(ticket, "recall", now=at(2), recall_limit=limit)
    assert (caught.value.code, ticket.recalls, ticket.called_at) == ("recall_limit", limit, at(0))
    move(ticket, "requeue", now=at(3))
    move(ticket, "call", now=at(4), desk_id=1)
    assert ticket.recalls == 0


def test_an_appointment_kept_counts_from_its_time_and_a_late_one_from_the_arrival() -> None:
    """Early and up to 15 minutes late: the appointment's time. Later: the time of arrival."""
    for came, aged in ((-20, 30), (44, 30), (46, 46)):
        ticket = LightTicket(1, 1, at(-600), state="booked", appointment_at=at(30))
        move(ticket, "arrive", now=at(came))
        assert (ticket.state, ticket.aged_from) == ("waiting", at(aged)), came


def test_a_second_service_begins_with_empty_times_and_keeps_the_age() -> None:
    """Redirect sends the person back to the line, as old as before, with the new service's times unset."""
    ticket = light(came=1)
    move(ticket, "call", now=at(5), desk_id=1)
    move(ticket, "start", now=at(6))
    move(ticket, "redirect", now=at(9))
    assert (ticket.state, ticket.aged_from) == ("waiting", at(1))
    assert (ticket.called_at, ticket.started_at, ticket.parked_s, ticket.desk_id) == (None, None, 0, None)


@pytest.mark.parametrize("state", TICKET_STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_not_in_the_table_is_refused_and_changes_nothing(state: str, action: str) -> None:
    """Each pair of state and action either moves as the table says or raises with the ticket untouched."""
    ticket = light()
    ticket.state = state
    ticket.called_at = at(1)
    ticket.recalls = 1
    before = fields(ticket)
    if (state, action) in MOVES:
        move(ticket, action, now=at(5), desk_id=7)
        assert ticket.state == MOVES[state, action]
        return
    with pytest.raises(MoveNotPossible) as caught:
        move(ticket, action, now=at(5), desk_id=7)
    assert fields(ticket) == before
    expected = "already_called" if action == "call" and state in AT_DESK else "move_not_possible"
    assert caught.value.code == expected
    assert caught.value.details == {"state": state, "action": action, "possible": possible(state)}


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 600), st.integers(1, 3)), max_size=25))
def test_any_walk_keeps_the_periods_right_and_can_be_taken_back_step_by_step(
    steps: list[tuple[str, int, int]],
) -> None:
    """Whatever is pressed: times are ordered, pauses are never negative, ends are final, and restoring the
    changes in reverse gives the fresh ticket back."""
    ticket = light()
    fresh = fields(ticket)
    now, done, trail = MORNING, [], []
    for action, seconds, desk in steps:
        if action == "arrive":
            continue
        now += timedelta(seconds=seconds)
        trail.append(fields(ticket))
        try:
            done.append(move(ticket, action, now=now, desk_id=desk, hold_s=300, recall_limit=2))
        except Conflict:
            assert fields(ticket) == trail.pop()
            continue
        assert (ticket.ended_at is not None) == (ticket.state in ENDED)
        if ticket.state in AT_DESK:
            assert ticket.desk_id is not None and ticket.called_at is not None
        if ticket.state == "waiting":
            assert ticket.desk_id is None
        assert ticket.aged_from == MORNING
        assert ticket.parked_s >= 0
        assert ticket.parked_at is None or ticket.state not in ENDED
        if ticket.started_at is not None and ticket.ended_at is not None:
            assert ticket.started_at <= ticket.ended_at
            seconds_served = served_seconds(ticket)
            assert seconds_served is not None and seconds_served <= (now - MORNING).total_seconds()
    for change in reversed(done):
        restore(ticket, change)
        assert fields(ticket) == trail.pop()
    assert fields(ticket) == fresh
