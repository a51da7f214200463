"""The supervisor's page of the place as a whole: which service comes before which, and queues that go out of use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import precedence, retiring
from fleet.errors import FleetError
from fleet.store_retired import RetiredQueue
from queueing.errors import QueueingError
from queueing.store import Queue, Service, Ticket
from queueing.ticket import LIVE
from web import clock
from web.auth import require_queue, roles
from web.citizen.situation import services_of
from web.clerk.door import blueprint
from web.clerk.scope import todays_queues
from web.db import read, write
from web.errors import status_of, words_for


@dataclass(frozen=True)
class InUse:
    """A queue of the place; how many stand in it, and how many are booked for it."""

    queue: Queue
    services: list[Service]
    here: int
    booked: int


@dataclass(frozen=True)
class Rule:
    """`before` is done before `service`. `own`: made here, and can be taken back here."""

    service: Service
    before: Service
    own: bool


@blueprint.get("/supervisor/place")
@roles("supervisor")
def supervisor_place() -> Any:
    """The rules, the queues, and those that are out of use."""
    return _page()


@blueprint.post("/supervisor/place/order")
@roles("supervisor")
def change_order() -> Any:
    """One rule more, or one less."""
    site_id, form = _site_id(), request.form
    common: dict[str, Any] = {"actor": current_user.name, "now": clock.now()}
    service, before = form.get("service", ""), form.get("before", "")
    if form.get("act") == "drop":
        return _done(
            lambda db: precedence.drop_rule(db, site_id, service, before, **common),
            _("The rule is taken back."),
        )
    if not service or not before:
        return _page(_("Choose both services.")), 422
    return _done(
        lambda db: precedence.put_before(db, site_id, service, before, **common),
        _("The rule holds from now on. Visits that have begun go on as they were planned."),
    )


@blueprint.post("/supervisor/queues/<int:queue_id>/retire")
@roles("supervisor")
def retire_queue(queue_id: int) -> Any:
    """Take a queue of this place out of use."""
    _site_id()
    queue = require_queue(queue_id)
    reason = request.form.get("reason", "").strip()
    if not reason:
        return _page(_("Write why the queue goes out of use.")), 422
    name, now = current_user.name, clock.now()
    return _done(
        lambda db: retiring.retire(db, db.get_one(Queue, queue.id), reason=reason, actor=name, now=now),
        _("The queue is out of use. Its tickets and figures are kept."),
    )


@blueprint.post("/supervisor/queues/<int:queue_id>/bring-back")
@roles("supervisor")
def bring_queue_back(queue_id: int) -> Any:
    """A queue of this place that was taken out of use stands here again."""
    out = read().get(RetiredQueue, queue_id)
    if out is None:  # pressed twice: it is back
        require_queue(queue_id)
    elif out.site_id != _site_id():
        abort(403)
    name, now = current_user.name, clock.now()
    return _done(
        lambda db: retiring.bring_back(db, db.get_one(Queue, queue_id), actor=name, now=now),
        _("The queue is in use again. It is closed until you open it."),
    )


def _site_id() -> int:
    """The building of whoever asks: a mobile center's queues come and go with its visits."""
    if current_user.site_id is None:
        abort(403)
    return int(current_user.site_id)


def _done(work: Callable[[Session], Any], said: str) -> Any:
    try:
        write(work)
    except (QueueingError, FleetError) as error:
        return _page(_refused(error)), status_of(error.code, error.status_hint)
    flash(said, "good")
    return redirect(url_for("clerk.supervisor_place"), 303)


def _refused(error: QueueingError | FleetError) -> str:
    if error.code == "queue_in_use" and error.details.get("booked"):
        return str(
            _(
                "People are booked for this queue. Give them another time or place first, then take it out of use."
            )
        )
    texts = {
        "queue_in_use": _("People still stand in this queue. Serve them or send them on first."),
        "last_queue": _("A place keeps at least one queue."),
        "service_circle": _("These services would wait for each other. Take the other rule back first."),
        "same_service": _("Choose two different services."),
        "too_many_rules": _("There are enough rules. Take one back first."),
    }
    return str(texts.get(error.code) or words_for(error.code, _("This is not possible now.")))


def _page(error: str = "") -> str:
    db, now = read(), clock.now()
    site_id = current_user.site_id
    queues = todays_queues(db, current_user, now)
    counts: dict[int, dict[str, int]] = {}
    for queue_id, state, count in db.execute(
        select(Ticket.queue_id, Ticket.state, func.count())
        .where(Ticket.queue_id.in_([queue.id for queue in queues]), Ticket.state.in_(LIVE))
        .group_by(Ticket.queue_id, Ticket.state)
    ):
        counts.setdefault(queue_id, {})[state] = count
    rows = []
    for queue in queues:
        mine = counts.get(queue.id, {})
        booked = mine.get("booked", 0)
        rows.append(InUse(queue, services_of(db, queue.id), sum(mine.values()) - booked, booked))
    out = retiring.out_of_use(db, site_id) if site_id is not None else []
    return render_template(
        "clerk/place.html",
        building=site_id is not None,
        rows=rows,
        out=[(gone, queue, _named_services(db, gone.services)) for gone, queue in out],
        rules=_rules(db, site_id) if site_id is not None else [],
        offered=precedence.offered_at(db, site_id) if site_id is not None else {},
        chosen=request.form,
        error=error,
    )


def _rules(db: Session, site_id: int) -> list[Rule]:
    """The rules as sentences; of services that nobody offers any more, too."""
    order, own = precedence.order_at(db, site_id), precedence.own_order(db, site_id)
    codes = {*order, *(code for before in order.values() for code in before)}
    known = {s.code: s for s in db.scalars(select(Service).where(Service.code.in_(codes)))}
    return [
        Rule(known[service], known[code], code in own.get(service, ()))
        for service, before in order.items()
        for code in before
        if service in known and code in known
    ]


def _named_services(db: Session, ids: list[int]) -> list[Service]:
    chosen = select(Service).where(Service.id.in_(ids)).order_by(Service.popularity.desc(), Service.id)
    return list(db.scalars(chosen))
