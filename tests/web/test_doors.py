"""What strangers send: addresses they claim, numbers and texts no form of ours makes. Refused, never an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from tests.web import world as cast
from tests.web.world import PASSWORD
from web.app import create_app

HUGE = "9" * 25


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
