"""Errors become responses in one place: RFC 9457 problem+json for the API, a plain page for people."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_babel import gettext as _
from flask_login import AnonymousUserMixin
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException

from fleet.errors import FleetError
from queueing.errors import QueueingError
from routing.errors import RoutingError

STATUS: dict[str, int] = {
    # queueing
    "not_found": 404,
    "ticket_not_found": 404,
    "queue_not_found": 404,
    "desk_not_found": 404,
    "unknown_service": 422,
    "queue_closed": 409,
    "queue_paused": 409,
    "capacity_reached": 409,
    "numbers_exhausted": 409,
    "move_not_possible": 409,
    "already_called": 409,
    "request_id_reused": 409,
    "request_id_missing": 422,
    "not_allowed": 403,
    # fleet
    "stale_revision": 409,
    "plan_not_draft": 409,
}
"""Stable error code -> HTTP status. A code that is not named here is a conflict of state: 409."""


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """An RFC 9457 problem. `code` is stable; `detail` is a plain sentence."""
    response = jsonify(
        {
            "type": "about:blank",
            "title": code.replace("_", " "),
            "status": status,
            "code": code,
            "detail": detail,
            **more,
        }
    )
    response.status_code = status
    response.content_type = "application/problem+json"
    return response


def wants_json() -> bool:
    """True for the API's paths."""
    return request.path.startswith("/api/")


RETRY_AFTER_S = 5
"""When to try again while the database is away."""
HINTS = {"invalid": 422, "missing": 404, "forbidden": 403, "conflict": 409}


def status_of(code: str, hint: str = "conflict") -> int:
    """HTTP status of a domain error: by its code, else by the `status_hint` of its kind."""
    return STATUS.get(code) or HINTS.get(hint, 409)


def words_for(code: str, fallback: str) -> str:
    """What a person reads for an error's code, in the page's language."""
    texts = {
        "queue_closed": _("This queue is closed now."),
        "queue_held": _(
            "This queue is run in its van just now. What is done there shows here when the van is heard."
        ),
        "queue_paused": _("This queue is paused. Please wait for staff."),
        "capacity_reached": _("All tickets for today have been taken. Please ask a member of staff."),
        "numbers_exhausted": _("All tickets for today have been taken. Please ask a member of staff."),
        "unknown_service": _("This service is not offered here."),
        "already_called": _("Somebody else has already called this ticket."),
        "move_not_possible": _(
            "This cannot be done with the ticket as it is now. The page shows its present state."
        ),
        "desk_closed": _("Open your desk first."),
        "desk_not_open": _("Open your desk first."),
        "nothing_to_undo": _("There is nothing to undo."),
        "undo_refused": _("This can no longer be undone: something has changed since."),
        "recall_limit": _("This ticket has been called as often as allowed. Mark it as not here."),
        "stale_revision": _(
            "Somebody changed this plan while you were looking at it. The page now shows the newest state."
        ),
        "slot_full": _("This time has just been taken. Choose another one."),
        "slot_unknown": _("There is no appointment at this time. Choose another one."),
        "slot_past": _("This time is over. Choose another one."),
        "queue_moved": _("Another queue has taken over from this one."),
        "not_today": _("This appointment is for another day."),
        "journey_order": _("These services wait for each other. Ask a member of staff."),
        "ticket_not_found": _("We do not know this ticket."),
        "queue_not_found": _("We do not know this queue."),
        "printed_enough": _("This ticket has been printed often enough. Please ask a member of staff."),
        "queue_in_use": _("Somebody still stands in this queue or is booked for it."),
    }
    return str(texts.get(code, fallback))


def page(status: int, code: str, words: str) -> tuple[str, int]:
    """The error page for people: what happened as its heading, what more there is to say, what to do now."""
    said, _end, more = words.partition(". ")
    again = request.script_root + request.full_path.rstrip("?") if request.method == "GET" else ""
    return (
        render_template(
            "shared/error.html", status=status, code=code, said=f"{said}." if more else said, more=more,
            advice=advice(status), again=again if status in PASSING else "",
        ),
        status,
    )  # fmt: skip


PASSING = (429, 500, 502, 503)
"""Statuses of what may be over when somebody tries again."""


def advice(status: int) -> str:
    """What a person can do about it, in one sentence; empty where the words say it."""
    words = {
        401: _("Sign in, and you come back to where you were."),
        403: _("Sign in with an account that may, or ask your supervisor."),
        404: _("On the first page you find centers and visits by the name of your place."),
        413: _("Send less text at a time, or a smaller file."),
    }
    return str(words.get(status, ""))


def init_app(app: Flask) -> None:
    """Register the table."""

    def domain(error: QueueingError | FleetError | RoutingError) -> Any:
        status = status_of(error.code, getattr(error, "status_hint", "conflict"))
        if wants_json():
            details = {k: v for k, v in getattr(error, "details", {}).items() if k not in ("status", "code")}
            return problem(status, error.code, str(error), **details)
        return page(status, error.code, words_for(error.code, str(error)))

    for family in (QueueingError, FleetError, RoutingError):
        app.register_error_handler(family, domain)

    @app.errorhandler(CSRFError)
    def csrf(error: CSRFError) -> Any:
        return page(
            400, "form_expired", _("This page was open for too long. Go back, reload it and try again.")
        )

    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    @app.errorhandler(psycopg.OperationalError)  # of verbs that talk to the driver without SQLAlchemy
    @app.errorhandler(psycopg.InterfaceError)
    @app.errorhandler(sqlite3.OperationalError)
    @app.errorhandler(TimeoutError)
    def database(error: Exception) -> Any:
        # The page that says so must not ask the database who is signed in.
        g._login_user = AnonymousUserMixin()
        app.logger.error("database: %s", error)
        if wants_json():
            words = "the database does not answer; send the same request again, with the same request_id"
            answer = problem(503, "database_unavailable", words)
        else:
            words = _(
                "Our records cannot be reached just now. Nothing was lost. Please try again in a minute."
            )
            answer = make_response(page(503, "database_unavailable", words))
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer

    @app.errorhandler(DataError)
    def not_storable(error: DataError) -> Any:
        # A NUL in a text, a number beyond its column: PostgreSQL says so where SQLite takes it.
        if wants_json():
            return problem(422, "invalid_request", "a value is none that can be stored")
        return page(422, "invalid_request", _("The request was not complete. Go back and try again."))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Any:
        status = error.code or 500
        if error.response is not None or status < 400:
            return error
        if wants_json():
            return problem(status, (error.name or "error").lower().replace(" ", "_"), error.description or "")
        words = {
            400: _("The request was not complete. Go back and try again."),
            401: _("Please sign in."),
            403: _("Your account may not open this page."),
            404: _("There is no such page. It may have moved, or the link may be cut off."),
            413: _("This is too large to send."),
            429: _("Too many attempts. Please wait a few minutes."),
        }.get(status, _("Something went wrong on our side. Nothing was lost. Please try again."))
        return page(status, str(status), words)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Any:
        if app.testing:
            raise error
        app.logger.exception("unexpected error on %s %s", request.method, request.path)
        if wants_json():
            return problem(500, "internal_error", "something went wrong on our side; nothing was changed")
        return page(500, "500", _("Something went wrong on our side. Nothing was lost. Please try again."))
