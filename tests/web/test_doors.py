"""What strangers send: addresses they claim, numbers and texts that no form of ours makes. Refused, never our error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy.exc import DataError, OperationalError

from fleet.simulation.clock import DemoClock
from tests.web import world as cast
from tests.web.world import PASSWORD
from web.accounts import new_token
from web.app import create_app
from web.clock import SimulatedClock

HUGE = "9" * 25
Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def bearer(write: Callable[..., str]) -> Bearer:
    """`bearer("kiosk", queue_id=1)` -> the headers of a program with such a token."""

    def made(kind: str, **owner: int) -> dict[str, str]:
        now = cast.StillClock().now()
        return {"Authorization": "Bearer " + write(lambda s: new_token(s, kind, now=now, **owner))}

    return made


@pytest.fixture
def strict(app: Flask) -> Iterator[FlaskClient]:
    """A client of the application as it runs for real: what is unforeseen becomes a 500."""
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app.test_client()
    app.testing = True


def test_a_claimed_address_does_not_get_around_the_login_throttle(client: FlaskClient) -> None:
    """Without a proxy in front, another X-Forwarded-For with every try is still the same guesser."""
    for n in range(5):
        headers = {"X-Forwarded-For": f"10.0.0.{n}"}
        wrong = client.post("/login", data={"name": "clerk", "password": "wrong wrong"}, headers=headers)
        assert wrong.status_code == 401
    data = {"name": "clerk", "password": PASSWORD}
    assert client.post("/login", data=data, headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 429


def test_behind_one_proxy_the_address_that_it_saw_counts(
    template: tuple[Path, cast.World], tmp_path: Path
) -> None:
    """The last entry is the proxy's; what the visitor wrote before it is not believed."""
    cast.copy_database(template[0], tmp_path / "test.db")
    app = create_app(replace(cast.settings_for(tmp_path), trusted_proxies=1), time_source=cast.StillClock())
    app.add_url_rule("/whoami", "whoami", lambda: request.remote_addr or "")
    answer = app.test_client().get("/whoami", headers={"X-Forwarded-For": "6.6.6.6, 41.33.1.2"})
    app.extensions["writer"].engine.dispose()
    assert answer.text == "41.33.1.2"


def test_a_claimed_host_does_not_reach_the_links_of_a_page(client: FlaskClient) -> None:
    """A link in a calendar file names the host that was asked, not one that the asker made up."""
    text = client.get("/feeds/visits/1.ics", headers={"X-Forwarded-Host": "evil.example"}).text
    assert "BEGIN:VEVENT" in text
    assert "evil.example" not in text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"/visits/{HUGE}", 404),
        (f"/queues/{HUGE}/take", 404),
        (f"/feeds/sites/{HUGE}.ics", 404),
        (f"/api/v1/queues/{HUGE}", 404),
        (f"/api/v1/sites?governorate={HUGE}", 422),
        ("/api/v1/sites?governorate=%C2%B2", 422),
        ("/api/v1/sites?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMF0", 422),
        ("/login?next=//[", 200),
    ],
)
def test_made_up_numbers_in_an_address_are_refused(strict: FlaskClient, address: str, status: int) -> None:
    """A number that no database holds, or a digit that is none, is a page that is not there: never a 500."""
    assert strict.get(address).status_code == status


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("page", ["/planner?week=", "/planner/congestion?day=", "/planner/sites/1?day="])
def test_days_at_the_ends_of_the_calendar_are_refused(strict: FlaskClient, page: str, day: str) -> None:
    """The week before the first day there is cannot be shown: 400, not an error of ours."""
    cast.sign_in(strict, "planner")
    assert strict.get(page + day).status_code == 400


