"""Tables of promises: what was learned of waits, how each queue's bands are steered, how good what was said has
been."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base


class WaitModel(Base):
    """One night's learning, kept with the figures of its trial. The newest row holds."""

    __tablename__ = "wait_model"

    id: Mapped[int] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    tickets: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(String(12))
    """What people in a line of like desks are told by: learned | played | formula."""
    special_method: Mapped[str] = mapped_column(String(12))
    """The same where desks are limited to some services."""
    since: Mapped[datetime]
    """From when on `method` has held, night after night."""
    refused: Mapped[str | None] = mapped_column(String(40))
    """Why what was learned is not used: too_few_days, worse_than_formula, worse_than_played."""
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Of the trial on the last days: by method, minutes and shares."""
    model: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Trees as text and numbers (queueing/waits/model.py); None where nothing was learned."""
    most_ahead: Mapped[float] = mapped_column(Float, default=0.0)
    steering: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Where the bands of a queue begin, by method."""
    leaving: Mapped[list[list[float]]] = mapped_column(JSON)
    """How fast people give up: from so many minutes of waiting on, so many a minute."""

    __table_args__ = ({"sqlite_autoincrement": True},)


class WaitSteering(Base):
    """How one queue's bands are steered, and up to which call it has learned."""

    __tablename__ = "wait_steering"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    method: Mapped[str] = mapped_column(String(12))
    judged_to: Mapped[datetime]
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


class WaitScore(Base):
    """What was said of waits of a day, beside what came: sums over `judged` tickets, seconds."""

    __tablename__ = "wait_score"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    method: Mapped[str] = mapped_column(String(12), primary_key=True)
    judged: Mapped[int] = mapped_column(Integer, default=0)
    error_s: Mapped[float] = mapped_column(Float, default=0.0)
    """Sum of the errors of the middle, without their signs."""
    bias_s: Mapped[float] = mapped_column(Float, default=0.0)
    """Sum of said less came."""
    formula_error_s: Mapped[float] = mapped_column(Float, default=0.0)
    """The same tickets' errors by people ahead x pace / desks."""
    in_half: Mapped[int] = mapped_column(Integer, default=0)
    in_most: Mapped[int] = mapped_column(Integer, default=0)
    half_width_s: Mapped[float] = mapped_column(Float, default=0.0)
    most_width_s: Mapped[float] = mapped_column(Float, default=0.0)
    middle_s: Mapped[float] = mapped_column(Float, default=0.0)
    """Sum of the middles of the wide ranges, to say how wide they are in proportion."""

    __table_args__ = (Index("ix_wait_score_day", "day"),)
