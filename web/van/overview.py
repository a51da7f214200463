"""At headquarters: how every laptop stands, what it does not know yet, and what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Center, Visit
from queueing.journal.accept import STRANGE_US
from queueing.journal.choices import open_choices
from queueing.journal.facts import instant
from queueing.journal.feed import unknown
from queueing.store import Ticket
from queueing.store_journal import Chain, Choice, Device, Lease
from web.van.picture import picture

KINDS = {
    "visit": "visits", "ticket": "tickets", "wish": "wishes", "account": "staff", "service": "services",
    "queue": "queues", "desk": "desks", "queue_service": "services", "desk_service": "services",
}  # fmt: skip
"""Tables as a person knows them; all others are `places`."""
URGENT = ("copy", "two_vans")


@dataclass(frozen=True, slots=True)
class LaptopRow:
    """One laptop."""

    device: Device
    center: Center
    cause: str
    visits: list[Visit]
    """Visits of today that it runs."""
    lacking: dict[str, int]
    """What it has not confirmed, by kind; {} when it knows everything."""
    clock_off: bool
    choices: int
    unheard: bool
    """Its visit is on, and it has not been heard since it opened."""


@dataclass(frozen=True, slots=True)
class Question:
    """A choice with what is needed to word it."""

    choice: Choice
    center: Center | None
    facts: dict[str, Any]

    @property
    def urgent(self) -> bool:
        """Whether two lines may be growing side by side while nobody decides."""
        return self.choice.kind in URGENT


def laptops(session: Session, now: datetime) -> list[LaptopRow]:
    """Every laptop, who was silent longest first among those with a visit today, then the others."""
    asked: dict[str, int] = {}
    for choice in open_choices(session):
        asked[choice.device] = asked.get(choice.device, 0) + 1
    rows = []
    today = local_day(now)
    devices = session.scalars(select(Device).order_by(Device.heard_at)).all()
    for device in devices:
        center = session.get(Center, device.center_id)
        if center is None:
            continue
        visits = session.scalars(
            select(Visit)
            .join(Lease, Lease.queue_id == Visit.queue_id)
            .where(Lease.device == device.id, Lease.ended_at.is_(None), Visit.day == today)
            .order_by(Visit.opens_at)
        ).all()
        log = session.get(Chain, (device.id, device.epoch))
        rows.append(
            LaptopRow(
                device, center, log.cause if log else "first", list(visits), lacking(session, device, now),
                abs(device.offset_us) > STRANGE_US, asked.get(device.id, 0),
                any(v.opens_at <= now < v.closes_at and device.heard_at < v.opens_at for v in visits),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (not row.visits, row.device.heard_at))


def lacking(session: Session, device: Device, now: datetime) -> dict[str, int]:
    """What a laptop does not know as it is now, by kind."""
    found: dict[str, int] = {}
    for table, count in unknown(session, device, picture(session, device.center_id, device.id, now)).items():
        kind = KINDS.get(table, "places")
        found[kind] = found.get(kind, 0) + count
    return found


def silent_centers(session: Session, now: datetime) -> list[tuple[Center, Visit]]:
    """Centers with a visit today whose queue no laptop has leased, though one of theirs was heard before."""
    known = select(Device.center_id).distinct()
    leased = select(Lease.queue_id).where(Lease.ended_at.is_(None))
    rows = session.execute(
        select(Center, Visit)
        .join(Visit, Visit.center_id == Center.id)
        .where(
            Visit.day == local_day(now),
            Visit.status.in_(("announced", "open")),
            Center.id.in_(known),
            Visit.queue_id.not_in(leased),
        )
        .order_by(Visit.opens_at)
    ).all()
    return [(row[0], row[1]) for row in rows]


def questions(session: Session) -> list[Question]:
    """What waits for a decision, with names in the place of ids: what is urgent first, then the oldest."""
    found = []
    for choice in sorted(open_choices(session), key=lambda choice: choice.kind not in URGENT):
        facts = dict(choice.facts)
        codes = facts.get("codes") or ([facts["code"]] if "code" in facts else [])
        facts["tickets"] = list(
            session.scalars(select(Ticket).where(Ticket.code.in_(codes)).order_by(Ticket.id))
        )
        queue = facts.get("queue") or (facts["tickets"][0].queue_id if facts["tickets"] else None)
        facts["visit"] = session.scalar(select(Visit).where(Visit.queue_id == queue)) if queue else None
        for name in ("from_us", "to_us"):
            if name in facts:
                facts[name.removesuffix("_us")] = instant(facts[name])
        facts["laptops"] = [
            device for device in (session.get(Device, name) for name in facts.get("devices", ())) if device
        ]
        found.append(Question(choice, session.get(Center, choice.center_id), facts))
    return found


def decided_lately(session: Session, most: int = 10) -> list[Choice]:
    """The latest decisions, newest first."""
    return list(
        session.scalars(
            select(Choice)
            .where(Choice.decided_at.is_not(None))
            .order_by(Choice.decided_at.desc())
            .limit(most)
        )
    )
