"""At headquarters: take in a stretch of a device's log, whole or not at all, once, and acknowledge it.

The device sends entries `first` ... with the hash before them, and its highest sequence. What is known already is
compared, hash by hash; what is new is stored and shown in the tables in the same transaction. Acknowledged is what
headquarters has, never more than the device itself claims to have.

Verdicts:
- ok      taken in (or known); `ack` says up to where
- gap     the stretch begins after what is known: send from `ack` + 1
- behind  headquarters knows more of this epoch than the device does: it is a copy or was restored
- fork    a known place has another hash: the same
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.journal import chain
from queueing.journal.choices import ask
from queueing.journal.facts import instant
from queueing.journal.project import project
from queueing.journal.projected import May, Projected, RowApplier
from queueing.store import to_micros
from queueing.store_journal import Chain, Choice, ClockSegment, Device, JournalEntry, Lease

TRUE_WITHIN_US = 5_000_000
"""A clock that is this near is right: the line's delay is in the difference."""
STRANGE_US = 600_000_000
"""A clock that is further off than ten minutes: a person looks at what it did to the times."""
KINDS = ("ticket", "row", "clock", "start")


class BadPush(ValueError):
    """A stretch that no device of ours sends."""


@dataclass(frozen=True, slots=True)
class Push:
    """A stretch of a log. `high`: the device's last sequence; `said`: its clock while sending."""

    device: str
    epoch: str
    segment: str
    high: int
    first: int
    before: str
    bodies: list[dict[str, Any]]
    said: datetime
    at_high: str = ""
    """The device's hash at min(high, what it thinks is acknowledged): looked at when nothing is sent."""
    acked: int = 0


@dataclass
class Accepted:
    """The answer to a Push. Keeps its rows: a session forgets rows that nobody holds, and would ask for them again."""

    verdict: str
    ack: int
    hash: str
    log: Chain
    device: Device
    projected: Projected = field(default_factory=Projected)


def accept(
    session: Session,
    push: Push,
    *,
    center_id: int,
    now: datetime,
    may: May,
    rows: RowApplier | None = None,
) -> Accepted:
    """Take `push` in. The caller commits before it answers. Raises BadPush with nothing changed."""
    _check(push)
    offset = _offset(push, now)
    log = session.get(Chain, (push.device, push.epoch), with_for_update=True)
    if log is None:
        log = Chain(
            device=push.device, epoch=push.epoch, high=0, hash=chain.GENESIS, began_at=now, cause="first"
        )
        session.add(log)
        session.flush()
    device = _heard(session, push, log, center_id, offset, now)
    if push.high < log.high:
        return _copy(session, push, log, device, "behind", now)
    if push.acked <= log.high and push.acked and _hash_at(session, log, push.acked) != push.at_high:
        return _copy(session, push, log, device, "fork", now)
    if push.first > log.high + 1:
        return Accepted("gap", log.high, log.hash, log, device)
    if _hash_at(session, log, push.first - 1) != push.before:
        return _copy(session, push, log, device, "fork", now)
    texts = [chain.canonical(body) for body in push.bodies]
    hashes = chain.links(push.before, push.device, push.epoch, push.first, texts)
    overlap = log.high - push.first + 1
    if 0 < overlap <= len(hashes) and hashes[overlap - 1] != log.hash:
        return _copy(session, push, log, device, "fork", now)
    if 0 < len(hashes) < overlap and hashes[-1] != _hash_at(session, log, push.first + len(hashes) - 1):
        return _copy(session, push, log, device, "fork", now)
    _measure(session, push, offset, now)
    fresh = _store(session, log, push, texts, hashes, max(0, overlap), offset, now)
    done = project(session, fresh, now=now, may=may, rows=rows)
    _ask(session, push.device, center_id, done, now)
    device.unsent = push.high - log.high
    session.flush()
    return Accepted("ok", log.high, log.hash, log, device, done)


