"""A tablet's contact with the server, and the pages of paper."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from queueing import counter
from queueing.store import Desk, Queue, Ticket, TicketEvent
from queueing.store_tablet import Hand, PaperStrip
from tests.web.world import NOW

DEVICE = "tabletAAAA"
MS = round(NOW.timestamp() * 1000)


@pytest.fixture
def seated(login: Any, world: Any) -> Any:
    """A clerk at Aswan's first desk."""
    client = login("clerk")
    client.post(f"/desk/{world.desks_a[0]}/take")
    return client


@pytest.fixture
def codes(write: Any, world: Any) -> list[str]:
    """Three people wait at Aswan."""

    def work(session: Any) -> list[str]:
        queue = session.get_one(Queue, world.queue_a)
        made = [
            counter.issue(session, queue, "NID-01", request_id=f"i{n}", actor="x", now=NOW) for n in range(3)
        ]
        return [done.ticket.code for done in made]

    return list(write(work))


def contact(client: Any, desk: int, **body: Any) -> Any:
    return client.post(f"/desk/{desk}/contact", json={"device": DEVICE, "holds": [], **body})


def test_a_contact_answers_presses_in_order_and_brings_picture_and_hand(
    seated: Any, world: Any, codes: list[str], clock: Any, db_session: Any
) -> None:
    desk = world.desks_a[0]
    picture = contact(seated, desk).json["snapshot"]
    assert [t["code"] for t in picture["people"]] == codes
    assert picture["current"] is None and picture["rules"]["recall_limit"] == 3
    assert ["called", "start", "serving"] in picture["rules"]["moves"]
    clock.advance(minutes=30)
    presses = [
        {"id": "k1", "verb": "next", "ticket": codes[0], "happened": MS + 60_000},
        {"id": "k2", "verb": "start", "ticket": codes[1], "happened": MS + 90_000},
        {"id": "k3", "verb": "next", "ticket": codes[1], "finish": codes[0], "happened": MS + 120_000},
    ]
    answer = contact(seated, desk, presses=presses, holds=codes).json
    assert [r["status"] for r in answer["results"]] == ["done", "refused", "done"]
    assert answer["results"][1]["code"] == "move_not_possible" and answer["results"][1]["words"]
    again = contact(seated, desk, presses=presses).json
    assert [r["status"] for r in again["results"]] == ["repeated", "done", "repeated"]
    assert again["snapshot"]["current"]["code"] == codes[1]
    first = db_session.scalars(select(Ticket).where(Ticket.code == codes[0])).one()
    assert (first.state, round(first.ended_at.timestamp() * 1000)) == ("served", MS + 120_000)
    assert "phone" not in str(answer["snapshot"])


def test_a_press_of_now_brings_the_page_along(seated: Any, world: Any, codes: list[str]) -> None:
    desk = world.desks_a[0]
    answer = contact(seated, desk, presses=[{"id": "k1", "verb": "next"}], html=True).json
    assert answer["results"][0] == {"id": "k1", "status": "done", "label": "A001", "text": ""}
    assert "A001" in answer["work"] and "data-fresh" in answer["work"]


def test_who_is_in_a_connected_tablets_hand_is_asked_for_first(
    seated: Any, login: Any, world: Any, codes: list[str]
) -> None:
    """Desk 2 waits a moment, desk 1 lets go, and the one who is next is called, in order."""
    contact(seated, world.desks_a[0])
    other = login("clerk2")
    other.post(f"/desk/{world.desks_a[1]}/take")
    body = {"device": "tabletBBBB", "holds": [], "presses": [{"id": "k9", "verb": "next"}], "patient": True}
    path = f"/desk/{world.desks_a[1]}/contact"
    assert other.post(path, json=body).json["results"][0]["status"] == "wait"
    kept = [t["code"] for t in contact(seated, world.desks_a[0], holds=codes).json["snapshot"]["people"]]
    assert codes[0] not in kept
    contact(seated, world.desks_a[0], holds=kept)
    done = other.post(path, json={**body, "patient": False}).json["results"][0]
    assert (done["status"], done["label"]) == ("done", "A001")


