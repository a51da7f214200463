"""The operations of a ticket's whole life: appointments, several services in one visit, ratings."""

from __future__ import annotations

from typing import Any

from queueing.rating import REASONS
from queueing.way import MOST_STEPS
from web.api import life, printing
from web.api.operation import Answer, Operation, Param
from web.api.schema import Schema
from web.api.shapes import DAY, INSTANT, TEXT, obj, ref
from web.printing.store import LANGUAGES, PAPERS, STATES

_SLIP: Schema = obj(
    {
        "state": {"type": "string", "enum": ["none", *STATES]}, "fault": TEXT,
        "copy": {"type": "integer", "minimum": 0}, "at": {**INSTANT, "type": ["string", "null"]},
    }
)  # fmt: skip
_SERVICE: Schema = {**TEXT, "minLength": 1, "maxLength": 24}
_PHONE: Schema = {
    "type": ["string", "null"], "maxLength": 40,
    "description": "For reminders and news. A number that cannot be one is left out.",
}  # fmt: skip


def operations(
    request_id: Schema, code: Param, example_id: str, ticket: dict[str, Any], queue: Param, site: Param
) -> tuple[Operation, ...]:
    """The table's part, with what it shares with the others."""

    def body(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
        return obj({"request_id": request_id, **required}, optional)

    booked = {
        **ticket, "state": "booked", "ahead": None, "wait": None, "priority": 4, "label": "A012", "number": 12,
        "day": "2026-11-23", "repeated": False,
    }  # fmt: skip
    slot = {"at": "2026-11-23T09:30:00+02:00", "minutes": 15, "capacity": 3, "free": 1}
    way = {
        "label": "B007",
        "current": ticket["ticket"],
        "ends_at": "2026-11-22T11:40:00+02:00",
        "steps": [
            {"service": "PHO-01", "state": "now", "queue": 8, "begins_at": None},
            {"service": "PAS-01", "state": "next", "queue": 9, "begins_at": "2026-11-22T11:10:00+02:00"},
        ],
    }

    def one(words: str, example: Any) -> Answer:
        return Answer(words, ref("Ticket"), example)

    slip = Answer(
        "How the newest slip of the ticket stands.",
        _SLIP,
        {"state": "printed", "fault": "", "copy": 1, "at": slot["at"]},
    )
    machines = ("kiosk", "desk")
    return (
        Operation(
            "print_slip", "POST", "/tickets/{ticket}/slip", "Print the ticket, or print it again", printing.ask,
            {200: slip}, params=(code,), body=body({}), body_example={"request_id": example_id}, tokens=machines,
            errors=(404, 409),
        ),
        Operation(
            "get_slip", "GET", "/tickets/{ticket}/slip", "What became of the slip", printing.state, {200: slip},
            params=(code,), tokens=machines, errors=(404,),
        ),
        Operation(
            "get_slip_data", "GET", "/tickets/{ticket}/slip/data", "The slip as bytes, for a kiosk's own printer",
            printing.data, {200: Answer("ESC/POS: a picture and a cut.", None, None, printing.MEDIA)},
            params=(
                code,
                Param("paper", {"type": "integer", "enum": list(PAPERS), "default": 80}, "Width of the paper, mm."),
                Param("language", {"type": "string", "enum": list(LANGUAGES), "default": "both"}, "What it speaks."),
            ),
            tokens=machines, errors=(404,),
        ),
        Operation(
            "list_slots", "GET", "/queues/{id}/slots", "Appointments: days that have some, and the slots of a day",
            life.slots, {200: Answer("Full slots have `free` 0.", ref("Slots"),
                                     {"days": ["2026-11-23"], "day": "2026-11-23", "slots": [slot]})},
            params=(
                queue,
                Param("service", TEXT, "Code of a service: its own hours, where it has some.", example="NID-01"),
                Param("day", DAY, "The first day with appointments, when left out.", example="2026-11-23"),
            ),
            errors=(404,),
        ),
        Operation(
            "book", "POST", "/queues/{id}/bookings", "Book an appointment", life.book,
            {201: one("A new booking.", booked), 200: one("Booked already.", {**booked, "repeated": True})},
            params=(queue,), body=body({"service": _SERVICE, "at": INSTANT}, {"phone": _PHONE}),
            body_example={"service": "NID-01", "at": slot["at"], "request_id": example_id}, errors=(404, 409, 429),
        ),
        Operation(
            "confirm_booking", "POST", "/tickets/{ticket}/confirm", "The holder of a booking says that they will come",
            life.confirm, {200: one("Confirmed.", booked)}, params=(code,), body=body({}),
            body_example={"request_id": example_id}, errors=(404, 409),
        ),
        Operation(
            "move_booking", "POST", "/tickets/{ticket}/move", "Another time for a booking", life.move,
            {200: one("The booking; on another day a new ticket with a new label.", booked)}, params=(code,),
            body=body({"at": INSTANT}), body_example={"at": slot["at"], "request_id": example_id}, errors=(404, 409),
        ),
        Operation(
            "arrive", "POST", "/tickets/{ticket}/arrive", "The holder of a booking has come", life.arrive,
            {200: one("Waits, from the time of the appointment; later than 15 minutes, from now.",
                      {**ticket, "repeated": False})},
            params=(code,), body=body({}), body_example={"request_id": example_id}, tokens=("kiosk", "desk"),
            errors=(404, 409),
        ),
        Operation(
            "begin_journey", "POST", "/sites/{id}/journeys", "One ticket for several services of a place", life.begin,
            {201: one("In the queue that makes the whole visit shortest.", {**ticket, "repeated": False}),
             200: one("Begun already.", {**ticket, "repeated": True})},
            params=(site,),
            body=body(
                {"services": {"type": "array", "items": _SERVICE, "minItems": 1, "maxItems": MOST_STEPS}},
                {
                    "after": {"type": "object", "description": "Service -> services that must be done before it."},
                    "priority": {"type": "integer", "minimum": 0, "maximum": 3, "default": 0},
                    "phone": _PHONE,
                },
            ),
            body_example={
                "services": ["PHO-01", "PAS-01"], "after": {"PAS-01": ["PHO-01"]}, "request_id": example_id,
            },
            errors=(404, 409, 429),
        ),
        Operation(
            "get_journey", "GET", "/tickets/{ticket}/journey", "What of a visit is done, now and next", life.journey,
            {200: Answer("The way as it is planned now; it is planned anew after each step.", ref("Journey"), way)},
            params=(code,), errors=(404,),
        ),
        Operation(
            "rate_ticket", "POST", "/tickets/{ticket}/rate", "Rate a service, once, within two days", life.rate,
            {200: one("Rated.", {**ticket, "state": "served", "ahead": None, "wait": None, "repeated": False})},
            params=(code,),
            body=body(
                {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
                {"reason": {"type": "string", "enum": list(REASONS)}},
            ),
            body_example={"score": 5, "request_id": example_id}, errors=(404, 409),
        ),
    )  # fmt: skip
