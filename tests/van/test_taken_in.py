"""What headquarters takes in, and hands on: stretches in a few statements, entries that no table can hold, a laptop
that goes on for a broken one, a headquarters that has forgotten whom it gave a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event, select, update

from queueing import counter
from queueing.journal.choices import open_choices
from queueing.journal.decide import decide
from queueing.journal.facts import facts_of
from queueing.journal.seal import append
from queueing.rebuild import check
from queueing.store import Queue, QueueDay, Ticket, TicketEvent, to_micros
from queueing.store_journal import JournalEntry
from tests.van.cast import Machine, Office, requests, tickets
from tests.van.proxy import Proxy


def test_a_long_stretch_costs_hardly_more_statements_than_a_short_one(
    van: Machine, office: Office, proxy: Proxy
) -> None:
    """No statement belongs to a single event: an answer that takes long is lost on a bad line. (SQLite's driver counts
    each row of an insert; what is read and changed is counted.)"""
    queue, desk = office.world.queue_visit_a, office.world.desks_visit_a[0]
    van.laptop.sync(pull=1)
    van.days()
    van.sit(desk)
    counted: list[str] = []
    event.listen(
        office.engine,
        "before_cursor_execute",
        lambda _c, _cursor, text, *_: None if text.startswith("INSERT") else counted.append(text),
    )

    def statements(people: int) -> int:
        for _ in range(people):
            van.issue(queue)
            van.clock.advance(seconds=30)
            van.call(desk)
        van.laptop.line.size = 48_000
        counted.clear()
        van.laptop.sync()
        return len(counted)

    statements(2)
    few, many = statements(2), statements(40)
    assert many < few + 20, (few, many)
    assert office.read(lambda s: requests(s, queue)) == van.read(lambda s: requests(s, queue))


def test_an_entry_that_no_table_can_hold_stops_nobody_else(van: Machine, office: Office) -> None:
    """A ticket without a number, one with a letter where a number belongs, a note longer than any column: the first two
    are kept aside and asked about, the third is cut, and everybody else is there."""
    queue = office.world.queue_visit_a
    van.laptop.sync(pull=1)
    van.days()
    before = van.issue(queue)
    noted = van.issue(queue)
    van.write(lambda s: s.execute(update(Ticket).where(Ticket.id == noted.id).values(note="ن\x00" * 500)))
    van.laptop.seal()
    at = to_micros(van.now)
    whole = {**facts_of(before), "code": "x"}

    def body(code: str, **facts: Any) -> dict[str, Any]:
        n = {name: value for name, value in {**whole, **facts}.items() if value is not None}
        return {
            "k": "ticket", "c": code, "a": "issue", "t": "waiting", "w": "x", "r": code, "h": at, "n": n, "s": {}
        }  # fmt: skip

    van.write(lambda s: append(s, [body("poison-1", number=None), body("poison-2", service_id="seven")]))
    after = van.issue(queue)
    van.laptop.sync()
    there = office.read(lambda s: tickets(s, queue))
    assert {before.code, noted.code, after.code} == set(there) - {"poison-2"}
    assert 0 < len(there[noted.code].note) <= 400
    held = office.read(
        lambda s: {e.ticket_code for e in s.scalars(select(JournalEntry)) if e.status == "held"}
    )
    assert "poison-1" in held
    assert {c.facts["code"] for c in office.read(open_choices)} == held
    assert van.read(lambda s: van.laptop.status(s)).unsent == 0
    late = van.issue(queue)
    van.laptop.sync()
    assert late.code in office.read(lambda s: tickets(s, queue))


def test_another_laptop_goes_on_where_a_broken_one_stopped(
    van: Machine, office: Office, tmp_path: Path
) -> None:
    """The first laptop's disk is dead. As soon as a person says that the second one stands, it has everybody whom
    headquarters had heard of, who was at a desk back in the line, and serves them."""
    queue, desks = office.world.queue_visit_a, office.world.desks_visit_a
    van.laptop.sync(pull=1)
    van.days()
    van.sit(desks[0])
    people = [van.issue(queue) for _ in range(4)]
    van.call(desks[0])
    van.laptop.sync()
    spare = Machine(tmp_path / "spare", van.url, office.token, van.clock)
    spare.laptop.sync(pull=1)
    spare.days()
    spare.sit(desks[0])
    own = spare.issue(queue)
    assert spare.call(desks[0]).code == own.code  # type: ignore[union-attr]
    spare.laptop.sync()
    assert set(spare.read(lambda s: tickets(s, queue))) == {own.code}, "the first may still serve them"
    (choice,) = office.read(open_choices)
    stands = spare.laptop.witness.device
    office.write(lambda s: decide(s, choice.id, stands, actor="planner", now=office.clock.now()))
    van.clock.advance(minutes=1)
    spare.laptop.sync()
    here = spare.read(lambda s: tickets(s, queue))
    assert set(here) == {own.code, *(ticket.code for ticket in people)}
    assert {here[ticket.code].label for ticket in people} == {ticket.label for ticket in people}
    spare.clock.advance(minutes=1)
    called = spare.call(desks[0])
    assert called is not None and called.code == people[0].code
    spare.laptop.sync()
    there = office.read(lambda s: tickets(s, queue))
    assert {c: t.state for c, t in there.items()} == {
        c: t.state for c, t in spare.read(lambda s: tickets(s, queue)).items()
    }
    assert [d for d in office.read(lambda s: check(s, [queue])) if d.what != "number"] == []
    spare.off()


def test_headquarters_hears_again_whom_it_gave_a_number(van: Machine, office: Office) -> None:
    """A ticket given out at headquarters, pulled by the van, and forgotten when headquarters was restored: it stands
    there again with its history, and with what the van did."""
    queue, desk = office.world.queue_visit_a, office.world.desks_visit_a[0]
    van.laptop.sync()
    kept = office.back_up()
    given = office.write(
        lambda s: counter.issue(
            s, s.get_one(Queue, queue), "NID-01", request_id="home", actor="phone", now=office.clock.now(),
            channel="phone",
        )
    ).ticket  # fmt: skip
    van.laptop.sync(pull=1)
    van.days()
    van.sit(desk)
    office.restore(kept)
    assert office.read(lambda s: tickets(s, queue)) == {}
    van.laptop.sync(pull=1)
    called = van.call(desk)
    assert called is not None and called.code == given.code
    van.laptop.sync()
    there = office.read(lambda s: tickets(s, queue))
    assert there[given.code].state == "called" and there[given.code].label == given.label
    assert office.read(lambda s: requests(s, queue)) == van.read(lambda s: requests(s, queue))
    assert office.read(open_choices) == []


def test_a_booking_that_nobody_comes_for_frees_its_place_here_too(van: Machine, office: Office) -> None:
    """The day's capacity as headquarters counts it is what the van's events say."""
    queue = office.world.queue_visit_a
    van.laptop.sync(pull=1)
    van.days()
    van.issue(queue)
    booked = van.issue(queue, appointment_at=van.now)
    van.laptop.sync()
    assert office.read(lambda s: s.scalars(select(QueueDay.issued)).one()) == 2
    van.do("cancel", booked.id)
    van.laptop.sync()
    assert office.read(lambda s: s.scalars(select(QueueDay.issued)).one()) == 1
    assert office.read(lambda s: s.scalar(select(TicketEvent.id).where(TicketEvent.action == "cancel")))
