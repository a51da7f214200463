"""Errors of the queues: one family with stable codes, which `web/errors.py` maps once to responses."""

from __future__ import annotations

from typing import Any


class QueueingError(Exception):
    """Something a queue refuses: a stable snake_case `code`, a plain sentence, and JSON-able `details`.

    A verb that raises one has changed nothing, also when the caller commits afterwards.
    """

    status_hint = "conflict"
    """conflict | invalid | missing | forbidden: what kind of answer suits, without the domain knowing
    HTTP."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r}, {self.details!r})"


class NotFound(QueueingError):
    """A queue, desk or ticket that does not exist: `queue_not_found`, `desk_not_found`,
    `ticket_not_found`."""

    status_hint = "missing"


class Invalid(QueueingError):
    """Input that can never be right: `unknown_service`, `priority_invalid`, `request_id_missing`,
    `request_id_invalid`."""

    status_hint = "invalid"


class NotAllowed(QueueingError):
    """Possible, but not for this actor: `out_of_order`."""

    status_hint = "forbidden"


class Closed(QueueingError):
    """The queue or the desk does not work now: `queue_closed`, `queue_paused`, `desk_closed`,
    `desk_paused`."""


class Exhausted(QueueingError):
    """No more tickets today: `capacity_reached`, `numbers_exhausted`."""


class Conflict(QueueingError):
    """Fine by itself but not now: `request_id_reused`, `desk_busy`, `other_desk`, `other_queue`, `not_today`,
    `recall_limit`, `nothing_to_undo`, `undo_refused`."""


class MoveNotPossible(Conflict):
    """A move the ticket's state does not have: `move_not_possible`; for a second call, `already_called`.

    `details` carries `state`, `action` and `possible`, the actions that this state does have.
    """
