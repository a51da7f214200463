"""Tables of the event log that travels: a van writes its own, headquarters keeps everybody's.

Imported by `queueing.store`. Devices and centers are told apart by plain values: this package does not know what a
center is.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base, BigId


class JournalEntry(Base):
    """One link of a chain. `body` is its canonical JSON, `hash` covers it, its place and the hash before it."""

    __tablename__ = "journal_entry"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    device: Mapped[str] = mapped_column(String(32))
    epoch: Mapped[str] = mapped_column(String(16))
    sequence: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(8))
    """ticket | row | clock | start."""
    ticket_code: Mapped[str | None] = mapped_column(String(32), index=True)
    body: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))
    said_at: Mapped[datetime]
    """When it happened by the device's own clock."""
    offset_us: Mapped[int] = mapped_column(BigInteger, default=0)
    """What was added to it at headquarters, microseconds: happened_at = said_at + offset_us."""
    segment: Mapped[str] = mapped_column(String(16), default="")
    """Within one segment the device's clock ran without being set."""
    received_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(8), default="own")
    """On the device: own | moved (sent again in a later epoch). At headquarters: applied | known (had come in
    another chain before) | held (contradicts what is known; a person decides) | dropped (a person decided)."""

    __table_args__ = (
        UniqueConstraint("device", "epoch", "sequence"),
        Index("ix_journal_entry_segment", "device", "segment"),
    )


class JournalTicket(Base):
    """A ticket as it was when it first entered a log: what its events are replayed upon, alike on both sides."""

    __tablename__ = "journal_ticket"

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    corrections: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Columns that the rules of moves do not explain, as last told."""


class JournalMark(Base):
    """Where a device stands: what is written into its log, what is acknowledged, what it knows of headquarters."""

    __tablename__ = "journal_mark"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)


class NumberBand(Base):
    """Numbers of a queue's day that somebody may draw from `first` on, apart from all other bands."""

    __tablename__ = "number_band"

    queue_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    first: Mapped[int] = mapped_column(Integer, primary_key=True)
    device: Mapped[str] = mapped_column(String(32))
    epoch: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime]


class Lease(Base):
    """A queue's day in the hands of a device: while it runs, headquarters gives no numbers there."""

    __tablename__ = "lease"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(Integer, index=True)
    day: Mapped[date] = mapped_column(Date)
    device: Mapped[str] = mapped_column(String(32), index=True)
    granted_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(String(12), default="")
    """over | taken_back | other_stands."""

    __table_args__ = (UniqueConstraint("queue_id", "day", "device"),)


class Device(Base):
    """A laptop as headquarters knows it."""

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    center_id: Mapped[int] = mapped_column(Integer, index=True)
    epoch: Mapped[str] = mapped_column(String(16))
    first_heard_at: Mapped[datetime]
    heard_at: Mapped[datetime]
    pulled_at: Mapped[datetime | None]
    offset_us: Mapped[int] = mapped_column(BigInteger, default=0)
    """Headquarters' clock minus the device's at the last contact."""
    unsent: Mapped[int] = mapped_column(Integer, default=0)
    """Entries that it still held when last heard, after that contact."""
    cursor: Mapped[int] = mapped_column(Integer, default=0)
    """The last change of headquarters that it has confirmed."""
    change_no: Mapped[int] = mapped_column(Integer, default=0)


class Chain(Base):
    """One epoch of a device at headquarters: how far its log is known here."""

    __tablename__ = "chain"

    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(16), primary_key=True)
    high: Mapped[int] = mapped_column(Integer, default=0)
    hash: Mapped[str] = mapped_column(String(64))
    segment: Mapped[str] = mapped_column(String(16), default="")
    cause: Mapped[str] = mapped_column(String(20), default="first")
    began_at: Mapped[datetime]


class ClockSegment(Base):
    """A stretch in which a device's clock ran undisturbed, and how wrong it was found to be."""

    __tablename__ = "clock_segment"

    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    segment: Mapped[str] = mapped_column(String(16), primary_key=True)
    began_said: Mapped[datetime]
    last_said: Mapped[datetime]
    offset_us: Mapped[int | None] = mapped_column(BigInteger)
    measured_at: Mapped[datetime | None]


class Feed(Base):
    """What headquarters has told a device: one row it should have, and at which change."""

    __tablename__ = "feed"

    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(24), primary_key=True)
    """The table."""
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(16))
    """Empty: the row is gone."""
    change_no: Mapped[int] = mapped_column(Integer)

    __table_args__ = (Index("ix_feed_device_change", "device", "change_no"),)


class Wish(Base):
    """Something asked at headquarters of a queue that is out with a device: carried there, done there."""

    __tablename__ = "wish"

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    """join | leave."""
    queue_id: Mapped[int] = mapped_column(Integer, index=True)
    day: Mapped[date] = mapped_column(Date)
    code: Mapped[str] = mapped_column(String(32), index=True)
    """The ticket's: given at once for join."""
    service_code: Mapped[str] = mapped_column(String(24), default="")
    priority: Mapped[int] = mapped_column(Integer, default=0)
    phone: Mapped[str | None] = mapped_column(String(20))
    made_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10), default="open")
    """open | done | refused | withdrawn."""
    reason: Mapped[str] = mapped_column(String(40), default="")


class Choice(Base):
    """Something only a person can decide. Whatever is decided, nothing is deleted."""

    __tablename__ = "choice"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """copy | two_vans | same_number | two_histories | clock."""
    subject: Mapped[str] = mapped_column(String(120), unique=True)
    """What it is about, so that it is asked once."""
    device: Mapped[str] = mapped_column(String(32), index=True)
    center_id: Mapped[int] = mapped_column(Integer)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decision: Mapped[str] = mapped_column(String(24), default="")
