"""Tables for work without a line: which people a clerk's tablet may call by itself, and numbers given out on paper.

Imported by `queueing.store`.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base, BigId


class DeskDevice(Base):
    """A browser at a desk. Until its lease ends it may call the people of its hand without asking."""

    __tablename__ = "desk_device"

    id: Mapped[int] = mapped_column(primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id", ondelete="CASCADE"))
    device: Mapped[str] = mapped_column(String(32))
    """Made by the browser, kept in its storage: two browsers at one desk are two hands."""
    account: Mapped[str] = mapped_column(String(80))
    heard_at: Mapped[datetime]
    until: Mapped[datetime]
    """End of the lease: from then on its people can be called by everybody."""
    unsent: Mapped[int] = mapped_column(Integer, default=0)
    """Presses that it still held when last heard."""

    __table_args__ = (UniqueConstraint("desk_id", "device"),)


class Hand(Base):
    """A person whom one browser alone may call. There before that browser hears of it, gone only after it has said that
    it holds the person no longer: so two never hold one."""

    __tablename__ = "hand"

    ticket_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), index=True)
    holder_id: Mapped[int] = mapped_column(ForeignKey("desk_device.id", ondelete="CASCADE"), index=True)
    wanted_by: Mapped[int | None] = mapped_column(ForeignKey("desk_device.id", ondelete="SET NULL"))
    """Who is to have the person as soon as the holder has let go."""


class PaperStrip(Base):
    """A block of numbers of a queue's day, printed and given out by hand. Nobody else draws them."""

    __tablename__ = "paper_strip"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"))
    day: Mapped[date] = mapped_column(Date)
    first: Mapped[int] = mapped_column(Integer)
    last: Mapped[int] = mapped_column(Integer)
    request_id: Mapped[str] = mapped_column(String(80), unique=True)
    actor: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("queue_id", "day", "first"),
        CheckConstraint("last >= first", name="span"),
    )
