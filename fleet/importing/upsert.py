"""Bringing tables to what an import wants, row by row of a code: added, changed, left alone, or taken out of use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from queueing.store import Base

CHUNK = 2000
Row = dict[str, Any]


@dataclass(frozen=True)
class Upserted:
    """How many rows were added and changed, the ids of all wanted ones by key, and which keys are new."""

    added: int
    changed: int
    ids: dict[str, int]
    new: frozenset[str]


def upsert(session: Session, entity: type[Base], wanted: Sequence[Row], *, key: str = "code") -> Upserted:
    """Insert rows whose key is unknown, update those that differ in a given column; rows not named stay as they are."""
    columns = list(wanted[0]) if wanted else [key]
    attributes = [getattr(entity, column) for column in columns]
    present = {row._mapping[key]: row for row in session.execute(select(entity.__table__.c.id, *attributes))}
    inserts = [row for row in wanted if row[key] not in present]
    updates = []
    for row in wanted:
        old = present.get(row[key])
        if old is not None and any(old._mapping[column] != row[column] for column in columns):
            updates.append({"id": old._mapping["id"], **row})
    ids = {str(name): int(old._mapping["id"]) for name, old in present.items()}
    identity = entity.__table__.c.id
    for start in range(0, len(inserts), CHUNK):
        part = inserts[start : start + CHUNK]
        made = session.scalars(insert(entity).returning(identity, sort_by_parameter_order=True), part)
        ids.update({row[key]: new for row, new in zip(part, made, strict=True)})
    if updates:
        session.execute(update(entity), updates)
    return Upserted(
        len(inserts),
        len(updates),
        {row[key]: ids[row[key]] for row in wanted},
        frozenset(r[key] for r in inserts),
    )


def references(
    session: Session, table: str, ids: Iterable[int], *, owned: Iterable[str] = ()
) -> Mapping[int, Counter[str]]:
    """Which of these rows other tables point at: id -> {table name: how often}. `owned` tables do not count.

    Looks at every foreign key of the product's metadata, so that tables of packages above are found without naming
    them.
    """
    wanted = set(ids)
    skip = set(owned)
    found: dict[int, Counter[str]] = {}
    for other in Base.metadata.sorted_tables:
        if other.name in skip:
            continue
        for column in other.c:
            if any(fk.column.table.name == table and fk.column.name == "id" for fk in column.foreign_keys):
                counts = select(column, func.count()).where(column.is_not(None)).group_by(column)
                for value, number in session.execute(counts):
                    if value in wanted:
                        found.setdefault(value, Counter())[other.name] += number
    return found


def delete_where(session: Session, table: Table, column: str, values: Sequence[int]) -> None:
    """Delete the rows of a table whose column holds one of the values, in chunks."""
    for start in range(0, len(values), 500):
        session.execute(delete(table).where(table.c[column].in_(values[start : start + 500])))
