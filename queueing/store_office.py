"""Tables of the back office: who did what beside the tickets, and what the nightly check of the statistics found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base, BigId


class AuditEntry(Base):
    """Something a person (or the clock) did that is no ticket's event, written in the transaction that did it.

    What is done with tickets stands in `ticket_event` and is read together with this (queueing/audit.py).
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic: Mapped[str] = mapped_column(String(40))
    """Whose: `queue:<id>`, `site:<id>`, `center:<id>`, or empty."""
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(24))
    """queueing.audit.ACTIONS."""
    subject: Mapped[str] = mapped_column(String(80), default="")
    """What it was done to: a desk's name, an account."""
    happened_at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What people ask for: who sits there now, values before and after. Never a secret."""

    __table_args__ = (
        Index("ix_audit_topic_time", "topic", "happened_at"),
        Index("ix_audit_actor_time", "actor", "happened_at"),
        {"sqlite_autoincrement": True},
    )


class StatisticsCheck(Base):
    """The latest comparison of one day's statistics with its events (queueing/statistics_check.py)."""

    __tablename__ = "statistics_check"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    checked_at: Mapped[datetime]
    queues: Mapped[int] = mapped_column(Integer)
    figures: Mapped[int] = mapped_column(Integer)
    """How many figures were compared."""
    wrong: Mapped[int] = mapped_column(Integer)
    differences: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """The first of them: queue, hour, figure, where, shown, events."""
