"""On the device: who am I, and what if I am a copy.

A laptop is known by a file beside its database, because databases get restored and disks get cloned. The file also
remembers how far the log had come, so that a restored database is found out at once, without a line. Whoever finds out
begins a new epoch: its numbers jump to where nobody drew any, and what was not acknowledged is written again there.
Events that headquarters has already are recognised by their request ids, so nothing counts twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.journal.marks import get_mark, set_mark
from queueing.journal.seal import append, head
from queueing.store import Queue, QueueDay, to_micros
from queueing.store_journal import JournalEntry, NumberBand

JUMP = 100
"""A new epoch's numbers begin at a full hundred with at least this many numbers left out before it."""
ZONE = "Africa/Cairo"


@dataclass(frozen=True, slots=True)
class Witness:
    """What the file beside the database says."""

    device: str
    epoch: str = ""
    sequence: int = 0
    hash: str = ""
    numbers: dict[str, int] | None = None
    """`queue:day` -> the next number, as last seen."""
    last_us: int = 0
    """The latest instant that this device is known to have lived through."""
    offset_us: int = 0
    """Headquarters' clock minus the machine's, as last measured."""


def doubt(session: Session, witness: Witness) -> str:
    """Why this database cannot simply go on as this device: first | no_database | foreign | restored, or "" if it
    can."""
    mark = get_mark(session, "self")
    if not mark:
        return "no_database" if witness.epoch else "first"
    if mark["device"] != witness.device:
        return "foreign"
    if not witness.epoch:
        return ""
    if mark["epoch"] != witness.epoch:
        # The file is written after the commit: a crash in between leaves it one epoch behind.
        return "" if mark.get("before") == witness.epoch else "restored"
    sequence, _hash = head(session, mark["device"], mark["epoch"])
    if sequence < witness.sequence:
        return "restored"
    known = session.scalar(
        select(JournalEntry.hash).where(
            JournalEntry.device == witness.device,
            JournalEntry.epoch == witness.epoch,
            JournalEntry.sequence == witness.sequence,
        )
    )
    return "restored" if witness.sequence and known != witness.hash else ""


def begin(
    session: Session,
    witness: Witness,
    *,
    cause: str,
    epoch: str,
    now: datetime,
    follows: tuple[str, str, int] | None = None,
) -> None:
    """Begin `epoch` as the witness's device: what was not acknowledged is written again, numbers jump.

    `follows`: (device, epoch, sequence) of the log that this one goes on from, where this database does not know it.
    """
    old = get_mark(session, "self")
    acked = get_mark(session, "acked").get("sequence", 0)
    unsent: list[dict[str, Any]] = []
    origin = follows
    if old:
        mine = (JournalEntry.device == old["device"], JournalEntry.epoch == old["epoch"])
        lost = session.execute(
            select(JournalEntry.body, JournalEntry.segment, JournalEntry.said_at)
            .where(*mine, JournalEntry.sequence > acked, JournalEntry.kind.in_(("ticket", "row")))
            .order_by(JournalEntry.sequence)
        ).all()
        segment = ""
        for body, of, said in lost:
            if of != segment:  # whose clock it was, for a reader who begins here
                segment = of
                unsent.append({"k": "clock", "g": of, "w": "again", "h": to_micros(said)})
            unsent.append(json.loads(body))
        now_in = get_mark(session, "clock").get("segment", "")
        if now_in != segment:
            unsent.append({"k": "clock", "g": now_in, "w": "again", "h": to_micros(now)})
        session.execute(
            update(JournalEntry).where(*mine, JournalEntry.sequence > acked).values(status="moved")
        )
        origin = origin or (old["device"], old["epoch"], acked)
    set_mark(
        session, "self", {"device": witness.device, "epoch": epoch, "before": witness.epoch, "cause": cause}
    )
    set_mark(session, "acked", {"sequence": 0})
    set_mark(session, "rows", {})  # whatever stands in rows is told anew
    if origin is not None and cause in ("restored", "no_database"):
        set_mark(session, "recover", {"device": origin[0], "epoch": origin[1], "after": origin[2]})
    start = {"k": "start", "w": cause, "o": list(origin or ()), "h": to_micros(now)}
    append(session, [start, *unsent])
    if cause != "first":
        jump(session, witness, epoch=epoch, now=now)


def jump(session: Session, witness: Witness, *, epoch: str, now: datetime) -> None:
    """Leave out every number that the lost part of the log may have drawn, in the queues' days from today on."""
    today = local_day(now, ZONE)
    known: dict[tuple[int, date], int] = {}
    for counter in session.scalars(select(QueueDay).where(QueueDay.day >= today)):
        known[counter.queue_id, counter.day] = counter.next_number
    for key, number in (witness.numbers or {}).items():
        queue, _colon, when = key.partition(":")
        place = int(queue), date.fromisoformat(when)
        if place[1] >= today:
            known[place] = max(number, known.get(place, 1))
    floors: dict[str, Any] = {}
    for (queue_id, day), number in known.items():
        first = (number // JUMP + 2) * JUMP + 1
        if session.get(Queue, queue_id) is None:  # a fresh database: when headquarters tells of the queue
            floors[f"{queue_id}:{day.isoformat()}"] = first
        else:
            draw_from(session, queue_id, day, first, witness.device, epoch, now)
    if floors:
        set_mark(session, "floors", floors)


def draw_from(
    session: Session, queue_id: int, day: date, first: int, device: str, epoch: str, now: datetime
) -> None:
    """The queue's day draws its numbers from `first` on, if it has not come further already."""
    counter = session.get(QueueDay, (queue_id, day), populate_existing=True)
    if counter is None:
        session.add(QueueDay(queue_id=queue_id, day=day, next_number=first, issued=0))
    elif counter.next_number < first:
        counter.next_number = first
    else:
        return
    if session.get(NumberBand, (queue_id, day, first)) is None:
        session.add(
            NumberBand(queue_id=queue_id, day=day, first=first, device=device, epoch=epoch, made_at=now)
        )
    session.flush()
