"""The supervisor's operations of the API: figures, trails, acts, of one's own place."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from queueing.store import Ticket
from tests.web.test_clerk import give, press


@pytest.fixture
def served(login: Any, world: Any, clock: Any) -> None:
    """Two came, one is served after ten minutes."""
    clerk = login("clerk")
    clerk.post(f"/desk/{world.desks_a[0]}/take")
    give(clerk, world.desks_a[0], 2)
    clock.advance(minutes=10)
    press(clerk, "/next")
    press(clerk, "/finish")


def test_figures_are_those_of_the_page(served: None, login: Any) -> None:
    made = login("supervisor").get("/api/v1/figures?day=2026-11-22").json
    assert (made["total"]["arrivals"], made["total"]["served"], made["total"]["wait_mean"]) == (2, 1, 600.0)
    assert [row["hour"] for row in made["hours"]] == [10]
    assert login("other_supervisor").get("/api/v1/figures").json["total"]["arrivals"] == 0


def test_a_trail_is_ones_own_places(served: None, login: Any, db_session: Any) -> None:
    code = db_session.scalar(select(Ticket.code).where(Ticket.label == "A001"))
    made = login("supervisor").get(f"/api/v1/tickets/{code}/trail").json
    assert [step["action"] for step in made["steps"]] == ["issue", "call", "finish"]
    assert made["spent"]["waiting"] == 600.0
    assert login("other_supervisor").get(f"/api/v1/tickets/{code}/trail").status_code == 403
    assert login("supervisor").get("/api/v1/tickets/none/trail").status_code == 404


def test_acts_are_listed_and_wrong_cursors_refused(served: None, login: Any) -> None:
    chief = login("supervisor")
    found = chief.get("/api/v1/audit?person=clerk").json
    assert [(row["action"], row["ticket"]) for row in found["items"]][:2] == [
        ("finish", "A001"),
        ("call", "A001"),
    ]
    assert {row["actor"] for row in found["items"]} == {"clerk"} and found["next"] is None
    for cursor in ("x", "WzFd", "WyJhIiwxLDFd"):
        assert chief.get(f"/api/v1/audit?cursor={cursor}").status_code == 422


def test_supervisors_alone(client: Any, login: Any) -> None:
    for path in ("figures", "audit", "tickets/x/trail"):
        assert client.get(f"/api/v1/{path}").status_code == 401
        assert login("clerk").get(f"/api/v1/{path}").status_code == 403
