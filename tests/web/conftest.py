"""Fixtures of the web tests: an application over its own copy of the cast, and people signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Plan
from tests.web import world as cast
from tests.web.planned import copy_planned, make_planned
from web.app import create_app


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast's database, made once."""
    return cast.make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(template: tuple[Path, cast.World]) -> cast.World:
    """Ids of the cast."""
    return template[1]


@pytest.fixture
def clock() -> cast.StillClock:
    """The application's clock: 10:00 in Cairo on 22 November 2026, until a test moves it."""
    return cast.StillClock()


@pytest.fixture
def app(
    request: pytest.FixtureRequest, template: tuple[Path, cast.World], clock: cast.StillClock, tmp_path: Path
) -> Iterator[Flask]:
    """The application over a fresh copy of the cast, or of the week that a module's mark `week` names. CSRF checks
    are off; `app.config["WTF_CSRF_ENABLED"] = True` turns them on for a test that sends a page's forms."""
    if week := _week(request):
        yield request.getfixturevalue("over")(request.getfixturevalue(week))
        return
    cast.copy_database(template[0], tmp_path / "test.db")
    made = create_app(cast.settings_for(tmp_path), time_source=clock)
    made.config["WTF_CSRF_ENABLED"] = False
    yield made
    made.extensions["relay"].stop()
    made.extensions["writer"].engine.dispose()


@pytest.fixture(scope="session")
def planned(template: tuple[Path, cast.World], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cast with a solved draft of the coming week, made once."""
    return make_planned(template[0], tmp_path_factory.mktemp("planned"))


@pytest.fixture
def over(clock: cast.StillClock, tmp_path: Path) -> Iterator[Callable[[Path], Flask]]:
    """Makes the application over a fresh copy of a planned or published week."""
    made: list[Flask] = []

    def make(week: Path) -> Flask:
        copy_planned(week, tmp_path / "test.db")
        made.append(create_app(cast.settings_for(tmp_path), time_source=clock))
        made[-1].config["WTF_CSRF_ENABLED"] = False
        return made[-1]

    yield make
    for app in made:
        app.extensions["writer"].engine.dispose()


def _week(request: pytest.FixtureRequest) -> str:
    """The fixture with the week that the module's tests work on; empty: the bare cast."""
    mark = request.node.get_closest_marker("week")
    return str(mark.args[0]) if mark else ""


@pytest.fixture
def client(request: pytest.FixtureRequest, app: Flask, login: Callable[..., FlaskClient]) -> FlaskClient:
    """Somebody who is not signed in; with the mark `week`, the planner at work."""
    return login("planner") if _week(request) else app.test_client()


@pytest.fixture
def plan(db_session: Session) -> Plan:
    """The solved draft of a planned week."""
    return db_session.scalars(select(Plan)).one()


@pytest.fixture
def busy(login: Callable[..., FlaskClient], world: cast.World, clock: cast.StillClock) -> FlaskClient:
    """A clerk's morning at Aswan: three came, one is served after 10 minutes of waiting and 4 of service."""
    from tests.web.test_clerk import give, press

    clerk = login("clerk")
    clerk.post(f"/desk/{world.desks_a[0]}/take")
    give(clerk, world.desks_a[0], 3)
    clock.advance(minutes=10)
    press(clerk, "/next")
    press(clerk, "/start")
    clock.advance(minutes=4)
    press(clerk, "/finish")
    return clerk


@pytest.fixture
def login(app: Flask) -> Callable[..., FlaskClient]:
    """`login("clerk")` -> a new client signed in so; `login(client, "clerk")` signs that client in."""

    def sign(*args: Any) -> FlaskClient:
        client: FlaskClient = args[0] if len(args) == 2 else app.test_client()
        cast.sign_in(client, args[-1])
        return client

    return sign


@pytest.fixture
def write(app: Flask) -> Callable[[Callable[[Session], Any]], Any]:
    """`write(lambda session: ...)`: change the database as another process would, committed."""

    def run(work: Callable[[Session], Any]) -> Any:
        return app.extensions["writer"](work)

    return run


@pytest.fixture
def db_session(app: Flask) -> Iterator[Session]:
    """A session for looking at what was committed. Call `.expire_all()` or `.rollback()` to look again."""
    with Session(app.extensions["writer"].engine) as session:
        yield session
