"""Backups restored, disks cloned, two vans at one visit, wrong clocks, a headquarters that was restored."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from queueing.errors import Closed, Conflict, Invalid
from queueing.journal.choices import open_choices
from queueing.journal.decide import decide
from queueing.journal.leases import take_back
from queueing.store import Queue, Ticket, TicketEvent
from queueing.store_journal import Choice, Device, JournalEntry, Lease
from tests.van.cast import Machine, Office, requests, tickets
from tests.van.proxy import Proxy


def ready(van: Machine, office: Office) -> tuple[int, tuple[int, int]]:
    """Pulled, open, both desks manned; the queue and the desks."""
    van.laptop.sync(pull=1)
    van.days()
    for desk in office.world.desks_visit_a:
        van.sit(desk)
    return office.world.queue_visit_a, office.world.desks_visit_a


def kinds(office: Office) -> list[str]:
    """The kinds of what waits for a decision."""
    return [c.kind for c in office.read(lambda s: open_choices(s))]


def test_a_restored_database_is_found_out_without_a_line(
    van: Machine, office: Office, proxy: Proxy, tmp_path: Path
) -> None:
    """The identity file knows better than an old database: a new epoch at once, numbers that nobody drew; what
    headquarters had been told comes back."""
    queue, desks = ready(van, office)
    van.issue(queue)
    van.back_up(tmp_path / "old.db")
    for _ in range(4):
        van.issue(queue)
    van.call(desks[0])
    van.laptop.sync()
    proxy.fate = lambda _n: "down"
    before = van.laptop.witness
    assert van.restore(tmp_path / "old.db") == "restored"
    assert van.laptop.witness.device == before.device
    assert van.laptop.witness.epoch != before.epoch
    late = van.issue(queue)
    assert late.number > 100, "the numbers 2 to 5 are in people's hands"
    proxy.fate = lambda _n: "ok"
    van.laptop.sync()
    here, there = van.read(lambda s: tickets(s, queue)), office.read(lambda s: tickets(s, queue))
    assert len(there) == 6
    assert {c: (t.number, t.state) for c, t in here.items()} == {
        c: (t.number, t.state) for c, t in there.items()
    }
    assert kinds(office) == []


def test_a_lost_database_comes_back_from_headquarters(van: Machine, office: Office) -> None:
    """The disk's database is gone, the identity file is there: a fresh one gets its line back."""
    queue, desks = ready(van, office)
    for _ in range(5):
        van.issue(queue)
    van.call(desks[0])
    van.laptop.sync()
    van.off()
    for old in van.folder.glob("van.db*"):
        old.unlink()
    assert van.on() == "no_database"
    van.laptop.sync(pull=1)
    here, there = van.read(lambda s: tickets(s, queue)), office.read(lambda s: tickets(s, queue))
    assert {c: t.state for c, t in here.items()} == {c: t.state for c, t in there.items()}
    assert len(here) == 5
    van.days()
    assert van.issue(queue).number > 100


def test_a_cloned_disk_becomes_a_laptop_of_its_own(van: Machine, office: Office, tmp_path: Path) -> None:
    """Both go on: the second to be heard gets another name; everybody is there, two people with one number are both
    kept and asked about, one person with two histories is asked about."""
    queue, desks = ready(van, office)
    shared = [van.issue(queue) for _ in range(3)]
    van.laptop.sync()
    clone = van.copy(tmp_path / "clone")
    one, two = van.issue(queue), clone.issue(queue)
    assert one.label == two.label and one.code != two.code
    served = van.call(desks[0])
    assert served is not None and served.code == shared[0].code
    van.do("finish", served.id, desks[0])
    missed = clone.call(desks[0])
    assert missed is not None and missed.code == shared[0].code
    clone.do("miss", missed.id, desks[0])
    van.laptop.sync()
    clone.laptop.sync()
    assert clone.laptop.witness.device != van.laptop.witness.device
    there = office.read(lambda s: tickets(s, queue))
    assert set(there) == {one.code, two.code, *(t.code for t in shared)}
    assert there[two.code].label == there[one.code].label
    assert there[shared[0].code].state == "served"
    assert sorted(kinds(office)) == ["copy", "same_number", "two_histories"]
    after = clone.issue(queue)
    clone.laptop.sync(pull=1)
    assert after.number > 100 and after.code in office.read(lambda s: tickets(s, queue))
    assert "two_vans" not in kinds(office), "the copy has been asked about already"
    clone.off()


