"""The supervisor's page: queues and desks, today's numbers, a ticket's trail, addresses of kiosks and boards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import abort, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.days import close_visit, open_visit
from fleet.openings import evening
from fleet.store import Visit
from queueing import audit, closing, desks, trail
from queueing.daytime import local_day
from queueing.errors import Conflict, QueueingError
from queueing.statistics import day_report
from queueing.statistics_check import last_check
from queueing.status import QueueStatus, public_status
from queueing.store import Desk, Queue, Ticket
from web import board_store, clock
from web.accounts import AccessToken, new_token
from web.auth import require_desk, require_queue, roles
from web.clerk import supervisor_pages, supervisor_place, supervisor_words, words
from web.clerk.door import blueprint
from web.clerk.scope import ZONE, desks_of, todays_queues, todays_visit
from web.clerk.supervisor_setup import clerks_of
from web.db import read, write
from web.errors import status_of, words_for
from web.printing import jobs

__all__ = ["supervisor_pages", "supervisor_place", "supervisor_words"]
PARTS = ("queues", "numbers")
BEFORE_CLOSING = timedelta(minutes=45)
"""How long before closing time the page asks what becomes of a line."""
PAGES = {"kiosk": "kiosk.start", "board": "board.show"}


@dataclass(frozen=True)
class QueueRow:
    """A queue with its desks: each with the ticket that is there now."""

    queue: Queue
    waiting: int
    desks: list[tuple[Desk, Ticket | None]]
    links: dict[str, AccessToken]
    evening: Evening | None


@dataclass(frozen=True)
class Evening:
    """The end of a queue's day comes, and people wait: when the doors close, until when those inside are served at the
    latest, and by when the line is served (None: nobody can say)."""

    closes_at: datetime
    until: datetime
    served_by: datetime | None

    @property
    def too_long(self) -> bool:
        """Whether some of them will not be served."""
        return self.served_by is not None and self.served_by > self.until


@blueprint.get("/supervisor")
@roles("supervisor")
def supervisor() -> Any:
    """The whole page."""
    return _page()


@blueprint.get("/supervisor/parts/<name>")
@roles("supervisor")
def supervisor_part(name: str) -> Any:
    """One section, for a live page that heard of a change."""
    if name not in PARTS:
        abort(404)
    return render_template(f"clerk/_{name}.html", **_view())


@blueprint.post("/supervisor/queues/<int:queue_id>/<any(open,pause,close):act>")
@roles("supervisor")
def change_queue(queue_id: int, act: str) -> Any:
    """Open, pause or close a queue; closing while people wait asks first and says how many."""
    queue = require_queue(queue_id)
    name, now = current_user.name, clock.now()
    reason = request.form.get("reason", "").strip()
    losing = sum(closing.would_lose(read(), queue, now=now)) if act == "close" else 0
    told = _told(request.form.get("told", ""))
    # Told how many, and why they go home: else, or when more have come meanwhile, the page asks (again).
    if losing and (not reason or losing > told):
        return redirect(url_for("clerk.supervisor", closing=queue.id), 303)

    def run(db: Session) -> None:
        here = db.get_one(Queue, queue_id)
        if act == "open" and here not in todays_queues(db, current_user, now):
            # A mobile center has a queue for each visit: one that was cancelled, or is another day's, stays shut.
            raise Conflict("not_todays_queue", "this queue is not one of today's", queue=queue_id)
        visit = db.scalar(select(Visit).where(Visit.queue_id == queue_id))
        if act == "pause":
            desks.pause_queue(db, here, actor=name, now=now)
        elif act == "open":
            if visit is None or not open_visit(db, visit, now=now):
                desks.open_queue(db, here, actor=name, now=now)
        else:
            if reason:
                closing.close_with(db, here, "cancel", actor=name, now=now, reason=reason, told=told)
            else:  # somebody may have come since the page looked
                closing.require_told(db, here, 0, now=now)
            if visit is None or not close_visit(db, visit, now=now):
                desks.close_queue(db, here, actor=name, now=now)

    return _answer(run)


@blueprint.post("/supervisor/desks/<int:desk_id>/<any(open,pause,close):act>")
@roles("supervisor")
def supervise_desk(desk_id: int, act: str) -> Any:
    """Open, pause or close any desk of the site."""
    desk = require_desk(desk_id)
    name, now = current_user.name, clock.now()
    verb = {"open": desks.open_desk, "pause": desks.pause_desk, "close": desks.close_desk}[act]
    return _answer(lambda db: verb(db, db.get_one(Desk, desk.id), actor=name, now=now))


@blueprint.post("/supervisor/queues/<int:queue_id>/links/<any(kiosk,board):kind>")
@roles("supervisor")
def renew_link(queue_id: int, kind: str) -> Any:
    """A new address for the kiosk or the board of a queue; the old one stops working."""
    queue = require_queue(queue_id)
    now = clock.now()

    def run(db: Session) -> str:
        valid = (AccessToken.kind == kind, AccessToken.queue_id == queue.id, AccessToken.revoked_at.is_(None))
        old = list(db.scalars(select(AccessToken.id).where(*valid)))
        db.execute(update(AccessToken).where(*valid).values(revoked_at=now))
        text = new_token(db, kind, now=now, queue_id=queue.id, label=f"{current_user.name} {kind}")
        if kind == "kiosk":
            jobs.carry_over(db, old, db.scalars(select(AccessToken.id).where(*valid)).one())
        else:
            board_store.carry_over(db, old, db.scalars(select(AccessToken.id).where(*valid)).one())
        facts = {"kind": kind, "replaced": len(old)}
        audit.note(db, f"queue:{queue.id}", "link", actor=current_user.name, now=now, data=facts)
        return text

    # Shown once, on the page that follows: only its digest is kept.
    session["new_link"] = {"queue": queue.id, "kind": kind, "token": write(run)}
    return redirect(url_for("clerk.supervisor") + "#links", 303)


def _evening(db: Session, queue: Queue, status: QueueStatus, now: datetime) -> Evening | None:
    ends = evening(db, queue, now) if status.waiting and queue.state != "closed" else None
    if ends is None or now < ends[0] - BEFORE_CLOSING:
        return None
    high = status.wait.high_s
    return Evening(*ends, now + timedelta(seconds=high) if high is not None else None)


def _told(text: str) -> int:
    """How many people the page had named."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _answer(run: Any) -> Any:
    try:
        write(run)
    except QueueingError as error:
        if error.code == "people_waiting":
            return redirect(url_for("clerk.supervisor", closing=error.details["queue"]), 303)
        status = status_of(error.code, error.status_hint)
        text = words.refused(error, words_for)
        if error.code == "desk_busy" and "label" in error.details:
            text = _(
                "%(label)s is still at this desk. It must be finished there first.",
                label=error.details["label"],
            )
        return _page(text), status
    return redirect(url_for("clerk.supervisor"), 303)


