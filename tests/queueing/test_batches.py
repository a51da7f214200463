"""Many commands in one transaction do what they do one by one, on both databases."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from queueing import counter, desks
from queueing.counter import Act, CallNext, Done, Issue
from queueing.engine import begin_write
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import Outbox, Queue, Ticket, TicketEvent
from queueing.turn import LATER, Command, NeedsSession, bank_on, carry_out
from tests.builders import MORNING, Place, make_place, minutes


@pytest.fixture
def places(engine: Engine) -> Iterator[tuple[Engine, list[Place]]]:
    """Two committed queues of two services; the second desk of the first serves one of them only."""
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        first = make_place(session, desk_services={1: ("birth",)})
        second = make_place(session, letter="B", known=first.services)
        session.commit()
        yield engine, [first, second]


def batch(engine: Engine, commands: Sequence[Command]) -> list[Any]:
    """Carry out commands in one transaction of a connection that is for batches alone, committed."""
    held = engine.raw_connection()
    driver: Any = held.driver_connection
    if engine.dialect.name == "postgresql":
        held.detach()
    try:
        if engine.dialect.name == "sqlite":
            driver.execute("BEGIN IMMEDIATE")
        return carry_out(bank_on(engine.dialect.name, driver, commits=True), commands)
    finally:
        held.close()


def issuing(place: Place, request: str, now: datetime = MORNING, service: str = "id", **given: Any) -> Issue:
    """Somebody takes a ticket."""
    return Issue(place.queue.id, service, request, "kiosk", now, **given)


def calling(place: Place, desk: int, request: str, now: datetime = MORNING, **given: Any) -> CallNext:
    """A clerk calls."""
    return CallNext(place.queue.id, place.desks[desk].id, request, "clerk", now, **given)


def sound(engine: Engine) -> None:
    """Tickets and events agree, numbers and messages run without gap, the count beside `seq` is the count."""
    with Session(engine) as session:
        assert check(session) == []
        for queue in session.scalars(sa.select(Queue)):
            told = session.scalars(
                sa.select(Outbox.seq).where(Outbox.topic == f"queue:{queue.id}").order_by(Outbox.id)
            ).all()
            assert list(told) == list(range(1, queue.seq + 1))
            if queue.line_seq == queue.seq:
                waiting = sa.select(sa.func.count()).where(
                    Ticket.queue_id == queue.id, Ticket.state == "waiting"
                )
                assert queue.line_waiting == session.scalar(waiting)


def test_everybody_in_a_batch_gets_a_number_and_stands_behind_those_before(
    places: tuple[Engine, list[Place]],
) -> None:
    """Numbers without gap, each one behind the one before, two queues apart, one event and one message each."""
    engine, (first, second) = places
    commands = [issuing(place, f"{n}-{place.queue.id}") for n in range(5) for place in (first, second)]
    done = batch(engine, commands)
    for place, letter in ((0, "A"), (1, "B")):
        mine = done[place::2]
        assert [d.ticket.label for d in mine] == [f"{letter}{n:03d}" for n in range(1, 6)]
        assert [d.event.data["ahead"] for d in mine] == [0, 1, 2, 3, 4]
        assert [d.wait.ahead for d in mine] == [0, 1, 2, 3, 4]
    sound(engine)


def test_a_person_taken_in_this_batch_can_be_called_in_it(places: tuple[Engine, list[Place]]) -> None:
    """What one command leaves is what the next one sees; two desks never get one person."""
    engine, (first, _second) = places
    answers = batch(
        engine,
        [
            calling(first, 0, "nobody"),
            issuing(first, "i1"),
            issuing(first, "i2", service="birth"),
            calling(first, 1, "birth"),
        ],
    )
    assert answers[0] is None
    assert answers[3].ticket.label == "A002", "the second desk serves births only"
    then = batch(engine, [calling(first, 0, "first"), calling(first, 1, "second")])
    assert then[0].ticket.label == "A001" and then[1] is None
    sound(engine)


def test_a_desk_that_calls_twice_at_once_does_so_one_after_the_other(
    places: tuple[Engine, list[Place]],
) -> None:
    """The second is put off to the next batch, and finishes what the first brought."""
    engine, (first, _second) = places
    batch(engine, [issuing(first, "i1"), issuing(first, "i2")])
    again = calling(first, 0, "two")
    one, two = batch(engine, [calling(first, 0, "one"), again])
    assert one.ticket.label == "A001" and two is LATER
    (two,) = batch(engine, [again])
    assert two.ticket.label == "A002" and two.finished.label == "A001"
    sound(engine)


def test_who_is_refused_changes_nothing_and_the_others_stand(places: tuple[Engine, list[Place]]) -> None:
    """An unknown service, a closed desk, a ticket of nowhere: each its own error, the rest committed."""
    engine, (first, second) = places
    with Session(engine) as session:
        begin_write(session)
        desks.close_desk(session, second.desks[0], actor="x", now=MORNING)
        session.commit()
    answers = batch(
        engine,
        [
            issuing(first, "good"),
            issuing(first, "bad", service="nothing"),
            calling(second, 0, "closed"),
            Act(first.queue.id, "start", "lost", "x", MORNING, code="no-such-code"),
            issuing(first, "good too"),
        ],
    )
    codes = [answer.code for answer in answers if isinstance(answer, QueueingError)]
    assert codes == ["unknown_service", "desk_closed", "ticket_not_found"]
    assert [answers[0].ticket.number, answers[4].ticket.number] == [1, 2]
    sound(engine)


def test_one_request_twice_in_a_batch_is_one_ticket(places: tuple[Engine, list[Place]]) -> None:
    """The double tap that arrives in the same moment: the same ticket, said to be repeated; later, too."""
    engine, (first, _second) = places
    one, two = batch(engine, [issuing(first, "tap"), issuing(first, "tap")])
    (three,) = batch(engine, [issuing(first, "tap")])
    assert (one.repeated, two.repeated, three.repeated) == (False, True, True)
    assert one.ticket.id == two.ticket.id == three.ticket.id
    sound(engine)


def test_one_phone_twice_in_a_batch_is_one_ticket(places: tuple[Engine, list[Place]]) -> None:
    """A live ticket of the same phone is given back, also when it was made a moment ago in the same batch."""
    engine, (first, _second) = places
    one, two = batch(engine, [issuing(first, f"p{n}", phone="+201001234567") for n in range(2)])
    assert two.repeated and two.ticket.id == one.ticket.id
    sound(engine)


def test_words_with_every_sign_come_back_as_they_were(places: tuple[Engine, list[Place]]) -> None:
    """Quotes, backslashes, braces, line ends, Arabic: a note is stored as it was written."""
    engine, (first, _second) = places
    note = "ورقة \"ناقصة\" {a,b} \\ \n\t NULL 'x' ;--"
    (given,) = batch(engine, [issuing(first, "i")])
    batch(engine, [calling(first, 0, "c")])
    act = Act(
        first.queue.id, "park", "p", "clerk", MORNING, code=given.ticket.code, desk_id=first.desks[0].id, note=note
    )  # fmt: skip
    batch(engine, [act])
    with Session(engine) as session:
        ticket = session.scalars(sa.select(Ticket)).one()
        assert ticket.note == note
        event = session.scalars(sa.select(TicketEvent).where(TicketEvent.action == "park")).one()
        assert event.data["note"] == note
    sound(engine)


def test_the_count_heals_when_somebody_else_has_raised_seq(places: tuple[Engine, list[Place]]) -> None:
    """A process of an older version, or a replayed log, changes the line without the count: the next verb counts
    anew."""
    engine, (first, _second) = places
    batch(engine, [issuing(first, f"i{n}") for n in range(3)])
    with engine.begin() as connection:
        connection.execute(sa.update(Ticket).where(Ticket.number == 1).values(state="left", ended_at=MORNING))
        connection.execute(sa.update(Queue).where(Queue.id == first.queue.id).values(seq=Queue.seq + 1))
    (done,) = batch(engine, [issuing(first, "i4")])
    assert done.event.data["ahead"] == 2
    with Session(engine) as session:
        assert session.get_one(Queue, first.queue.id).line_waiting == 3


def test_a_ticket_of_a_journey_is_left_to_a_session(places: tuple[Engine, list[Place]]) -> None:
    """What follows the end of a journey's step needs more than a batch: nothing is done, and the command says so."""
    engine, (first, _second) = places
    batch(engine, [issuing(first, "i")])
    (called,) = batch(engine, [calling(first, 0, "c")])
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO journey (id, code, day, label, queues) VALUES (1, 'j', :day, 'A001', '[]')"),
            {
                "day": called.ticket.day
                if engine.dialect.name == "postgresql"
                else called.ticket.day.isoformat()
            },
        )
        connection.execute(sa.update(Ticket).values(journey_id=1))
    finish = Act(first.queue.id, "finish", "f", "x", MORNING, ticket_id=called.ticket.id)
    answers = batch(engine, [finish, calling(first, 0, "c2")])
    assert [type(answer) for answer in answers] == [NeedsSession, NeedsSession]
    sound(engine)


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_does_what_the_same_commands_do_one_by_one(
    places: tuple[Engine, list[Place]], seed: int
) -> None:
    """The same random commands at twin queues, in batches there and one by one in sessions here: the same answers,
    the same tickets, the same line."""
    engine, (first, _second) = places
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        twin = make_place(session, known=first.services, desk_services={1: ("birth",)})
        session.commit()
    sessions = sessionmaker(engine, expire_on_commit=False)
    chance = random.Random(seed)
    now = MORNING
    for turn in range(12):
        now += timedelta(seconds=chance.randrange(1, 900))
        here, there = _commands(chance, first, twin, turn, now)
        left = batch(engine, here)
        right = [_alone(sessions, command) for command in there]
        assert [_said(answer) for answer in left] == [_said(answer) for answer in right]
    sound(engine)


