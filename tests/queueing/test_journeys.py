"""Journeys: several services at several queues of one place, one label, one link, nobody left between two desks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import desks, journeys
from queueing.errors import Closed, Conflict, Invalid
from queueing.rebuild import check
from queueing.store import Outbox, Ticket
from queueing.store_life import Journey, JourneyStep, Notice
from tests.builders import Place, make_place, make_service


@dataclass
class Complex:
    """Three queues of one building: A does photos and cards, B passports, C stamps and photos."""

    session: Session
    a: Place
    b: Place
    c: Place

    @property
    def ids(self) -> list[int]:
        return [self.a.queue.id, self.b.queue.id, self.c.queue.id]

    def begin(self, *services: str, **given: object) -> Ticket:
        values = {"request_id": self.a.rid(), "actor": "kiosk", "now": self.a.now}
        return journeys.begin(self.session, self.ids, services, **(values | given)).ticket  # type: ignore[arg-type]

    def add(self, ticket: Ticket, service: str, **given: object) -> None:
        values = {"request_id": self.a.rid(), "actor": "clerk", "now": self.a.now}
        journeys.add_step(self.session, ticket, service, self.ids, **(values | given))  # type: ignore[arg-type]

    def later(self, minutes: float) -> None:
        for place in (self.a, self.b, self.c):
            place.later(minutes)

    def place_of(self, ticket: Ticket) -> Place:
        return next(p for p in (self.a, self.b, self.c) if p.queue.id == ticket.queue_id)

    def serve(self, ticket: Ticket, minutes: float = 5) -> Ticket | None:
        """Call, serve and finish somebody; where they go on."""
        place = self.place_of(ticket)
        place.called(0, ticket=ticket)
        self.later(minutes)
        return place.do("finish", ticket, desk=place.desks[0]).went_on


@pytest.fixture
def house(session: Session) -> Complex:
    """The three queues, open, one desk each."""
    known = {code: make_service(session, code) for code in ("photo", "card", "pass", "stamp")}
    common = {"known": known, "desk_count": 1}
    return Complex(
        session,
        make_place(session, services=("photo", "card"), letter="A", **common),  # type: ignore[arg-type]
        make_place(session, services=("pass",), letter="B", **common),  # type: ignore[arg-type]
        make_place(session, services=("stamp", "photo"), letter="C", **common),  # type: ignore[arg-type]
    )


def test_one_label_and_one_link_through_three_desks(house: Complex) -> None:
    """Photo, then passport, then stamp: three tickets of three queues, one label; the first link leads to the last."""
    first = house.begin("pass", "photo", "stamp", after={"pass": ["photo"], "stamp": ["pass"]})
    assert house.place_of(first) in (house.a, house.c)
    second = house.serve(first)
    assert second is not None and second.queue_id == house.b.queue.id
    third = house.serve(second)
    assert third is not None and third.queue_id == house.c.queue.id
    assert house.serve(third) is None
    assert first.label == second.label == third.label
    assert [first.state, second.state, third.state] == ["served"] * 3
    assert journeys.current_of(house.session, first).id == third.id
    seen = journeys.view(house.session, first, now=house.a.now)
    assert seen is not None and seen.done == 3 and [s.state for s in seen.steps] == ["done"] * 3
    assert check(house.session, house.ids) == []


def test_the_first_desk_is_the_one_that_makes_the_journey_shortest(house: Complex) -> None:
    """Photos are taken at two queues: one full, the other empty; it begins where it is empty."""
    for _ in range(6):
        house.a.issue("photo")
    assert house.begin("photo", "pass", after={"pass": ["photo"]}).queue_id == house.c.queue.id


def test_it_is_decided_anew_after_each_step(house: Complex) -> None:
    """The stamp's line fills while the photo is taken: now the passport comes first."""
    ticket = house.begin("card", "pass", "stamp")
    for _ in range(2):
        house.b.issue("pass")
        house.c.issue("stamp")
    if ticket.queue_id != house.a.queue.id:
        pytest.skip("ties are broken by the smaller queue")
    hint = journeys.hint(house.session, ticket, now=house.a.now)
    for _ in range(8):
        house.c.issue("stamp")
    house.a.called(0, ticket=ticket)
    went_on = house.a.do("finish", ticket, desk=house.a.desks[0]).went_on
    assert hint is not None and went_on is not None
    for _ in range(12):
        house.b.issue("pass")
    after = journeys.hint(house.session, went_on, now=house.a.now)
    assert after is not None and after.queue.id != went_on.queue_id


