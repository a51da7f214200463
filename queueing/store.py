"""Tables of the queues. `Base` owns the one metadata of the whole product, because foreign keys follow
imports."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""64-bit key; SQLite only counts up by itself on a column declared INTEGER."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive times; always gives back UTC.

    PostgreSQL keeps `timestamptz`. SQLite drops time zones, so there an instant is whole microseconds since
    1970.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value!r} (give it a time zone)")
        if dialect.name == "sqlite":
            return to_micros(value)
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return EPOCH + timedelta(microseconds=value)
        return value.astimezone(UTC)  # type: ignore[no-any-return]


def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC of an aware time (exact: no floats on the way)."""
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


class Base(DeclarativeBase):
    """Declarative base of every table, with names for constraints so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}


class Service(Base):
    """Something a citizen comes for, owned by an agency. Times are minutes at the counter (low, mode,
    high)."""

    __tablename__ = "service"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(24), unique=True)
    group_code: Mapped[str] = mapped_column(String(40), index=True)
    name_ar: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    agency_code: Mapped[str] = mapped_column(String(24), index=True)
    agency_ar: Mapped[str] = mapped_column(String(200))
    agency_en: Mapped[str] = mapped_column(String(200))
    minutes_low: Mapped[float] = mapped_column(Float)
    minutes_mode: Mapped[float] = mapped_column(Float)
    minutes_high: Mapped[float] = mapped_column(Float)
    documents_ar: Mapped[str] = mapped_column(Text, default="")
    documents_en: Mapped[str] = mapped_column(Text, default="")
    at_fixed: Mapped[bool] = mapped_column(Boolean, default=True)
    at_mobile: Mapped[bool] = mapped_column(Boolean, default=False)
    at_complex: Mapped[bool] = mapped_column(Boolean, default=False)
    popularity: Mapped[float] = mapped_column(Float, default=1.0)
    """Relative share of demand among the services a place offers (weights, any scale)."""


class Queue(Base):
    """One waiting line with its own numbers, desks and services."""

    __tablename__ = "queue"

    id: Mapped[int] = mapped_column(primary_key=True)
    name_ar: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    letter: Mapped[str] = mapped_column(String(4), default="A")
    zone: Mapped[str] = mapped_column(String(40), default="Africa/Cairo")
    state: Mapped[str] = mapped_column(String(12), default="closed", index=True)
    """closed | open | paused. Closed and paused queues issue nothing; a paused one keeps its line."""
    daily_capacity: Mapped[int | None] = mapped_column(Integer)
    first_number: Mapped[int] = mapped_column(Integer, default=1)
    last_number: Mapped[int] = mapped_column(Integer, default=9999)
    recall_limit: Mapped[int] = mapped_column(SmallInteger, default=3)
    cool_down_s: Mapped[int] = mapped_column(Integer, default=300)
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """Rises by one with every change that a screen of this queue could show."""
    line_waiting: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """How many wait, of those who have come since `line_since`: true while `line_seq` is `seq` (the ledger keeps it,
    and counts again where somebody else has raised `seq`)."""
    line_seq: Mapped[int | None] = mapped_column(BigInteger)
    line_since: Mapped[datetime | None]
    pace_s: Mapped[float | None] = mapped_column(Float)
    """Learned desk-seconds per person who leaves the line (queueing/pace.py); None until first needed."""
    pace_cv2: Mapped[float | None] = mapped_column(Float)
    """Squared coefficient of variation of the service times here."""
    held_by: Mapped[str | None] = mapped_column(String(32))
    """The device that runs this queue away from here (queueing/journal/leases.py): here it only shows."""
    closing: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Paused to serve those inside and then close by itself (queueing/closing.py)."""
    resumes_at: Mapped[datetime | None]
    """When a pause ends by itself; None: when somebody opens the queue."""
    moved_to_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    """The queue that has taken over this one's people (queueing/handover.py)."""

    desks: Mapped[list[Desk]] = relationship(back_populates="queue", order_by="Desk.id")

    __table_args__ = (CheckConstraint("state IN ('closed', 'open', 'paused')", name="state"),)


class QueueService(Base):
    """Which services a queue gives tickets for."""

    __tablename__ = "queue_service"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), primary_key=True, index=True)


