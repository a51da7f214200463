"""Tables of a ticket's whole life: slots and bookings, journeys over several desks, queues handed over, notices,
followers.

They hang on `queueing.store.Base` like all others; `queueing/store.py` imports them, so that whoever has the
metadata has them all.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base, BigId


class SlotRule(Base):
    """Appointments of a queue on a weekday, or on one day in place of its weekday's rules. Minutes count from local
    midnight."""

    __tablename__ = "slot_rule"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), index=True)
    service_id: Mapped[int | None] = mapped_column(ForeignKey("service.id"))
    """Only for this service; None: for all."""
    weekday: Mapped[int | None] = mapped_column(SmallInteger)
    """0 Monday ... 6 Sunday, as `date.weekday()`."""
    day: Mapped[date | None] = mapped_column(Date)
    begin_minute: Mapped[int] = mapped_column(SmallInteger)
    end_minute: Mapped[int] = mapped_column(SmallInteger)
    slot_minutes: Mapped[int] = mapped_column(SmallInteger, default=15)
    capacity: Mapped[int] = mapped_column(SmallInteger)
    """People a slot; 0 on a day: no appointments then."""

    __table_args__ = (
        CheckConstraint("(weekday IS NULL) <> (day IS NULL)", name="when"),
        CheckConstraint("capacity >= 0 AND slot_minutes >= 5 AND end_minute > begin_minute", name="span"),
    )


class Booking(Base):
    """What a booked ticket has beside its appointment: its slot's length, and whether it was asked to confirm."""

    __tablename__ = "booking"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    slot_minutes: Mapped[int] = mapped_column(SmallInteger)
    confirm_by: Mapped[datetime | None]
    """Freed when not confirmed by then; None while nobody has asked."""
    confirmed_at: Mapped[datetime | None]


class Journey(Base):
    """One visit with several services. Its tickets, one at each queue in turn, all show the label of the first."""

    __tablename__ = "journey"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    """That of its first ticket: the citizen's link."""
    day: Mapped[date] = mapped_column(Date)
    label: Mapped[str] = mapped_column(String(16))
    queues: Mapped[list[int]] = mapped_column(JSON)
    """Ids of the queues among which it may go on: those of the complex."""


class JourneyStep(Base):
    """One service of a journey."""

    __tablename__ = "journey_step"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int] = mapped_column(ForeignKey("journey.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(SmallInteger)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"))
    after: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Positions of steps that must be done before."""
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    """The ticket that stands for it, once it is its turn."""
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    done_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("journey_id", "position"),)


class HandOver(Base):
    """A queue's people taken over by another queue."""

    __tablename__ = "hand_over"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(80), unique=True)
    from_queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"), index=True)
    to_queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"), index=True)
    actor: Mapped[str] = mapped_column(String(80))
    happened_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(200), default="")
    state_before: Mapped[str] = mapped_column(String(12))
    """The old queue's state, for the undo."""
    tickets: Mapped[int] = mapped_column(Integer, default=0)
    undone_at: Mapped[datetime | None]
    """Taken back, or the old queue works again."""

    __table_args__ = (
        # A queue goes to one other at a time.
        Index(
            "uq_hand_over_standing",
            "from_queue_id",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
    )


class Follower(Base):
    """Somebody who wants to hear of a topic: by SMS, or through a browser's push service. Known by nothing else."""

    __tablename__ = "follower"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    """What the link that ends it carries."""
    topic: Mapped[str] = mapped_column(String(40), index=True)
    """`ticket:<id>`, `site:<id>`, `unit:<id>` or `center:<id>`."""
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(String(8))
    """sms | push."""
    address: Mapped[str] = mapped_column(String(1000))
    """A telephone number, or the address that the browser's push service gave out. Gone with the row."""
    keys: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Of push: what the browser's messages are encrypted with."""
    language: Mapped[str] = mapped_column(String(5), default="ar")
    since: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """The newest visit when it began: what was announced until then is no news."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """None: nobody has said yet that this number is theirs; it hears one question and nothing else."""
    ends_at: Mapped[datetime]
    """Forgotten by then."""

    __table_args__ = (
        UniqueConstraint("topic", "channel", "address"),
        CheckConstraint("channel IN ('sms', 'push')", name="channel"),
    )


class Notice(Base):
    """A message to the holder of a ticket or to a follower: once for each key, however often it is asked for."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("follower.id", ondelete="CASCADE"))
    """Sent to this follower, and shown on no ticket's page."""
    key: Mapped[str] = mapped_column(String(40))
    """The kind, and where one ticket may hear of a kind again (a moved appointment) what it is about."""
    kind: Mapped[str] = mapped_column(String(16))
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"), index=True)
    phone: Mapped[str | None] = mapped_column(String(20))
    """None: told on the ticket's page alone, or by way of the follower."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    """When it is to be sent (again); None: it need not be, it was, or that was given up."""
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    expires_at: Mapped[datetime | None]
    """After this it would say what is over: it is not sent any more."""
    sent_at: Mapped[datetime | None]
    """When the gateway or push service took it."""
    failed: Mapped[bool] = mapped_column(Boolean, default=False)

    __table_args__ = (
        UniqueConstraint("ticket_id", "key"),
        UniqueConstraint("follower_id", "key"),
        CheckConstraint("(ticket_id IS NULL) <> (follower_id IS NULL)", name="to_whom"),
        Index(
            "ix_notice_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
