"""The audit: who did what, tickets and all else in one list, in the transaction that did it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import audit, desks, upkeep
from queueing.audit import OUT_OF_ORDER, Act, Wanted, actors, acts, note
from queueing.errors import Conflict, Invalid, QueueingError
from queueing.store import Queue, QueueService, Ticket
from queueing.store_office import AuditEntry
from tests.builders import MORNING, Place, make_place

END = MORNING + timedelta(days=1)


def listed(place: Place, **more: Any) -> list[Act]:
    given: dict[str, Any] = {"topics": (), "begin": MORNING - timedelta(hours=1), "end": END} | more
    return acts(place.session, Wanted([place.queue.id], **given))[0]


def said(found: list[Act]) -> list[tuple[str, str, str]]:
    return [(act.actor, act.action, act.subject or act.label) for act in reversed(found)]


def test_acts_on_tickets_queues_and_desks_stand_in_one_list_in_order(place: Place) -> None:
    place.later(1)
    ticket = place.issue(actor="kiosk")
    place.later(1)
    desks.open_desk(place.session, place.desks[0], actor="chief", now=place.now, operator="mona")
    place.later(1)
    place.call(actor="mona")
    place.later(1)
    desks.pause_queue(place.session, place.queue, actor="chief", now=place.now)
    assert said(listed(place)) == [
        ("setup", "queue_open", ""),
        ("setup", "desk_open", "1"),
        ("setup", "desk_open", "2"),
        ("kiosk", "issue", ticket.label),
        ("chief", "desk_open", "1"),
        ("mona", "call", ticket.label),
        ("chief", "queue_paused", ""),
    ]
    assert listed(place)[2].data["operator"] == "mona"


def test_who_sits_at_a_desk_is_for_the_audit_and_not_for_screens(place: Place) -> None:
    desks.open_desk(place.session, place.desks[0], actor="chief", now=place.now, operator="mona")
    assert "mona" not in str([row.data for row in place.outbox()])


def test_doing_again_what_is_so_already_is_no_second_act(place: Place) -> None:
    before = place.session.scalar(select(func.count()).select_from(AuditEntry))
    desks.open_desk(place.session, place.desks[0], actor="chief", now=place.now)
    desks.open_queue(place.session, place.queue, actor="chief", now=place.now)
    assert place.session.scalar(select(func.count()).select_from(AuditEntry)) == before


def test_it_is_filtered_by_person_action_and_span(place: Place) -> None:
    first, second = place.issue(), place.issue()
    place.call(ticket=second, actor="mona")
    assert said(listed(place, actor="mona")) == [("mona", "call", second.label)]
    assert [act.label for act in listed(place, action="issue")] == [second.label, first.label]
    assert [act.label for act in listed(place, action=OUT_OF_ORDER)] == [second.label]
    assert listed(place, action="desk_close") == []
    assert listed(place, begin=END, end=END + timedelta(days=1)) == []
    assert {act.actor for act in listed(place, staff_only=True)} == {"clerk", "mona", "setup"}


def test_a_call_of_the_next_person_is_not_out_of_order(place: Place) -> None:
    place.issue()
    place.call()
    assert listed(place, action=OUT_OF_ORDER) == []


def test_pages_join_without_gap_or_repetition_also_within_one_instant(place: Place) -> None:
    """Everything happens in the same second, in both tables: the pages are the list."""
    for n in range(7):
        place.issue()
        note(place.session, f"queue:{place.queue.id}", "limits", actor="chief", now=place.now, subject=str(n))
    place.session.flush()
    wanted = Wanted([place.queue.id], (), MORNING - timedelta(hours=1), END)
    whole, none = acts(place.session, wanted, count=100)
    pages, cursor = acts(place.session, wanted, count=4)
    while cursor is not None:
        more, cursor = acts(place.session, wanted, after=cursor, count=4)
        assert len(more) <= 4
        pages += more
    assert none is None and len(whole) == 17
    assert [act.key for act in pages] == [act.key for act in whole]


def test_only_ones_own_queues_and_places_are_listed(place: Place) -> None:
    other = make_place(place.session, letter="B", known=place.services)
    other.issue()
    note(place.session, "site:1", "login", actor="mona", now=place.now)
    note(place.session, "site:2", "login", actor="spy", now=place.now)
    place.session.flush()
    found = listed(place, topics=("site:1",))
    assert {act.topic for act in found} == {f"queue:{place.queue.id}", "site:1"}
    wanted = Wanted([place.queue.id], ("site:1",), MORNING - timedelta(hours=1), END)
    assert actors(place.session, wanted) == ["mona", "setup"]


def test_what_a_verb_refused_leaves_no_entry(place: Place) -> None:
    desks.close_queue(place.session, place.queue, actor="chief", now=place.now)
    before = len(listed(place))
    with pytest.raises(QueueingError):
        desks.open_desk(place.session, place.desks[0], actor="chief", now=place.now)
    assert len(listed(place)) == before


def test_changed_limits_hold_and_say_what_they_were(place: Place) -> None:
    common: dict[str, Any] = {"actor": "chief", "now": place.now}
    upkeep.set_limits(place.session, place.queue, daily_capacity=1, recall_limit=3, cool_down_s=60, **common)
    entry = listed(place)[0]
    assert (entry.action, entry.data) == ("limits", {"daily_capacity": [None, 1], "cool_down_s": [300, 60]})
    place.issue(channel="kiosk")
    with pytest.raises(QueueingError) as refused:
        place.issue(channel="kiosk")
    assert refused.value.code == "capacity_reached"
    upkeep.set_limits(place.session, place.queue, daily_capacity=1, recall_limit=3, cool_down_s=60, **common)
    assert len(listed(place, action="limits")) == 1


@pytest.mark.parametrize(
    ("capacity", "recalls", "held"), [(-1, 3, 300), (10, 21, 300), (10, 3, 3601), (10_000, 3, 0)]
)
def test_limits_that_make_no_sense_are_refused(place: Place, capacity: int, recalls: int, held: int) -> None:
    with pytest.raises(Invalid):
        upkeep.set_limits(
            place.session,
            place.queue,
            daily_capacity=capacity,
            recall_limit=recalls,
            cool_down_s=held,
            actor="chief",
            now=place.now,
        )


def test_a_queue_with_somebody_in_it_cannot_go_out_of_use(session: Session) -> None:
    """Refused while one waits, and while one is booked for another day; its history is whole afterwards."""
    place = make_place(session)
    given: dict[str, Any] = {"reason": "moved", "actor": "chief", "now": place.now}
    ticket, tomorrow = place.issue(), place.now + timedelta(days=1)
    later = place.issue(appointment_at=tomorrow)
    with pytest.raises(Conflict) as refused:
        upkeep.take_out(session, place.queue, **given)
    assert (refused.value.code, refused.value.details) == ("queue_in_use", {"here": 1, "booked": 1})
    place.do("leave", ticket)
    with pytest.raises(Conflict):
        upkeep.take_out(session, place.queue, **given)
    place.do("cancel", later)
    with pytest.raises(Invalid):
        upkeep.take_out(session, place.queue, **(given | {"reason": "  "}))
    offered = upkeep.take_out(session, place.queue, **given)
    assert sorted(offered) == sorted(s.id for s in place.services.values())
    assert session.get_one(Queue, place.queue.id).state == "closed"
    assert session.scalar(select(QueueService).where(QueueService.queue_id == place.queue.id)) is None
    assert session.get_one(Ticket, ticket.id).state == "left"
    assert (listed(place)[0].action, listed(place)[0].data) == ("queue_retired", {"reason": "moved"})
    with pytest.raises(QueueingError):
        place.issue(appointment_at=tomorrow)
    upkeep.put_back(session, place.queue, offered, actor="chief", now=place.now)
    desks.open_queue(session, place.queue, actor="chief", now=place.now)
    assert place.issue().state == "waiting"


def test_every_action_of_queues_and_desks_is_one_that_can_be_chosen(place: Place) -> None:
    desks.pause_desk(place.session, place.desks[0], actor="x", now=place.now)
    desks.close_desk(place.session, place.desks[0], actor="x", now=place.now)
    desks.pause_queue(place.session, place.queue, actor="x", now=place.now)
    desks.close_queue(place.session, place.queue, actor="x", now=place.now)
    made = set(place.session.scalars(select(AuditEntry.action).distinct()))
    assert made <= set(audit.ACTIONS), made - set(audit.ACTIONS)