def _check(push: Push) -> None:
    if not (push.device and push.epoch and len(push.device) <= 32 and len(push.epoch) <= 16):
        raise BadPush("device and epoch are missing")
    if push.first < 1 or push.high < 0 or push.acked < 0 or push.first + len(push.bodies) - 1 > push.high:
        raise BadPush("the stretch ends after the device's own last entry")
    for body in push.bodies:
        kind, at = body.get("k"), body.get("h")
        if kind not in KINDS or not isinstance(at, int):
            raise BadPush(f"an entry of kind {kind!r}")
        needed = {"ticket": "catwr", "row": "niv", "clock": "g", "start": "w"}[kind]
        if any(key not in body for key in needed):
            raise BadPush(f"an entry of kind {kind} without what it is about")


def _offset(push: Push, now: datetime) -> int:
    offset = to_micros(now) - to_micros(push.said)
    return offset if abs(offset) > TRUE_WITHIN_US else 0


def _heard(session: Session, push: Push, log: Chain, center_id: int, offset: int, now: datetime) -> Device:
    device = session.get(Device, push.device)
    if device is None:
        device = Device(
            id=push.device, center_id=center_id, epoch=push.epoch, first_heard_at=now, heard_at=now,
            cursor=0, change_no=0,
        )  # fmt: skip
        session.add(device)
    elif device.center_id != center_id:
        raise BadPush("this device belongs to another center")
    device.epoch, device.heard_at, device.offset_us = push.epoch, now, offset
    device.unsent = max(0, push.high - log.high)
    session.flush()
    return device


def _hash_at(session: Session, log: Chain, sequence: int) -> str | None:
    if sequence == log.high:
        return log.hash
    if sequence == 0:
        return chain.GENESIS
    return session.scalar(
        select(JournalEntry.hash).where(
            JournalEntry.device == log.device,
            JournalEntry.epoch == log.epoch,
            JournalEntry.sequence == sequence,
        )
    )


def _copy(session: Session, push: Push, log: Chain, device: Device, verdict: str, now: datetime) -> Accepted:
    """Two databases go on from one point of this log. Both are kept; a person hears of it."""
    facts = {"epoch": push.epoch, "known": log.high, "claimed": push.high, "verdict": verdict}
    ask(
        session,
        "copy",
        f"{push.device}:{push.epoch}",
        device=push.device,
        center_id=device.center_id,
        facts=facts,
        now=now,
    )
    return Accepted(verdict, log.high, log.hash, log, device)


def _measure(session: Session, push: Push, offset: int, now: datetime) -> None:
    """How wrong the device's clock is in the segment it is in."""
    if not push.segment:
        return
    segment = session.get(ClockSegment, (push.device, push.segment))
    if segment is None:
        segment = ClockSegment(
            device=push.device, segment=push.segment, began_said=push.said, last_said=push.said
        )
        session.add(segment)
    segment.last_said = max(segment.last_said, push.said)
    if segment.offset_us is None or abs(segment.offset_us - offset) > TRUE_WITHIN_US:
        segment.offset_us = offset
    segment.measured_at = now
    session.flush()


def _store(
    session: Session,
    log: Chain,
    push: Push,
    texts: list[str],
    hashes: list[str],
    known: int,
    offset: int,
    now: datetime,
) -> list[JournalEntry]:
    """Store what is new; each entry with the correction of the clock that wrote it."""
    fresh = []
    corrections: dict[str, int] = {}
    for place in range(known, len(texts)):
        body, sequence = push.bodies[place], push.first + place
        said = instant(body["h"])
        if body["k"] == "clock":
            log.segment = str(body["g"])[:16]
            _begin_segment(session, push.device, log.segment, said)
        if body["k"] == "start":
            log.cause = str(body["w"])[:20]
        if log.segment not in corrections:
            corrections[log.segment] = _correction(session, push, log.segment, offset)
        entry = JournalEntry(
            device=push.device, epoch=push.epoch, sequence=sequence, kind=body["k"],
            ticket_code=body.get("c") if body["k"] == "ticket" else None, body=texts[place],
            hash=hashes[place], said_at=said, offset_us=corrections[log.segment], segment=log.segment,
            received_at=now, status="applied",
        )  # fmt: skip
        session.add(entry)
        fresh.append(entry)
        log.high, log.hash = sequence, hashes[place]
    session.flush()
    return fresh


