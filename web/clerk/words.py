"""What the staff pages say about tickets: priorities, acts, refusals, waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup
from sqlalchemy.orm import object_session

from queueing.counter import Done
from queueing.errors import QueueingError
from queueing.order import APPOINTMENT, HIGH, HIGHEST, PRIORITY
from queueing.store import Queue, Ticket
from queueing.wait import WaitRange
from web.citizen.priorities import questions
from web.clerk.door import blueprint
from web.db import read
from web.i18n import code as in_order
from web.i18n import minutes_text, named


@blueprint.app_template_filter("priority_words")
def priority_words(number: int) -> str:
    """A priority class in words; empty for the ordinary."""
    words: dict[int, str] = {
        PRIORITY: _("Priority: 65 or older, pregnant, or with an infant"),
        HIGH: _("Priority: disability"),
        HIGHEST: _("Urgent: decided by staff"),
        APPOINTMENT: _("Appointment"),
    }
    return words.get(number, "")


@blueprint.app_template_filter("act_words")
def act_words(action: str) -> str:
    """An event of a ticket, as a word for a list."""
    words: dict[str, str] = {
        "issue": _("ticket given out"),
        "book": _("appointment booked"),
        "confirm": _("appointment confirmed"),
        "move": _("appointment moved"),
        "no_show": _("did not come to the appointment"),
        "hand_over": _("taken over by another queue"),
        "take_parked": _("taken over, set aside"),
        "take_missed": _("taken over, not here"),
        "add_step": _("one more service"),
        "rate": _("rated"),
        "arrive": _("arrived for the appointment"),
        "call": _("called"),
        "recall": _("called again"),
        "start": _("service began"),
        "finish": _("served"),
        "miss": _("did not come"),
        "requeue": _("back in the line"),
        "park": _("put aside"),
        "resume": _("taken up again"),
        "change": _("service changed"),
        "redirect": _("sent to another service"),
        "transfer": _("sent to another queue"),
        "leave": _("left"),
        "cancel": _("cancelled"),
        "undo": _("last step taken back"),
        "close": _("closed at the end of the day"),
    }
    return words.get(action, action)


@blueprint.app_template_filter("state_words")
def state_words(state: str) -> str:
    """A ticket's, queue's or desk's state."""
    words: dict[str, str] = {
        "booked": _("booked"),
        "waiting": _("waiting"),
        "called": _("called"),
        "serving": _("being served"),
        "parked": _("put aside"),
        "missed": _("did not come"),
        "served": _("served"),
        "left": _("left"),
        "cancelled": _("cancelled"),
        "transferred": _("sent on"),
        "open": _("open"),
        "paused": _("paused"),
        "closed": _("closed"),
        "closing": _("closing: who is inside is served"),
        "announced": _("announced"),
    }
    return words.get(state, state)


@blueprint.app_template_filter("queue_words")
def queue_words(queue: Queue) -> str:
    """A queue's state; one that is served out before it closes is more than paused."""
    return state_words("closing" if queue.closing and queue.state == "paused" else queue.state)


@blueprint.app_template_filter("actor_words")
def actor_words(actor: str) -> str:
    """Who did something: a member of staff by name, machines and the clock in words."""
    words: dict[str, str] = {
        "kiosk": _("Kiosk"),
        "phone": _("from their phone"),
        "schedule": _("by itself, on time"),
        "scheduler": _("by itself, on time"),
        "simulation": _("demonstration"),
    }
    return words.get(actor, actor)