def test_texts_that_are_no_text_are_refused_by_the_api(
    strict: FlaskClient, world: cast.World, bearer: Bearer
) -> None:
    """Half a surrogate pair or a NUL cannot be stored: 422 that names the field."""
    headers = bearer("kiosk", queue_id=world.queue_a)
    for text in ("\\ud800", "\\u0000"):
        body = '{"service": "' + text + '", "request_id": "r-1"}'
        answer = strict.post(
            f"/api/v1/queues/{world.queue_a}/tickets",
            data=body,
            content_type="application/json",
            headers=headers,
        )
        assert answer.status_code == 422
        assert answer.json is not None
        assert answer.json["errors"][0]["field"] == "service"


@pytest.mark.parametrize(
    "fix",
    [
        {"lat": 10**400, "lon": 31.2},
        {"lat": 30.1, "lon": 31.2, "timestamp": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_positions_beyond_all_numbers_are_refused(
    strict: FlaskClient, world: cast.World, bearer: Bearer, fix: dict[str, object]
) -> None:
    """A degree or an instant that no computer holds is a wrong field, not an error of ours."""
    headers = bearer("device", center_id=world.center_a)
    assert strict.post("/api/v1/positions", json=fix, headers=headers).status_code == 422


def test_a_desk_of_no_possible_number_is_refused(
    strict: FlaskClient, world: cast.World, bearer: Bearer
) -> None:
    """The numbers in a body have bounds, as those in addresses have."""
    answer = strict.post(
        "/api/v1/tickets/x/start",
        json={"request_id": "r", "desk": 10**30},
        headers=bearer("desk", desk_id=world.desks_a[0]),
    )
    assert answer.status_code == 422


def test_a_kiosk_does_not_give_the_priority_that_staff_decide_on(
    strict: FlaskClient, world: cast.World, bearer: Bearer
) -> None:
    """Priority 3 is for a desk's program; from a kiosk it is refused and nothing is given out."""
    address = f"/api/v1/queues/{world.queue_a}/tickets"
    body = {"service": "NID-01", "request_id": "urgent", "priority": 3}
    refused = strict.post(address, json=body, headers=bearer("kiosk", queue_id=world.queue_a))
    assert (refused.status_code, (refused.json or {})["code"]) == (403, "priority_of_staff")
    given = strict.post(address, json=body, headers=bearer("desk", desk_id=world.desks_a[0]))
    assert given.status_code == 201


def test_without_a_database_people_signed_in_read_a_sentence(
    app: Flask, strict: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that says so must not need the database itself, not even for the name in its head."""
    cast.sign_in(strict, "clerk")

    def gone(*_a: object, **_k: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr("sqlalchemy.orm.Session.execute", gone)
    monkeypatch.setattr("sqlalchemy.orm.Session.get", gone)
    monkeypatch.setattr("sqlalchemy.orm.Session.scalars", gone)
    monkeypatch.setattr("sqlalchemy.orm.Session.scalar", gone)
    answer = strict.get("/en/desk")
    assert answer.status_code == 503
    assert "Our records cannot be reached" in answer.text
    assert "connection refused" not in answer.text


def test_the_demonstrations_clock_stands_while_the_database_is_away() -> None:
    """Its anchor cannot be read: the last one holds, for as long as its patience."""
    answers: list[object] = [
        DemoClock(datetime.now(UTC), datetime(2026, 11, 22, 8, tzinfo=UTC), 60.0).to_dict()
    ]

    def load() -> Any:
        if not answers:
            raise OperationalError("SELECT 1", {}, Exception("connection refused"))
        return answers.pop()

    demo = SimulatedClock(load)
    first = demo.now()
    demo._read_at = None
    assert first <= demo.now() < first + timedelta(minutes=10)


def test_what_the_database_cannot_store_is_the_senders_fault(
    strict: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL refuses a NUL in a text: 422, for programs and for people, and nothing of its words."""

    def refuses(*_a: object, **_k: object) -> None:
        raise DataError("SELECT 1", {}, Exception("NUL in text"))

    monkeypatch.setattr("web.api.tickets._ticket", refuses)
    monkeypatch.setattr("web.citizen.tickets._find", refuses)
    for address in ("/api/v1/tickets/x", "/tickets/x"):
        answer = strict.get(address)
        assert answer.status_code == 422
        assert "NUL" not in answer.text
