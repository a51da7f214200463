"""The table of queues that are out of use: where they stood, and what they need to come back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from queueing.store import Base


class RetiredQueue(Base):
    """A queue of a building that was taken out of use. It stands at no place while it is here (`SiteQueue`), so that
    nothing finds it that asks where queues are; its tickets, events and figures stay."""

    __tablename__ = "retired_queue"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    services: Mapped[list[int]] = mapped_column(JSON)
    """Ids of the services that it offered."""
    retired_at: Mapped[datetime]
    retired_by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(200))
