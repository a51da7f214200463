"""The table of every operation under /api/v1. Routes and the OpenAPI document are both made from it."""

from __future__ import annotations

from typing import Any

from queueing.ticket import OUTCOMES
from web.api import closing, operations_life, paging, places, positions, tickets
from web.api.figures import FIGURES
from web.api.operation import Answer, Operation, Param
from web.api.planning_operations import PLANNING
from web.api.schema import Schema
from web.api.shapes import DAY, INT, TEXT, obj, ref
from web.api.supervising import SUPERVISING

GOVERNORATE = Param(
    "governorate",
    TEXT,
    "Governorate: ISO code (`EG-ASN`), id, or name in Arabic or English.",
    example="EG-ASN",
)
Q = Param(
    "q",
    {**TEXT, "maxLength": 80},
    "A place's name in Arabic or English, in any usual spelling.",
    example="كوم امبو",
)
NEAR = Param(
    "near",
    TEXT,
    "Latitude,longitude in degrees: nearest first, with distances.",
    convert=places.lat_lon,
    example="24.09,32.90",
)
_CURSOR_WORDS = "Where the next page begins: `next` of the page before."
CURSOR = Param("cursor", TEXT, _CURSOR_WORDS, convert=paging.decode)
LIMIT = Param(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": paging.MAX_LIMIT, "default": paging.DEFAULT_LIMIT},
    "Rows a page.",
)
LISTED = (GOVERNORATE, Q, NEAR, CURSOR, LIMIT)
REQUEST_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^[^#]*$",
    "x-says": "must not contain #",
    "description": "Made by the client, new for each act; the same one again is the same act, never a second.",
}
NOTE: Schema = {"type": "string", "maxLength": 400}
ID: Schema = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
OUTCOME: Schema = {
    "type": "string",
    "enum": list(OUTCOMES),
    "description": "What came of it: done today, or why the person must come back (a paper is missing, the system is "
    "down, another office decides, somebody else must come along, another reason).",
}
DESK: Schema = {**ID, "description": "The desk of the token; may be left out."}
EXAMPLE_ID = "5f0c1f0e-7a1d"
CODE = Param("ticket", TEXT, "The ticket's unguessable code.", "path", True, example="q8n1fV3xTt0aYbZk")


def _id(words: str) -> Param:
    return Param("id", INT, words, "path", True, example=7)


def _page_of(name: str, example: Any) -> Answer:
    schema = obj({"items": {"type": "array", "items": ref(name)}, "next": {"type": ["string", "null"]}})
    return Answer("One page.", schema, {"items": [example], "next": None})


_GOVERNORATE = {"id": 1, "iso": "EG-ASN", "name_ar": "أسوان", "name_en": "Aswan"}
_PLACE = {
    "id": 40,
    "code": "V-0412",
    "name_ar": "قرية الرغامة",
    "name_en": "El Raghama",
    "landmark_ar": "بجوار المدرسة",
    "landmark_en": "Beside the school",
    "lat": 24.5,
    "lon": 32.92,
    "step_free": True,
}
_SITE = {
    **_PLACE,
    "kind": "village",
    "governorate": _GOVERNORATE,
    "local_unit": {"code": "U-KOM", "kind": "markaz", "name_ar": "كوم أمبو", "name_en": "Kom Ombo"},
    "opens": "08:30",
    "closes": "15:00",
    "queues": [],
    "synthetic": True,
    "distance_km": 45.61,
}
_CENTER = {
    "id": 3,
    "code": "MC-28-01",
    "name_ar": "مركز أسوان المتنقل 1",
    "name_en": "Aswan mobile center 1",
    "governorate": _GOVERNORATE,
    "desks": 2,
    "class": "small",
    "status": "ready",
    "state": "driving",
    "step_free": True,
    "next_visit": 91,
}
_QUEUE = {
    "id": 7,
    "name_ar": "المركز التكنولوجي بأسوان",
    "name_en": "Aswan technology center",
    "state": "open",
    "site": 12,
    "visit": None,
    "governorate": _GOVERNORATE,
    "services": ["NID-01", "BIR-01"],
}
_WAIT = {
    "low": 6, "high": 19, "unit": "minutes", "as_of": "2026-11-22T10:42:00+02:00", "likely": None, "method": "formula",
}  # fmt: skip
_STATUS = {
    "id": 7,
    "name_ar": _QUEUE["name_ar"],
    "name_en": _QUEUE["name_en"],
    "state": "open",
    "seq": 311,
    "waiting": 4,
    "resumes_at": None,
    "open_desks": 2,
    "last_called": {"label": "A103", "desk": "2", "at": "2026-11-22T10:40:12+02:00"},
    "wait": _WAIT,
    "services": ["NID-01", "BIR-01"],
}
_VISIT = {
    "id": 91,
    "center": {"code": "MC-28-01", "name_ar": _CENTER["name_ar"], "name_en": _CENTER["name_en"]},
    "site": _PLACE,
    "governorate": _GOVERNORATE,
    "day": "2026-11-23",
    "opens_at": "2026-11-23T09:30:00+02:00",
    "closes_at": "2026-11-23T13:30:00+02:00",
    "status": "announced",
    "queue": 140,
    "services": ["NID-01"],
    "waiting": None,
    "distance_km": 45.61,
    "url": "https://centers.example/visits/91",
}
_TICKET = {
    "ticket": "q8n1fV3xTt0aYbZk",
    "label": "A107",
    "number": 107,
    "day": "2026-11-22",
    "state": "waiting",
    "queue": 7,
    "service": "NID-01",
    "priority": 0,
    "ahead": 4,
    "wait": _WAIT,
    "desk": None,
    "issued_at": "2026-11-22T10:42:00+02:00",
    "called_at": None,
    "started_at": None,
    "ended_at": None,
    "next_ticket": None,
    "url": "https://centers.example/tickets/q8n1fV3xTt0aYbZk",
}
_CALLED = {
    **_TICKET,
    "state": "called",
    "ahead": None,
    "wait": None,
    "desk": "2",
    "called_at": "2026-11-22T10:51:30+02:00",
    "note": "",
    "waited_s": 570,
    "repeated": False,
}