def test_finish_by_call_next_goes_on_too_also_when_nobody_follows(house: Complex) -> None:
    """'Finish and call next' sends the finished person on; so does pressing it with nobody left in the line."""
    ticket = house.begin("card", "pass")
    assert ticket.queue_id == house.a.queue.id
    house.a.issue("card")
    house.a.called(0, ticket=ticket)
    done = house.a.call(0)
    assert done is not None and done.finished is not None
    assert journeys.current_of(house.session, ticket).queue_id == house.b.queue.id
    lone = house.begin("stamp", "card", after={"card": ["stamp"]})
    house.c.called(0, ticket=lone)
    assert house.c.call(0) is None
    assert journeys.current_of(house.session, lone).queue_id == house.a.queue.id


def test_pressing_again_sends_nobody_twice(house: Complex) -> None:
    """The same finish again, and the job beside it: one ticket at the next desk."""
    ticket = house.begin("card", "pass")
    house.a.called(0, ticket=ticket)
    first = house.a.do("finish", ticket, desk=house.a.desks[0], request_id="end")
    again = house.a.do("finish", ticket, desk=house.a.desks[0], request_id="end")
    assert again.repeated and again.went_on is not None and again.went_on.id == first.went_on.id  # type: ignore[union-attr]
    assert journeys.follow_all(house.session, now=house.a.now) == 0
    assert house.b.count() == 1


def test_beginning_twice_is_one_journey(house: Complex) -> None:
    """A double tap: one ticket, one journey; the same request for other services is refused."""
    first = house.begin("card", "pass", request_id="tap")
    assert house.begin("card", "pass", request_id="tap").id == first.id
    with pytest.raises(Conflict):
        house.begin("card", "stamp", request_id="tap")
    assert house.session.scalar(select(func.count()).select_from(Journey)) == 1


@pytest.mark.parametrize(
    ("services", "after", "code"),
    [
        ((), {}, "journey_steps"),
        (("card", "card"), {}, "journey_steps"),
        (("card", "visa"), {}, "unknown_service"),
        (("card", "pass"), {"card": ["pass"], "pass": ["card"]}, "journey_order"),
    ],
)
def test_what_is_no_journey_is_refused(
    house: Complex, services: tuple[str, ...], after: dict[str, list[str]], code: str
) -> None:
    """Nothing, twice the same, something nobody offers, a circle: refused, and nothing is issued."""
    with pytest.raises(Invalid) as refused:
        house.begin(*services, after=after)
    assert refused.value.code == code
    assert house.a.count() + house.b.count() + house.c.count() == 0


def test_a_closed_queue_is_gone_around_and_waited_for(house: Complex) -> None:
    """The passport's queue closes: the stamp comes first; then nobody offers the rest, until the queue opens."""
    ticket = house.begin("card", "pass", "stamp")
    assert ticket.queue_id == house.a.queue.id
    desks.close_queue(house.session, house.b.queue, actor="s", now=house.a.now)
    second = house.serve(ticket)
    assert second is not None and second.queue_id == house.c.queue.id
    assert house.serve(second) is None
    seen = journeys.view(house.session, ticket, now=house.a.now)
    assert (
        seen is not None
        and [s.state for s in seen.steps] == ["done", "done", "left"]
        and seen.ends_at is None
    )
    assert journeys.follow_all(house.session, now=house.a.now) == 0
    desks.open_queue(house.session, house.b.queue, actor="s", now=house.a.now)
    assert journeys.follow_all(house.session, now=house.a.now) == 1
    assert journeys.current_of(house.session, ticket).queue_id == house.b.queue.id


