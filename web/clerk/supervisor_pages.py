"""The supervisor's further pages: a day in figures, any ticket's trail, who did what."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from flask import Response, abort, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.retiring import queues_in_use_on
from fleet.store import Visit
from queueing import audit, trail
from queueing.audit import OUT_OF_ORDER, Act, Cursor, Wanted
from queueing.daytime import day_bounds, local_day
from queueing.errors import QueueingError
from queueing.statistics import day_report
from queueing.statistics_check import last_check
from queueing.store import Queue, Ticket
from queueing.ticket import MOVES
from queueing.waits.judging import how_told
from queueing.waits.kept import how_kept
from queueing.waits.ladder import last_night
from web import clock
from web.accounts import Account
from web.auth import may_look_at_queue, may_use_queue, roles
from web.clerk import supervisor_words as words
from web.clerk.door import blueprint
from web.clerk.scope import ZONE
from web.db import read, write
from web.errors import words_for
from web.i18n import local, named
from web.printing import jobs

TICKET_ACTS = tuple(dict.fromkeys([*(action for _state, action in MOVES), "undo", "rate"]))
CSV_ROWS = 20_000
"""Most lines of one export: some days of the busiest complex."""


def queues_on(session: Session, account: Account, day: date) -> list[Queue]:
    """The queues that an account answers for on a day: its site's, or those of its center's visits."""
    if account.site_id is not None:
        return queues_in_use_on(session, account.site_id, day)
    visits = select(Visit.queue_id).where(Visit.center_id == account.center_id, Visit.day == day)
    return list(session.scalars(select(Queue).where(Queue.id.in_(visits)).order_by(Queue.id)))


def topics_of(account: Account) -> tuple[str, ...]:
    """Whose audit an account reads beside its queues'."""
    return (f"site:{account.site_id}",) if account.site_id is not None else (f"center:{account.center_id}",)


def day_asked(name: str = "day") -> date:
    """The day of the address; today where it is none. Nothing later than today."""
    today = local_day(clock.now(), ZONE)
    try:
        return min(today, date.fromisoformat(request.args.get(name, "")))
    except ValueError:
        return today


PROMISES_BACK = timedelta(days=6)
"""Beside a day's promises stand those of the week that ends with it."""


@blueprint.get("/supervisor/day")
@roles("supervisor")
def supervisor_day() -> Any:
    """One day by hour and by service."""
    db, now, day = read(), clock.now(), day_asked()
    ids = [queue.id for queue in queues_on(db, current_user, day)]
    check = last_check(db)
    mine = [d for d in check.differences if d["queue_id"] in ids] if check is not None else []
    return render_template(
        "clerk/day.html",
        report=day_report(db, ids, day, now=now),
        day=day,
        today=local_day(now, ZONE),
        check=check,
        differences=mine,
        forgotten=trail.forgotten(db, ids, [day]),
        promises=(how_kept(db, ids, day, day), how_kept(db, ids, day - PROMISES_BACK, day)),
        told=(how_told(db, ids, day, day), how_told(db, ids, day - PROMISES_BACK, day)),
        night=last_night(db),
        at=now,
        around=(day - timedelta(days=1), day + timedelta(days=1)),
    )


@blueprint.get("/supervisor/tickets")
@roles("supervisor")
def supervisor_tickets() -> Any:
    """What happened with a ticket: by its number on a day, or by the code of its link."""
    return _tickets()


@blueprint.post("/supervisor/tickets/<code>/print")
@roles("clerk", "supervisor")
def print_ticket(code: str) -> Any:
    """A slip for somebody who lost theirs, at a printer of the ticket's queue."""
    found = _own_ticket(code)

    def work(db: Session) -> int:
        printers = jobs.printers_of(db, found.queue_id)
        return jobs.ask(
            db,
            db.get_one(Ticket, found.id),
            printers[0] if printers else None,
            request_id=request.form.get("request_id", ""),
            actor=current_user.name,
            now=clock.now(),
        ).id

    try:
        jobs.run(write(work))
    except QueueingError as error:
        return _tickets(words_for(error.code, str(error))), 409
    if current_user.role == "clerk":
        return redirect(url_for("clerk.desk"), 303)
    return redirect(url_for("clerk.supervisor_tickets", code=code), 303)


def _own_ticket(code: str) -> Ticket:
    found = read().scalar(select(Ticket).where(Ticket.code == code))
    if found is None:
        abort(404)
    if not may_use_queue(read(), current_user, found.queue_id):
        abort(403)
    return found