def _ticket(words: str, example: Any) -> Answer:
    return Answer(words, ref("Ticket"), example)


def _verb(
    verb: str, summary: str, more: dict[str, Schema] | None = None, example: dict[str, Any] | None = None
) -> Operation:
    return Operation(
        f"{verb}_ticket",
        "POST",
        f"/tickets/{{ticket}}/{verb}",
        summary,
        tickets.act(verb),
        {200: _ticket("Done; `repeated` says that this request had been done before.", _CALLED)},
        params=(CODE,),
        body=obj({"request_id": REQUEST_ID}, {"desk": DESK, **(more or {})}),
        body_example={"request_id": EXAMPLE_ID, "desk": 2, **(example or {})},
        tokens=("desk",),
        errors=(404, 409),
    )


_POSITION_ANSWERS = {
    200: Answer(
        "Stored; the positions are committed. OwnTracks gets an empty list.",
        {"anyOf": [ref("Positions"), {"type": "array", "items": {}}]},
        {"received": 1, "stored": 1},
    )
}
_POSITION_PARAMS = (
    Param("id", TEXT, "The device's token, where no Authorization header is sent (also `deviceid`)."),
    Param("lat", TEXT, "Latitude, degrees.", example="24.5"),
    Param("lon", TEXT, "Longitude, degrees.", example="32.92"),
    Param(
        "timestamp",
        TEXT,
        "Seconds or milliseconds since 1970, or ISO 8601; now when left out.",
        example="1795334520",
    ),
    Param("speed", TEXT, "Speed in knots, as Traccar's OsmAnd protocol has it.", example="21.6"),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "list_sites", "GET", "/sites", "Places of fixed centers and stops of mobile ones",
        places.list_sites, {200: _page_of("Site", _SITE)}, params=LISTED,
    ),
    Operation(
        "list_centers", "GET", "/centers", "Mobile centers (`near` measures to their depots)",
        places.list_centers, {200: _page_of("Center", _CENTER)}, params=LISTED,
    ),
    Operation(
        "list_queues", "GET", "/queues", "Waiting lines of sites and of visits that are not over",
        places.list_queues, {200: _page_of("Queue", _QUEUE)}, params=LISTED,
    ),
    Operation(
        "get_queue", "GET", "/queues/{id}", "Public status of a queue: people waiting, open desks, last called, wait",
        tickets.queue_status,
        {200: Answer("Status, with an ETag.", ref("QueueStatus"), _STATUS), 304: Answer("As in the answer you have.")},
        params=(_id("The queue."),), errors=(404,),
    ),
    Operation(
        "list_visits", "GET", "/visits", "Where mobile centers will be, nearest and soonest first",
        places.list_visits, {200: _page_of("Visit", _VISIT)},
        params=(
            GOVERNORATE,
            Param(
                Q.name, Q.schema, "A place's name in Arabic or English: visits near it, when `near` is not given.",
                example=Q.example,
            ),
            NEAR,
            Param("from", DAY, "First day (local), today by default.", example="2026-11-22"),
            Param("service", TEXT, "Code of a service that the visit offers.", example="NID-01"),
            Param("cursor", TEXT, _CURSOR_WORDS),
            LIMIT,
        ),
    ),
    Operation(
        "issue_ticket", "POST", "/queues/{id}/tickets", "Give out a ticket", tickets.issue,
        {
            201: _ticket("A new ticket.", {**_TICKET, "repeated": False}),
            200: _ticket("This request, or this phone, has its ticket already.", {**_TICKET, "repeated": True}),
        },
        params=(_id("The queue."),),
        body=obj(
            {"service": {**TEXT, "minLength": 1, "maxLength": 24}, "request_id": REQUEST_ID},
            {
                "priority": {
                    "type": "integer", "minimum": 0, "maximum": 3, "default": 0,
                    "description": "0 ordinary; 1 from 65 years, pregnancy, infant; 2 disability; 3 decided by staff.",
                },
                "phone": {
                    "type": ["string", "null"], "maxLength": 40,
                    "description": "A number that cannot be one is left out; it never stands in the way of a ticket.",
                },
            },
        ),
        body_example={"service": "NID-01", "request_id": EXAMPLE_ID, "priority": 0, "phone": "01001234567"},
        tokens=("kiosk", "desk"), errors=(404, 409),
    ),
    Operation(
        "get_ticket", "GET", "/tickets/{ticket}", "A ticket by its code", tickets.show,
        {200: _ticket("The ticket as it is now.", _TICKET)}, params=(CODE,), errors=(404,),
    ),
    Operation(
        "leave_ticket", "POST", "/tickets/{ticket}/leave", "The citizen leaves the line", tickets.leave,
        {200: _ticket("Left.", {**_TICKET, "state": "left", "ahead": None, "wait": None, "repeated": False})},
        params=(CODE,), body=obj({}, {"request_id": REQUEST_ID}), body_example={"request_id": EXAMPLE_ID},
        body_required=False, errors=(404, 409),
    ),
    Operation(
        "call_next", "POST", "/desks/{id}/next", "Finish the desk's ticket and call the next person", tickets.call_next,
        {
            200: _ticket("Called.", {**_CALLED, "finished": "A106"}),
            204: Answer("Nobody waits; an open ticket was finished."),
        },
        params=(_id("The desk of the token."),), body=obj({"request_id": REQUEST_ID}, {"outcome": OUTCOME}),
        body_example={"request_id": EXAMPLE_ID}, tokens=("desk",), errors=(404, 409),
    ),
    _verb("start", "The person is at the desk: the service begins"),
    _verb("finish", "The person has been served", {"outcome": OUTCOME}, {"outcome": "done"}),
    _verb("miss", "Called and did not come"),
    _verb("recall", "Announce the call again"),
    _verb("park", "Set aside; the time does not count as service", {"note": NOTE}, {"note": "waits for a stamp"}),
    _verb("resume", "Go on with a parked person, or call a missed one again"),
    _verb("requeue", "Back to the line with place and age kept"),
    _verb(
        "transfer", "Send on to another service, or to another queue of the same site",
        {"service": TEXT, "queue": ID, "note": NOTE},
        {"service": "FAM-01", "note": "needs a family record"},
    ),
    _verb("undo", "Take back the last thing this desk did with the ticket"),
    Operation(
        "report_position", "POST", "/positions", "Position of a mobile center, as its device sends it",
        positions.report, _POSITION_ANSWERS, params=_POSITION_PARAMS,
        body={
            "description": "Traccar Client 9 JSON, OwnTracks JSON, a plain object or a list; or the query as a form.",
            "anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
        },
        body_example={
            "location": {"timestamp": "2026-11-22T08:42:00Z", "coords": {"latitude": 24.5, "longitude": 32.92}}
        },
        body_required=False, tokens=("device",), raw_body=True, errors=(409,),
    ),
    Operation(
        "report_position_by_query", "GET", "/positions", "The same for OsmAnd's online tracking, which sends GET",
        positions.report, _POSITION_ANSWERS, params=_POSITION_PARAMS, tokens=("device",), raw_body=True, errors=(409,),
    ),
    *PLANNING,
    *SUPERVISING,
    *closing.operations(REQUEST_ID, EXAMPLE_ID, _id("The queue."), ID),
    *FIGURES,
    *operations_life.operations(
        REQUEST_ID, CODE, EXAMPLE_ID, _TICKET, _id("The queue."), _id("The fixed center or complex.")
    ),
)  # fmt: skip
