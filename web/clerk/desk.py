"""The clerk's one screen: the ticket at the desk, call next, the line; and the sitting down before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.precedence import order_at
from fleet.retiring import site_of
from queueing import counter, desks, journeys
from queueing.counter import Done
from queueing.errors import Conflict, Invalid, NotFound, QueueingError
from queueing.store import Desk, Queue, Ticket
from queueing.wait import WaitRange
from web import clock
from web.auth import may_use_queue, require_desk, require_queue, roles
from web.citizen.phones import read_phone
from web.citizen.priorities import priority_of
from web.clerk import words
from web.clerk.door import blueprint, is_fragment
from web.clerk.scope import desks_of, own_desk, sister_queues, todays_queues, todays_visit
from web.clerk.screen import desk_screen
from web.db import carry_out, read, write
from web.errors import status_of, words_for
from web.i18n import code as in_order

PLAIN = ("start", "recall", "miss", "requeue", "resume", "park", "finish")
"""Verbs that move one ticket at the desk: carried out together with those of other requests."""
PARTS = ("current", "line")


@dataclass
class Said:
    """What the page answers to a press: a sentence, whether it is bad news, and what had been typed."""

    text: str = ""
    bad: bool = False
    code: str = ""
    typed: dict[str, str] | None = None
    form: str = ""


@blueprint.get("/desk")
@roles("clerk", "supervisor")
def desk() -> Any:
    """The account's desk, or the choice of one."""
    return _page(Said())


@blueprint.get("/desk/parts/<name>")
@roles("clerk", "supervisor")
def desk_part(name: str) -> Any:
    """One section of the desk's page, for a live page that heard of a change."""
    if name not in PARTS:
        abort(404)
    here = own_desk(read(), current_user, clock.now())
    if here is None:
        return render_template("clerk/_gone.html")
    return render_template(f"clerk/_{name}.html", screen=_screen(here), said=Said())


@blueprint.post("/desk/<int:desk_id>/take")
@roles("clerk", "supervisor")
def take_desk(desk_id: int) -> Any:
    """Sit down at a desk, also at one where somebody else sits; the desk left behind is closed."""
    wanted = require_desk(desk_id)
    before = own_desk(read(), current_user, clock.now())
    name, now = current_user.name, clock.now()

    def run(session: Session) -> None:
        if before is not None and before.id != wanted.id:
            desks.close_desk(session, session.get_one(Desk, before.id), actor=name, now=now)
        desks.open_desk(session, session.get_one(Desk, wanted.id), actor=name, now=now, operator=name)

    return _answer(run)


@blueprint.post("/desk/<int:desk_id>/<any(pause,open,close):act>")
@roles("clerk", "supervisor")
def change_desk(desk_id: int, act: str) -> Any:
    """A break, the end of a break, the end of the day at the desk."""
    here = require_desk(desk_id)
    name, now = current_user.name, clock.now()

    def run(session: Session) -> None:
        mine = sitting(session, here.id)
        if act == "open":
            desks.open_desk(session, mine, actor=name, now=now, operator=name)
        elif act == "pause":
            desks.pause_desk(session, mine, actor=name, now=now)
        else:
            desks.close_desk(session, mine, actor=name, now=now)

    return _answer(run)


@blueprint.post("/desk/<int:desk_id>/next")
@roles("clerk", "supervisor")
def call_next(desk_id: int) -> Any:
    """Finish the present ticket and call the next person; or the chosen one, where the account may choose."""
    here = require_desk(desk_id)
    wanted = ticket(request.form["ticket"]) if request.form.get("ticket") else None
    name, rid, now = current_user.name, request.form.get("request_id", ""), clock.now()
    may_choose = current_user.role == "supervisor"
    outcome = request.form.get("outcome", "")
    queue_id, desk_id, chosen = here.queue_id, here.id, wanted.id if wanted else None

    def press() -> Done | None:
        return carry_out(  # type: ignore[no-any-return]
            counter.CallNext(
                queue_id,
                desk_id,
                rid,
                name,
                now,
                chosen,
                may_choose=may_choose,
                outcome=outcome,
                operator=name,
            )
        )

    return _pressed(press, lambda done: "" if done is not None else _("Nobody is waiting now."))


@blueprint.post(
    "/desk/<int:desk_id>/<any(start,finish,recall,miss,requeue,resume,park,transfer,undo,arrive,add):verb>"
)
@roles("clerk", "supervisor")
def act_on_ticket(desk_id: int, verb: str) -> Any:
    """One verb on the ticket named in the form."""
    here = require_desk(desk_id)
    mine = ticket(request.form.get("ticket", ""))
    common = _common()
    note = request.form.get("note", "").strip()
    target = request.form.get("target", "")
    event = request.form.get("event", "")
    if verb in PLAIN:
        # In the desk's queue: a ticket that stands in another one is refused there.
        command: dict[str, Any] = {
            "queue_id": here.queue_id, "ticket_id": mine.id, "desk_id": here.id, "operator": common["actor"], **common,
            "note": note if verb == "park" else "",
        }  # fmt: skip
        outcome = request.form.get("outcome", "") if verb == "finish" else ""
        return _pressed(
            lambda: carry_out(counter.Act(action=verb, outcome=outcome, **command)),
            lambda done: words.done(verb, done),
            form=verb,
        )

    def run(session: Session) -> Done:
        at, ticket = sitting(session, here.id), session.get_one(Ticket, mine.id)
        if verb == "undo":
            shown = int(event) if _is_id(event) else None
            return counter.undo(session, ticket, desk=at, event_id=shown, **common)
        if verb == "arrive":
            return counter.arrive(session, ticket, **common)
        if verb == "add":
            house = [at.queue_id, *(queue.id for queue in sister_queues(session, at.queue_id))]
            site = site_of(session, at.queue_id)
            order = order_at(session, site.id) if site is not None else {}
            return journeys.add_step(session, ticket, target, house, after=order, **common)
        queue, service = _target(session, at, target)
        return counter.transfer(
            session, ticket, desk=at, to_queue=queue, service_code=service, note=note, **common
        )

    return _answer(run, lambda done: words.done(verb, done), form=verb)


