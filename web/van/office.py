"""Headquarters' side of a sync: one POST takes a stretch of the van's log and answers with what the van should know.

docs/van-protocol.md describes the messages. The answer is given after the commit; the van may ask the same again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Center, Visit
from fleet.tracking import touch
from queueing.journal import leases
from queueing.journal.accept import BadPush, Push, accept, decided, look_at_clock, lost_entries
from queueing.journal.choices import ask
from queueing.journal.facts import instant
from queueing.journal.feed import news
from queueing.journal.packing import VERSION, Unreadable, pack, unpack
from queueing.measure import measure_day
from queueing.store import Queue, to_micros
from queueing.store_journal import Chain, Device, JournalEntry, Lease
from web import clock
from web.accounts import find_token
from web.db import read, write
from web.van.line import CONTENT, PATH
from web.van.picture import picture, ticket_row

blueprint = Blueprint("van_sync", __name__)
MOST_ENTRIES = 2_000
DEFAULT_DOWN, MOST_DOWN = 6_000, 200_000
"""Bytes of news in one answer, before packing."""
LEASE_DAYS = 7
LOST_AT_ONCE = 150


@dataclass(frozen=True)
class Asked:
    """A van's message, checked."""

    push: Push
    cursor: int
    pull: int
    down: int
    recover: tuple[str, str, int] | None


@blueprint.post(PATH)
def sync() -> Response:
    """Take in, answer."""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    token = find_token(read(), text.strip(), ("van",)) if scheme.lower() == "bearer" else None
    if token is None or token.center_id is None:
        return _refused(401, "this needs the token of a van: flask --app wsgi token van --center ...")
    center_id = token.center_id
    try:
        asked = read_message(unpack(request.get_data()))
    except (Unreadable, KeyError, TypeError, ValueError) as error:
        return _refused(400, f"not a message of a van: {error}")
    now = clock.now()
    try:
        said = write(lambda session: answer(session, center_id, asked, now))
    except BadPush as error:
        return _refused(409, str(error))
    return Response(pack(said), mimetype=CONTENT)


def _refused(status: int, words: str) -> Response:
    return Response(words, status=status, mimetype="text/plain")


def read_message(message: dict[str, Any]) -> Asked:
    """A message of a van, checked. Raises ValueError, KeyError or TypeError where it is none."""
    if message["v"] != VERSION:
        raise ValueError(f"version {message['v']!r}, this is {VERSION}")
    entries = message.get("entries", [])
    if len(entries) > MOST_ENTRIES or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("too many entries")
    recover = message.get("recover")
    push = Push(
        device=str(message["device"]), epoch=str(message["epoch"]), segment=str(message["segment"])[:16],
        high=int(message["high"]), first=int(message["first"]), before=str(message["before"]),
        bodies=entries, said=instant(int(message["now"])), at_high=str(message.get("at", "")),
        acked=int(message.get("acked", 0)),
    )  # fmt: skip
    return Asked(
        push=push,
        cursor=int(message.get("cursor", 0)),
        pull=min(LEASE_DAYS, int(message.get("pull", 0))),
        down=min(MOST_DOWN, max(500, int(message.get("down", DEFAULT_DOWN)))),
        recover=(str(recover[0]), str(recover[1]), int(recover[2])) if recover else None,
    )


def answer(session: Session, center_id: int, asked: Asked, now: datetime) -> dict[str, Any]:
    """What a van of this center is told after what it asked has been taken in; the caller commits before he says it."""
    push = asked.push
    allowed = set(session.scalars(select(Visit.queue_id).where(Visit.center_id == center_id)))
    allowed |= set(session.scalars(select(Lease.queue_id).where(Lease.device == push.device)))
    taken = accept(
        session,
        push,
        center_id=center_id,
        now=now,
        may=allowed.__contains__,
        rows=lambda *row: _row(now, *row),
    )
    said: dict[str, Any] = {
        "v": VERSION, "now": to_micros(now), "verdict": taken.verdict, "ack": taken.ack, "hash": taken.hash,
    }  # fmt: skip
    if taken.verdict in ("behind", "fork"):
        return said
    look_at_clock(session, push.device, center_id, now=now)
    for queue_id, day in sorted(taken.projected.days):
        measure_day(session, [queue_id], day, now=now, learn=False)
    device = taken.device
    if asked.pull:
        device.pulled_at = now
        _lease(session, center_id, push, asked.pull, now)
    leases.end_old(session, now=now)
    said |= _lease_facts(session, push, now)
    told = news(
        session, device, picture(session, center_id, push.device, now), confirmed=asked.cursor,
        most_bytes=asked.down,
    )  # fmt: skip
    said |= {"changes": [_whole(session, change) for change in told.changes], "cursor": told.cursor}
    if told.more:
        said["more"] = True
    origin = _goes_on_from(session, push)
    if origin and decided(session, "copy", f"{origin[0]}:{origin[1]}") == "one":
        said["recover"] = origin  # there is one laptop only: what the copy lacks is its own
    if asked.recover is not None and _same_center(session, asked.recover[0], center_id):
        lost = list(lost_entries(session, *asked.recover, limit=LOST_AT_ONCE))
        said["lost"] = [json.loads(text) for _sequence, text in lost]
        said["lost_to"] = lost[-1][0] if lost else asked.recover[2]
        said["lost_all"] = len(lost) < LOST_AT_ONCE
    return said


