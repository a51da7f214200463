"""The verbs at the desk: serving, parking, leaving, sending on, taking back; and that each is done once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from queueing.counter import Done
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import Outbox, Ticket, TicketEvent
from queueing.ticket import served_seconds
from tests.builders import MORNING, Place, make_place, minutes


def refused(place: Place, verb: str, *things: object, **given: object) -> QueueingError:
    """The error of a verb that must be refused, having changed nothing, even when the caller goes on."""
    before = place.seq(), len(place.events()), len(place.outbox())
    with pytest.raises(QueueingError) as caught:
        place.do(verb, *things, **given)
    place.session.flush()
    assert (place.seq(), len(place.events()), len(place.outbox())) == before
    assert check(place.session, [place.queue.id]) == []
    return caught.value


def serving(place: Place, desk: int = 0) -> Ticket:
    """Somebody being served at a desk."""
    place.issue()
    ticket = place.called(desk)
    place.do("start", ticket, desk=place.desks[desk])
    return ticket


def test_the_full_path_leaves_one_event_for_each_step(place: Place) -> None:
    """Issue, call, start, finish: four events with rising numbers, every one announced, times in their
    fields."""
    ticket = place.issue()
    place.called(now=place.later(10))
    place.do("start", ticket, desk=place.desks[0], now=place.later(1))
    done = place.do("finish", ticket, desk=place.desks[0], now=place.later(7))
    assert place.actions(ticket) == ["issue", "call", "start", "finish"]
    assert served_seconds(done.ticket) == 420
    seqs = [event.seq for event in place.events()]
    assert seqs == list(range(seqs[0], seqs[0] + 4)) == [m.seq for m in place.outbox()][-4:]
    assert check(place.session, [place.queue.id]) == []


def test_screens_hear_which_sections_changed_and_nothing_personal(place: Place) -> None:
    """A start touches the desks; a leave from the line the line; no message carries phone, code or
    service."""
    ticket = place.issue(phone="+201001234567")
    other = place.issue()
    place.called()
    place.do("start", ticket, desk=place.desks[0])
    assert place.outbox()[-1].data["parts"] == ["desks", "calls"]
    place.do("leave", other)
    assert place.outbox()[-1].data == {"action": "leave", "label": "A002", "waiting": 0, "parts": ["line"]}
    for message in place.outbox():
        assert not {"phone", "code", "service", "note", "ticket"} & message.data.keys()
        assert ticket.code not in str(message.data) and "1234567" not in str(message.data)


def test_starting_twice_is_harmless(place: Place) -> None:
    """A second start by another request answers with the first event."""
    ticket = serving(place)
    first = place.events(ticket)[-1]
    done = place.do("start", ticket, desk=place.desks[0], now=place.later(5))
    assert (done.repeated, done.event.id, done.ticket.started_at) == (True, first.id, MORNING)


def test_a_finished_ticket_cannot_be_finished_started_or_left(place: Place) -> None:
    """Nothing moves an ended ticket; the error says what it is."""
    ticket = serving(place)
    place.do("finish", ticket, desk=place.desks[0])
    for verb in ("finish", "start", "leave", "miss", "recall", "park", "requeue", "cancel"):
        error = refused(place, verb, ticket)
        assert (error.code, error.details["state"], error.details["possible"]) == (
            "move_not_possible",
            "served",
            [],
        )


@pytest.mark.parametrize("verb", ["start", "finish", "miss", "recall", "park", "requeue", "leave"])
def test_another_desk_cannot_touch_the_ticket(place: Place, verb: str) -> None:
    """Called to desk 1, every verb of desk 2 is refused; so is a desk of another queue."""
    ticket = place.issue()
    place.called(0)
    assert refused(place, verb, ticket, desk=place.desks[1]).code == "other_desk"
    stranger = make_place(place.session, letter="B", known=place.services)
    assert refused(place, verb, ticket, desk=stranger.desks[0]).code == "other_queue"


@pytest.mark.parametrize("verb", ["leave", "cancel"])
def test_a_citizen_can_leave_while_waiting_but_not_once_called(place: Place, verb: str) -> None:
    """Without a desk it is the citizen who asks."""
    first, second = place.issue(), place.issue()
    assert place.do(verb, second).ticket.ended_at == MORNING
    place.called()
    assert refused(place, verb, first).code == "already_called"


def test_recall_is_announced_again_up_to_the_limit(place: Place) -> None:
    """The queue's limit counts; each is a message for the boards."""
    place.queue.recall_limit = 1
    ticket = place.issue()
    place.called()
    place.do("recall", ticket, desk=place.desks[0])
    assert (place.outbox()[-1].part, place.outbox()[-1].data["action"]) == ("calls", "recall")
    assert refused(place, "recall", ticket, desk=place.desks[0]).code == "recall_limit"