@blueprint.post("/desk/<int:desk_id>/tickets")
@roles("clerk", "supervisor")
def issue_at_desk(desk_id: int) -> Any:
    """A ticket for somebody who walked up to the desk."""
    here = require_desk(desk_id)
    common = _common()
    typed = request.form.get("phone", "").strip()
    phone = read_phone(typed) if typed else None
    service, priority = request.form.get("service", ""), priority_of(request.form.get("priority", ""))

    def press() -> Done:
        if typed and phone is None:
            raise Invalid("phone_invalid", "this is not a telephone number")
        queue_id = sitting(read(), here.id).queue_id
        return carry_out(  # type: ignore[no-any-return]
            counter.Issue(queue_id, service, priority=priority, phone=phone, **common)
        )

    return _pressed(press, _issued, form="issue")


def _issued(done: Done) -> Markup:
    ticket = done.ticket
    wait = WaitRange(ticket.promised_low_s, ticket.promised_high_s, 0, ticket.issued_at)
    link = Markup('<a href="{}" target="_blank" rel="noopener">{}</a>').format(
        url_for("citizen.ticket", code=ticket.code), _("Show and print it")
    )
    said = Markup(_("Ticket %(label)s has been given out.")) % {"label": in_order(ticket.label)}
    about = Markup(" {} ").format(words.wait(wait)) if wait.known else Markup(" ")
    return said + about + link


def _common() -> dict[str, Any]:
    return {"request_id": request.form.get("request_id", ""), "actor": current_user.name, "now": clock.now()}


def ticket(code: str) -> Ticket:
    """The ticket named in a form: 404 where there is none, 403 where it is another site's."""
    found = read().scalar(select(Ticket).where(Ticket.code == code))
    if found is None:
        abort(404)
    require_queue(found.queue_id)
    return found


def sitting(session: Session, desk_id: int) -> Desk:
    """The desk, when the account sits there. Raises Conflict `desk_taken` when somebody took it over."""
    here = session.get_one(Desk, desk_id)
    if here.operator != current_user.name:
        raise Conflict(
            "desk_taken", f"{here.operator or 'nobody'} sits at this desk now", operator=here.operator
        )
    return here


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _target(session: Session, here: Desk, target: str) -> tuple[Queue | None, str]:
    """The queue and service chosen for a transfer, written `<queue id>:<service code>`."""
    number, _colon, service = target.partition(":")
    if not _is_id(number) or not service:
        raise Invalid("transfer_target", "choose where the ticket goes")
    if int(number) == here.queue_id:
        return None, service
    queue = next((q for q in sister_queues(session, here.queue_id) if q.id == int(number)), None)
    if queue is None or not may_use_queue(session, current_user, queue.id):
        raise NotFound("queue_not_found", "this site has no such queue")
    return queue, service


def _answer(run: Any, says: Any = None, *, form: str = "") -> Any:
    """Carry `run(session)` out in a transaction of its own, and answer."""
    return _pressed(lambda: write(run), says, form=form)


def _pressed(press: Any, says: Any = None, *, form: str = "") -> Any:
    """Carry a press out; answer with the sections, or by loading the page again; errors in place."""
    try:
        result = press()
    except QueueingError as error:
        typed = {k: v for k, v in request.form.items() if k not in ("csrf_token", "request_id")}
        said = Said(words.refused(error, words_for), True, error.code, typed, form)
        return _page(said), status_of(error.code, error.status_hint)
    text = (says(result) if says else "") or ""
    if is_fragment():
        return _page(Said(text))
    if text:
        flash(text, "good")
    return redirect(url_for("clerk.desk"), 303)


def work(said: Said) -> str:
    """The work area alone, for a script that puts it in place."""
    return _page(said, part=True)


def _page(said: Said, *, part: bool = False) -> str:
    session, now = read(), clock.now()
    here = own_desk(session, current_user, now)
    part = part or is_fragment()
    if here is None:
        template = "clerk/_gone.html" if part else "clerk/choose.html"
        queues = todays_queues(session, current_user, now)
        visit = todays_visit(session, current_user, now)
        rows = desks_of(session, queues)
        return render_template(template, queues=queues, desks=rows, visit=visit, said=said)
    template = "clerk/_work.html" if part else "clerk/desk.html"
    return render_template(template, screen=_screen(here), said=said, now=now)


def _screen(here: Desk) -> Any:
    return desk_screen(read(), here, now=clock.now(), may_choose=current_user.role == "supervisor")