def _lease(session: Session, center_id: int, push: Push, days: int, now: datetime) -> None:
    """The morning's pull: the van runs its visits' queues of the asked days from now on."""
    today = local_day(now)
    visits = session.scalars(
        select(Visit)
        .where(
            Visit.center_id == center_id,
            Visit.day.between(today, today + timedelta(days=days - 1)),
            Visit.status.in_(("announced", "open")),
        )
        .order_by(Visit.id)
    ).all()
    for visit in visits:
        held, _band, contested = leases.lease(
            session, visit.queue_id, visit.day, push.device, push.epoch, now=now
        )
        log = session.get_one(Chain, (push.device, push.epoch))
        if contested and held.ended_at is None and log.cause != "copy":
            others = [other.device for other in leases.others_of(session, held)]
            facts = {"visit": visit.id, "queue": visit.queue_id, "devices": sorted([held.device, *others])}
            ask(
                session, "two_vans", f"{visit.queue_id}:{visit.day}", device=push.device, center_id=center_id,
                facts=facts, now=now,
            )  # fmt: skip


def _lease_facts(session: Session, push: Push, now: datetime) -> dict[str, Any]:
    """Which queues the device runs, with its numbers; which it must not run any more; where it is not alone."""
    bands, ended, contested = [], [], []
    chosen = select(Lease).where(Lease.device == push.device, Lease.day >= local_day(now))
    for held in session.scalars(chosen.order_by(Lease.queue_id)).all():
        if held.ended_at is not None:
            ended.append([held.queue_id, held.ended_why])
            continue
        queue = session.get_one(Queue, held.queue_id)
        band = leases.band_of(session, queue, held.day, push.device, push.epoch, now=now)
        bands.append([held.queue_id, held.day.isoformat(), band.first])
        if leases.others_of(session, held):
            contested.append(held.queue_id)
    return {"bands": bands, "ended": ended, "contested": contested}


def _whole(session: Session, change: list[Any]) -> list[Any]:
    name, key, row = change
    return [name, key, ticket_row(session, row["id"])] if name == "ticket" and row else change


def _goes_on_from(session: Session, push: Push) -> list[Any]:
    """Where the log of a copy goes on from: [device, epoch, sequence]; [] for a log of its own."""
    log = session.get_one(Chain, (push.device, push.epoch))
    if log.cause != "copy":
        return []
    body = session.scalar(
        select(JournalEntry.body)
        .where(
            JournalEntry.device == push.device, JournalEntry.epoch == push.epoch, JournalEntry.kind == "start"
        )
        .order_by(JournalEntry.sequence)
        .limit(1)
    )
    return list(json.loads(body)["o"]) if body else []


def _same_center(session: Session, device: str, center_id: int) -> bool:
    known = session.get(Device, device)
    return known is not None and known.center_id == center_id


def _row(
    now: datetime, session: Session, name: str, key: str, values: dict[str, Any], offset_us: int
) -> None:
    """A visit as the van had it: open since, closed since. One that was cancelled here stays so."""
    if name != "visit":
        return
    visit = session.get(Visit, int(key))
    if visit is None:
        return
    for column in ("opened_at", "closed_at"):
        if values.get(column) is not None:
            setattr(visit, column, instant(values[column] + offset_us))
    status = values.get("status")
    if status in ("open", "closed") and visit.status in ("announced", "open"):
        visit.status = status
        late = (
            max(0, round((visit.opened_at - visit.opens_at).total_seconds() / 60)) if visit.opened_at else 0
        )
        state = "open" if status == "open" else "away" if visit.overnight else "returning"
        touch(
            session, session.get_one(Center, visit.center_id), part="visit", now=now, state=state,
            late_minutes=late if status == "open" else 0,
        )  # fmt: skip


def init_app(app: Any, exempt: Any) -> None:
    """Register the endpoint; it carries a token, no form."""
    exempt(blueprint)
    app.register_blueprint(blueprint)
