"""Queues to test with."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.builders import Place, make_place


@pytest.fixture
def place(session: Session) -> Place:
    """An open queue with two desks and two services, on each database."""
    return make_place(session)


@pytest.fixture
def quick(memory: Session) -> Place:
    """The same in memory, for rules that do not depend on the database."""
    return make_place(memory)
