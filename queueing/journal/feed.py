"""What headquarters tells a device: rows, each once, and again when it changed.

The picture is all that the device should know now: table -> key -> row, in JSON. The feed remembers a digest of every
row told and at which change; the device confirms the last change that it has stored. So an answer that got lost is told
again, and what a device does not know yet can be listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.store_journal import Device, Feed

Picture = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""table -> key -> column -> value. Tables in the order in which they must be stored."""


@dataclass(frozen=True, slots=True)
class News:
    """Changes for a device: [table, key, row or None when it is gone], and the cursor to confirm them with."""

    changes: list[list[Any]]
    cursor: int
    more: bool


def news(session: Session, device: Device, picture: Picture, *, confirmed: int, most_bytes: int) -> News:
    """What `device` does not know yet after change `confirmed`, the oldest first, about `most_bytes` of it."""
    if confirmed > device.change_no:  # this database was restored: tell everything again
        device.change_no = confirmed
        for known in session.scalars(select(Feed).where(Feed.device == device.id)):
            known.digest = "?"
    device.cursor = confirmed
    told = _compare(session, device, picture)
    rows = sorted((row for row in told if row.change_no > confirmed), key=lambda row: row.change_no)
    changes: list[list[Any]] = []
    size, cursor = 0, confirmed
    for row in rows:
        value = picture.get(row.name, {}).get(row.key) if row.digest else None
        change = [row.name, row.key, value]
        size += len(json.dumps(change, ensure_ascii=False, default=str))
        if changes and size > most_bytes:
            return News(changes, cursor, True)
        changes.append(change)
        cursor = row.change_no
    return News(changes, cursor, False)


def unknown(session: Session, device: Device, picture: Picture) -> dict[str, int]:
    """How many rows of each table a device does not know as they are now. Changes nothing."""
    known = {
        (row.name, row.key): row for row in session.scalars(select(Feed).where(Feed.device == device.id))
    }
    found: dict[str, int] = {}
    for name, rows in picture.items():
        for key, row in rows.items():
            told = known.pop((name, key), None)
            if told is None or told.change_no > device.cursor or told.digest != digest(row):
                found[name] = found.get(name, 0) + 1
    for (name, _key), told in known.items():
        if told.digest or told.change_no > device.cursor:
            found[name] = found.get(name, 0) + 1
    return found


def digest(row: Mapping[str, Any]) -> str:
    """A short fingerprint of a row. A row that only ever comes once says so by `_as`."""
    if "_as" in row:
        row = {"_as": row["_as"]}
    text = json.dumps(row, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _compare(session: Session, device: Device, picture: Picture) -> list[Feed]:
    """Give every row that is new, other or gone the next number of change; all rows, as they are then."""
    every = list(session.scalars(select(Feed).where(Feed.device == device.id)))
    known = {(row.name, row.key): row for row in every}
    for name, rows in picture.items():
        for key, row in rows.items():
            fresh = digest(row)
            told = known.pop((name, key), None)
            if told is not None and told.digest == fresh:
                continue
            device.change_no += 1
            if told is None:
                made = Feed(device=device.id, name=name, key=key, digest=fresh, change_no=device.change_no)
                session.add(made)
                every.append(made)
            else:
                told.digest, told.change_no = fresh, device.change_no
    for told in known.values():
        if told.digest:
            device.change_no += 1
            told.digest, told.change_no = "", device.change_no
    session.flush()
    return every
