"""A waiting line in memory, in the order of `queueing.order`, at heap speed: for simulations with long lines.
Pure.

    line = Line()
    line.push(ticket)                              # a TicketLike in state waiting
    ticket = line.pop(now, services={3, 5})        # the same ticket that order.choose would give, taken out;
    or None move(ticket, "call", now=now, desk_id=7)       # the caller makes the move

A ticket that leaves the line in another way (leave, cancel, transfer) needs no removal: entries whose ticket
is no longer `waiting` are dropped when they come up. A ticket that comes back (requeue, redirect) is pushed
again. Do not change `aged_from`, `priority`, `service_id` or `hold_until` of a ticket in the line without
pushing it again. Time may not run backwards between calls of `pop`.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from datetime import datetime
from typing import Any, Generic, TypeVar

from queueing.order import key
from queueing.ticket import TicketLike

T = TypeVar("T", bound=TicketLike)


class Line(Generic[T]):
    """Push O(log n), pop O(services of the desk + log n)."""

    __slots__ = ("_due", "_early", "_held", "_pushes", "_tokens")

    def __init__(self) -> None:
        # Entries are (sort key ..., push counter, ticket); a ticket's newest counter is the valid one.
        self._due: dict[int, list[tuple[datetime, int, int, T]]] = {}
        self._early: dict[int, list[tuple[datetime, int, int, T]]] = {}
        self._held: list[tuple[datetime, int, T]] = []
        self._tokens: dict[int, tuple[int, T]] = {}
        self._pushes = 0

    def push(self, ticket: T) -> None:
        """Put a waiting ticket in its place. Pushing one that is already there only renews its entry."""
        self._pushes += 1
        self._tokens[id(ticket)] = (self._pushes, ticket)
        if ticket.hold_until is not None:
            heapq.heappush(self._held, (ticket.hold_until, self._pushes, ticket))
        else:
            self._place(self._early, ticket, self._pushes)

    def pop(self, now: datetime, services: Collection[int] | None = None) -> T | None:
        """Take out the next ticket for a desk that serves `services` (ids; None: all); None when nobody can
        be offered."""
        self._release(now)
        best = self._best(self._due, services) or self._best(self._early, services)
        if best is None:
            return None
        heap, ticket = best
        heapq.heappop(heap)
        del self._tokens[id(ticket)]
        return ticket

    def remove(self, ticket: T) -> None:
        """Take one ticket out (called out of order); harmless when it is not in the line."""
        self._tokens.pop(id(ticket), None)

    def __len__(self) -> int:
        """How many wait, cool-downs included. O(n): for tests and reports, not for loops."""
        return sum(ticket.state == "waiting" for _token, ticket in self._tokens.values())

    def _place(self, heaps: dict[int, list[Any]], ticket: T, token: int) -> None:
        heap = heaps.get(ticket.service_id)
        if heap is None:
            heap = heaps[ticket.service_id] = []
        heapq.heappush(heap, (*key(ticket), token, ticket))

    def _valid(self, token: int, ticket: T) -> bool:
        known = self._tokens.get(id(ticket))
        return known is not None and known[0] == token and ticket.state == "waiting"

    def _release(self, now: datetime) -> None:
        """Move on whose cool-down is over and whose time has come."""
        held = self._held
        while held and held[0][0] <= now:
            _until, token, ticket = heapq.heappop(held)
            if self._valid(token, ticket):
                self._place(self._early, ticket, token)
        # Within one class `aged_from` and the key rise together, but classes differ: look at every early
        # entry.
        for heap in self._early.values():
            if heap:
                early = [entry for entry in heap if entry[3].aged_from > now]
                if len(early) < len(heap):
                    for entry in heap:
                        if entry[3].aged_from <= now and self._valid(entry[2], entry[3]):
                            self._place(self._due, entry[3], entry[2])
                    heapq.heapify(early)
                    heap[:] = early

    def _best(
        self, heaps: dict[int, list[tuple[datetime, int, int, T]]], services: Collection[int] | None
    ) -> tuple[list[tuple[datetime, int, int, T]], T] | None:
        best: list[tuple[datetime, int, int, T]] | None = None
        for service in heaps if services is None else services:
            heap = heaps.get(service)
            if heap is None:
                continue
            while heap and not self._valid(heap[0][2], heap[0][3]):
                if (known := self._tokens.get(id(heap[0][3]))) is not None and known[0] == heap[0][2]:
                    del self._tokens[id(heap[0][3])]
                heapq.heappop(heap)
            if heap and (best is None or heap[0][:3] < best[0][:3]):
                best = heap
        return None if best is None else (best, best[0][3])
