"""What a ticket goes through: states, the table of moves, and what each move does to the ticket's times. Pure
and fast.

`move` works on anything shaped like `TicketLike`: an ORM `Ticket`, or a light object with `__slots__` in a
simulation (`LightTicket` is one). It costs about a microsecond, so that simulated weeks go through the same
rules as a clerk's clicks.

Times of a ticket and the periods between them:

    issued_at   aged_from         called_at      started_at                    ended_at
        |-----------|----waiting------|---walking----|---serving (less parked_s)---|

- `aged_from`: from when the wait counts for the order. Recall, park, a missed or a taken-back call keep it.
- `called_at`: the latest call that still stands.
- `started_at`: the first start of the present service; `parked_s` are the seconds since then not spent at a
  desk and `parked_at` says since when such a pause is running, so served seconds are `ended_at - started_at -
  parked_s`.
- `redirect` (on to another service of the same queue) begins a new service: its times start empty.
- `hold_until`: not offered by call next before this instant; set by a no-show.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from queueing.errors import Conflict, Invalid, MoveNotPossible

MOVES: dict[tuple[str | None, str], str] = {
    (None, "issue"): "waiting",
    (None, "book"): "booked",
    (None, "take_parked"): "parked",
    (None, "take_missed"): "missed",
    ("booked", "confirm"): "booked",
    ("booked", "move"): "booked",
    ("booked", "no_show"): "missed",
    ("booked", "hand_over"): "transferred",
    ("booked", "arrive"): "waiting",
    ("booked", "call"): "called",
    ("booked", "cancel"): "cancelled",
    ("booked", "leave"): "left",
    ("booked", "close"): "left",
    ("waiting", "call"): "called",
    ("waiting", "change"): "waiting",
    ("waiting", "redirect"): "waiting",
    ("waiting", "transfer"): "transferred",
    ("waiting", "leave"): "left",
    ("waiting", "cancel"): "cancelled",
    ("waiting", "hand_over"): "transferred",
    ("waiting", "close"): "left",
    ("called", "recall"): "called",
    ("called", "start"): "serving",
    ("called", "finish"): "served",
    ("called", "miss"): "missed",
    ("called", "requeue"): "waiting",
    ("called", "park"): "parked",
    ("called", "change"): "called",
    ("called", "redirect"): "waiting",
    ("called", "transfer"): "transferred",
    ("called", "leave"): "left",
    ("called", "cancel"): "cancelled",
    ("called", "hand_over"): "transferred",
    ("called", "close"): "left",
    ("serving", "finish"): "served",
    ("serving", "park"): "parked",
    ("serving", "change"): "serving",
    ("serving", "redirect"): "waiting",
    ("serving", "transfer"): "transferred",
    ("serving", "leave"): "left",
    ("serving", "hand_over"): "transferred",
    ("serving", "close"): "served",
    ("parked", "resume"): "serving",
    ("parked", "call"): "called",
    ("parked", "requeue"): "waiting",
    ("parked", "change"): "parked",
    ("parked", "redirect"): "waiting",
    ("parked", "transfer"): "transferred",
    ("parked", "leave"): "left",
    ("parked", "cancel"): "cancelled",
    ("parked", "hand_over"): "transferred",
    ("parked", "close"): "left",
    ("missed", "arrive"): "waiting",
    ("missed", "resume"): "called",
    ("missed", "call"): "called",
    ("missed", "requeue"): "waiting",
    ("missed", "leave"): "left",
    ("missed", "cancel"): "cancelled",
    ("missed", "hand_over"): "transferred",
    ("missed", "close"): "left",
}
"""(state, action) -> next state; None is the state before a ticket exists. What is not here cannot happen.

`undo` is not a move: it puts back what the last move changed (`restore`).
"""

LIVE = ("booked", "waiting", "called", "serving", "parked", "missed")
"""States of tickets that still stand somewhere."""
OUTCOMES = ("done", "paper", "system", "office", "person", "other")
"""What came of a service. done: all done today. Must come back: a paper is missing, the system is down, another office
decides, somebody else must come along, another reason."""
AT_DESK = ("called", "serving")
"""States in which a ticket occupies a desk."""
ENDED = ("served", "left", "cancelled", "transferred")
CREATING = tuple(action for state, action in MOVES if state is None)
"""Actions that begin a ticket's history."""
REMARKS = ("rate", "add_step")
"""Events that say something of a ticket and move nothing: a rating, one more service in the visit."""
SAYS = {
    "booked": "booked for later",
    "waiting": "waiting",
    "called": "called to a desk",
    "serving": "being served",
    "parked": "parked",
    "missed": "marked as not here",
    "served": "already served",
    "left": "no longer here",
    "cancelled": "cancelled",
    "transferred": "sent on to another queue",
}
"""Each state in plain words, for the sentences of errors."""


