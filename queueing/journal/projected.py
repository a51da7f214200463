"""What showing a stretch of a log did to this database's own tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from queueing.store import Ticket
from queueing.store_journal import JournalEntry

May = Callable[[int], bool]
"""Whether the sender may write about a queue (its id)."""
RowApplier = Callable[[Session, str, str, dict[str, Any], int], None]
"""(session, table, key, values, clock offset in microseconds): rows of other packages."""


@dataclass
class Projected:
    """What a batch changed, and what it could not."""

    queues: set[int] = field(default_factory=set)
    days: set[tuple[int, date]] = field(default_factory=set)
    """(queue, local day) whose measures are to be computed anew."""
    tickets: set[str] = field(default_factory=set)
    clashes: list[tuple[Ticket, str]] = field(default_factory=list)
    """Tickets whose printed number another ticket has, too, and that one's code."""
    held: list[JournalEntry] = field(default_factory=list)
    """Entries that contradict what is known of their ticket, or cannot be shown."""

    def add(self, other: Projected) -> None:
        """Both."""
        self.queues |= other.queues
        self.days |= other.days
        self.tickets |= other.tickets
        self.clashes += other.clashes
        self.held += other.held
