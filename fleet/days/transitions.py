"""What one run of the schedule did, and whether it has room for more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Transitions:
    """What one run changed."""

    queues_opened: int = 0
    queues_closed: int = 0
    doors_closed: int = 0
    visits_opened: int = 0
    visits_closed: int = 0
    visits_waiting: int = 0
    """Visits whose time has come but whose van is not there yet (not a change)."""
    desks_closed: int = 0
    """Desks closed after their last citizen, later than their queue."""
    forgotten: int = 0
    complete: bool = True
    """False when `most` was reached: call again at the same `now` for the rest."""

    @property
    def work(self) -> int:
        """How many queues and visits this run dealt with."""
        return (
            self.queues_opened
            + self.queues_closed
            + self.doors_closed
            + self.visits_opened
            + self.visits_closed
        )

    def full(self, most: int | None) -> bool:
        """Whether `most` is reached; then more is left to do."""
        if most is not None and self.work >= most:
            self.complete = False
            return True
        return False

    @property
    def changed(self) -> bool:
        """Whether anything changed at all."""
        return any(
            (
                self.queues_opened, self.queues_closed, self.doors_closed, self.visits_opened,
                self.visits_closed, self.desks_closed, self.forgotten,
            )
        )  # fmt: skip
