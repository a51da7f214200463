"""The supervisor's operations: a day in figures, a ticket's trail, who did what. Each of one's own place only."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from queueing import audit
from queueing.audit import Cursor, Wanted
from queueing.daytime import day_bounds, local_day
from queueing.errors import NotFound
from queueing.statistics import Figures, day_report
from queueing.store import EPOCH, Ticket, to_micros
from queueing.trail import trail
from web import clock
from web.api import paging
from web.api.operation import Answer, Operation, Param, Refused
from web.api.schema import Schema
from web.api.shapes import COMPONENTS, COUNT, DAY, INSTANT, REAL, TEXT, obj, or_null, ref
from web.auth import may_look_at_queue
from web.clerk.scope import ZONE
from web.clerk.supervisor_pages import queues_on, topics_of
from web.db import read
from web.i18n import local

ROLES = ("supervisor",)
_SECONDS: Schema = or_null({**REAL, "description": "Seconds."})
COMPONENTS["DayFigures"] = obj(
    dict.fromkeys(("arrivals", "called", "served", "missed", "left"), COUNT)
    | dict.fromkeys(("wait_mean", "wait_p90", "service_mean", "service_p90"), _SECONDS),
    words="People of a day, an hour or a service. `left` went before any call; null where nobody was counted.",
)
COMPONENTS["Step"] = obj(
    {
        "at": INSTANT, "action": TEXT, "state": TEXT, "actor": TEXT, "desk": TEXT, "undone": {"type": "boolean"},
        "lasted": _SECONDS,
    },
    words="One event of a ticket; `lasted`: how long the state lasted that it led to.",
)  # fmt: skip
COMPONENTS["Act"] = obj(
    {
        "at": INSTANT,
        "actor": TEXT,
        "action": TEXT,
        "topic": TEXT,
        "subject": TEXT,
        "ticket": or_null(TEXT),
        "desk": TEXT,
    },
    words="Something somebody did. `topic`: the queue or place (`queue:7`); `ticket`: its label, where it was one's.",
)


def figures(day: date | None = None) -> ResponseReturnValue:
    """`GET /figures`."""
    db, now = read(), clock.now()
    chosen = day or local_day(now, ZONE)
    report = day_report(db, [queue.id for queue in queues_on(db, current_user, chosen)], chosen, now=now)
    return jsonify(
        day=chosen.isoformat(),
        total=_figures(report.total),
        hours=[{"hour": hour, **_figures(made)} for hour, made in report.by_hour.items()],
        services=[{"service": service.code, **_figures(made)} for service, made in report.by_service],
    )


def steps(ticket: str) -> ResponseReturnValue:
    """`GET /tickets/{ticket}/trail`."""
    found = read().scalar(select(Ticket).where(Ticket.code == ticket))
    if found is None:
        raise NotFound("ticket_not_found", "there is no such ticket")
    if not may_look_at_queue(read(), current_user, found.queue_id):
        raise Refused(403, "other_queue", "this ticket stands in another place's queue")
    made = trail(read(), found, now=clock.now())
    return jsonify(
        label=found.label,
        state=found.state,
        spent=made.spent,
        steps=[
            {
                "at": local(step.event.happened_at).isoformat(),
                "action": step.event.action,
                "state": step.event.state_to,
                "actor": step.event.actor,
                "desk": step.desk,
                "undone": step.undone,
                "lasted": step.lasted_s,
            }
            for step in made.steps
        ],
    )


def acts(
    day: date | None = None, person: str | None = None, cursor: list[Any] | None = None
) -> ResponseReturnValue:
    """`GET /audit`."""
    db = read()
    chosen = day or local_day(clock.now(), ZONE)
    begin, end = day_bounds(chosen, ZONE)
    ids = [queue.id for queue in queues_on(db, current_user, chosen)]
    wanted = Wanted(ids, topics_of(current_user), begin, end, actor=(person or "")[:80])
    page, following = audit.acts(db, wanted, after=_cursor(cursor))
    key = [to_micros(following.at), following.kind, following.number] if following else None
    return jsonify(
        items=[
            {
                "at": local(act.at).isoformat(),
                "actor": act.actor,
                "action": "out_of_order" if act.data.get(audit.OUT_OF_ORDER) else act.action,
                "topic": act.topic,
                "subject": act.subject,
                "ticket": act.label or None,
                "desk": act.desk,
            }
            for act in page
        ],
        next=paging.encode(key) if key else None,
    )


def _cursor(key: list[Any] | None) -> Cursor | None:
    if key is None:
        return None
    if len(key) != 3 or not all(type(part) is int and 0 <= part < 2**53 for part in key):
        raise Refused(422, "invalid_request", "cursor is none of ours")
    return Cursor(EPOCH + timedelta(microseconds=key[0]), key[1], key[2])


def _figures(made: Figures) -> dict[str, Any]:
    return {
        "arrivals": made.arrivals, "called": made.called, "served": made.served, "missed": made.missed,
        "left": made.left, "wait_mean": made.wait_s, "wait_p90": made.wait_p90, "service_mean": made.service_s,
        "service_p90": made.service_p90,
    }  # fmt: skip


_DAY = Param(
    "day", DAY, "A local day; today when left out.", convert=date.fromisoformat, example="2026-11-22"
)
_CURSOR = Param(
    "cursor", TEXT, "Where the next page begins: `next` of the page before.", convert=paging.decode
)
_FIGURES = {
    "arrivals": 14, "called": 9, "served": 8, "missed": 1, "left": 0, "wait_mean": 1210.5, "wait_p90": 2400.0,
    "service_mean": 260.0, "service_p90": 380.0,
}  # fmt: skip
_STEP = {
    "at": "2026-11-22T10:42:00+02:00", "action": "call", "state": "called", "actor": "clerk", "desk": "2",
    "undone": False, "lasted": 40.0,
}  # fmt: skip
_ACT = {
    "at": "2026-11-22T10:42:00+02:00", "actor": "clerk", "action": "call", "topic": "queue:7", "subject": "",
    "ticket": "A107", "desk": "2",
}  # fmt: skip
_ROW = {"type": "array", "items": {"type": "object"}}
SUPERVISING: tuple[Operation, ...] = (
    Operation(
        "day_figures", "GET", "/figures", "One day of the supervisor's place by hour and by service", figures,
        {
            200: Answer(
                "Counted from events.",
                obj({"day": DAY, "total": ref("DayFigures"), "hours": _ROW, "services": _ROW}),
                {
                    "day": "2026-11-22", "total": _FIGURES, "hours": [{"hour": 10, **_FIGURES}],
                    "services": [{"service": "NID-01", **_FIGURES}],
                },
            )
        },
        params=(_DAY,), roles=ROLES,
    ),
    Operation(
        "ticket_trail", "GET", "/tickets/{ticket}/trail", "Everything that happened with a ticket", steps,
        {
            200: Answer(
                "Its steps, and the seconds it spent in each state.",
                obj(
                    {
                        "label": TEXT, "state": TEXT, "spent": {"type": "object"},
                        "steps": {"type": "array", "items": ref("Step")},
                    }
                ),
                {"label": "A107", "state": "called", "spent": {"waiting": 600.0, "called": 40.0}, "steps": [_STEP]},
            )
        },
        params=(Param("ticket", TEXT, "The ticket's unguessable code.", "path", True, example="q8n1fV3xTt0aYbZk"),),
        roles=ROLES, errors=(404,),
    ),
    Operation(
        "list_acts", "GET", "/audit", "Who did what on a day, newest first", acts,
        {
            200: Answer(
                "One page.",
                obj({"items": {"type": "array", "items": ref("Act")}, "next": or_null(TEXT)}),
                {"items": [_ACT], "next": None},
            )
        },
        params=(_DAY, Param("person", {**TEXT, "maxLength": 80}, "Only what this account did."), _CURSOR), roles=ROLES,
    ),
)  # fmt: skip
