"""The clerk's desk over HTTP, as a browser without JavaScript uses it: its forms are read from the page and sent."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from queueing.store import Desk, Ticket, TicketEvent
from tests.web.world import form_to, forms


@pytest.fixture
def seated(login: Any, world: Any) -> Any:
    """`clerk` at the first desk of Aswan."""
    client = login("clerk")
    client.post(f"/desk/{world.desks_a[0]}/take")
    return client


def give(client: Any, desk: int, count: int = 1, service: str = "NID-01", priority: str = "none") -> None:
    """Issue tickets at a desk."""
    for _ in range(count):
        made = client.post(
            f"/desk/{desk}/tickets",
            data={"service": service, "priority": priority, "request_id": f"g{next(COUNTER)}"},
        )
        assert made.status_code == 303
    client.get("/en/desk")  # reads the messages that the issued tickets left


COUNTER = iter(range(1_000_000))


def press(client: Any, ending: str, page: str = "/en/desk", **more: str) -> Any:
    """Load the page, send the form (or the button) whose address ends so, and follow to the next page."""
    html = client.get(page).text
    form, action = button(html, ending)
    return client.post(action, data={**form.fields, **more}, follow_redirects=True)


def button(html: str, ending: str) -> tuple[Any, str]:
    """The form and address of the button that posts to `...ending`."""
    for form in forms(html):
        for address in [form.action, *form.addresses]:
            if address.split("?")[0].endswith(ending):
                return form, address
    raise AssertionError(f"nothing on the page posts to {ending}")


def states(db_session: Any) -> dict[str, str]:
    db_session.rollback()
    return dict(db_session.execute(select(Ticket.label, Ticket.state)).all())


def events(db_session: Any) -> list[str]:
    db_session.rollback()
    return list(db_session.scalars(select(TicketEvent.action).order_by(TicketEvent.id)))


def test_without_a_desk_the_page_offers_the_desks_of_the_own_site_only(login: Any, world: Any) -> None:
    html = login("clerk").get("/en/desk").text
    offered = [address for form in forms(html) for address in form.addresses]
    assert offered == [f"/en/desk/{desk}/take" for desk in world.desks_a]


def test_taking_a_desk_opens_it_in_the_clerks_name(seated: Any, world: Any, db_session: Any) -> None:
    desk = db_session.get(Desk, world.desks_a[0])
    assert (desk.state, desk.operator) == ("open", "clerk")
    assert "Call next" not in seated.get("/en/desk").text  # nobody waits: nothing to press
    assert "Nobody is at your desk" in seated.get("/en/desk").text


def test_a_taken_over_desk_leaves_the_first_clerk_without_one(
    seated: Any, login: Any, world: Any, db_session: Any
) -> None:
    """Taking over is possible; the one who sat there is told so, and cannot act for the desk any more."""
    colleague = login("clerk2")
    give(seated, world.desks_a[0])
    assert colleague.post(f"/desk/{world.desks_a[0]}/take").status_code == 303
    late = seated.post(f"/en/desk/{world.desks_a[0]}/next", data={"request_id": "late"})
    assert late.status_code == 409
    assert "Somebody else has taken over this desk." in late.text
    assert states(db_session) == {"A001": "waiting"}
    assert "Where do you sit today?" in seated.get("/en/desk").text


def test_moving_to_another_desk_closes_the_one_left(seated: Any, world: Any, db_session: Any) -> None:
    seated.post(f"/desk/{world.desks_a[1]}/take")
    assert [db_session.get(Desk, d).state for d in world.desks_a] == ["closed", "open", "closed"]


def test_a_whole_ticket_from_call_to_finish_by_plain_forms(
    seated: Any, world: Any, clock: Any, db_session: Any
) -> None:
    give(seated, world.desks_a[0])
    clock.advance(minutes=7)
    called = press(seated, "/next")
    assert '<bdi dir="ltr">A001</bdi>' in called.text
    assert "Waited 7 minutes" in called.text
    assert states(db_session) == {"A001": "called"}
    press(seated, "/start")
    clock.advance(minutes=5)
    served = press(seated, "/finish")
    assert "Nobody is at your desk" in served.text
    assert states(db_session) == {"A001": "served"}


def test_call_next_finishes_the_open_ticket_and_says_so_on_the_button(
    seated: Any, world: Any, db_session: Any
) -> None:
    give(seated, world.desks_a[0], 2)
    page = press(seated, "/next").text
    assert 'Finish <bdi dir="ltr">A001</bdi> and call next' in page
    press(seated, "/next")
    assert states(db_session) == {"A001": "served", "A002": "called"}
    assert "nobody is waiting" in seated.get("/en/desk").text


def test_only_possible_moves_are_on_the_page(seated: Any, world: Any) -> None:
    """Called: may start, be called again, not come. Serving: no recall, no 'did not come'."""
    give(seated, world.desks_a[0])
    called = press(seated, "/next").text
    shown = {a.rsplit("/", 1)[-1] for f in forms(called) for a in f.addresses}
    assert shown == {"start", "finish", "recall", "miss", "requeue", "park", "pause"}
    serving = press(seated, "/start").text
    shown = {a.rsplit("/", 1)[-1] for f in forms(serving) for a in f.addresses}
    assert shown == {"finish", "park", "pause"}


@pytest.mark.parametrize(
    ("verb", "state"), [("miss", "missed"), ("park", "parked"), ("requeue", "waiting"), ("recall", "called")]
)
def test_each_side_way_out_of_a_call(seated: Any, world: Any, db_session: Any, verb: str, state: str) -> None:
    give(seated, world.desks_a[0])
    press(seated, "/next")
    press(seated, f"/{verb}")
    assert states(db_session) == {"A001": state}


@pytest.mark.parametrize("first", ["miss", "park"])
def test_missed_and_parked_people_come_back_from_the_lists(
    seated: Any, world: Any, db_session: Any, first: str
) -> None:
    give(seated, world.desks_a[0])
    press(seated, "/next")
    page = press(seated, f"/{first}").text
    code = db_session.scalars(select(Ticket.code)).one()
    assert code in page
    press(seated, "/resume", ticket=code)
    assert states(db_session) == {"A001": "called" if first == "miss" else "serving"}


def test_undo_takes_back_both_halves_of_finish_and_call(seated: Any, world: Any, db_session: Any) -> None:
    """After an unwanted 'finish and call next' two presses of undo bring back exactly what was before."""
    give(seated, world.desks_a[0], 2)
    press(seated, "/next")
    press(seated, "/start")
    press(seated, "/next")
    assert states(db_session) == {"A001": "served", "A002": "called"}
    press(seated, "/undo")
    assert states(db_session) == {"A001": "served", "A002": "waiting"}
    press(seated, "/undo")
    assert states(db_session) == {"A001": "serving", "A002": "waiting"}


def test_transfer_within_the_queue_keeps_the_number_and_brings_the_note(
    seated: Any, world: Any, db_session: Any
) -> None:
    give(seated, world.desks_a[0])
    press(seated, "/next")
    press(seated, "/transfer", target=f"{world.queue_a}:BIR-01", note="بحاجة إلى ختم")
    db_session.rollback()
    ticket = db_session.scalars(select(Ticket)).one()
    assert (ticket.state, ticket.label, ticket.note) == ("waiting", "A001", "بحاجة إلى ختم")
    assert ticket.service_id == world.services["BIR-01"]
    assert "بحاجة إلى ختم" in press(seated, "/next").text


def test_transfer_to_another_queue_of_the_site_gives_a_new_ticket_there(
    login: Any, world: Any, db_session: Any
) -> None:
    client = login("other_clerk")
    client.post(f"/desk/{world.desks_b[0]}/take")
    give(client, world.desks_b[0])
    press(client, "/next")
    page = press(client, "/transfer", target=f"{world.queue_b2}:BLD-01", note="")
    assert "goes on, with the same number, to" in page.text
    tickets = db_session.scalars(select(Ticket).order_by(Ticket.id)).all()
    assert [(t.label, t.state) for t in tickets] == [("B001", "transferred"), ("B001", "waiting")]


def test_a_refused_transfer_keeps_the_typed_note(seated: Any, world: Any, db_session: Any) -> None:
    """Errors stand in place and nothing typed is lost."""
    give(seated, world.desks_a[0])
    press(seated, "/next")
    answer = press(seated, "/transfer", target="", note="words that took a while to type")
    assert answer.status_code == 422
    assert "Choose where the ticket goes." in answer.text
    assert form_to(answer.text, "/transfer").fields["note"] == "words that took a while to type"
    assert states(db_session) == {"A001": "called"}


def test_a_refused_walk_in_keeps_what_was_chosen(seated: Any, world: Any, db_session: Any) -> None:
    answer = press(seated, "/tickets", service="FAM-01", priority="pregnant", phone="12")
    assert answer.status_code == 422
    form = form_to(answer.text, "/tickets")
    assert (form.fields["service"], form.fields["priority"], form.fields["phone"]) == (
        "FAM-01",
        "pregnant",
        "12",
    )
    assert states(db_session) == {}


def test_priority_goes_first_and_is_said_in_words(seated: Any, world: Any) -> None:
    give(seated, world.desks_a[0], 2)
    give(seated, world.desks_a[0], priority="disability")
    page = seated.get("/en/desk").text
    assert page.index("A003") < page.index("A001")
    assert "Priority: disability" in page


def test_a_clerk_cannot_choose_from_the_middle_but_a_supervisor_can(
    seated: Any, login: Any, world: Any, db_session: Any
) -> None:
    give(seated, world.desks_a[0], 3)
    third = db_session.scalars(select(Ticket.code).where(Ticket.label == "A003")).one()
    refused = seated.post(f"/en/desk/{world.desks_a[0]}/next", data={"request_id": "x", "ticket": third})
    assert refused.status_code == 403
    assert "Only a supervisor" in refused.text
    chief = login("supervisor")
    chief.post(f"/desk/{world.desks_a[1]}/take")
    chief.post(f"/desk/{world.desks_a[1]}/next", data={"request_id": "y", "ticket": third})
    assert states(db_session)["A003"] == "called"


def test_a_break_hides_call_next_and_resuming_brings_it_back(seated: Any, world: Any) -> None:
    give(seated, world.desks_a[0])
    paused = press(seated, "/pause").text
    assert "You are on a break" in paused and "Call next" not in paused
    assert "Call next" in press(seated, "/open").text


@pytest.mark.parametrize(
    "verb",
    ["next", "start", "finish", "miss", "recall", "park", "requeue", "transfer", "undo", "resume", "tickets"],
)
def test_a_double_press_of_any_verb_is_one_event(seated: Any, world: Any, db_session: Any, verb: str) -> None:
    """The very same form sent twice: the second answer is the first again, and nothing more has happened."""
    desk = world.desks_a[0]
    give(seated, desk, 2)
    extra: dict[str, str] = {}
    if verb != "next" and verb != "tickets":
        press(seated, "/next")
    if verb == "resume":
        press(seated, "/miss")
        extra["ticket"] = db_session.scalars(select(Ticket.code).where(Ticket.label == "A001")).one()
    if verb == "transfer":
        extra["target"] = f"{world.queue_a}:BIR-01"
    form, action = button(seated.get("/en/desk").text, f"/{verb}")
    before = len(events(db_session))
    data = {**form.fields, **extra}
    first = seated.post(action, data=data)
    once = len(events(db_session))
    second = seated.post(action, data=data)
    assert (first.status_code, second.status_code) == (303, 303)
    assert once - before == 1
    assert len(events(db_session)) == once


def test_two_clerks_at_once_never_get_one_ticket(app: Any, login: Any, world: Any, db_session: Any) -> None:
    """Two desks press call next in the same moment, again and again: forty different people are called."""
    from web.accounts import Account  # the cast's accounts

    clients = []
    for name, desk in zip(("clerk", "clerk2"), world.desks_a, strict=False):
        client = login(name)
        client.post(f"/desk/{desk}/take")
        clients.append((client, desk))
    assert db_session.scalar(select(func.count()).select_from(Account)) >= 2
    give(clients[0][0], world.desks_a[0], 40)
    gate = threading.Barrier(2)
    faults: list[int] = []

    def shift(client: Any, desk: int) -> None:
        gate.wait()
        for n in range(20):
            answer = client.post(f"/desk/{desk}/next", data={"request_id": f"{desk}-{n}"})
            if answer.status_code != 303:
                faults.append(answer.status_code)

    threads = [threading.Thread(target=shift, args=pair) for pair in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    db_session.rollback()
    calls = db_session.scalars(select(TicketEvent.ticket_id).where(TicketEvent.action == "call")).all()
    assert len(calls) == 40 == len(set(calls))


def test_a_press_by_script_gets_the_sections_with_the_new_state(seated: Any, world: Any) -> None:
    give(seated, world.desks_a[0])
    answer = seated.post(
        f"/en/desk/{world.desks_a[0]}/next", data={"request_id": "s1"}, headers={"X-Part": "1"}
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'class="current"' in answer.text and 'class="line"' in answer.text and "A001" in answer.text


@pytest.mark.parametrize("name", ["current", "line"])
def test_the_live_sections_are_those_of_the_page(seated: Any, world: Any, name: str) -> None:
    give(seated, world.desks_a[0])
    part = seated.get(f"/en/desk/parts/{name}", headers={"X-Part": "1"})
    assert part.status_code == 200
    assert ("1 person is waiting." if name == "current" else "A001") in part.text
    assert seated.get("/desk/parts/other").status_code == 404


def test_forms_without_their_token_are_refused(app: Any, seated: Any, world: Any, db_session: Any) -> None:
    """Another site's page cannot press for the clerk; the page's own forms carry what is needed."""
    app.config["WTF_CSRF_ENABLED"] = True
    desk = world.desks_a[0]
    bare = seated.post(f"/desk/{desk}/tickets", data={"service": "NID-01", "request_id": "r"})
    assert bare.status_code == 400
    assert states(db_session) == {}
    press(seated, "/tickets", service="NID-01")
    press(seated, "/next")
    assert states(db_session) == {"A001": "called"}


def test_every_text_of_the_desk_is_arabic_in_arabic(seated: Any, world: Any) -> None:
    """No English source text shows through, and the page is right to left."""
    give(seated, world.desks_a[0], 2, priority="senior")
    page = press(seated, "/next", page="/desk").text
    assert '<html lang="ar" dir="rtl">' in page
    said = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    for english in ("Call next", "Finish", "Waiting", "Undo", "Service", "Priority", "person"):
        assert english not in said
    assert "أنهِ" in page and "نادِ التالي" in page


def test_a_clerk_of_a_van_works_at_todays_visit(login: Any, world: Any, db_session: Any) -> None:
    client = login("van_clerk")
    page = client.get("/en/desk").text
    assert "El Raghama" in page
    client.post(f"/desk/{world.desks_visit_a[0]}/take")
    give(client, world.desks_visit_a[0])
    press(client, "/next")
    assert states(db_session) == {"M001": "called"}


def test_the_waiting_list_shows_forty_and_counts_the_rest(seated: Any, world: Any) -> None:
    give(seated, world.desks_a[0], 43)
    page = seated.get("/en/desk").text
    assert "A040" in page and "A041" not in page
    assert "and 3 more" in page