def test_a_person_takes_the_other_history(van: Machine, office: Office, tmp_path: Path) -> None:
    """Decided for the second: the ticket stands as the clone had it, nothing of the first is lost from the log."""
    queue, desks = ready(van, office)
    ticket = van.issue(queue)
    van.laptop.sync()
    clone = van.copy(tmp_path / "clone")
    van.call(desks[0])
    van.do("miss", ticket.id, desks[0])
    clone.call(desks[1])
    clone.do("finish", ticket.id, desks[1])
    van.laptop.sync()
    clone.laptop.sync()
    choice = next(c for c in office.read(open_choices) if c.kind == "two_histories")
    entries = office.read(lambda s: s.query(JournalEntry).count())
    with pytest.raises(Invalid):
        office.write(lambda s: decide(s, choice.id, "both", actor="planner", now=office.clock.now()))
    office.write(lambda s: decide(s, choice.id, "second", actor="planner", now=office.clock.now()))
    found = office.read(lambda s: tickets(s, queue))[ticket.code]
    assert found.state == "served" and found.desk_id == desks[1]
    actions = office.read(
        lambda s: list(s.scalars(select(TicketEvent.action).where(TicketEvent.ticket_id == found.id)))
    )
    assert actions == ["issue", "call", "finish"]
    assert office.read(lambda s: s.query(JournalEntry).count()) == entries
    with pytest.raises(Conflict):
        office.write(lambda s: decide(s, choice.id, "first", actor="planner", now=office.clock.now()))
    clone.off()


def test_two_vans_told_to_serve_one_visit(van: Machine, office: Office, tmp_path: Path) -> None:
    """Both work, with numbers that do not meet; a person is asked which stands, and the other is told."""
    queue, _desks = ready(van, office)
    second = Machine(tmp_path / "second", van.url, office.token, van.clock)
    second.laptop.sync(pull=1)
    second.days()
    mine, theirs = [van.issue(queue) for _ in range(3)], [second.issue(queue) for _ in range(3)]
    assert {t.number for t in mine} & {t.number for t in theirs} == set()
    van.laptop.sync()
    second.laptop.sync()
    assert len(office.read(lambda s: tickets(s, queue))) == 6
    (choice,) = office.read(open_choices)
    assert choice.kind == "two_vans"
    stands = second.laptop.witness.device
    office.write(lambda s: decide(s, choice.id, stands, actor="planner", now=office.clock.now()))
    van.laptop.sync()
    assert van.read(lambda s: van.laptop.status(s)).ended == [[queue, "other_stands"]]
    assert office.read(lambda s: s.get_one(Queue, queue).held_by) == stands
    van.issue(queue)
    van.laptop.sync()
    assert len(office.read(lambda s: tickets(s, queue))) == 7, "nothing is lost all the same"
    second.off()


