"""The table of early warnings: what was seen, what was said, and what came."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base


class SiteWarning(Base):
    """A line of which it was said that those who come in half an hour to an hour will wait over 45 minutes."""

    __tablename__ = "site_warning"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"))
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id", ondelete="CASCADE"), index=True)
    raised_at: Mapped[datetime]
    chance: Mapped[float] = mapped_column(Float)
    threshold: Mapped[float] = mapped_column(Float)
    waiting: Mapped[int] = mapped_column(Integer)
    desks: Mapped[int] = mapped_column(SmallInteger)
    pace_s: Mapped[float] = mapped_column(Float)
    """Desk-seconds a person."""
    wait_min: Mapped[float] = mapped_column(Float)
    """Expected minutes of waiting for who joined then."""
    came_hour: Mapped[int] = mapped_column(Integer)
    """People who came in the hour before."""
    usual_hour: Mapped[float | None] = mapped_column(Float)
    """People who were forecast for that hour."""
    relief_hours: Mapped[float] = mapped_column(Float)
    """Person-hours of waiting that a van beside the line would spare from an hour later until closing."""
    ended_at: Mapped[datetime | None]
    """When the line was at rest again, or closed."""
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[str | None] = mapped_column(String(80))
    judged_at: Mapped[datetime | None]
    came: Mapped[int | None] = mapped_column(Integer)
    """People who came 30 to 60 minutes after it."""
    came_wait_min: Mapped[float | None] = mapped_column(Float)
    """Minutes that they waited on average; None when nobody came."""

    __table_args__ = (
        UniqueConstraint("queue_id", "raised_at"),
        Index("ix_site_warning_raised_at", "raised_at"),
    )