class TicketLike(Protocol):
    """What the rules need of a ticket. Instants are aware datetimes."""

    state: Any
    number: Any
    service_id: Any
    priority: Any
    desk_id: Any
    aged_from: Any
    appointment_at: Any
    called_at: Any
    started_at: Any
    ended_at: Any
    hold_until: Any
    recalls: Any
    parked_s: Any
    parked_at: Any


class LightTicket:
    """A ticket without a database: what simulations and checks move. Subclass it (with `__slots__`) to carry
    more."""

    __slots__ = (
        "aged_from",
        "appointment_at",
        "called_at",
        "desk_id",
        "ended_at",
        "hold_until",
        "issued_at",
        "number",
        "parked_at",
        "parked_s",
        "priority",
        "recalls",
        "service_id",
        "started_at",
        "state",
    )

    def __init__(
        self,
        number: int,
        service_id: int,
        issued_at: datetime,
        *,
        priority: int = 0,
        state: str = "waiting",
        appointment_at: datetime | None = None,
    ) -> None:
        self.number = number
        self.service_id = service_id
        self.issued_at = issued_at
        self.aged_from: datetime = appointment_at or issued_at
        self.appointment_at = appointment_at
        self.priority = priority
        self.state = state
        self.desk_id: int | None = None
        self.called_at: datetime | None = None
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.hold_until: datetime | None = None
        self.recalls = 0
        self.parked_s = 0
        self.parked_at: datetime | None = None


class Change(NamedTuple):
    """What one move did: enough to write the event, and (`before`: old values of the fields touched) to take
    it back."""

    action: str
    state_from: str | None
    state_to: str
    before: dict[str, Any]


def check_outcome(outcome: str) -> None:
    """Refuse (Invalid `outcome`) what is no outcome; nothing said is fine."""
    if outcome and outcome not in OUTCOMES:
        raise Invalid("outcome", f"an outcome is one of {', '.join(OUTCOMES)}")


def possible(state: str | None) -> list[str]:
    """The actions a state has, in the order of the table."""
    return [action for (known, action) in MOVES if known == state]


def move(
    ticket: TicketLike,
    action: str,
    *,
    now: datetime,
    desk_id: int | None = None,
    hold_s: int = 0,
    recall_limit: int | None = None,
) -> Change:
    """Make one move: change `ticket` in place, keep its periods right, say what changed.

    `desk_id`: the desk, needed by call and resume. `hold_s`: cool-down after a miss, seconds. `recall_limit`:
    how often one call may be announced again (None: no limit). Raises MoveNotPossible, or Conflict
    `recall_limit`, with the ticket untouched.
    """
    state = ticket.state
    to = MOVES.get((state, action))
    if to is None:
        raise _refusal(ticket, action)
    if action == "recall" and recall_limit is not None and ticket.recalls >= recall_limit:
        raise Conflict(
            "recall_limit",
            f"this ticket has been called again {ticket.recalls} times, which is the limit",
            limit=recall_limit,
        )
    fields, effect = _EFFECTS[action]
    before = {field: getattr(ticket, field) for field in fields}
    effect(ticket, now, desk_id, hold_s)
    ticket.state = to
    return Change(action, state, to, before)


def restore(ticket: TicketLike, change: Change) -> None:
    """Take one change back: the ticket is as it was before it. The caller makes sure that nothing came
    after."""
    for field, value in change.before.items():
        setattr(ticket, field, value)
    ticket.state = change.state_from


def served_seconds(ticket: TicketLike) -> float | None:
    """Seconds at the desk in the present service, parked time excluded; None when it has not begun or not
    ended."""
    if ticket.started_at is None or ticket.ended_at is None:
        return None
    seconds: float = (ticket.ended_at - ticket.started_at).total_seconds() - ticket.parked_s
    return max(0.0, seconds)