@pytest.mark.parametrize("wrong", [timedelta(days=1), timedelta(days=-1), timedelta(minutes=25)])
def test_a_wrong_clock_is_corrected_and_a_person_is_told(
    office: Office, proxy: Proxy, tmp_path: Path, wrong: timedelta
) -> None:
    """Tickets of a laptop whose clock was wrong from its boot on stand at the true time and day; the told times are
    kept, and can be chosen."""
    van = Machine(tmp_path / "van", proxy.url, office.token, office.clock)
    queue, _desks = ready(van, office)
    van.off()
    van.wrong = wrong
    van.on()
    proxy.fate = lambda _n: "down"
    said = van.now
    ticket = van.issue(queue)
    proxy.fate = lambda _n: "ok"
    van.clock.advance(minutes=2)
    van.laptop.sync()
    found = office.read(lambda s: tickets(s, queue))[ticket.code]
    true = office.clock.now() - timedelta(minutes=2)
    if wrong < timedelta(0):
        # The clock went back: time went on from where the laptop was last alive, which is nearly right.
        assert abs(found.issued_at - true) < timedelta(minutes=1)
    else:
        assert abs(found.issued_at - true) < timedelta(seconds=6)
        assert found.day == true.date()
        (choice,) = office.read(open_choices)
        assert choice.kind == "clock"
        office.write(lambda s: decide(s, choice.id, "told", actor="planner", now=office.clock.now()))
        assert abs(office.read(lambda s: tickets(s, queue))[ticket.code].issued_at - said) < timedelta(
            seconds=6
        )
    van.off()


def test_headquarters_restored_from_a_backup_is_told_again(van: Machine, office: Office) -> None:
    """Headquarters lost a day: the laptop's log has it, and sends it again from where headquarters stands."""
    queue, _desks = ready(van, office)
    van.issue(queue)
    van.laptop.sync()
    kept = office.back_up()
    for _ in range(5):
        van.issue(queue)
    van.laptop.sync()
    office.restore(kept)
    assert len(office.read(lambda s: tickets(s, queue))) == 1
    van.laptop.sync()
    assert office.read(lambda s: requests(s, queue)) == van.read(lambda s: requests(s, queue))


def test_what_is_leased_is_refused_here_and_taken_back(van: Machine, office: Office) -> None:
    """While a van runs a queue, headquarters gives no number there; after it is taken back, in a band of its own; the
    van's late log is taken in."""
    from queueing import counter

    queue, _desks = ready(van, office)
    before = van.issue(queue)
    seq = office.read(lambda s: s.get_one(Queue, queue).seq)

    def here(request_id: str) -> Ticket:
        return office.write(
            lambda s: counter.issue(
                s, s.get_one(Queue, queue), "NID-01", request_id=request_id, actor="x", now=office.clock.now()
            )
        ).ticket

    with pytest.raises(Closed) as refused:
        here("a")
    assert refused.value.code == "queue_held"
    assert office.read(lambda s: s.get_one(Queue, queue).seq) == seq
    office.write(lambda s: take_back(s, queue, now=office.clock.now()))
    office.write(lambda s: s.execute(update(Queue).where(Queue.id == queue).values(state="open")))
    mine = here("b")
    assert mine.number > 500
    van.laptop.sync()
    assert {before.code, mine.code} <= set(office.read(lambda s: tickets(s, queue)))
    assert office.read(lambda s: s.scalars(select(Lease)).one().ended_why) == "taken_back"


def test_a_fresh_laptop_without_any_pull_begins_high(van: Machine, office: Office, proxy: Proxy) -> None:
    """Yesterday's pull knew the visit; this morning there was no line: numbers begin where headquarters gives none."""
    van.laptop.sync()
    proxy.fate = lambda _n: "down"
    van.days()
    assert van.issue(office.world.queue_visit_a).number == 5001


def test_a_device_of_another_center_is_refused(van: Machine, office: Office) -> None:
    """The token names the center: a laptop cannot speak for another one's."""
    from web.accounts import new_token
    from web.van.line import Line, Refused

    ready(van, office)
    other = office.write(
        lambda s: new_token(s, "van", now=office.clock.now(), center_id=office.world.center_b)
    )
    van.laptop.line = Line(van.url, other)
    with pytest.raises(Refused) as refused:
        van.laptop.sync()
    assert refused.value.status == 409
    assert office.read(lambda s: s.scalars(select(Device)).one().center_id) == office.world.center_a
    assert office.read(lambda s: s.scalar(select(Choice))) is None
