"""Rows that change in place on a van (states of queues and desks, shifts, numbers on paper, answers to wishes) as this
database shows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.journal.book import Item
from queueing.journal.facts import instant
from queueing.journal.projected import May, Projected, RowApplier
from queueing.store import Desk, DeskShift, Queue
from queueing.store_journal import JournalEntry, Wish
from queueing.store_tablet import PaperStrip

SAME_SHIFT = timedelta(minutes=1)


def project_rows(
    session: Session, items: Iterable[Item], done: Projected, rows: RowApplier | None, may: May
) -> None:
    """Show entries of kind row, in order."""
    for entry, body in items:
        entry.status = "applied"
        _row(session, entry, body, done, rows, may)


def _row(
    session: Session,
    entry: JournalEntry,
    body: dict[str, Any],
    done: Projected,
    rows: RowApplier | None,
    may: May,
) -> None:
    name, key, values = body["n"], body["i"], body["v"]
    if name == "queue":
        queue = session.get(Queue, int(key))
        if queue is not None and may(queue.id) and "state" in values:
            queue.state = values["state"]
            done.queues.add(queue.id)
    elif name == "desk":
        desk = session.get(Desk, int(key))
        if desk is not None and may(desk.queue_id):
            desk.state = values.get("state", desk.state)
            desk.operator = values.get("operator", desk.operator)
            done.queues.add(desk.queue_id)
    elif name == "shift":
        desk = session.get(Desk, int(key.split(":")[0]))
        if desk is not None and may(desk.queue_id):
            _shift(session, desk, int(key.split(":")[1]), values, entry.offset_us, done)
    elif name == "strip":
        if "first" in values and may(values["queue_id"]):
            _strip(session, key, values, entry.offset_us)
    elif name == "wish":
        wish = session.get(Wish, key)
        if wish is not None:
            wish.state = values.get("state", wish.state)
            wish.reason = values.get("reason", wish.reason)
    elif rows is not None:
        rows(session, name, key, values, entry.offset_us)


def _shift(
    session: Session, desk: Desk, opened_us: int, values: dict[str, Any], offset_us: int, done: Projected
) -> None:
    """A stretch of a desk. Its end finds its beginning also where the clock was corrected a little in between."""
    opened = instant(opened_us + offset_us)
    closed_us = values.get("closed_at")
    closed = instant(closed_us + offset_us) if closed_us is not None else None
    mine = session.scalars(
        select(DeskShift)
        .where(
            DeskShift.desk_id == desk.id,
            DeskShift.opened_at.between(opened - SAME_SHIFT, opened + SAME_SHIFT),
        )
        .limit(1)
    ).first()
    running = session.scalar(
        select(DeskShift.id).where(DeskShift.desk_id == desk.id, DeskShift.closed_at.is_(None))
    )
    if mine is not None:
        if closed is not None:
            mine.closed_at = max(closed, mine.opened_at)
    elif closed is not None or running is None:
        session.add(DeskShift(desk_id=desk.id, queue_id=desk.queue_id, opened_at=opened, closed_at=closed))
    session.flush()
    done.days.add((desk.queue_id, local_day(opened, "Africa/Cairo")))


def _strip(session: Session, request_id: str, values: dict[str, Any], offset_us: int) -> None:
    """A block of numbers on paper. Two laptops may have printed the same numbers: the first one's stands here."""
    day = date.fromisoformat(values["day"])
    known = select(PaperStrip.id).where(
        (PaperStrip.request_id == request_id)
        | (
            (PaperStrip.queue_id == values["queue_id"])
            & (PaperStrip.day == day)
            & (PaperStrip.first == values["first"])
        )
    )
    if session.scalar(known.limit(1)) is None:
        session.add(
            PaperStrip(
                queue_id=values["queue_id"], day=day, first=values["first"], last=values["last"],
                request_id=request_id, actor=values["actor"], made_at=instant(values["made_at"] + offset_us),
            )
        )  # fmt: skip
        session.flush()
