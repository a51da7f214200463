"""Many rows into the database at once, on SQLite and PostgreSQL, with ids known beforehand.

Instants in rows are whole microseconds since 1970 (`queueing.store.to_micros`), JSON values are text:
what SQLite stores as it is; for PostgreSQL they are turned into what COPY takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, func, select, text
from sqlalchemy.orm import Session

from queueing.store import EPOCH, UtcDateTime

Row = Sequence[Any]


def reserve_ids(session: Session, table: Table, count: int) -> range | list[int]:
    """Ids for `count` new rows, ascending. Nobody else gets them: SQLite has one writer, PostgreSQL its
    sequence."""
    if count == 0:
        return range(0)
    if session.get_bind().dialect.name == "sqlite":
        last = session.scalar(select(func.max(table.c.id))) or 0
        return range(last + 1, last + 1 + count)
    rows = session.execute(
        text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"),
        {"name": table.name, "count": count},
    )
    return sorted(rows.scalars())


def insert_rows(session: Session, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Insert tuples of `columns` in the session's transaction, without the ORM. Returns how many.

    SQLite: one prepared statement for all. PostgreSQL: COPY, some ten times faster than INSERT there.
    """
    rows = list(rows)
    if not rows:
        return 0
    cursor = session.connection().connection.cursor()
    names = ", ".join(f'"{name}"' for name in columns)
    try:
        if session.get_bind().dialect.name == "sqlite":
            marks = ", ".join("?" * len(columns))
            cursor.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', rows)
        else:
            instants = [i for i, name in enumerate(columns) if isinstance(table.c[name].type, UtcDateTime)]
            with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    values = list(row)
                    for i in instants:
                        if values[i] is not None:
                            values[i] = EPOCH + timedelta(microseconds=values[i])
                    copy.write_row(values)
    finally:
        cursor.close()
    return len(rows)
