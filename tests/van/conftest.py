"""Fixtures: headquarters and a van, an hour before its visit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.van.cast import Machine, Office
from tests.van.proxy import Proxy
from tests.van.source import PostgresSource, Source, SqliteSource
from tests.web import world as world_cast


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, world_cast.World]:
    """The cast's database, made once."""
    return world_cast.make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def clock() -> world_cast.StillClock:
    """10:00 in Cairo: the van's visit is open since 09:00."""
    return world_cast.StillClock()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, template: tuple[Path, world_cast.World]) -> Source:
    """Headquarters' databases: every test that asks for it runs on both."""
    if request.param == "postgresql":
        return PostgresSource(request.getfixturevalue("postgres"), template[1])
    return SqliteSource(template)


@pytest.fixture
def office(source: Source, tmp_path: Path, clock: world_cast.StillClock) -> Iterator[Office]:
    """Headquarters, served."""
    made = Office(source, tmp_path / "office", clock)
    yield made
    made.close()


@pytest.fixture
def proxy(office: Office) -> Iterator[Proxy]:
    """The line between them."""
    made = Proxy(office.port)
    yield made
    made.close()


@pytest.fixture
def van(office: Office, proxy: Proxy, tmp_path: Path, clock: world_cast.StillClock) -> Iterator[Machine]:
    """The laptop of MC-ASN-01, new from the shop."""
    made = Machine(tmp_path / "van", proxy.url, office.token, clock)
    yield made
    made.off()
