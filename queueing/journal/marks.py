"""Where this device stands, kept in its database."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from queueing.store_journal import JournalMark


def get_mark(session: Session, key: str) -> dict[str, Any]:
    """The mark's value, {} when it was never set."""
    mark = session.get(JournalMark, key)
    return dict(mark.value) if mark is not None else {}


def set_mark(session: Session, key: str, value: dict[str, Any]) -> None:
    """Set a mark; stored with the caller's transaction."""
    mark = session.get(JournalMark, key)
    if mark is None:
        session.add(JournalMark(key=key, value=value))
    else:
        mark.value = value
    session.flush()
