"""Rows of tables as JSON and back, by the types of their columns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Date
from sqlalchemy.orm import Session

from queueing.journal.facts import instant
from queueing.store import UtcDateTime, to_micros


def as_json(row: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """An ORM row's columns. Empty columns are left out."""
    found = {}
    for column in type(row).__table__.columns:
        value = getattr(row, column.name)
        if column.name in without or value is None or value == "":
            continue
        if isinstance(value, datetime):
            value = to_micros(value)
        elif isinstance(value, date):
            value = value.isoformat()
        found[column.name] = value
    return found


def put(session: Session, model: Any, values: dict[str, Any], *, keep: Collection[str] = ()) -> Any:
    """Insert or update the row with these columns (those this version knows); `keep`: not touched where the row is
    there already. A column that is left out is empty."""
    types = _types(model)
    known = {name: _value(types[name], value) for name, value in values.items() if name in types}
    key = tuple(known[column.name] for column in model.__table__.primary_key.columns)
    row = session.get(model, key if len(key) > 1 else key[0])
    if row is None:
        row = model(**known)
        session.add(row)
    else:
        for name, column in model.__table__.columns.items():
            if name in keep or column.primary_key:
                continue
            if name in known:
                setattr(row, name, known[name])
            elif column.nullable:
                setattr(row, name, None)
            elif str(column.type).startswith(("VARCHAR", "TEXT")):
                setattr(row, name, "")
    session.flush()
    return row


@cache
def _types(model: Any) -> dict[str, Any]:
    return {name: column.type for name, column in model.__table__.columns.items()}


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return instant(value)
    return date.fromisoformat(value) if isinstance(kind, Date) else value
