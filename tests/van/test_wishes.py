"""What is asked at headquarters while the van is out, and what the van is told."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from fleet.store import Visit
from queueing import counter
from queueing.journal import leases
from queueing.journal.packing import pack
from queueing.journal.seal import append
from queueing.measure import differences
from queueing.store import Queue, QueueHour, Ticket, to_micros
from queueing.store_journal import Device, Wish
from tests.van.cast import Machine, Office, tickets
from tests.van.proxy import Proxy
from web.van import overview
from web.van.line import CONTENT, PATH


def test_a_citizen_joins_while_there_is_no_line(van: Machine, office: Office) -> None:
    """The code at once, a plain word about the number, then the number when the van was heard; leaving goes the same
    way."""
    queue = office.world.queue_visit_a
    van.laptop.sync(pull=1)
    van.days()
    client = office.app.test_client()
    office.app.config["WTF_CSRF_ENABLED"] = False
    assert "without a steady line" in client.get(f"/en/queues/{queue}/take").text
    sent = client.post(
        f"/en/queues/{queue}/take", data={"service": "NID-01", "request_id": "from-home", "phone": ""}
    )
    assert sent.status_code == 303
    page = client.get(sent.location).text
    assert "comes when the van is heard" in page
    assert office.read(lambda s: tickets(s, queue)) == {}
    again = client.post(f"/en/queues/{queue}/take", data={"service": "NID-01", "request_id": "from-home"})
    assert again.location == sent.location
    van.laptop.sync()
    (mine,) = van.read(lambda s: list(s.scalars(select(Ticket))))
    assert mine.channel == "phone" and mine.code in sent.location
    van.laptop.sync()
    assert mine.label in client.get(sent.location).text
    assert office.read(lambda s: s.scalars(select(Wish)).one().state) == "done"
    left = client.post(f"/en/tickets/{mine.code}/leave", data={"request_id": "going"})
    assert left.status_code == 303
    assert "hears that you are leaving" in client.get(sent.location).text
    van.laptop.sync()
    van.laptop.sync()
    assert office.read(lambda s: tickets(s, queue))[mine.code].state == "left"


def test_what_was_booked_before_the_pull_comes_down(van: Machine, office: Office) -> None:
    """Bookings and people who joined by phone before the lease stand in the van's line with their numbers, and are
    served there; headquarters shows it."""
    queue, desk = office.world.queue_visit_a, office.world.desks_visit_a[0]
    now = office.clock.now()

    def give(request_id: str, **more: object) -> Ticket:
        return office.write(
            lambda s: counter.issue(
                s, s.get_one(Queue, queue), "NID-01", request_id=request_id, actor="phone", now=now,
                channel="phone", **more,
            )
        ).ticket  # fmt: skip

    joined, booked = give("one"), give("two", appointment_at=now + timedelta(hours=1))
    van.laptop.sync(pull=1)
    van.days()
    here = van.read(lambda s: tickets(s, queue))
    assert {c: (t.label, t.state) for c, t in here.items()} == {
        joined.code: (joined.label, "waiting"), booked.code: (booked.label, "booked")
    }  # fmt: skip
    assert van.issue(queue).number == booked.number + 1
    van.sit(desk)
    van.call(desk)
    van.do("finish", here[joined.code].id, desk)
    van.do("arrive", here[booked.code].id)
    van.laptop.sync()
    there = office.read(lambda s: tickets(s, queue))
    assert {there[joined.code].state, there[booked.code].state} == {"served", "waiting"}
    told = van.laptop.line.got_bytes
    van.laptop.sync()
    assert van.laptop.line.got_bytes - told < 400, "what the van did itself does not come back as news"


def test_plan_changes_go_down_and_are_listed_until_they_have(
    van: Machine, office: Office, proxy: Proxy
) -> None:
    """A visit cancelled at headquarters: listed as not known yet; the van closes its line when it hears, and the
    closing comes up."""
    queue = office.world.queue_visit_a
    van.laptop.sync(pull=1)
    van.days()
    ticket = van.issue(queue)
    van.laptop.sync()

    def lacking() -> dict[str, int]:
        device = van.laptop.witness.device
        return office.read(lambda s: overview.lacking(s, s.get_one(Device, device), office.clock.now()))

    assert lacking() == {}
    office.write(
        lambda s: s.execute(
            update(Visit).where(Visit.id == office.world.visit_a).values(status="cancelled", reason_en="road")
        )
    )
    assert lacking() == {"visits": 1}
    van.laptop.sync()
    van.laptop.sync()
    assert lacking() == {}
    assert van.read(lambda s: s.get_one(Visit, office.world.visit_a).status) == "cancelled"
    assert office.read(lambda s: tickets(s, queue))[ticket.code].state == "left"


def test_past_hours_are_measured_from_what_arrived(van: Machine, office: Office) -> None:
    """Statistics at headquarters equal the events as soon as they are there."""
    queue, desk = office.world.queue_visit_a, office.world.desks_visit_a[0]
    van.laptop.sync(pull=1)
    van.days()
    van.sit(desk)
    for _ in range(4):
        van.issue(queue)
        van.clock.advance(minutes=7)
        van.call(desk)
    van.clock.advance(hours=2)
    van.laptop.sync()
    assert office.read(lambda s: s.scalar(select(QueueHour.arrivals).where(QueueHour.queue_id == queue))) == 4
    day = office.clock.now().date()
    assert office.read(lambda s: differences(s, [queue], day, now=office.clock.now())) == []


def test_the_endpoint_refuses_what_is_not_a_vans(van: Machine, office: Office) -> None:
    """No token 401, another kind's 401, broken bytes 400, a stretch that cannot be 409; nothing is stored."""
    client = office.app.test_client()
    token = {"Authorization": f"Bearer {office.token}"}
    assert client.post(PATH, data=b"x", content_type=CONTENT).status_code == 401
    assert client.post(PATH, data=b"x", content_type=CONTENT, headers=token).status_code == 400
    message = {
        "v": 1, "device": "d", "epoch": "e", "segment": "s", "now": 1, "high": 0, "first": 1, "before": "",
        "entries": [{"k": "ticket", "h": 1, "c": "x", "a": "issue", "t": "waiting", "w": "x", "r": "r"}],
    }  # fmt: skip
    for wrong in ({}, {"high": 1, "entries": [{"k": "what", "h": 1}]}, {"v": 2}, {"now": "x"}):
        answer = client.post(PATH, data=pack({**message, **wrong}), content_type=CONTENT, headers=token)
        assert answer.status_code in (400, 409), wrong
    assert office.read(lambda s: s.scalar(select(Device.id))) is None