def test_park_frees_the_desk_and_resume_goes_on_at_any(place: Place) -> None:
    """Parked with a note; the desk serves another; the person goes on elsewhere; the pause is no service."""
    ticket = serving(place)
    other = place.issue()
    place.do("park", ticket, desk=place.desks[0], note="copy of the birth certificate", now=place.later(4))
    assert place.called(0).id == other.id
    assert refused(place, "resume", ticket, desk=place.desks[0]).code == "desk_busy"
    place.do("resume", ticket, desk=place.desks[1], now=place.later(20))
    done = place.do("finish", ticket, desk=place.desks[1], now=place.later(3))
    assert served_seconds(done.ticket) == 7 * 60
    assert done.ticket.note == "copy of the birth certificate"


def test_a_missed_person_is_resumed_and_shown_again(place: Place) -> None:
    """Boards hear it as a call."""
    ticket = place.issue()
    place.called()
    place.do("miss", ticket, desk=place.desks[0])
    assert place.do("resume", ticket, desk=place.desks[1]).ticket.state == "called"
    assert (place.outbox()[-1].part, place.outbox()[-1].data["action"]) == ("calls", "call")


def test_a_cancelled_call_restores_place_and_age(place: Place) -> None:
    """Put back, the person is again the first."""
    first, _second = place.issue(), place.issue(now=MORNING + minutes(1))
    place.called(now=MORNING + minutes(5))
    place.do("requeue", first, desk=place.desks[0], now=MORNING + minutes(6))
    assert place.called(1, now=MORNING + minutes(7)).id == first.id


def test_change_of_service_keeps_the_place_and_undo_gives_the_old_one_back(place: Place) -> None:
    """While serving: same desk, other service; an unknown one is refused."""
    ticket = serving(place)
    assert refused(place, "change_service", ticket, "nothing", desk=place.desks[0]).code == "unknown_service"
    done = place.do("change_service", ticket, "birth", desk=place.desks[0])
    assert (done.ticket.state, done.ticket.service_id) == ("serving", place.services["birth"].id)
    done = place.do("undo", ticket, desk=place.desks[0])
    assert (done.ticket.state, done.ticket.service_id) == ("serving", place.services["id"].id)


def test_transfer_within_the_queue_keeps_ticket_number_and_age(place: Place) -> None:
    """On to another service: the same ticket waits again, first by its age, with the note for the next
    clerk."""
    ticket = serving(place)
    place.issue(now=place.later(3))
    done = place.do("transfer", ticket, desk=place.desks[0], service_code="birth", note="has all papers")
    assert (done.ticket.id, done.ticket.state, done.ticket.number) == (ticket.id, "waiting", 1)
    assert (done.ticket.service_id, done.ticket.note) == (place.services["birth"].id, "has all papers")
    assert done.went_on is None
    assert place.called(1, now=place.later(1)).id == ticket.id


def test_transfer_to_another_queue_gives_a_linked_ticket_there(place: Place) -> None:
    """The old one ends as transferred and names the new one, which stands in the other queue with the label that the
    person holds, and the note."""
    other = make_place(place.session, letter="B", known=place.services)
    ticket = serving(place)
    done = place.do("transfer", ticket, desk=place.desks[0], to_queue=other.queue, note="pay first")
    assert done.went_on is not None
    assert (done.ticket.state, done.ticket.next_ticket_id) == ("transferred", done.went_on.id)
    assert (done.went_on.label, done.went_on.note, done.went_on.state) == ("A001", "pay first", "waiting")
    assert done.went_on.code != ticket.code
    assert [m.data["action"] for m in place.outbox()][-1] == "transfer"
    assert [m.data["action"] for m in other.outbox()][-1] == "issue"
    assert check(place.session) == []


def test_who_stood_in_the_wrong_line_keeps_the_age_in_the_right_one(place: Place) -> None:
    """Transferred while waiting: the wait counts on. Transferred after service: from now."""
    other = make_place(place.session, letter="B", known=place.services)
    waiting, served = place.issue(), place.issue()
    place.called(ticket=served)
    at = MORNING + minutes(20)
    first = place.do("transfer", waiting, to_queue=other.queue, now=at).went_on
    second = place.do("transfer", served, desk=place.desks[0], to_queue=other.queue, now=at).went_on
    assert (first.aged_from, second.aged_from) == (MORNING, at)  # type: ignore[union-attr]


