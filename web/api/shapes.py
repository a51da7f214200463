"""The JSON of the API: schemas of what goes out, beside what makes it. Public ones carry no personal datum."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import url_for

from fleet.store import Center, Governorate, LocalUnit, Site, Visit
from queueing.status import QueueStatus
from queueing.store import Desk, Queue, Service, Ticket
from queueing.wait import WaitRange
from web.api.schema import Schema
from web.foresight import Told
from web.i18n import local, minute_time


def obj(required: dict[str, Schema], optional: dict[str, Schema] | None = None, words: str = "") -> Schema:
    """An object schema: required and optional properties."""
    made: Schema = {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }
    return {**made, "description": words} if words else made


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """`schema` or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


TEXT: Schema = {"type": "string"}
INT: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
REAL: Schema = {"type": "number"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
_NAMES = {"name_ar": TEXT, "name_en": TEXT}

COMPONENTS: dict[str, Schema] = {
    "Governorate": obj({"id": INT, "iso": TEXT, **_NAMES}),
    "LocalUnit": obj({"code": TEXT, "kind": TEXT, **_NAMES}),
    "Site": obj(
        {
            "id": INT,
            "code": TEXT,
            "kind": {"type": "string", "enum": ["fixed", "complex", "village"]},
            **_NAMES,
            "landmark_ar": TEXT,
            "landmark_en": TEXT,
            "governorate": ref("Governorate"),
            "local_unit": ref("LocalUnit"),
            "lat": REAL,
            "lon": REAL,
            "step_free": {"type": "boolean"},
            "opens": TEXT,
            "closes": TEXT,
            "queues": {"type": "array", "items": INT},
            "synthetic": {"type": "boolean"},
        },
        {"distance_km": REAL},
        "A place where a center stands or can stop. `opens` and `closes` are local times of a working day.",
    ),
    "Center": obj(
        {
            "id": INT,
            "code": TEXT,
            **_NAMES,
            "governorate": ref("Governorate"),
            "desks": INT,
            "class": TEXT,
            "status": TEXT,
            "state": TEXT,
            "step_free": {"type": "boolean"},
            "next_visit": or_null(INT),
        },
        {"distance_km": REAL},
        "A mobile center. `next_visit` is the id of its visit that is open or comes next.",
    ),
    "CenterName": obj({"code": TEXT, **_NAMES}),
    "Place": obj(
        {
            "id": INT,
            "code": TEXT,
            **_NAMES,
            "landmark_ar": TEXT,
            "landmark_en": TEXT,
            "lat": REAL,
            "lon": REAL,
            "step_free": {"type": "boolean"},
        }
    ),
    "Wait": obj(
        {
            "low": or_null(COUNT),
            "high": or_null(COUNT),
            "unit": {"type": "string", "const": "minutes"},
            "as_of": INSTANT,
            "likely": or_null(obj({"low": COUNT, "high": COUNT})),
            "method": {"type": "string", "enum": ["formula", "played", "learned"]},
        },
        words="Eight of ten real waits fall between low and high; nine of ten where `likely` is given, between whose "
        "ends half of them fall. All are null when nobody can say. `method`: people ahead times minutes, the line as "
        "it stands played to its end, or learned from the waits of the last weeks.",
    ),
    "Called": obj({"label": TEXT, "desk": TEXT, "at": INSTANT}),
    "Queue": obj(
        {
            "id": INT,
            **_NAMES,
            "state": {"type": "string", "enum": ["closed", "open", "paused"]},
            "site": or_null(INT),
            "visit": or_null(INT),
            "governorate": ref("Governorate"),
            "services": {"type": "array", "items": TEXT},
        },
        {"distance_km": REAL},
        "A waiting line, at a site or at a visit of a mobile center.",
    ),
    "QueueStatus": obj(
        {
            "id": INT,
            **_NAMES,
            "state": {"type": "string", "enum": ["closed", "open", "paused"]},
            "seq": COUNT,
            "waiting": COUNT,
            "resumes_at": or_null(INSTANT),
            "open_desks": COUNT,
            "last_called": or_null(ref("Called")),
            "wait": ref("Wait"),
            "services": {"type": "array", "items": TEXT},
        },
        words="`seq` is the number that `changed` messages of the live namespace count on. `resumes_at`: when a pause"
        " ends by itself.",
    ),
    "Visit": obj(
        {
            "id": INT,
            "center": ref("CenterName"),
            "site": ref("Place"),
            "governorate": ref("Governorate"),
            "day": DAY,
            "opens_at": INSTANT,
            "closes_at": INSTANT,
            "status": {"type": "string", "enum": ["announced", "open", "closed", "cancelled"]},
            "queue": INT,
            "services": {"type": "array", "items": TEXT},
            "waiting": or_null(COUNT),
            "distance_km": or_null(REAL),
            "url": TEXT,
        },
        words="An announced stop of a mobile center. `waiting` is null unless it is open now.",
    ),
    "Ticket": obj(
        {
            "ticket": TEXT,
            "label": TEXT,
            "number": INT,
            "day": DAY,
            "state": {
                "type": "string",
                "enum": [
                    "booked", "waiting", "called", "serving", "parked", "missed",
                    "served", "left", "cancelled", "transferred",
                ],
            },
            "queue": INT,
            "service": TEXT,
            "priority": INT,
            "ahead": or_null(COUNT),
            "wait": or_null(ref("Wait")),
            "desk": or_null(TEXT),
            "issued_at": INSTANT,
            "called_at": or_null(INSTANT),
            "started_at": or_null(INSTANT),
            "ended_at": or_null(INSTANT),
            "next_ticket": or_null(TEXT),
            "url": TEXT,
        },
        {
            "phone_accepted": {"type": "boolean"},
            "note": TEXT,
            "waited_s": COUNT,
            "finished": TEXT,
            "repeated": {"type": "boolean"},
        },
        "`ticket` is the unguessable code of the citizen's link; `label` is what boards show. `ahead` and `wait` are "
        "given while it waits. `note`, `waited_s`, `finished` (the label closed by this call) go to desks only.",
    ),
    "Slots": obj(
        {
            "days": {"type": "array", "items": DAY},
            "day": or_null(DAY),
            "slots": {
                "type": "array",
                "items": obj({"at": INSTANT, "minutes": COUNT, "capacity": COUNT, "free": COUNT}),
            },
        },
        words="Appointments of a queue. `days` are those of the coming two weeks on which some are given.",
    ),
    "Journey": obj(
        {
            "label": TEXT,
            "current": TEXT,
            "ends_at": or_null(INSTANT),
            "steps": {
                "type": "array",
                "items": obj(
                    {
                        "service": TEXT,
                        "state": {"type": "string", "enum": ["done", "now", "next", "left"]},
                        "queue": or_null(INT),
                        "begins_at": or_null(INSTANT),
                    }
                ),
            },
        },
        words="A visit with several services. `current` is the code of the ticket that stands for it now.",
    ),
    "Positions": obj({"received": COUNT, "stored": COUNT}, words="`received` less `stored` were known already."),
    "Fault": obj({"field": TEXT, "detail": TEXT}),
    "Problem": obj(
        {"type": TEXT, "title": TEXT, "status": INT, "code": TEXT, "detail": TEXT},
        {
            "errors": {"type": "array", "items": ref("Fault")},
            "state": TEXT,
            "possible": {"type": "array", "items": TEXT},
        },
        "RFC 9457. `code` is stable; `errors` lists each wrong field of a request that could not be read.",
    ),
}  # fmt: skip


def instant(at: datetime) -> str:
    """An instant with Cairo's offset, whole seconds."""
    return local(at).isoformat(timespec="seconds")


def governorate(row: Governorate) -> dict[str, Any]:
    """Governorate."""
    return {"id": row.id, "iso": row.iso, "name_ar": row.name_ar, "name_en": row.name_en}


def local_unit(row: LocalUnit) -> dict[str, Any]:
    """LocalUnit."""
    return {"code": row.code, "kind": row.kind, "name_ar": row.name_ar, "name_en": row.name_en}


def place(row: Site) -> dict[str, Any]:
    """Place."""
    fields = ("id", "code", "name_ar", "name_en", "landmark_ar", "landmark_en", "lat", "lon", "step_free")
    return {name: getattr(row, name) for name in fields}


def site(row: Site, queues: list[int]) -> dict[str, Any]:
    """Site."""
    return {
        **place(row),
        "kind": row.kind,
        "governorate": governorate(row.governorate),
        "local_unit": local_unit(row.local_unit),
        "opens": minute_time(row.open_minute),
        "closes": minute_time(row.close_minute),
        "queues": queues,
        "synthetic": row.synthetic,
    }


def center(row: Center, next_visit: int | None) -> dict[str, Any]:
    """Center."""
    return {
        "id": row.id,
        "code": row.code,
        "name_ar": row.name_ar,
        "name_en": row.name_en,
        "governorate": governorate(row.governorate),
        "desks": row.desks,
        "class": row.klass,
        "status": row.status,
        "state": row.state,
        "step_free": bool(row.equipment.get("step_free", False)),
        "next_visit": next_visit,
    }


def visit(
    row: Visit, *, services: list[str], waiting: int | None, distance_km: float | None
) -> dict[str, Any]:
    """Visit."""
    return {
        "id": row.id,
        "center": {"code": row.center.code, "name_ar": row.center.name_ar, "name_en": row.center.name_en},
        "site": place(row.site),
        "governorate": governorate(row.site.governorate),
        "day": row.day.isoformat(),
        "opens_at": instant(row.opens_at),
        "closes_at": instant(row.closes_at),
        "status": row.status,
        "queue": row.queue_id,
        "services": services,
        "waiting": waiting,
        "distance_km": distance_km,
        "url": url_for("citizen.visit", visit_id=row.id, _external=True),
    }


def wait(made: WaitRange) -> dict[str, Any]:
    """Wait: whole minutes, the lower end rounded down and the upper one up."""
    return {
        "low": None if made.low_s is None else made.low_s // 60,
        "high": None if made.high_s is None else -(-made.high_s // 60),
        "unit": "minutes",
        "as_of": instant(made.as_of),
        "likely": None,
        "method": "formula",
    }


def told_wait(said: Told) -> dict[str, Any] | None:
    """Wait, with the narrower range and the method where a line was foreseen."""
    if said.wait is None:
        return None
    return {
        **wait(said.wait),
        "likely": None if said.likely is None else likely(said.likely),
        "method": said.method,
    }


def likely(made: WaitRange) -> dict[str, int]:
    """The narrower range of a wait, in which half of the waits lie."""
    return {"low": (made.low_s or 0) // 60, "high": -(-(made.high_s or 0) // 60)}


def queue_status(row: Queue, status: QueueStatus, services: list[str], said: Told) -> dict[str, Any]:
    """QueueStatus. `said`: what somebody is told who would come now."""
    called = status.last_called[0] if status.last_called else None
    return {
        "id": row.id,
        "name_ar": row.name_ar,
        "name_en": row.name_en,
        "state": row.state,
        "seq": status.seq,
        "waiting": status.waiting,
        "resumes_at": instant(row.resumes_at) if row.state == "paused" and row.resumes_at else None,
        "open_desks": status.open_desks,
        "last_called": None
        if called is None
        else {"label": called.label, "desk": called.desk, "at": instant(called.at)},
        "wait": told_wait(said),
        "services": services,
    }


def ticket(
    row: Ticket, service: Service, desk: Desk | None, place_in_line: WaitRange | None, next_code: str | None
) -> dict[str, Any]:
    """Ticket, without what only desks may see."""
    url = url_for("citizen.ticket", code=row.code, _external=True)
    return ticket_of(
        row, service.code, desk.name if desk is not None else None, place_in_line, next_code, url
    )


def ticket_of(
    row: Any, service: str, desk: str | None, place_in_line: WaitRange | None, next_code: str | None, url: str
) -> dict[str, Any]:
    """Ticket, out of what is known without asking the database."""
    return {
        "ticket": row.code,
        "label": row.label,
        "number": row.number,
        "day": row.day.isoformat(),
        "state": row.state,
        "queue": row.queue_id,
        "service": service,
        "priority": row.priority,
        "ahead": None if place_in_line is None else place_in_line.ahead,
        "wait": None if place_in_line is None else wait(place_in_line),
        "desk": desk if row.state in ("called", "serving") else None,
        "issued_at": instant(row.issued_at),
        "called_at": instant(row.called_at) if row.called_at else None,
        "started_at": instant(row.started_at) if row.started_at else None,
        "ended_at": instant(row.ended_at) if row.ended_at else None,
        "next_ticket": next_code,
        "url": url,
    }