def _commands(
    chance: random.Random, first: Place, twin: Place, turn: int, now: datetime
) -> tuple[list[Any], list[Any]]:
    pairs: list[tuple[Any, Any]] = []
    free = [0, 1]
    for n in range(chance.randrange(1, 9)):
        request = f"{turn}-{n}"
        kind = chance.choice(("issue", "issue", "call", "act"))
        if kind == "call" and not free:
            kind = "issue"
        if kind == "issue":
            given = {"service": chance.choice(("id", "birth")), "priority": chance.choice((0, 0, 0, 1, 2, 3))}
            at = now + timedelta(milliseconds=chance.randrange(-3, 4))  # processes do not see one clock
            pairs.append(
                (issuing(first, "a" + request, at, **given), issuing(twin, "b" + request, at, **given))
            )
        elif kind == "call":
            desk = free.pop(chance.randrange(len(free)))
            pairs.append((calling(first, desk, "a" + request, now), calling(twin, desk, "b" + request, now)))
        else:
            number, desk = chance.randrange(1, 12), chance.choice((None, 0, 1))
            action = chance.choice(
                ("start", "finish", "miss", "recall", "requeue", "park", "leave", "cancel", "resume")
            )
            if action == "resume" and desk is None:
                desk = 0
            pairs.append(
                tuple(
                    _Numbered(p, action, x + request, now, number, desk)
                    for p, x in ((first, "a"), (twin, "b"))
                )
            )  # type: ignore[arg-type]
    return [a for a, _b in pairs], [b for _a, b in pairs]