def test_late_presses_count_although_somebody_else_sits_there_now_but_presses_of_now_do_not(
    seated: Any, login: Any, world: Any, codes: list[str]
) -> None:
    desk = world.desks_a[0]
    contact(seated, desk)
    login("clerk2").post(f"/desk/{desk}/take")
    late = {"id": "k1", "verb": "next", "ticket": codes[0], "happened": MS}
    answer = contact(seated, desk, presses=[late, {"id": "k2", "verb": "next"}], holds=codes).json
    assert [r["status"] for r in answer["results"]] == ["done", "refused"]
    assert answer["gone"] and answer["snapshot"] is None


def test_a_hand_outlives_the_answer_that_takes_it_away(
    seated: Any, login: Any, world: Any, codes: list[str], db_session: Any
) -> None:
    """Nothing is free before the browser has said that it holds nobody."""
    desk = world.desks_a[0]
    contact(seated, desk)
    login("clerk2").post(f"/desk/{desk}/take")
    assert contact(seated, desk, holds=codes).json["gone"]
    assert len(db_session.scalars(select(Hand)).all()) == 3
    contact(seated, desk, holds=[])
    db_session.rollback()
    assert db_session.scalars(select(Hand)).all() == []


@pytest.mark.parametrize(
    "body",
    [[], {"presses": {}}, {"holds": "x"}, {"presses": [1]}, {"presses": [{"id": "a", "verb": "undo"}]},
     {"presses": [{"id": "a", "verb": "next", "happened": "now"}]}, {"presses": [{"id": "a", "verb": "next"}] * 51}],
)  # fmt: skip
def test_what_no_page_of_ours_sends_is_refused(seated: Any, world: Any, body: Any) -> None:
    path = f"/desk/{world.desks_a[0]}/contact"
    assert (
        seated.post(path, json={"device": DEVICE, **body} if isinstance(body, dict) else body).status_code
        == 422
    )


def test_the_worker_keeps_pages_and_files_and_changes_with_them(seated: Any) -> None:
    answer = seated.get("/en/desk/worker.js")
    assert answer.headers["Service-Worker-Allowed"] == "/en/desk"
    for part in ("/en/desk/alone", "clerk-sync.js?v=", "/en/desk/words.js?v="):
        assert part in answer.text
    assert "A001" not in seated.get("/en/desk/alone").text
    assert seated.get("/desk/alone").headers["Cache-Control"] == "no-store"


def test_a_supervisor_frees_the_people_of_a_silent_tablet(
    seated: Any, login: Any, world: Any, codes: list[str], clock: Any, db_session: Any
) -> None:
    contact(seated, world.desks_a[0])
    boss = login("supervisor")
    assert "Let the other desks call them" not in boss.get("/en/desk/hands").text
    clock.advance(minutes=3)
    html = boss.get("/en/desk/hands").text
    path = re.search(r'action="/en(/desk/hands/[^"]+)"', html)
    assert path is not None and "not heard since" in html
    assert seated.post(path.group(1)).status_code == 403
    assert boss.post(path.group(1)).status_code == 303
    assert "No desk keeps anybody" in boss.get("/en/desk/hands").text


