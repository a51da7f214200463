"""Tables of the forecast: what was said of a day weeks before it, and dated events that a planner enters."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Float, ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base


class ForecastDay(Base):
    """What was forecast for a queue's whole day, kept as it was said: once at the start of the week (`lead` 1) and
    once three weeks before that (`lead` 4), so that it can be held against what came."""

    __tablename__ = "forecast_day"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    lead: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """Weeks from what was known to the end of the day's week: 1 to 4."""
    arrivals: Mapped[float] = mapped_column(Float)
    low: Mapped[float] = mapped_column(Float)
    high: Mapped[float] = mapped_column(Float)
    """The 80% band."""
    known_until: Mapped[date] = mapped_column(Date)
    """The first day that was not known."""
    made_at: Mapped[datetime]

    __table_args__ = (Index("ix_forecast_day_day", "day", "lead"),)


class DatedEvent(Base):
    """Days on which a planner knows that more or fewer people will come, somewhere or everywhere."""

    __tablename__ = "dated_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    governorate_id: Mapped[int | None] = mapped_column(ForeignKey("governorate.id", ondelete="CASCADE"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id", ondelete="CASCADE"))
    """Where: a governorate, a site, or (both empty) the whole country."""
    factor: Mapped[float] = mapped_column(Float)
    """How many times the usual number of people is expected."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        Index("ix_dated_event_days", "first_day", "last_day"),
        CheckConstraint("last_day >= first_day", name="days"),
        CheckConstraint("factor >= 0 AND factor <= 5", name="factor"),
        CheckConstraint("governorate_id IS NULL OR site_id IS NULL", name="place"),
    )