def test_everything_closed_gives_no_ticket(house: Complex) -> None:
    """No queue for a first step: closed, and nothing is issued."""
    for place in (house.a, house.b, house.c):
        desks.close_queue(house.session, place.queue, actor="s", now=house.a.now)
    with pytest.raises(Closed):
        house.begin("card", "pass")
    assert house.session.scalar(select(func.count()).select_from(Journey)) == 0


def test_undo_of_a_finish_takes_the_next_ticket_back(house: Complex) -> None:
    """A misclick: the service goes on, nobody waits at the next desk; finishing again goes on again."""
    ticket = house.begin("card", "pass")
    house.a.called(0, ticket=ticket)
    went_on = house.a.do("finish", ticket, desk=house.a.desks[0]).went_on
    assert went_on is not None
    house.a.do("undo", ticket, desk=house.a.desks[0])
    assert (ticket.state, ticket.next_ticket_id, went_on.state) == ("called", None, "cancelled")
    again = house.a.do("finish", ticket, desk=house.a.desks[0]).went_on
    assert again is not None and again.id != went_on.id and again.label == ticket.label
    assert check(house.session, house.ids) == []


def test_no_undo_once_the_next_desk_has_called(house: Complex) -> None:
    """The person stands at the next desk: the finish stays, and nothing has changed."""
    ticket = house.begin("card", "pass")
    house.a.called(0, ticket=ticket)
    went_on = house.a.do("finish", ticket, desk=house.a.desks[0]).went_on
    assert went_on is not None
    house.b.called(0)
    with pytest.raises(Conflict) as refused:
        house.a.do("undo", ticket, desk=house.a.desks[0])
    assert refused.value.code == "undo_refused"
    assert (ticket.state, went_on.state) == ("served", "called")


def test_a_transfer_keeps_the_label_and_makes_a_journey(house: Complex) -> None:
    """Sent from A to B with a note: B's board says A's number; B's own next number has B's letter."""
    ticket = house.a.issue("card")
    house.a.called(0)
    went_on = house.a.do(
        "transfer",
        ticket,
        desk=house.a.desks[0],
        to_queue=house.b.queue,
        service_code="pass",
        note="needs it",
    ).went_on
    assert went_on is not None and went_on.label == ticket.label == "A001" and went_on.note == "needs it"
    own = house.b.issue("pass")
    assert own.label == "B002" and went_on.number == 1
    told = house.session.scalars(
        select(Outbox).where(Outbox.topic == f"queue:{house.b.queue.id}").order_by(Outbox.id)
    ).all()
    assert [m.data["label"] for m in told if m.data.get("action") == "issue"] == ["A001", "B002"]
    assert check(house.session, house.ids) == []


def test_a_transfer_in_the_wrong_line_stays_one_step(house: Complex) -> None:
    """The photo is asked for at A but taken at C: still one step, and the rest of the journey follows it."""
    ticket = house.begin("photo", "pass", after={"pass": ["photo"]})
    here = house.place_of(ticket)
    there = house.c if here is house.a else house.a
    went_on = here.do("transfer", ticket, to_queue=there.queue).went_on
    assert went_on is not None and went_on.aged_from == ticket.aged_from
    following = house.serve(went_on)
    assert following is not None and following.queue_id == house.b.queue.id
    steps = house.session.scalars(select(JourneyStep)).all()
    assert len(steps) == 2