class _Numbered(Act):
    """An act on the ticket with a number, whatever its id."""

    def __new__(
        cls, place: Place, action: str, request: str, now: datetime, number: int, desk: int | None
    ) -> Any:
        with Session(place.session.get_bind()) as session:
            chosen = sa.select(Ticket.id).where(Ticket.queue_id == place.queue.id, Ticket.number == number)
            found = session.scalar(chosen)
        at = place.desks[desk].id if desk is not None else None
        return Act(place.queue.id, action, request, "x", now, ticket_id=found or 0, desk_id=at)


def _alone(sessions: sessionmaker[Session], command: Any) -> Any:
    with sessions() as session:
        begin_write(session)
        try:
            if isinstance(command, Act):
                ticket = session.get(Ticket, command.ticket_id) or Ticket(id=0, queue_id=command.queue_id)
                common = {"request_id": command.request_id, "actor": command.actor, "now": command.now}
                desk = session.get(desks.Desk, command.desk_id) if command.desk_id is not None else None
                answer: Any = getattr(counter, command.action)(session, ticket, desk=desk, **common)
            else:
                answer = command.alone(session)
        except QueueingError as error:
            answer = error
        session.commit()
        return answer


def _said(answer: Any) -> Any:
    """What a person hears of an answer, without what differs between twins by nature."""
    if not isinstance(answer, Done):
        return answer.code if isinstance(answer, QueueingError) else answer
    ticket = answer.ticket
    return (
        ticket.label, ticket.state, ticket.recalls, ticket.called_at, ticket.aged_from, ticket.promised_high_s,
        answer.repeated, answer.event.data.get("ahead"), answer.finished.label if answer.finished else None,
    )  # fmt: skip


def test_the_last_minute_before_midnight_and_the_first_after_it(places: tuple[Engine, list[Place]]) -> None:
    """Two commands of one queue on two sides of its day's end never share a batch's facts."""
    engine, (first, _second) = places
    night = MORNING.replace(hour=1, minute=59, second=59) + timedelta(
        days=1
    )  # 03:59:59 in Cairo: still yesterday's line
    one, two = batch(engine, [issuing(first, "a", night), issuing(first, "b", night + minutes(1))])
    assert one.ticket.number == 1 and two is LATER
    (two,) = batch(engine, [issuing(first, "b", night + minutes(1))])
    assert two.ticket.number == 2
    sound(engine)