def test_transfer_into_a_closed_queue_or_for_an_unknown_service_is_refused(place: Place) -> None:
    """Nothing changes in either queue."""
    other = make_place(place.session, letter="B", services=("passport",), opened=False)
    ticket = serving(place)
    seq = other.seq()
    assert (
        refused(place, "transfer", ticket, desk=place.desks[0], to_queue=other.queue).code == "queue_closed"
    )
    other.queue.state = "open"
    other.session.flush()
    assert (
        refused(place, "transfer", ticket, desk=place.desks[0], to_queue=other.queue).code
        == "unknown_service"
    )
    assert other.seq() == seq


UNDOABLE = [
    ((), "leave"),
    ((), "cancel"),
    ((), "change_service"),
    (("call",), "start"),
    (("call",), "recall"),
    (("call",), "miss"),
    (("call",), "requeue"),
    (("call",), "park"),
    (("call",), "finish"),
    (("call",), "leave"),
    (("call", "start"), "finish"),
    (("call", "start"), "park"),
    (("call", "start"), "leave"),
    (("call", "start"), "transfer"),
    (("call", "start", "park"), "resume"),
    (("call", "start", "park"), "requeue"),
    (("call", "miss"), "requeue"),
    (("call", "miss"), "resume"),
]


def press(place: Place, verb: str, ticket: Ticket, **given: object) -> Done:
    """Press one button at desk 1 a minute later."""
    place.later(1)
    if verb == "call":
        done = place.call(0, ticket=ticket, **given)
        assert done is not None
        return done
    if verb == "change_service":
        return place.do(verb, ticket, "birth", desk=place.desks[0], **given)
    if verb == "transfer":
        given["service_code"] = "birth"
    return place.do(verb, ticket, desk=place.desks[0], **given)


def columns(ticket: Ticket) -> dict[str, object]:
    """Every stored field of a ticket."""
    return {column.name: getattr(ticket, column.name) for column in Ticket.__table__.columns}


@pytest.mark.parametrize(("path", "verb"), UNDOABLE)
def test_undo_puts_everything_back(quick: Place, path: tuple[str, ...], verb: str) -> None:
    """Each step taken back restores state, desk, service, times and place; the event says what it undid."""
    ticket = quick.issue()
    for step in path:
        press(quick, step, ticket)
    before = columns(ticket)
    undone = press(quick, verb, ticket)
    assert columns(ticket) != before
    done = press(quick, "undo", ticket)
    assert columns(done.ticket) == before
    assert done.event.data["undoes"] == undone.event.id
    assert check(quick.session) == []
    assert refused(quick, "undo", ticket, desk=quick.desks[0]).code == "nothing_to_undo"


def test_undo_of_a_call_restores_place_and_age_but_not_the_finished_one(place: Place) -> None:
    """Call next pressed too early: the new person waits again as before; the old one can be taken back by its
    own undo."""
    first, second = place.issue(), place.issue()
    place.called()
    place.called(now=place.later(5))
    place.do("undo", second, desk=place.desks[0])
    assert (second.state, second.called_at, first.state) == ("waiting", None, "served")
    assert place.do("undo", first, desk=place.desks[0]).ticket.state == "called"


def test_undo_is_refused_once_the_desk_has_somebody_else(place: Place) -> None:
    """Two people would stand at one desk."""
    first, _second = place.issue(), place.issue()
    place.called()
    place.called()
    assert refused(place, "undo", first, desk=place.desks[0]).code == "undo_refused"


def test_undo_takes_back_ones_own_last_step_only(place: Place) -> None:
    """Not another desk's, not another person's, not an older one than the screen shows."""
    ticket = place.issue()
    called = place.call()
    assert called is not None
    assert refused(place, "undo", ticket, desk=place.desks[1]).code == "undo_refused"
    assert refused(place, "undo", ticket, actor="somebody else").code == "undo_refused"
    place.do("start", ticket, desk=place.desks[0])
    assert (
        refused(place, "undo", ticket, desk=place.desks[0], event_id=called.event.id).code == "undo_refused"
    )
    assert place.do("undo", ticket).ticket.state == "called"


def test_a_citizens_leaving_is_not_undone_by_the_clerk(place: Place) -> None:
    """Something has changed since: the person went."""
    ticket = place.issue()
    place.do("leave", ticket, actor="citizen")
    assert refused(place, "undo", ticket, desk=place.desks[0]).code == "undo_refused"


def test_issue_and_a_transfer_elsewhere_cannot_be_undone(place: Place) -> None:
    """A number stays given; another queue has gone on."""
    other = make_place(place.session, letter="B", known=place.services)
    ticket = place.issue()
    assert refused(place, "undo", ticket).code == "nothing_to_undo"
    place.do("transfer", ticket, to_queue=other.queue)
    assert refused(place, "undo", ticket).code == "undo_refused"


def test_a_ticket_that_is_not_there(place: Place) -> None:
    """The error says so."""
    ghost = Ticket(id=10**6, queue_id=place.queue.id)
    assert refused(place, "start", ghost).code == "ticket_not_found"


