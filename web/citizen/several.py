"""One ticket for several services of a place: what to tick, and the shortest way that comes of it."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from fleet import precedence
from fleet.store import Site
from queueing import journeys
from queueing.errors import QueueingError
from queueing.store import Queue, Service
from queueing.way import MOST_STEPS
from web import clock
from web.app import new_request_id
from web.citizen import blueprint
from web.citizen.centers import KINDS
from web.citizen.phones import read_phone
from web.citizen.priorities import priority_of, questions
from web.citizen.situation import services_of
from web.citizen.taking import remember
from web.db import read, write
from web.errors import words_for


@blueprint.route("/centers/<int:site_id>/several", methods=["GET", "POST"])
def several(site_id: int) -> Any:
    """One ticket for several services of a place: tick them, and get the shortest way."""
    site = read().get(Site, site_id)
    if site is None or site.kind not in KINDS:
        abort(404)
    if request.method == "GET":
        return _several(site, {})
    wanted = [code for code in request.form.getlist("service") if code]
    typed = request.form.get("phone", "").strip()
    phone = read_phone(typed) if typed else None
    faults: dict[str, str] = {}
    if not wanted:
        faults["service"] = _("Tick the services you are coming for.")
    elif len(wanted) > MOST_STEPS:
        faults["service"] = _("At most %(count)s services in one visit.", count=MOST_STEPS)
    if typed and phone is None:
        faults["phone"] = _("This does not look like a telephone number. Correct it, or leave it empty.")
    if faults:
        return _several(site, faults), 422
    now = clock.now()
    ids = [queue.id for queue in site.queues]
    after = precedence.order_at(read(), site.id)

    def run(db: Session) -> str:
        done = journeys.begin(
            db, ids, wanted, request_id=request.form.get("request_id", ""), actor="phone", now=now, after=after,
            priority=priority_of(request.form.get("priority", "none")), channel="phone", phone=phone,
        )  # fmt: skip
        return done.ticket.code

    try:
        code = write(run)
    except QueueingError as error:
        return _several(site, {"queue": words_for(error.code, str(error))}), 409
    remember(code)
    return redirect(url_for("citizen.ticket", code=code), 303)


def _several(site: Site, faults: dict[str, str]) -> str:
    queues: list[tuple[Queue, list[Service]]] = []
    seen: set[int] = set()
    for queue in site.queues:
        fresh = [service for service in services_of(read(), queue.id) if service.id not in seen]
        seen |= {service.id for service in fresh}
        if fresh:
            queues.append((queue, fresh))
    return render_template(
        "citizen/several.html",
        site=site,
        queues=queues,
        open=any(queue.state == "open" for queue in site.queues),
        questions=questions(),
        ticked=request.form.getlist("service"),
        priority=request.form.get("priority", "none"),
        phone=request.form.get("phone", ""),
        faults=faults,
        request_id=request.form.get("request_id") or new_request_id(),
    )
