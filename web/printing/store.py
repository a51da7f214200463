"""Tables of printing: the printer of each kiosk, and every slip that was asked for.

A job goes `queued` (written with the ticket, in its transaction) -> `sending` (committed before the first byte goes
out) -> `printed`, `failed` (nothing is on paper), or `unsure` (bytes went out, and nobody said what became of them).
So a crash at any point leaves a job that says what is known: never silently lost, never silently printed twice.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, SmallInteger, String, true
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base, BigId

STATES = ("queued", "sending", "printed", "failed", "unsure")
PAPERS = {80: 576, 58: 384}
"""Width of the paper in mm -> dots that a printer of 203 dpi puts on it."""
LANGUAGES = ("both", "ar", "en")


class KioskPrinter(Base):
    """The printer that stands at a kiosk. `address` is what web/printing/printer.py reads."""

    __tablename__ = "kiosk_printer"

    token_id: Mapped[int] = mapped_column(ForeignKey("access_token.id", ondelete="CASCADE"), primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(200))
    paper_mm: Mapped[int] = mapped_column(SmallInteger, default=80)
    language: Mapped[str] = mapped_column(String(4), default="both")
    by_itself: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    """Every ticket is printed as it is taken; else when its holder asks for paper."""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(80))

    @property
    def dots(self) -> int:
        """How many dots fit side by side."""
        return PAPERS[self.paper_mm]


class PrintJob(Base):
    """One slip of paper that was asked for."""

    __tablename__ = "print_job"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    request_id: Mapped[str] = mapped_column(String(80), unique=True)
    """Made by the client: the same one again is the same slip."""
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("access_token.id", ondelete="SET NULL"))
    """The kiosk at whose printer."""
    copy: Mapped[int] = mapped_column(SmallInteger, default=1)
    """1 for the first slip of a ticket; later ones say that they are a copy."""
    actor: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(12), default="queued")
    fault: Mapped[str] = mapped_column(String(24), default="")
    """web.printing.printer.FAULTS."""
    bytes_sent: Mapped[int] = mapped_column(Integer, default=0)
    confirmed: Mapped[bool] = mapped_column(Boolean, default=False)
    """The printer itself answered after the last line; many never answer."""
    made_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sending', 'printed', 'failed', 'unsure')", name="state"),
        Index("ix_print_job_made", "made_at"),
    )