def test_a_stale_object_from_another_session_does_no_harm(place: Place) -> None:
    """The verb reads the ticket anew: an object that still says waiting does not make a second call
    possible."""
    ticket = place.issue()
    stale = Ticket(**columns(ticket))
    place.called()
    with pytest.raises(QueueingError) as caught:
        place.call(1, ticket=stale)
    assert caught.value.code == "already_called"


Setup = Callable[[Place], tuple[str, tuple[object, ...], dict[str, object]]]


def _on(path: tuple[str, ...], verb: str) -> Setup:
    def prepare(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
        ticket = place.issue()
        place.issue()
        for step in path:
            press(place, step, ticket)
        given: dict[str, object] = {"desk": place.desks[0]}
        if verb == "transfer":
            given["service_code"] = "birth"
        return verb, (ticket, "birth") if verb == "change_service" else (ticket,), given

    return prepare


def _issue(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
    return "issue", (place.queue, "id"), {}


def _book(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
    return "issue", (place.queue, "id"), {"appointment_at": MORNING + minutes(60)}


def _arrive(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
    return "arrive", (place.do("issue", place.queue, "id", appointment_at=MORNING + minutes(60)).ticket,), {}


def _call(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
    for _ in range(3):
        place.issue()
    return "call_next", (place.desks[0],), {}


def _call_with_open(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
    verb = _call(place)
    place.called()
    return verb


def _elsewhere(place: Place) -> tuple[str, tuple[object, ...], dict[str, object]]:
    other = make_place(place.session, letter="B", known=place.services)
    return "transfer", (place.issue(),), {"to_queue": other.queue}


VERBS: dict[str, tuple[Setup, int]] = {
    "issue": (_issue, 1),
    "book": (_book, 1),
    "arrive": (_arrive, 1),
    "call_next": (_call, 1),
    "call_next with an open ticket": (_call_with_open, 2),
    "start": (_on(("call",), "start"), 1),
    "finish": (_on(("call", "start"), "finish"), 1),
    "miss": (_on(("call",), "miss"), 1),
    "recall": (_on(("call",), "recall"), 1),
    "park": (_on(("call", "start"), "park"), 1),
    "resume": (_on(("call", "park"), "resume"), 1),
    "requeue": (_on(("call",), "requeue"), 1),
    "leave": (_on((), "leave"), 1),
    "cancel": (_on((), "cancel"), 1),
    "change_service": (_on(("call",), "change_service"), 1),
    "transfer within": (_on(("call", "start"), "transfer"), 1),
    "transfer elsewhere": (_elsewhere, 2),
    "undo": (_on(("call",), "undo"), 1),
}
"""Every verb, ready to be pressed, and how many events one press makes (a second ticket's is a second
event)."""


@pytest.mark.parametrize("name", VERBS)
def test_a_double_press_of_any_verb_makes_one_event(place: Place, name: str) -> None:
    """The same request again: the same event and tickets, marked as repeated, and no event, no message, no
    number more; also after the ticket has moved on."""
    setup, events = VERBS[name]
    verb, things, given = setup(place)
    count = select(func.count()).select_from(TicketEvent)
    told = select(func.count()).select_from(Outbox)
    before = place.session.scalar(count) or 0
    first = place.do(verb, *things, request_id="pressed", **given)
    assert not first.repeated
    after = place.session.scalar(count), place.session.scalar(told), place.seq(), place.count()
    assert (after[0] or 0) - before == events
    second = place.do(verb, *things, request_id="pressed", **given | {"now": place.later(1)})
    assert second.repeated
    assert (second.event.id, second.ticket.id) == (first.event.id, first.ticket.id)
    assert (second.finished, second.went_on) == (first.finished, first.went_on)
    assert (place.session.scalar(count), place.session.scalar(told), place.seq(), place.count()) == after
    if "close" not in {e.action for e in place.events(first.ticket)} and first.ticket.state in (
        "called",
        "serving",
    ):
        place.do("leave", first.ticket, desk=place.desks[0])
        third = place.do(verb, *things, request_id="pressed", **given)
        assert (third.repeated, third.event.id, third.ticket.state) == (True, first.event.id, "left")
    assert check(place.session) == []


@pytest.mark.parametrize("name", VERBS)
def test_a_request_id_used_for_something_else_is_refused(place: Place, name: str) -> None:
    """The id of an issue of another ticket does not count as this press, and nothing happens."""
    other = place.issue(request_id="taken")
    place.do("leave", other)
    verb, things, given = VERBS[name][0](place)
    if verb == "issue" and "appointment_at" not in given:
        things = (place.queue, "birth")
    assert refused(place, verb, *things, request_id="taken", **given).code == "request_id_reused"
