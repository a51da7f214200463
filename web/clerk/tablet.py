"""A clerk's tablet and us: presses told at once or late, the hand that it may work off alone, what its browser keeps.

`contact` is the one way between them: the presses that it has not told yet go in, in their order; what became of each,
the present picture and the hand from now on come out. It can be sent again at any time without harm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response, abort, current_app, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import hands
from queueing.errors import Invalid, QueueingError
from queueing.replay import VERBS, Answer, Press, end_before, replay
from queueing.store import Desk, Queue, Ticket
from web import clock
from web.app import asset
from web.auth import require_desk, require_queue, roles
from web.clerk import desk as page
from web.clerk import words
from web.clerk.door import blueprint
from web.clerk.scope import own_desk, todays_queues
from web.clerk.snapshot import millis, snapshot
from web.clerk.tablet_words import words_address
from web.db import read, write
from web.errors import words_for
from web.i18n import code as in_order

MOST = 50
"""Presses of one contact; a tablet sends the rest with the next."""
SCRIPTS = (
    "clerk-model.js",
    "clerk-store.js",
    "clerk-sync.js",
    "clerk-alone.js",
    "clerk-unsent.js",
    "clerk.js",
)
KEPT = ("base.css", "clerk.css", "icon.svg", *SCRIPTS)
"""Files that a tablet keeps, so that it can be loaded again without us."""


@dataclass(frozen=True)
class Told:
    """The body of a contact, read and checked."""

    device: str
    holds: list[str] | None
    presses: list[Press]
    patient: bool
    html: bool
    only: bool
    """Late presses of a desk at which the browser no longer sits: nothing is dealt."""
    bye: bool
    """The browser will hold nobody from now on, and asks for nobody."""
    unsent: int


@blueprint.get("/desk/<int:desk_id>/contact")
@roles("clerk", "supervisor")
def hello(desk_id: int) -> Any:
    """The time, and a fresh token for forms."""
    require_desk(desk_id)
    return _json({"now": millis(clock.now()), "csrf": generate_csrf()})


@blueprint.post("/desk/<int:desk_id>/contact")
@roles("clerk", "supervisor")
def contact(desk_id: int) -> Any:
    """Presses in; their answers, the picture and the hand out."""
    here = require_desk(desk_id)
    body = request.get_json(silent=True)
    if isinstance(body, dict) and body.get("account", current_user.name) != current_user.name:
        # A window of somebody who has signed out: what they pressed must not count as this person's.
        return _json({"code": "other_account", "detail": "somebody else is signed in now"}), 409
    try:
        told = _told(body)
    except Invalid as error:
        return _json({"code": error.code, "detail": error.message}), 422
    results, said = [], page.Said()
    for press in told.presses:
        result, said = _carry_out(here.id, press, told)
        results.append(result)
    answer: dict[str, Any] = {"results": results, "csrf": generate_csrf(), "snapshot": None}
    mine = own_desk(read(), current_user, clock.now())
    if told.only or told.bye or mine is None or mine.id != here.id:
        answer["gone"] = not told.only
        if told.bye or (not told.only and told.holds == []):  # not before the browser has said so
            write(
                lambda session: hands.forget(
                    session, session.get_one(Desk, here.id), told.device, now=clock.now()
                )
            )
    else:
        answer["snapshot"] = write(lambda session: _deal(session, here.id, told))
    if told.html:
        late = any(press.happened_at is not None for press in told.presses)
        answer["work"] = page.work(page.Said() if late else said)
    return _json(answer)


def _deal(session: Session, desk_id: int, told: Told) -> dict[str, Any]:
    here, now, name = session.get_one(Desk, desk_id), clock.now(), current_user.name
    people = hands.contact(
        session, here, told.device, account=name, holds=told.holds, unsent=told.unsent, now=now
    )
    return snapshot(session, here, people, account=name, now=now)


def _carry_out(desk_id: int, press: Press, told: Told) -> tuple[dict[str, Any], page.Said]:
    late = press.happened_at is not None
    name, may_choose = current_user.name, current_user.role == "supervisor"

    def ask(session: Session) -> bool:
        here = page.sitting(session, desk_id)
        wanted = session.scalar(select(Ticket).where(Ticket.code == press.ticket)) if press.ticket else None
        return hands.want(session, here, told.device, ticket=wanted, now=clock.now())

    def run(session: Session) -> Answer:
        here = session.get_one(Desk, desk_id) if late else page.sitting(session, desk_id)
        return replay(
            session, here, press, device=told.device, actor=name, now=clock.now(), may_choose=may_choose
        )

    try:
        # Whoever is next may be in another tablet's hand. While that one is there it is asked, and answers at once.
        if told.patient and not late and press.verb in ("next", "resume") and write(ask):
            return {"id": press.request_id, "status": "wait"}, page.Said()
        answer = write(run)
    except QueueingError as error:
        if press.verb == "finish" and late and error.details.get("state") == "served":
            return {"id": press.request_id, "status": "repeated"}, page.Said()
        write(
            lambda session: end_before(
                session,
                session.get_one(Desk, desk_id),
                press,
                device=told.device,
                actor=name,
                now=clock.now(),
            )
        )
        text = words.refused(error, words_for)
        return (
            {"id": press.request_id, "status": "refused", "code": error.code, "words": text},
            page.Said(text, True, error.code),
        )
    if answer.done is None:
        return {"id": press.request_id, "status": "nobody"}, page.Said(_("Nobody is waiting now."))
    said = words.done(press.verb, answer.done)
    if answer.back:
        said = _(
            "%(label)s had been called on the boards and is back in the line.", label=in_order(answer.back)
        )
    status = "repeated" if answer.done.repeated else "done"
    result = {"id": press.request_id, "status": status, "label": answer.done.ticket.label, "text": str(said)}
    return result, page.Said(said)


def _told(body: Any) -> Told:
    """Read the body of a contact. Raises Invalid `contact_invalid`."""
    if not isinstance(body, dict):
        raise Invalid("contact_invalid", "a contact is a JSON object")
    presses, holds = body.get("presses", []), body.get("holds")
    texts = isinstance(holds, list) and all(isinstance(code, str) for code in holds)
    if not isinstance(presses, list) or len(presses) > MOST or not (holds is None or texts):
        raise Invalid("contact_invalid", f"presses are a list of at most {MOST}, holds a list of codes")
    unsent = body.get("unsent", 0)
    return Told(
        device=str(body.get("device", "")),
        holds=holds,
        presses=[_press(press) for press in presses],
        patient=body.get("patient") is True,
        html=body.get("html") is True,
        only=body.get("only") is True,
        bye=body.get("bye") is True,
        unsent=unsent if isinstance(unsent, int) and 0 <= unsent < 10_000 else 0,
    )


def _press(body: Any) -> Press:
    texts = ("id", "verb", "ticket", "finish", "note", "outcome")
    if not isinstance(body, dict) or not all(isinstance(body.get(name, ""), str) for name in texts):
        raise Invalid("contact_invalid", "a press is an object of texts")
    at, when = body.get("happened"), None
    if at is not None:
        if not isinstance(at, int | float) or not 0 < at < 4e12:
            raise Invalid("contact_invalid", "happened is milliseconds since 1970")
        when = datetime.fromtimestamp(at / 1000, UTC)
    verb = body.get("verb", "")
    if verb not in VERBS:
        raise Invalid("verb_unknown", "there is no such press")
    return Press(
        verb,
        body.get("id", ""),
        when,
        body.get("ticket", ""),
        body.get("finish", ""),
        body.get("note", "").strip(),
        body.get("outcome", ""),
    )


@blueprint.get("/desk/alone")
@roles("clerk", "supervisor")
def shell() -> Any:
    """The desk's page without anything of today: a browser keeps it, and fills it from its own storage."""
    return _unkept(render_template("clerk/alone.html"))