def test_a_van_writes_only_about_its_own_queues(van: Machine, office: Office) -> None:
    """A laptop that tells of another site's queue is not believed: it stays in the log, and a person is asked."""
    queue = office.world.queue_visit_a
    van.laptop.sync(pull=1)
    van.days()
    ticket = van.issue(queue)
    foreign = office.world.queue_a
    van.laptop.seal()
    at = to_micros(van.now)
    facts = {
        "queue_id": foreign, "day": "2026-11-22", "number": 900, "label": "A900", "service_id": 1, "issued_at": at,
        "aged_from": at, "channel": "kiosk", "priority": 0,
    }  # fmt: skip
    body = {"k": "ticket", "c": "foreign-code", "a": "issue", "t": "waiting", "w": "x", "r": "foreign",
            "h": to_micros(van.now), "n": facts, "s": {}}  # fmt: skip
    van.write(lambda s: append(s, [body]))
    van.laptop.sync()
    assert office.read(lambda s: tickets(s, foreign)) == {}
    assert ticket.code in office.read(lambda s: tickets(s, queue))
    assert [c.kind for c in office.read(lambda s: overview.open_choices(s))] == ["two_histories"]


def test_a_lease_ends_when_its_day_is_wholly_known(van: Machine, office: Office) -> None:
    """Not in the night in which the van was not heard, though its people stand there since the morning; on the next
    day, when it has told everything and its visit is closed, headquarters may write there again."""
    queue = office.world.queue_visit_a
    van.laptop.sync(pull=1)
    van.days()
    van.issue(queue)
    van.laptop.sync()
    van.clock.advance(hours=10)
    assert office.write(lambda s: leases.end_old(s, now=office.clock.now())) == 0
    van.clock.advance(hours=12)
    assert office.write(lambda s: leases.end_old(s, now=office.clock.now())) == 0
    van.days()
    van.laptop.sync()
    van.laptop.sync()
    assert office.read(lambda s: s.get_one(Queue, queue).held_by) is None
    assert {t.state for t in office.read(lambda s: tickets(s, queue)).values()} == {"left"}