def test_paper_from_the_strip_to_the_statistics(seated: Any, world: Any, clock: Any, db_session: Any) -> None:
    """Reserve, print, type in; what is wrong is said in words and keeps what was typed."""
    form = {"queue": world.queue_a, "day": "2026-11-22", "count": "5", "request_id": "s1"}
    path = seated.post("/en/desk/paper/strips", data=form).location
    assert "A005" in seated.get(path).text and "A005" in seated.get(path + "?size=a4").text
    strip = db_session.scalars(select(PaperStrip)).one()
    clock.advance(minutes=60)
    line = {
        "number": "3", "service": "NID-01", "result": "served", "desk": world.desks_a[0], "arrived": "10:05",
        "called": "10:20", "finished": "10:15", "request_id": "e1",
    }  # fmt: skip
    entry = f"/en/desk/paper/strips/{strip.id}/entry"
    wrong = seated.post(entry, data=line)
    assert wrong.status_code == 422 and "not in their order" in wrong.text and 'value="10:20"' in wrong.text
    assert seated.post(entry, data={**line, "finished": "10:30"}).status_code == 303
    assert seated.post(entry, data={**line, "finished": "10:30"}).status_code == 303
    db_session.rollback()
    events = db_session.scalars(select(TicketEvent).order_by(TicketEvent.id)).all()
    assert [e.action for e in events] == ["issue", "call", "finish"] and all(e.data["paper"] for e in events)
    assert ">A003</option>" not in seated.get(entry).text
    assert "1 / 5" in seated.get("/en/desk/paper").text
    assert seated.post(entry, data={**line, "number": "9"}).status_code == 422


def test_bookings_on_paper_show_no_more_of_a_telephone_than_four_digits(
    seated: Any, write: Any, world: Any, clock: Any
) -> None:
    at = NOW.replace(day=23)

    def book(session: Any) -> None:
        queue = session.get_one(Queue, world.queue_a)
        counter.issue(
            session, queue, "NID-01", request_id="b", actor="x", now=NOW, channel="booking", phone="01012345678",
            appointment_at=at,
        )  # fmt: skip

    write(book)
    for size in ("a4", "80"):
        html = seated.get(f"/desk/paper/bookings/{world.queue_a}/2026-11-23?size={size}").text
        assert "A001" in html and "5678" in html and "345678" not in html
    assert seated.get(f"/desk/paper/bookings/{world.queue_a}/tomorrow").status_code == 404


def test_paper_of_another_site_is_refused(login: Any, seated: Any, world: Any) -> None:
    form = {"queue": world.queue_a, "day": "2026-11-22", "count": "5", "request_id": "s1"}
    path = seated.post("/desk/paper/strips", data=form).location
    other = login("other_clerk")
    assert other.post("/desk/paper/strips", data={**form, "request_id": "s2"}).status_code == 403
    assert other.get(path).status_code == 403
    assert other.post(path + "/entry", data={}).status_code == 403


def test_closing_the_desk_is_still_one_press_without_scripts(
    seated: Any, world: Any, db_session: Any
) -> None:
    assert seated.post(f"/desk/{world.desks_a[0]}/close").status_code == 303
    assert db_session.get(Desk, world.desks_a[0]).state == "closed"


def test_a_refused_call_ends_all_the_same_whom_it_ended(
    seated: Any, world: Any, codes: list[str], write: Any, db_session: Any, clock: Any
) -> None:
    """The second of three had cancelled: the first is served, the third is called, only the second is refused."""
    desk = world.desks_a[0]
    contact(seated, desk)
    write(
        lambda s: counter.cancel(
            s,
            s.scalars(select(Ticket).where(Ticket.code == codes[1])).one(),
            request_id="c",
            actor="phone",
            now=NOW,
        )
    )
    clock.advance(minutes=30)
    presses = [
        {"id": "k1", "verb": "next", "ticket": codes[0], "happened": MS + 60_000},
        {"id": "k2", "verb": "next", "ticket": codes[1], "finish": codes[0], "happened": MS + 120_000},
        {"id": "k3", "verb": "next", "ticket": codes[2], "finish": codes[1], "happened": MS + 180_000},
    ]
    answer = contact(seated, desk, presses=presses, holds=codes).json
    assert [r["status"] for r in answer["results"]] == ["done", "refused", "done"]
    tickets = {t.code: t for t in db_session.scalars(select(Ticket))}
    assert [tickets[c].state for c in codes] == ["served", "cancelled", "called"]
    assert round(tickets[codes[0]].ended_at.timestamp() * 1000) == MS + 120_000
