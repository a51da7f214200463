"""Errors of the routing package; each carries a stable code for the layers above."""

from __future__ import annotations

from collections.abc import Sequence


class RoutingError(Exception):
    """Base of every error that routing raises on purpose."""

    code = "routing"


class ProblemError(RoutingError):
    """A problem that cannot be planned as it stands. `faults` lists every fault by its path in the file."""

    code = "problem"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        super().__init__("\n".join(self.faults))


class PinError(ProblemError):
    """The pinned visits contradict each other or the rules; `faults` names the pins (by path) and why."""

    code = "pins"


class PlanError(RoutingError):
    """A plan file that is not `fleet-plan/1`; `faults` lists every fault by its path in the file."""

    code = "plan"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        super().__init__("\n".join(self.faults))


class RouterError(RoutingError):
    """A router that gave no table: not there, not understood, or a place that no road reaches.

    `faults` holds a line for each thing wrong; an unreachable pair is named by its places.
    """

    code = "router"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        super().__init__("\n".join(self.faults))