def test_labels_never_clash_whatever_letters_queues_have(session: Session) -> None:
    """Two vans with the letter M: who comes from the other is shown with a mark, also before that number was issued
    there; back in the first van the old label is right again; two visitors with one label get two marks."""
    one = make_place(session, letter="M", desk_count=1)
    two = make_place(session, letter="M", known=one.services, desk_count=1)
    three = make_place(session, letter="M", known=one.services, desk_count=1)
    first = one.issue()
    moved = one.do("transfer", first, to_queue=two.queue).went_on
    assert moved is not None and moved.label == "M001-2"
    assert [two.issue().label for _ in range(3)] == ["M002", "M003", "M004"]
    other = three.do("transfer", three.issue(), to_queue=two.queue).went_on
    assert other is not None and other.label == "M001-3"
    back = two.do("transfer", moved, to_queue=one.queue).went_on
    assert back is not None and back.label == "M001"
    live = [t.label for t in session.scalars(select(Ticket).where(Ticket.state == "waiting"))]
    assert sorted(live) == ["M001", "M001-3", "M002", "M003", "M004"]


def test_one_more_service_is_added_at_the_desk(house: Complex) -> None:
    """The clerk sees that a stamp is missing: added once, done after the card; the citizen keeps the number."""
    ticket = house.a.issue("card")
    house.a.called(0)
    for _ in range(2):
        house.add(ticket, "stamp")
    hint = journeys.hint(house.session, ticket, now=house.a.now)
    assert hint is not None and hint.queue.id == house.c.queue.id and hint.service.code == "stamp"
    went_on = house.a.do("finish", ticket, desk=house.a.desks[0]).went_on
    assert went_on is not None and went_on.label == "A001"
    with pytest.raises(Invalid):
        house.add(went_on, "visa")
    with pytest.raises(Conflict):
        house.add(ticket, "pass")


def test_a_service_added_at_the_desk_keeps_the_order_of_services(house: Complex) -> None:
    """The passport needs a stamp, and only the clerk sees it: added last, the stamp is led to first; the passport,
    added to a visit with a stamp to come, waits for it."""
    order = {"pass": ["stamp"]}
    first = house.begin("card", "pass", after=order)
    house.add(first, "stamp", after=order)
    went_on = house.serve(first)
    assert went_on is not None and went_on.queue_id == house.c.queue.id
    last = house.serve(went_on)
    assert last is not None and last.queue_id == house.b.queue.id
    second = house.begin("card", "stamp", after=order)
    house.add(second, "pass", after=order)
    went_on = house.serve(second)
    assert went_on is not None and went_on.queue_id == house.c.queue.id


def test_two_services_of_one_queue_keep_age_and_place(house: Complex) -> None:
    """Photo and card at one queue: the second is called before who came later, without standing at the end again."""
    ticket = house.begin("card", "photo")
    assert ticket.queue_id == house.a.queue.id
    house.later(1)
    house.a.issue("card")
    house.a.called(0, ticket=ticket)
    went_on = house.a.do("finish", ticket, desk=house.a.desks[0]).went_on
    assert went_on is not None and went_on.queue_id == house.a.queue.id
    assert house.a.called(0).id == went_on.id


def test_leaving_ends_the_journey(house: Complex) -> None:
    """Who goes is sent nowhere: the rest is left."""
    ticket = house.begin("card", "pass")
    house.a.do("leave", ticket)
    assert journeys.follow_all(house.session, now=house.a.now) == 0
    seen = journeys.view(house.session, ticket, now=house.a.now)
    assert seen is not None and {s.state for s in seen.steps} == {"left"} and seen.ends_at is None


def test_the_holder_sees_what_is_now_and_next_and_when_it_ends(house: Complex) -> None:
    """While waiting: now the card, next the passport, an end later than both; told once of the next desk."""
    ticket = house.begin("card", "pass", phone="+201001234567")
    seen = journeys.view(house.session, ticket, now=house.a.now)
    assert seen is not None and [s.state for s in seen.steps] == ["now", "next"]
    assert seen.ends_at is not None and seen.steps[1].begins_at is not None
    assert house.a.now < seen.steps[1].begins_at < seen.ends_at
    went_on = house.serve(ticket)
    assert went_on is not None
    told = house.session.scalars(select(Notice).where(Notice.kind == "next_desk")).all()
    assert [(n.ticket_id, n.phone) for n in told] == [(went_on.id, "+201001234567")]
