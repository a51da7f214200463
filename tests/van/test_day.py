"""A van's day: pull, no line, sync; and headquarters shows what happened."""

from __future__ import annotations

from queueing.rebuild import check
from queueing.store import Queue, Ticket
from tests.van.cast import Machine, Office, requests, tickets
from tests.van.proxy import Proxy


def test_a_day_without_a_line_arrives_whole(van: Machine, office: Office, proxy: Proxy) -> None:
    """Pull, then thirty people with no line, then a sync: the same tickets, events and states at headquarters."""
    queue, desk = office.world.queue_visit_a, office.world.desks_visit_a[0]
    van.laptop.sync(pull=1)
    assert office.read(lambda s: s.get_one(Queue, queue).held_by) == van.laptop.witness.device
    van.days()
    proxy.fate = lambda _n: "down"
    van.sit(desk)
    for n in range(30):
        van.issue(queue, ("NID-01", "BIR-01")[n % 2])
        van.clock.advance(minutes=1)
    while (called := van.call(desk)) is not None:
        van.clock.advance(minutes=1)
        van.do("start", called.id, desk)
        van.clock.advance(minutes=3)
    proxy.fate = lambda _n: "ok"
    van.laptop.sync()
    here, there = van.read(lambda s: tickets(s, queue)), office.read(lambda s: tickets(s, queue))
    assert len(there) == 30
    for code, ticket in here.items():
        for column in [c.name for c in Ticket.__table__.columns]:
            if column not in ("id",):
                assert getattr(there[code], column) == getattr(ticket, column), column
    assert office.read(lambda s: requests(s, queue)) == van.read(lambda s: requests(s, queue))
    assert office.read(lambda s: check(s, [queue])) == []
    assert van.read(lambda s: van.laptop.status(s)).unsent == 0