def _page(error: str = "") -> str:
    now = clock.now()
    view = _view()
    asked = next((row for row in view["rows"] if str(row.queue.id) == request.args.get("closing")), None)
    inside, booked = closing.would_lose(read(), asked.queue, now=now) if asked is not None else (0, 0)
    link = session.pop("new_link", None)
    if link is not None:
        link["url"] = url_for(PAGES[link["kind"]], token=link.pop("token"), _external=True)
    ids = [row.queue.id for row in view["rows"]]
    today = local_day(now, ZONE)
    check = last_check(read())
    return render_template(
        "clerk/supervisor.html",
        **view,
        error=error,
        closing=asked if inside + booked else None,
        inside=inside,
        booked=booked,
        wrong=sum(d["queue_id"] in ids for d in check.differences) if check is not None else 0,
        check=check,
        forgotten=trail.forgotten(read(), ids, [today, today - timedelta(days=1)]),
        link=link,
    )


def _view() -> dict[str, Any]:
    db, now = read(), clock.now()
    queues = todays_queues(db, current_user, now)
    ids = [queue.id for queue in queues]
    here = {
        ticket.desk_id: ticket
        for ticket in db.scalars(
            select(Ticket).where(Ticket.queue_id.in_(ids), Ticket.state.in_(("called", "serving")))
        )
    }
    links: dict[int, dict[str, AccessToken]] = {}
    for token in db.scalars(
        select(AccessToken)
        .where(AccessToken.queue_id.in_(ids), AccessToken.revoked_at.is_(None), AccessToken.kind.in_(PAGES))
        .order_by(AccessToken.id)
    ):
        if token.queue_id is not None:
            links.setdefault(token.queue_id, {})[token.kind] = token
    all_desks = desks_of(db, queues)
    rows = []
    for queue in queues:
        status = public_status(db, queue, now)
        rows.append(
            QueueRow(
                queue,
                status.waiting,
                [(desk, here.get(desk.id)) for desk in all_desks if desk.queue_id == queue.id],
                links.get(queue.id, {}),
                _evening(db, queue, status, now),
            )
        )
    return {
        "rows": rows,
        "visit": todays_visit(db, current_user, now),
        "numbers": day_report(db, ids, local_day(now, ZONE), now=now).total,
        "clerks": clerks_of(db, current_user),
        "waiting": sum(row.waiting for row in rows),
        "at": now,
    }
