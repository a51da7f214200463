"""The television in the waiting room: who is called where. No login, no personal datum, both languages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, current_app, render_template
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.status import Call, last_called
from queueing.store import Queue
from web import clock
from web.accounts import find_token
from web.citizen.fragments import fragment
from web.citizen.situation import place_of, situation
from web.db import read
from web.i18n import language, load_catalogue

blueprint = Blueprint("board", __name__)

KEPT_CALLS = 12
"""Calls in the section: the five that are shown, and those that a quick row of calls still has to show."""
SOCKET_CLIENT = "vendor/socket.io.min.js"


@blueprint.get("/board/<token>")
def show(token: str) -> Any:
    """The board of one queue."""
    queue = _queue(token)
    static = Path(current_app.static_folder or "")
    return render_template(
        "board/board.html",
        token=token,
        queue=queue,
        place=place_of(read(), queue.id),
        socket_client=SOCKET_CLIENT if (static / SOCKET_CLIENT).exists() else None,
        **_picture(read(), queue, clock.now()),
    )


@blueprint.get("/board/<token>/now")
def now_part(token: str) -> Any:
    """The live section: 304 while nothing has changed, which is also how a board knows that its line is alive."""
    queue = _queue(token)
    now = clock.now()
    picture = _picture(read(), queue, now)
    marks = (*picture["status"].mark(), *(call_key(call) for call in picture["calls"]))

    def html() -> str:
        return render_template("board/_now.html", queue=queue, **picture)

    answer = fragment(html, marks, now, shared=True)
    answer.headers["X-Live"] = "slow" if current_app.extensions["relay"].bell.slow else "fast"
    return answer


@blueprint.app_template_filter()
def call_key(call: Call) -> str:
    """What tells one call from the next: a ticket called again is a new call."""
    return f"{call.label}@{call.at.timestamp():.3f}"


@blueprint.app_template_global()
def second(message: str, **values: object) -> str:
    """A text in the other language than the page's, for the smaller line under it."""
    other = "en" if language() == "ar" else "ar"
    return load_catalogue(other).gettext(message) % values


@blueprint.app_template_filter()
def second_name(thing: Any) -> str:
    """The name of a thing in the other language."""
    return str(thing.name_en if language() == "ar" else thing.name_ar)


def _picture(db: Session, queue: Queue, now: datetime) -> dict[str, Any]:
    begin = lineup.since(now, queue.zone)
    return {
        "calls": last_called(db, queue.id, begin, KEPT_CALLS),
        "status": situation(db, queue, now),
        "as_of": now,
    }


def _queue(token: str) -> Queue:
    found = find_token(read(), token, ("board",))
    if found is None or found.queue_id is None:
        abort(404)
    return read().get_one(Queue, found.queue_id)
