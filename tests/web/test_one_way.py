"""Pages carry verbs out as the API does: as commands, committed together with those of other requests."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from queueing.counter import Act, CallNext, Issue
from queueing.store import Desk, Ticket
from tests.web.world import NOW
from web.accounts import new_token
from web.printing.jobs import IssueWithSlip
from web.printing.store import KioskPrinter, PrintJob


class Watched:
    """The writer with a list of what came in by each of its two doors."""

    def __init__(self, writer: Any) -> None:
        self.commands: list[Any] = []
        self.others = 0
        self._writer, self._batcher = writer, writer.carry_out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def carry_out(self, command: Any) -> Any:
        self.commands.append(command)
        return self._batcher(command)

    def __call__(self, work: Any) -> Any:
        self.others += 1
        return self._writer(work)


@pytest.fixture
def watched(app: Flask) -> Watched:
    """What the application writes by from now on."""
    app.extensions["writer"] = Watched(app.extensions["writer"])
    return app.extensions["writer"]  # type: ignore[no-any-return]


def newest(db_session: Any) -> Ticket:
    """The ticket given out last."""
    db_session.rollback()
    return db_session.scalars(select(Ticket).order_by(Ticket.id.desc())).first()  # type: ignore[no-any-return]


def test_every_plain_press_is_a_command_whatever_page_it_comes_from(
    client: Any, login: Any, world: Any, write: Any, db_session: Any, watched: Watched
) -> None:
    """Kiosk, phone and desk: issue, leave, call next, start, park, resume, finish, each one command and no transaction
    of its own."""
    token = write(lambda s: new_token(s, "kiosk", now=NOW, queue_id=world.queue_a))
    desk = world.desks_a[0]
    clerk = login("clerk")
    clerk.post(f"/desk/{desk}/take")
    watched.others = 0

    def press(kind: type, action: str, answer: Any) -> None:
        assert answer.status_code == 303, answer.get_data(as_text=True)[:400]
        made = watched.commands.pop()
        assert isinstance(made, kind) and getattr(made, "action", action) == action
        assert (watched.commands, watched.others) == ([], 0)

    ids = iter(range(100))

    def data(**more: str) -> dict[str, str]:
        return {"request_id": f"press-{next(ids):04d}", "service": "NID-01", "priority": "none", **more}

    press(Issue, "issue", client.post(f"/kiosk/{token}/tickets", data=data()))
    kiosk = newest(db_session).code
    press(Issue, "issue", client.post(f"/queues/{world.queue_a}/take", data=data()))
    phone = newest(db_session).code
    press(Issue, "issue", clerk.post(f"/desk/{desk}/tickets", data=data()))
    press(Act, "leave", client.post(f"/tickets/{phone}/leave", data=data()))
    press(CallNext, "next", clerk.post(f"/desk/{desk}/next", data=data()))
    for verb in ("start", "park", "resume", "finish"):
        press(Act, verb, clerk.post(f"/desk/{desk}/{verb}", data=data(ticket=kiosk)))
    db_session.rollback()
    assert db_session.scalar(select(Ticket.state).where(Ticket.code == kiosk)) == "served"


def test_a_ticket_with_its_slip_is_one_transaction_by_the_same_door(
    client: Any, world: Any, write: Any, db_session: Any, watched: Watched, monkeypatch: Any
) -> None:
    """At a kiosk that prints by itself the slip is written with the ticket; the same form twice is one of each."""
    token = write(lambda s: new_token(s, "kiosk", now=NOW, queue_id=world.queue_a))

    def printer(session: Any) -> None:
        from web.accounts import find_token

        kiosk = find_token(session, token, ("kiosk",))
        session.add(
            KioskPrinter(token_id=kiosk.id, queue_id=world.queue_a, address="usb:/nowhere", paper_mm=80,
                         language="ar", by_itself=True, changed_at=NOW, changed_by="s")
        )  # fmt: skip

    write(printer)
    monkeypatch.setattr("web.printing.jobs.run", lambda job_id: None)
    watched.others = 0
    for _ in range(2):
        answer = client.post(
            f"/kiosk/{token}/tickets",
            data={"request_id": "slip-one", "service": "NID-01", "priority": "none"},
        )
        assert answer.status_code == 303
    assert all(isinstance(c, IssueWithSlip) for c in watched.commands) and watched.others == 2
    job = db_session.scalars(select(PrintJob)).one()
    assert job.ticket_id == newest(db_session).id and job.state == "queued"


def test_who_does_not_sit_at_the_desk_presses_in_vain(
    login: Any, world: Any, write: Any, db_session: Any, watched: Watched
) -> None:
    """Two clerks: the second takes the desk over; each press of the first is refused with 409 and changes nothing."""
    desk = world.desks_a[0]
    first, second = login("clerk"), login("clerk2")
    first.post(f"/desk/{desk}/take")
    first.post(f"/desk/{desk}/tickets", data={"request_id": "t-1", "service": "NID-01"})
    code = newest(db_session).code
    first.post(f"/desk/{desk}/next", data={"request_id": "n-1"})
    second.post(f"/desk/{desk}/take")
    db_session.rollback()
    assert db_session.get(Desk, desk).operator == "clerk2"
    for verb, more in (("next", {}), ("start", {"ticket": code}), ("finish", {"ticket": code})):
        answer = first.post(f"/desk/{desk}/{verb}", data={"request_id": f"late-{verb}", **more})
        assert answer.status_code == 409, verb
        assert newest(db_session).state == "called"
