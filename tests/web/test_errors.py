"""What goes wrong is said to people in their language: what happened, what to do, where to go on; and a first day is no
error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from queueing.store import Base
from tests.web import world as cast
from web.accounts import add_account
from web.app import create_app
from web.i18n import LANGUAGES

SAID = {
    401: ("Please sign in.", 'href="/en/login"'),
    403: ("Your account may not open this page.", 'href="/en/login"'),
    404: ("There is no such page.", "by the name of your place"),
    413: ("This is too large to send.", "a smaller file"),
    429: ("Too many attempts.", 'href="/en/broken/429"'),
    500: ("Something went wrong on our side.", 'href="/en/broken/500"'),
    503: ("Our records cannot be reached just now.", 'href="/en/broken/503"'),
}


@pytest.fixture
def broken(app: Flask) -> FlaskClient:
    """A client of an application with a page that fails as its address says."""

    @app.get("/broken/<int:status>")
    def fail(status: int) -> Any:
        if status == 503:
            raise OperationalError("SELECT 1", {}, Exception("gone"))
        abort(status)

    return app.test_client()


@pytest.mark.parametrize("status", SAID)
def test_each_error_says_what_happened_and_what_to_do(broken: FlaskClient, status: int) -> None:
    """One heading, the way on, the code for support; a way to try again only where that may help."""
    answer = broken.get(f"/en/broken/{status}")
    said, way = SAID[status]
    assert answer.status_code == status
    (heading,) = re.findall(r"<h1>(.*?)</h1>", answer.text)
    assert heading == said and way in answer.text
    assert "Go to the first page" in answer.text and "Code for support:" in answer.text
    assert ("Try again" in answer.text) == (status in (429, 500, 503))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", SAID)
def test_errors_speak_the_language_of_the_page(broken: FlaskClient, status: int, language: str) -> None:
    prefix = "" if language == "ar" else f"/{language}"
    answer = broken.get(f"{prefix}/broken/{status}")
    assert f'<html lang="{language}"' in answer.text
    assert (SAID[status][0] in answer.text) == (language == "en")


def test_staff_keep_their_own_frame_and_citizens_theirs(broken: FlaskClient) -> None:
    assert "citizen.css" in broken.get("/broken/404").text
    cast.sign_in(broken, "clerk")
    assert "base.css" in broken.get("/broken/404").text


def test_whoever_was_signed_out_is_told_and_comes_back(client: FlaskClient) -> None:
    """The sign-in page says why it is there, and leads back to the page that was wanted."""
    answer = client.get("/en/desk", follow_redirects=True)
    assert "You are not signed in, or were signed out." in answer.text
    assert 'name="next" value="/en/desk"' in answer.text
    assert "were signed out" not in client.get("/en/login").text


# --- the first day: no network, no plan, no visit


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """An installation of this morning: tables, two accounts and nothing else. Gives a client, signed in or not."""
    app = create_app(cast.settings_for(tmp_path), time_source=cast.StillClock())
    writer = app.extensions["writer"]
    Base.metadata.create_all(writer.engine)

    def accounts(session: Any) -> None:
        add_account(session, "planner", cast.PASSWORD, "planner", now=cast.NOW)
        add_account(session, "agency", cast.PASSWORD, "agency", now=cast.NOW, agency_code="CSO")

    with app.app_context():
        writer(accounts)

    def client(user: str | None = None) -> FlaskClient:
        made = app.test_client()
        if user:
            cast.sign_in(made, user)
        return made

    yield client
    writer.engine.dispose()


@pytest.mark.parametrize(
    ("user", "path", "words"),
    [
        (None, "/", "No place has been entered here yet."),
        (None, "/?near=24.09,32.90", "No visits have been announced near this place yet."),
        (None, "/?q=kom", "We found no place"),
        (None, "/map", "All of Egypt"),
        (None, "/figures", "There are no figures yet."),
        ("planner", "/planner", "There is no plan for this week yet."),
        ("planner", "/planner", "No mobile centers have been entered yet."),
        ("planner", "/planner/congestion", "There are no figures for this day."),
        ("planner", "/planner/forecast", "There is nothing to compare for this week"),
        ("planner", "/planner/live", "0 centers open"),
        ("planner", "/planner/warnings", "No line is about to be crowded."),
        ("planner", "/planner/vans", "No laptop has been heard yet."),
        ("planner", "/planner/repairs", "Nothing has gone wrong so far."),
        ("planner", "/planner/scenarios", "There is no plan to copy yet."),
        ("planner", "/planner/events", "Dated events"),
        ("planner", "/planner/nights", "Nights away"),
        ("agency", "/agency", "No tickets yet."),
    ],
)
def test_the_first_day_is_no_error(
    bare: Callable[..., FlaskClient], user: str | None, path: str, words: str
) -> None:
    """Every page opens over an empty database and says in words that nothing is there yet."""
    answer = bare(user).get("/en" + path)
    assert answer.status_code == 200 and words in answer.text