def _refusal(ticket: TicketLike, action: str) -> MoveNotPossible:
    state = ticket.state
    details = {"state": state, "action": action, "possible": possible(state)}
    if action == "call" and state in AT_DESK:
        return MoveNotPossible("already_called", "somebody else has already called this ticket", **details)
    return MoveNotPossible(
        "move_not_possible", f"{action} is not possible: the ticket is {SAYS.get(state, state)}", **details
    )


def _settle(ticket: TicketLike, now: datetime) -> None:
    """Add a running pause to `parked_s`."""
    if ticket.parked_at is not None:
        ticket.parked_s += max(0, round((now - ticket.parked_at).total_seconds()))
        ticket.parked_at = None


def _nothing(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    """A move that changes the state alone."""


def _arrive(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    # In time: the place in the order is that of the appointment. Too late: that of a person who just came.
    due = ticket.appointment_at
    ticket.aged_from = due if due is not None and now <= due + APPOINTMENT_GRACE else now


def _move(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    ticket.aged_from = ticket.appointment_at  # the caller has set the new appointment


def _call(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    if desk_id is None:
        raise ValueError("a call needs a desk")
    ticket.desk_id = desk_id
    ticket.called_at = now
    ticket.hold_until = None
    ticket.recalls = 0


def _recall(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    ticket.recalls += 1


def _start(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    if ticket.started_at is None:
        ticket.started_at = now
    _settle(ticket, now)


def _finish(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    # Finished straight from the call: nobody pressed start, so the time at the desk counts from the call.
    if ticket.started_at is None:
        ticket.started_at = ticket.called_at
    if ticket.parked_at is not None:
        _settle(ticket, ticket.called_at if ticket.called_at is not None else now)
    ticket.ended_at = now


def _miss(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    ticket.hold_until = now + timedelta(seconds=hold_s)


def _requeue(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    ticket.desk_id = None
    ticket.called_at = None


def _park(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    if ticket.started_at is None:
        ticket.started_at = now
    if ticket.parked_at is None:
        ticket.parked_at = now


def _resume(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    if desk_id is None:
        raise ValueError("a ticket is resumed at a desk")
    ticket.desk_id = desk_id
    if ticket.state == "missed":  # shown again: a fresh call
        ticket.called_at = now
        ticket.hold_until = None
        ticket.recalls = 0
    else:
        _settle(ticket, now)


def _redirect(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    ticket.desk_id = ticket.called_at = ticket.started_at = ticket.parked_at = ticket.hold_until = None
    ticket.parked_s = ticket.recalls = 0


def _end(ticket: TicketLike, now: datetime, desk_id: int | None, hold_s: int) -> None:
    _settle(ticket, now)
    ticket.ended_at = now


APPOINTMENT_GRACE = timedelta(minutes=15)
"""Who comes later than this after the appointment stands in the line as from the arrival."""
_PARKING = ("started_at", "parked_s", "parked_at")
_EFFECTS: dict[str, tuple[tuple[str, ...], Callable[[TicketLike, datetime, int | None, int], None]]] = {
    "arrive": (("aged_from",), _arrive),
    "call": (("desk_id", "called_at", "hold_until", "recalls"), _call),
    "recall": (("recalls",), _recall),
    "start": (_PARKING, _start),
    "finish": ((*_PARKING, "ended_at"), _finish),
    "miss": (("hold_until",), _miss),
    "requeue": (("desk_id", "called_at"), _requeue),
    "park": (_PARKING, _park),
    "resume": ((*_PARKING, "desk_id", "called_at", "hold_until", "recalls"), _resume),
    "change": ((), _nothing),
    "redirect": ((*_PARKING, "desk_id", "called_at", "hold_until", "recalls"), _redirect),
    "transfer": (("parked_s", "parked_at", "ended_at"), _end),
    "hand_over": (("parked_s", "parked_at", "ended_at"), _end),
    "confirm": ((), _nothing),
    "move": (("aged_from",), _move),
    "no_show": ((), _nothing),
    "leave": (("parked_s", "parked_at", "ended_at"), _end),
    "cancel": (("parked_s", "parked_at", "ended_at"), _end),
    "close": (("parked_s", "parked_at", "ended_at"), _end),
}
"""action -> (fields it may touch, what it does)."""
