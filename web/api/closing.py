"""A supervisor's programs close a queue: first they ask what would become of the people, then they say it."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session

from fleet.ending import end_queue
from queueing import closing
from queueing.closing import Closing
from queueing.errors import Invalid, NotFound
from queueing.store import Queue
from web import clock
from web.api.operation import Answer, Operation, Param, Refused
from web.api.schema import Schema
from web.api.shapes import COMPONENTS, COUNT, DAY, INT, TEXT, obj, or_null, ref
from web.auth import may_use_queue
from web.clerk.life import Target, targets
from web.db import read, write

ROLES = ("supervisor",)
COMPONENTS["Closing"] = obj(
    {
        "queue": INT,
        "state": TEXT,
        "inside": COUNT,
        "moved": COUNT,
        "cancelled": COUNT,
        "repeated": {"type": "boolean"},
    },
    words="What a closing did: people still to be served there, given another appointment, sent home. `state` is then "
    "`closed`, or `paused` until the last of them has been served.",
)


def question(id: int) -> ResponseReturnValue:
    """`GET /queues/{id}/closing`."""
    queue, now = _queue(id), clock.now()
    inside, booked = closing.would_lose(read(), queue, now=now)
    answer = jsonify(
        queue=queue.id, state=queue.state, closing=queue.closing, inside=inside, booked=booked,
        choices=list(closing.CHOICES) if inside + booked else [],
        targets=[_target(one) for one in targets(read(), queue, now)],
    )  # fmt: skip
    answer.headers["Cache-Control"] = "no-store"
    return answer


def close(id: int, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /queues/{id}/close`."""
    _queue(id)
    now, name, choice = clock.now(), current_user.name, body.get("choice")
    if choice == "cancel" and body.get("told") is None:
        raise Invalid(
            "told_missing", "say in `told` how many people you know will be sent home", field="told"
        )

    def run(session: Session) -> Closing:
        here = session.get_one(Queue, id)
        number = body.get("to")
        offered = (
            {one.queue.id: one.queue for one in targets(session, here, now)} if number is not None else {}
        )
        if number is not None and number != id and number not in offered:
            raise NotFound(
                "queue_not_found", "`to` is none of the queues that could take these people", queue=number
            )
        return end_queue(
            session, here, choice, request_id=body["request_id"], actor=name, now=now,
            to_queue=offered.get(number) if number is not None else None,
            day=date.fromisoformat(body["day"]) if body.get("day") else None, reason=body.get("reason", ""),
            told=body.get("told"),
        )  # fmt: skip

    done = write(run)
    read().expire_all()
    return jsonify(
        queue=id, state=read().get_one(Queue, id).state, inside=done.inside, moved=done.moved,
        cancelled=done.cancelled, repeated=done.repeated,
    )  # fmt: skip


def _queue(number: int) -> Queue:
    found = read().get(Queue, number)
    if found is None:
        raise NotFound("queue_not_found", f"there is no queue {number}", queue=number)
    if not may_use_queue(read(), current_user, number):
        raise Refused(403, "other_queue", "this queue is another place's")
    return found


def _target(one: Target) -> dict[str, Any]:
    return {"queue": one.queue.id, "name_ar": one.queue.name_ar, "name_en": one.queue.name_en, "km": one.km}


_TARGET: Schema = obj({"queue": INT, "name_ar": TEXT, "name_en": TEXT, "km": or_null({"type": "number"})})


def operations(request_id: Schema, example_id: str, queue: Param, number: Schema) -> tuple[Operation, ...]:
    """The table's part, with what it shares with the others."""
    return (
        Operation(
            "closing_question", "GET", "/queues/{id}/closing", "Who would lose something if a queue were closed now",
            question,
            {
                200: Answer(
                    "`inside`: waiting or set aside; `booked`: for later today; `choices`: what can become of them "
                    "(none: it can be closed at once); `targets`: who could take them, nearest first (`km` null: in "
                    "this house).",
                    obj(
                        {
                            "queue": INT, "state": TEXT, "closing": {"type": "boolean"}, "inside": COUNT,
                            "booked": COUNT, "choices": {"type": "array", "items": TEXT},
                            "targets": {"type": "array", "items": _TARGET},
                        }
                    ),
                    {
                        "queue": 7, "state": "open", "closing": False, "inside": 4, "booked": 1,
                        "choices": list(closing.CHOICES),
                        "targets": [
                            {"queue": 9, "name_ar": "مركز كوم أمبو", "name_en": "Kom Ombo center", "km": 45.6}
                        ],
                    },
                )
            },
            params=(queue,), roles=ROLES, errors=(404,),
        ),
        Operation(
            "close_queue", "POST", "/queues/{id}/close", "Close a queue, and say what becomes of who is there", close,
            {
                200: Answer(
                    "Done; `repeated` says that this request had been done before.", ref("Closing"),
                    {"queue": 7, "state": "closed", "inside": 0, "moved": 0, "cancelled": 5, "repeated": False},
                )
            },
            params=(queue,),
            body=obj(
                {"request_id": request_id},
                {
                    "choice": {
                        "type": "string", "enum": list(closing.CHOICES),
                        "description": "serve: nobody new, who is inside is served, then it closes by itself. move: "
                        "everybody gets an appointment (`day`, `to`). cancel: everybody is sent home and reads "
                        "`reason`. Left out: closed only if nobody loses anything, else 409 `people_waiting`.",
                    },
                    "day": {**DAY, "description": "For move: the day of the appointments; tomorrow when left out."},
                    "to": {**number, "description": "For move: one of the `targets`; this queue when left out."},
                    "reason": {**TEXT, "maxLength": 200, "description": "For cancel: the people read it."},
                    "told": {
                        "type": "integer", "minimum": 0, "maximum": 100_000,
                        "description": "For cancel: `inside` + `booked` as you were told. When more have come "
                        "meanwhile: 409 `people_waiting`, and nobody is sent home.",
                    },
                },
            ),
            body_example={"request_id": example_id, "choice": "cancel", "reason": "انقطاع الكهرباء", "told": 5},
            roles=ROLES, errors=(404, 409),
        ),
    )  # fmt: skip