@blueprint.app_template_filter("seconds_words")
def seconds_words(seconds: float) -> str:
    """A time that has passed, in whole minutes; under one minute in words."""
    return _("less than a minute") if seconds < 60 else minutes_text(seconds // 60)


def wait(made: WaitRange) -> str:
    """A promised wait: `About 5 to 12 minutes.`"""
    low, high = (made.low_s or 0) // 60, -(-(made.high_s or 0) // 60)
    return str(
        ngettext(
            "The wait is %(low)s to %(num)s minute.", "The wait is %(low)s to %(num)s minutes.", high, low=low
        )
    )


def done(verb: str, result: Done) -> str | Markup:
    """What a verb did, where the page itself does not show it."""
    label = in_order(result.ticket.label)
    if result.went_on is not None:
        return _goes_on(result.went_on)
    text = {
        "miss": _("%(label)s is marked as not here."),
        "requeue": _("%(label)s is back in the line, in the same place."),
        "park": _("%(label)s is put aside."),
        "transfer": _("%(label)s goes on to another service."),
        "recall": _("%(label)s has been called again."),
        "arrive": _("%(label)s is here and waits."),
        "add": _("One more service for %(label)s: it follows the one at your desk."),
        "undo": _("The last step with %(label)s was taken back."),
    }.get(verb)
    return Markup(text) % {"label": label} if text else ""


def _goes_on(ticket: Ticket) -> Markup:
    """Where somebody goes next, to be said to them: the queue, and about how long they wait there."""
    session = object_session(ticket) or read()
    queue = session.get_one(Queue, ticket.queue_id)
    if ticket.promised_low_s is None or ticket.promised_high_s is None:
        said = Markup(_("%(label)s goes on, with the same number, to %(queue)s."))
        return said % {"label": in_order(ticket.label), "queue": named(queue)}
    wait_s = (ticket.promised_low_s + ticket.promised_high_s) / 2
    said = Markup(_("%(label)s goes on, with the same number, to %(queue)s: a wait of about %(time)s."))
    values = {
        "label": in_order(ticket.label),
        "queue": named(queue),
        "time": minutes_text(max(1, wait_s / 60)),
    }
    return said % values


@blueprint.app_template_global()
def outcome_buttons() -> list[tuple[str, str]]:
    """(code, words) of what can come of a service, as the clerk taps it when finishing."""
    return [
        ("done", _("All done today")),
        ("paper", _("Must come back: a paper is missing")),
        ("system", _("Must come back: the system is down")),
        ("office", _("Must come back: another office decides")),
        ("person", _("Must come back: with somebody else")),
        ("other", _("Must come back: another reason")),
    ]


def refused(error: QueueingError, words_for: Callable[[str, str], str]) -> str:
    """A refusal in plain words."""
    own = {
        "desk_taken": _("Somebody else has taken over this desk."),
        "desk_busy": _("Finish the ticket at this desk first."),
        "desk_paused": _("This desk is on a break. Resume work first."),
        "other_desk": _("This ticket is at another desk now."),
        "other_queue": _("This ticket stands in another queue."),
        "not_today": _("This ticket is for another day."),
        "out_of_order": _("Only a supervisor may call somebody from the middle of the line."),
        "phone_invalid": _("This telephone number cannot be right. Correct it or leave it empty."),
        "transfer_target": _("Choose where the ticket goes."),
        "journey_steps": _("That is as many services as one visit can have."),
        "queue_moved": _("Another queue has taken over from this one."),
        "in_hand": _(
            "This person is kept for another desk, which may be calling them without a line. Ask there."
        ),
        "request_id_reused": _("This was pressed twice. The page shows its present state."),
        "request_id_missing": _("The request was not complete. Load the page again."),
    }
    return own.get(error.code) or words_for(error.code, _("This is not possible now."))


def timer(now: datetime, since: datetime) -> str:
    """A running clock at its start, `2:05` or `1:02:05`; the page's script counts on."""
    seconds = max(0, int((now - since).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def clock_speed() -> float:
    """Seconds of the product's time in a second of the person's: 1, or the demonstration's pace."""
    settings = current_app.extensions["settings"]
    return float(settings.demo_speed) or 1.0


@blueprint.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"timer": timer, "clock_speed": clock_speed, "priority_questions": questions}
