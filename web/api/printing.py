"""Slips: what a kiosk's own program prints, and what became of a slip that our printers were asked for."""

from __future__ import annotations

from typing import Any

from flask import Response, g, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from queueing.store import Ticket
from web import clock
from web.api import shapes
from web.api.operation import Refused
from web.api.tickets import _desk_of, _ticket, actor_of
from web.db import read, write
from web.printing import contents, jobs
from web.printing import slip as pictures
from web.printing.printer import encode
from web.printing.store import PAPERS

MEDIA = "application/vnd.escpos"


def ask(ticket: str, body: dict[str, Any]) -> ResponseReturnValue:
    """`POST /tickets/{ticket}/slip`: print at the kiosk's printer (a desk: at one of its queue). The same request again
    is the same slip."""
    found = _own(ticket)
    ticket_id, queue_id, now, token = found.id, found.queue_id, clock.now(), g.token
    kiosk = token.id if token.kind == "kiosk" else None

    def work(db: Session) -> int:
        printers = jobs.printers_of(db, queue_id)
        printer = jobs.printer_at(db, kiosk) if kiosk is not None else (printers[0] if printers else None)
        slip = jobs.ask(
            db, db.get_one(Ticket, ticket_id), printer, request_id=body["request_id"], actor=actor_of(token), now=now,
            most=jobs.MOST_AT_KIOSK if kiosk is not None else None,
        )  # fmt: skip
        return slip.id

    jobs.run(write(work))
    return state(ticket)


def state(ticket: str) -> ResponseReturnValue:
    """`GET /tickets/{ticket}/slip`: the newest slip of the ticket."""
    seen = jobs.shown(read(), _own(ticket).id, clock.now())
    response = jsonify(
        {
            "state": seen.state,
            "fault": seen.fault,
            "copy": seen.copy,
            "at": shapes.instant(seen.at) if seen.at else None,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def data(ticket: str, paper: int = 80, language: str = "both") -> ResponseReturnValue:
    """`GET /tickets/{ticket}/slip/data`: the bytes for a printer of the kiosk's own. What comes of them nobody here
    knows: it is not counted as a slip."""
    found = _own(ticket)
    made = contents.slip_of(read(), found, spoken=language, copy=1, now=clock.now())
    try:
        raw = encode(pictures.picture(made, dots=PAPERS[paper]))
    except pictures.NoFont:
        raise Refused(503, "no_font", "this server has no font to draw slips with") from None
    return Response(raw, content_type=MEDIA, headers={"Cache-Control": "no-store"})


def _own(code: str) -> Ticket:
    found = _ticket(code)
    allowed = g.token.queue_id if g.token.kind == "kiosk" else _desk_of(g.token)[1]
    if allowed != found.queue_id:
        raise Refused(403, "other_queue", "this token is for another queue", queue=allowed)
    return found