def _begin_segment(session: Session, device: str, name: str, said: datetime) -> None:
    if session.get(ClockSegment, (device, name)) is None:
        session.add(ClockSegment(device=device, segment=name, began_said=said, last_said=said))
        session.flush()


def _correction(session: Session, push: Push, name: str, offset: int) -> int:
    """What to add to times of a segment. One that ended before anybody measured it has the same clock as the present
    one, if times only went forward from it to now."""
    segment = session.get(ClockSegment, (push.device, name))
    if segment is None:
        return offset
    if segment.offset_us is not None:
        return segment.offset_us
    present = session.get(ClockSegment, (push.device, push.segment))
    began = present.began_said if present is not None else push.said
    if segment.began_said <= began:
        segment.offset_us = offset
        return offset
    return 0


def _ask(session: Session, device: str, center_id: int, done: Projected, now: datetime) -> None:
    """Put before a person what this stretch left undecided."""
    common: dict[str, Any] = {"device": device, "center_id": center_id, "now": now}
    for ticket, other in done.clashes:
        facts = {"label": ticket.label, "codes": [other, ticket.code], "queue": ticket.queue_id}
        ask(session, "same_number", ticket.code, facts=facts, **common)
    for code in sorted({entry.ticket_code or "" for entry in done.held}):
        entries = [entry for entry in done.held if entry.ticket_code == code]
        facts = {"code": code, "entries": len(entries), "epoch": entries[0].epoch}
        ask(session, "two_histories", f"{code}:{device}:{entries[0].epoch}", facts=facts, **common)


def look_at_clock(session: Session, device: str, center_id: int, *, now: datetime) -> None:
    """Ask a person about segments whose clock was far off, or that say what cannot be."""
    chosen = select(ClockSegment).where(ClockSegment.device == device)
    for segment in session.scalars(chosen).all():
        offset = segment.offset_us
        future = segment.last_said + timedelta(microseconds=offset or 0) > now + timedelta(minutes=2)
        if (
            (offset is None and segment.measured_at is None and _has_tickets(session, segment))
            or future
            or (offset is not None and abs(offset) > STRANGE_US and _has_tickets(session, segment))
        ):
            facts = {
                "segment": segment.segment, "offset_us": offset,
                "from_us": to_micros(segment.began_said), "to_us": to_micros(segment.last_said),
            }  # fmt: skip
            ask(
                session, "clock", f"{device}:{segment.segment}", device=device, center_id=center_id,
                facts=facts, now=now,
            )  # fmt: skip


def _has_tickets(session: Session, segment: ClockSegment) -> bool:
    chosen = select(JournalEntry.id).where(
        JournalEntry.device == segment.device,
        JournalEntry.segment == segment.segment,
        JournalEntry.kind == "ticket",
    )
    return session.scalar(chosen.limit(1)) is not None


def lost_entries(
    session: Session, device: str, epoch: str, after: int, *, limit: int
) -> Iterable[tuple[int, str]]:
    """(sequence, text) of what a device had told before it lost it."""
    rows = session.execute(
        select(JournalEntry.sequence, JournalEntry.body)
        .where(JournalEntry.device == device, JournalEntry.epoch == epoch, JournalEntry.sequence > after)
        .order_by(JournalEntry.sequence)
        .limit(limit)
    )
    return [(row.sequence, row.body) for row in rows]


def decided(session: Session, kind: str, subject: str) -> str:
    """What a person decided, "" while nobody has."""
    found = session.scalar(select(Choice.decision).where(Choice.subject == f"{kind}:{subject}"))
    return found or ""


def leases_of(session: Session, device: str) -> list[Lease]:
    """The leases that run for a device."""
    return list(session.scalars(select(Lease).where(Lease.device == device, Lease.ended_at.is_(None))))