def _tickets(error: str = "") -> str:
    db, now, day = read(), clock.now(), day_asked()
    label = request.args.get("label", "").strip().upper()[:16]
    code = (request.view_args or {}).get("code") or request.args.get("code", "").strip()
    # A whole link may be pasted: its last part is the code.
    code = code.rstrip("/").rsplit("/", 1)[-1]
    tickets: list[Ticket] = []
    if code:
        known = db.scalar(select(Ticket).where(Ticket.code == code))
        tickets = [known] if known is not None and may_look_at_queue(db, current_user, known.queue_id) else []
    elif label:
        ids = [queue.id for queue in queues_on(db, current_user, day)]
        tickets = trail.find(db, ids, days=[day], label=label)
    return render_template(
        "clerk/tickets.html",
        trails=[(trail.trail(db, t, now=now), jobs.shown(db, t.id, now)) for t in tickets],
        printers={t.queue_id: bool(jobs.printers_of(db, t.queue_id)) for t in tickets},
        label=label,
        code=code,
        day=day,
        today=local_day(now, ZONE),
        error=error,
        scope=current_user,
    )


@blueprint.get("/supervisor/audit")
@roles("supervisor")
def supervisor_audit() -> Any:
    """Who did what on a day."""
    db, day = read(), day_asked()
    wanted = _wanted(db, day)
    page, following = audit.acts(db, wanted, after=_cursor())
    everybody = audit.actors(db, Wanted(wanted.queue_ids, wanted.topics, wanted.begin, wanted.end))
    queues = {f"queue:{q.id}": q for q in queues_on(db, current_user, day)}
    return render_template(
        "clerk/audit.html",
        acts=page,
        following=_written(following) if following else None,
        people=everybody,
        wanted=wanted,
        queues=queues if len(queues) > 1 else {},
        choices=[*TICKET_ACTS, *audit.ACTIONS],
        day=day,
        today=local_day(clock.now(), ZONE),
        first="after" not in request.args,
    )


@blueprint.get("/supervisor/audit.csv")
@roles("supervisor")
def supervisor_audit_csv() -> Response:
    """The same list as a table for a spreadsheet; from `day` to `last`."""
    db, day = read(), day_asked()
    last = max(day, day_asked("last")) if "last" in request.args else day
    wanted = _wanted(db, day, last)
    response = Response(_csv(db, wanted), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{day}.csv"'
    return response


def _wanted(db: Session, day: date, last: date | None = None) -> Wanted:
    action = request.args.get("action", "")
    known = (*TICKET_ACTS, *audit.ACTIONS, OUT_OF_ORDER)
    ids = {q.id for d in _days(day, last or day) for q in queues_on(db, current_user, d)}
    return Wanted(
        sorted(ids),
        topics_of(current_user),
        day_bounds(day, ZONE)[0],
        day_bounds(last or day, ZONE)[1],
        actor=request.args.get("person", "")[:80],
        action=action if action in known else "",
        staff_only="all" not in request.args,
    )


def _days(first: date, last: date) -> Iterator[date]:
    for n in range(min((last - first).days, 366) + 1):
        yield first + timedelta(days=n)


def _csv(db: Session, wanted: Wanted) -> str:
    out = io.StringIO()
    out.write("\ufeff")  # spreadsheets take the file for what it is: UTF-8
    table = csv.writer(out)
    table.writerow(words.csv_head())
    names = {
        f"queue:{q.id}": named(q) for q in db.scalars(select(Queue).where(Queue.id.in_(wanted.queue_ids)))
    }
    after: Cursor | None = None
    rows = 0
    while rows < CSV_ROWS:
        page, after = audit.acts(db, wanted, after=after, count=1000)
        for act in page:
            table.writerow([_plain(cell) for cell in _row(act, names)])
        rows += len(page)
        if after is None:
            break
    return out.getvalue()


def _row(act: Act, names: dict[str, str]) -> list[str]:
    return [
        local(act.at).strftime("%Y-%m-%d %H:%M:%S"),
        act.actor,
        words.act(act),
        names.get(act.topic, ""),
        act.label or act.subject,
        act.desk,
        words.details(act),
    ]


def _plain(cell: str) -> str:
    """A name that begins like a formula must not be one in a spreadsheet."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _cursor() -> Cursor | None:
    text = request.args.get("after", "")
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        return None
    micros, kind, number = (int(part) for part in parts)
    try:
        return Cursor(
            datetime.fromtimestamp(0, tz=clock.now().tzinfo) + timedelta(microseconds=micros), kind, number
        )
    except OverflowError:
        return None


def _written(cursor: Cursor) -> str:
    epoch = datetime.fromtimestamp(0, tz=cursor.at.tzinfo)
    return f"{(cursor.at - epoch) // timedelta(microseconds=1)}-{cursor.kind}-{cursor.number}"