@blueprint.get("/desk/unsent")
@roles("clerk", "supervisor")
def unsent() -> Any:
    """What this browser has not told us yet, or what we refused."""
    here = own_desk(read(), current_user, clock.now())
    return _unkept(render_template("clerk/unsent.html", desk=here))


@blueprint.get("/desk/worker.js")
@roles("clerk", "supervisor")
def worker() -> Any:
    """The service worker of this language's desk pages. Changes with every file that it keeps."""
    files = [words_address(), *(asset(name) for name in KEPT)]
    pages = [url_for("clerk.shell"), url_for("clerk.unsent")]
    folder = Path(current_app.root_path)
    made = [
        *folder.glob("templates/clerk/*.html"),
        *folder.glob("translations/*/*.po"),
        folder / "templates/shared/base.html",
    ]
    stamp = hashlib.sha256(
        "\n".join([*files, *(f"{f.name} {f.stat().st_mtime_ns}" for f in sorted(made))]).encode()
    )
    script = render_template("clerk/worker.js", version=stamp.hexdigest()[:16], files=files, pages=pages)
    answer = Response(script, mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = url_for("clerk.desk")
    return answer


@blueprint.get("/desk/hands")
@roles("clerk", "supervisor")
def desk_hands() -> Any:
    """Desks that work alone, and what a supervisor can do about it."""
    queues = todays_queues(read(), current_user, clock.now())
    rows = hands.alone(read(), [queue.id for queue in queues], now=clock.now())
    return render_template("clerk/hands.html", rows=rows, queues={q.id: q for q in queues})


@blueprint.post("/desk/hands/<int:queue_id>/<int:holder_id>/back")
@roles("supervisor")
def take_back(queue_id: int, holder_id: int) -> Any:
    """The people of a silent tablet can be called by everybody again."""
    queue = require_queue(queue_id)
    name = current_user.name
    try:
        write(
            lambda session: hands.take_back(
                session, session.get_one(Queue, queue.id), holder_id, actor=name, now=clock.now()
            )
        )
    except QueueingError as error:
        if error.status_hint == "missing":
            abort(404)
        raise
    return redirect(url_for("clerk.desk_hands"), 303)


def _json(body: dict[str, Any]) -> Response:
    answer: Response = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _unkept(html: str) -> Response:
    answer = Response(html, mimetype="text/html")
    answer.headers["Cache-Control"] = "no-store"
    return answer