class QueueDay(Base):
    """The counter row of one queue on one local business day: where numbers come from."""

    __tablename__ = "queue_day"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    next_number: Mapped[int] = mapped_column(Integer)
    issued: Mapped[int] = mapped_column(Integer, default=0)


class Desk(Base):
    """A counter where one clerk serves one citizen at a time."""

    __tablename__ = "desk"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), default="closed")
    """closed | open | paused."""
    operator: Mapped[str | None] = mapped_column(String(80))
    """Account name of the person who sits there; None where the simulated day serves."""

    queue: Mapped[Queue] = relationship(back_populates="desks")

    __table_args__ = (
        UniqueConstraint("queue_id", "name"),
        CheckConstraint("state IN ('closed', 'open', 'paused')", name="state"),
    )


class DeskShift(Base):
    """A stretch of time a desk was open: what staffed desk-hours are counted from. Pauses are left out."""

    __tablename__ = "desk_shift"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id", ondelete="CASCADE"))
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_desk_shift_queue_opened", "queue_id", "opened_at"),
        # One running shift a desk.
        Index(
            "uq_desk_shift_running",
            "desk_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )


class DeskService(Base):
    """Services a desk is limited to; a desk with no row here serves all of its queue's services."""

    __tablename__ = "desk_service"

    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id", ondelete="CASCADE"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), primary_key=True)


TICKET_STATES = (
    "booked",
    "waiting",
    "called",
    "serving",
    "parked",
    "missed",
    "served",
    "left",
    "cancelled",
    "transferred",
)
LIVE_SQL = "state IN ('booked', 'waiting', 'called', 'serving', 'parked', 'missed')"
AT_DESK_SQL = "state IN ('called', 'serving')"
GUEST_SQL = (
    "journey_id IS NOT NULL AND state IN ('booked', 'waiting', 'called', 'serving', 'parked', 'missed')"
)
"""Conditions of the partial indexes. A query uses such an index only if it repeats the condition word for
word."""


class Ticket(Base):
    """A place in a line. `id` is internal, `code` is what a citizen's link carries, `label` is what is
    shown."""

    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    day: Mapped[date] = mapped_column(Date)
    """Local business day in the queue's zone, set when the ticket is issued."""
    number: Mapped[int] = mapped_column(Integer)
    label: Mapped[str] = mapped_column(String(16))
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"))
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Priority class: 0 ordinary, higher goes first (see queueing/order.py)."""
    channel: Mapped[str] = mapped_column(String(12), default="staff")
    """kiosk | phone | staff | booking | simulated."""
    phone: Mapped[str | None] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("desk.id"))
    issued_at: Mapped[datetime]
    aged_from: Mapped[datetime]
    """From when the wait counts for the order; kept by recall, park and cancelled calls."""
    appointment_at: Mapped[datetime | None]
    called_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    hold_until: Mapped[datetime | None]
    """Not offered by call next before this instant (no-show cool-down)."""
    recalls: Mapped[int] = mapped_column(SmallInteger, default=0)
    parked_s: Mapped[int] = mapped_column(Integer, default=0)
    parked_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(String(400), default="")
    promised_low_s: Mapped[int | None] = mapped_column(Integer)
    promised_high_s: Mapped[int | None] = mapped_column(Integer)
    """The wait promised when the ticket was issued, kept so that its error can be measured."""
    next_ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    """Where a transferred ticket went on."""
    journey_id: Mapped[int | None] = mapped_column(ForeignKey("journey.id"))
    """The visit that this ticket is a step of, where it takes more than one queue (queueing/journeys.py)."""

    __table_args__ = (
        UniqueConstraint("queue_id", "day", "number"),
        CheckConstraint("state IN ('" + "', '".join(TICKET_STATES) + "')", name="state"),
        # One desk has at most one open ticket: the database itself refuses a second.
        Index(
            "uq_ticket_open_desk",
            "desk_id",
            unique=True,
            sqlite_where=text(AT_DESK_SQL),
            postgresql_where=text(AT_DESK_SQL),
        ),
        # The line itself: what call next, boards and counts read. Small whatever the history.
        Index(
            "ix_ticket_live",
            "queue_id",
            "state",
            "priority",
            "aged_from",
            "number",
            sqlite_where=text(LIVE_SQL),
            postgresql_where=text(LIVE_SQL),
        ),
        # What a label shows belongs to one person of the queue, also when the label came from another queue.
        Index(
            "uq_ticket_guest_label",
            "queue_id",
            "day",
            "label",
            unique=True,
            sqlite_where=text(GUEST_SQL),
            postgresql_where=text(GUEST_SQL),
        ),
        # Slots: what is booked when. Tickets without an appointment are not in it.
        Index(
            "ix_ticket_appointment",
            "queue_id",
            "appointment_at",
            sqlite_where=text("appointment_at IS NOT NULL"),
            postgresql_where=text("appointment_at IS NOT NULL"),
        ),
    )


class TicketEvent(Base):
    """Append-only history. A ticket's state can be rebuilt from its events; statistics are computed from
    them."""

    __tablename__ = "ticket_event"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("desk.id"))
    action: Mapped[str] = mapped_column(String(12))
    """issue, book, another action of queueing.ticket.MOVES, or undo."""
    state_from: Mapped[str | None] = mapped_column(String(12))
    state_to: Mapped[str] = mapped_column(String(12))
    actor: Mapped[str] = mapped_column(String(80))
    happened_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    request_id: Mapped[str] = mapped_column(String(80), unique=True)
    """Made by the client; the same one again is the same event, never a second."""
    seq: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What undo needs and people ask for: note, target queue, previous field values."""

    __table_args__ = (Index("ix_ticket_event_queue_time", "queue_id", "happened_at"),)


class QueueHour(Base):
    """Measures of one queue in one local hour, computed from events (or, for old weeks, kept without their
    tickets).

    Times are seconds, sums over the tickets that arrived (waits) or were finished (services) in that hour.
    """

    __tablename__ = "queue_hour"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    hour: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    arrivals: Mapped[int] = mapped_column(Integer, default=0)
    called: Mapped[int] = mapped_column(Integer, default=0)
    served: Mapped[int] = mapped_column(Integer, default=0)
    left_waiting: Mapped[int] = mapped_column(Integer, default=0)
    missed: Mapped[int] = mapped_column(Integer, default=0)
    wait_s: Mapped[float] = mapped_column(Float, default=0.0)
    wait_over: Mapped[int] = mapped_column(Integer, default=0)
    """Arrivals of this hour who waited longer than the promise line (measure.LONG_WAIT_S)."""
    service_s: Mapped[float] = mapped_column(Float, default=0.0)
    service_sq: Mapped[float] = mapped_column(Float, default=0.0)
    desk_s: Mapped[float] = mapped_column(Float, default=0.0)
    """Desk-seconds staffed in this hour."""
    held_s: Mapped[float] = mapped_column(Float, default=0.0)
    """Desk-seconds from a call until the desk was free again (walking and no-shows included), at its end's
    hour."""
    waiting_s: Mapped[float] = mapped_column(Float, default=0.0)
    """Person-seconds spent waiting inside this hour (integral of the line)."""

    __table_args__ = (Index("ix_queue_hour_day", "day"),)


class Outbox(Base):
    """What screens must hear, written in the same transaction as the change and sent after the commit.

    `topic` is `queue:<id>`, `center:<id>` or `plan:<id>`; `seq` rises by one per topic. Old rows are pruned
    by a job.
    """

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic: Mapped[str] = mapped_column(String(40))
    seq: Mapped[int] = mapped_column(BigInteger)
    part: Mapped[str] = mapped_column(String(24))
    """Which section of a page changed: line, desks, calls, queue, position, visit, progress ..."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Public facts only: no personal datum ever goes out on a queue's topic."""
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("topic", "seq"), {"sqlite_autoincrement": True})


# The rest of the tables, which stand in modules of their own: whoever has the metadata has them all.
import queueing.store_journal  # noqa: E402, F401
import queueing.store_life  # noqa: E402, F401
import queueing.store_office  # noqa: E402, F401
import queueing.store_tablet  # noqa: E402, F401
import queueing.store_waits  # noqa: E402, F401
