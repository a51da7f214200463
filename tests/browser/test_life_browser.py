"""A ticket's whole life in a real browser: booked on a phone, checked in at the kiosk, a visit with two services, a van
that breaks down. Phones without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from queueing import counter, desks
from queueing.slots import Pattern, set_rules
from queueing.store import Desk, Queue
from tests.web.world import NOW, TODAY
from web.accounts import new_token

PHONE = {"width": 360, "height": 740, "scripts": False}


def test_booked_on_a_cheap_phone_and_checked_in_at_the_kiosk(
    live: Any, open_page: Any, no_sideways_scroll: Any
) -> None:
    """Service, day and time by taps, in Arabic without scripts; at the kiosk the time and number are one tap."""
    queue = live.world.queue_a
    live.write(lambda db: set_rules(db, db.get_one(Queue, queue), [Pattern(600, 720, 15, 2)], days=[TODAY]))
    phone = open_page(f"/queues/{queue}/book", **PHONE)
    no_sideways_scroll(phone)
    phone.get_by_role("link", name="بطاقة الرقم القومي").click()
    no_sideways_scroll(phone)
    phone.get_by_role("button", name="10:30").click()
    assert "10:30" in phone.locator(".ticket .say").inner_text()
    label = phone.locator(".ticket .label").inner_text()
    no_sideways_scroll(phone)
    token = live.write(lambda db: new_token(db, "kiosk", now=NOW, queue_id=queue, label="k"))
    kiosk = open_page(f"/kiosk/{token}", width=1080)
    kiosk.get_by_role("link", name="لدي موعد").click()
    kiosk.get_by_role("button", name=label).click()
    kiosk.get_by_text(label).first.wait_for()
    phone.reload()
    assert "10:30" not in phone.locator(".ticket .say").inner_text(), "the person waits now"


def test_one_number_for_two_services_from_the_phone_through_both_desks(
    live: Any, open_page: Any, no_sideways_scroll: Any
) -> None:
    """Ticked on the phone; the clerk finishes and reads where the person goes; the phone shows the way and asks at the
    end."""
    world = live.world

    def seat(db: Any) -> None:
        for queue_id in (world.queue_b, world.queue_b2):
            for desk in db.query(Desk).filter_by(queue_id=queue_id):
                mine = desk.id == world.desks_b[0]
                desks.open_desk(db, desk, actor="x", now=NOW, operator="other_clerk" if mine else "z")

    live.write(seat)
    phone = open_page(f"/centers/{world.site_b}", language="en", **PHONE)
    phone.get_by_role("link", name="Several services? One ticket for all").click()
    phone.get_by_label("National identity card").check()
    phone.get_by_label("Site validity statement").check()
    phone.get_by_role("button", name="Take one ticket for all").click()
    label = phone.locator(".ticket .label").inner_text()
    assert phone.locator(".way li").count() == 2
    no_sideways_scroll(phone)
    desk = open_page("/desk", user="other_clerk", language="en", scripts=False)
    desk.locator('[data-focus="next"]').click()
    desk.get_by_text("Next for this person:").wait_for()
    desk.get_by_text("Finish and say what came of it").click()
    desk.get_by_role("button", name="All done today").click()
    desk.get_by_text("goes on, with the same number, to").wait_for()

    def serve(db: Any) -> None:
        other = db.query(Desk).filter_by(queue_id=world.queue_b2).first()
        done = counter.call_next(db, other, request_id="c", actor="x", now=NOW)
        assert done is not None and done.ticket.label == label
        counter.finish(db, done.ticket, request_id="f", actor="x", now=NOW)

    live.write(serve)
    phone.reload()
    assert phone.locator(".way .w-done").count() == 2
    phone.get_by_role("button", name="Very good").click()
    phone.get_by_role("button", name="How I was treated").click()
    phone.get_by_text("Thank you. This helps us.").wait_for()


def test_a_broken_vans_people_are_handed_over_by_the_supervisor(
    live: Any, open_page: Any, no_sideways_scroll: Any
) -> None:
    """Chosen from the nearest, one press; the phone says who took over; one press takes it back."""
    world = live.world
    code = live.write(
        lambda db: counter.issue(
            db, db.get_one(Queue, world.queue_visit_a), "NID-01", request_id="i", actor="k",
            now=NOW - timedelta(minutes=5),
        ).ticket.code
    )  # fmt: skip
    boss = open_page(f"/supervisor/queues/{world.queue_visit_a}/change", user="van_supervisor", language="en")
    no_sideways_scroll(boss)
    boss.locator("#hand-over select").select_option(str(world.queue_visit_b))
    boss.get_by_role("button", name="Hand everybody over").click()
    boss.get_by_text("1 person was handed over and told.").wait_for(timeout=30_000)
    phone = open_page(f"/tickets/{code}", language="en", **PHONE)
    assert phone.locator(".ticket .label").inner_text() == "M001-2"
    phone.get_by_text("has taken over").wait_for()
    no_sideways_scroll(phone)
    boss.get_by_role("button", name="Take it back").click()
    boss.get_by_text("Everybody stands here again").wait_for()
    phone.goto(f"/en/tickets/{code}")
    assert phone.locator(".ticket .label").inner_text() == "M001"


def test_a_supervisor_sets_a_week_of_appointments(live: Any, open_page: Any, no_sideways_scroll: Any) -> None:
    """The form as it stands sets Sunday to Thursday; the coming days show the room; on a phone it fits."""
    path = f"/supervisor/queues/{live.world.queue_a}/appointments"
    boss = open_page(path, user="supervisor", language="en", width=390)
    boss.get_by_role("button", name="Set these weekdays").click()
    boss.get_by_text("The appointments are set.").wait_for()
    assert boss.get_by_text("09:00–13:00").count() >= 5
    no_sideways_scroll(boss)
