"""The kiosk: service, priority question, ticket. Two taps for what most people want; back to the start by itself."""

from __future__ import annotations

import io
from typing import Any

import segno
from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter
from queueing.errors import QueueingError
from queueing.store import Queue, Service, Ticket
from web import clock
from web.accounts import AccessToken, find_token
from web.citizen.centers import next_opening
from web.citizen.priorities import priority_of, questions
from web.citizen.situation import place_of, services_of, situation
from web.citizen.tickets import view_of
from web.db import carry_out, read, write
from web.errors import words_for
from web.kiosk_icons import group_icon, group_words
from web.printing import jobs, words

blueprint = Blueprint("kiosk", __name__)
blueprint.add_app_template_filter(words.fault_words, "print_fault_words")
blueprint.add_app_template_filter(words.state_words, "print_state_words")

TILES = 6
"""Choices on one screen: as many as people take in at a glance."""


@blueprint.app_template_global("kiosk_root")
def root(token: str) -> str:
    """The kiosk's start in the first language: the next person may read another one than the last."""
    return f"{request.environ.get('product.root', '')}/kiosk/{token}"


@blueprint.get("/kiosk/<token>")
def start(token: str) -> Any:
    """The most wanted services; all others by kind. A closed queue says so and when it opens."""
    queue = _queue(token)
    status = situation(read(), queue, clock.now())
    services = services_of(read(), queue.id)
    page: dict[str, Any] = {"token": token, "queue": queue, "status": status}
    if not status.open:
        return render_template("kiosk/closed.html", **page, opens=_opens(read(), queue))
    group, shown = request.args.get("group", ""), request.args.get("page", "")
    number = int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 4 else 1
    if group:
        tiles = [_service_tile(token, s) for s in services if s.group_code == group]
        return _tiles(page, tiles, number, group=group, title=group_words(group))
    if "all" in request.args:
        groups = list(dict.fromkeys(s.group_code for s in services))
        return _tiles(page, [_group_tile(token, g) for g in groups], number, all=1, title="")
    most = services if len(services) <= TILES else services[: TILES - 1]
    tiles = [_service_tile(token, s) for s in most]
    return render_template(
        "kiosk/start.html",
        **page,
        tiles=tiles,
        others=len(most) < len(services),
        pages=1,
        number=1,
        more={},
        title="",
    )


@blueprint.get("/kiosk/<token>/priority")
def priority(token: str) -> Any:
    """The priority question; each answer takes the ticket."""
    queue = _queue(token)
    service = next((s for s in services_of(read(), queue.id) if s.code == request.args.get("service")), None)
    if service is None:
        return redirect(url_for("kiosk.start", token=token), 303)
    printer = jobs.printer_at(read(), _kiosk(token).id)
    return render_template(
        "kiosk/priority.html",
        token=token,
        queue=queue,
        service=service,
        questions=questions(),
        prints=printer is not None and printer.by_itself,
    )


@blueprint.post("/kiosk/<token>/tickets")
def issue(token: str) -> Any:
    """Take the ticket. The same form sent twice is one ticket."""
    kiosk = _kiosk(token)
    queue_id, kiosk_id = _queue(token).id, kiosk.id
    form = request.form
    request_id = form.get("request_id", "")
    printer = jobs.printer_at(read(), kiosk_id)
    prints = printer is not None and printer.by_itself
    try:
        command = counter.Issue(
            queue_id, form.get("service", ""), request_id, "kiosk", clock.now(),
            priority=priority_of(form.get("priority", "none")), channel="kiosk",
        )  # fmt: skip
        done = carry_out(jobs.IssueWithSlip(command, kiosk_id) if prints else command)
    except QueueingError as error:
        said = words_for(error.code, str(error))
        return render_template("kiosk/fault.html", token=token, queue=_queue(token), fault=said), 409
    code: str = done.ticket.code
    slip_id = jobs.asked_by(read(), request_id) if prints else None
    if slip_id is not None:
        jobs.run(slip_id)
    return redirect(url_for("kiosk.ticket", token=token, code=code), 303)


@blueprint.post("/kiosk/<token>/tickets/<code>/print")
def print_again(token: str, code: str) -> Any:
    """Print the ticket, or print it again. The same form sent twice is one slip."""
    queue, kiosk_id = _queue(token), _kiosk(token).id
    found = _ticket(queue, code)

    def work(db: Session) -> int:
        printer = jobs.printer_at(db, kiosk_id)
        slip = jobs.ask(
            db,
            db.get_one(Ticket, found.id),
            printer,
            request_id=request.form.get("request_id", ""),
            actor="kiosk",
            now=clock.now(),
            most=jobs.MOST_AT_KIOSK,
        )
        return slip.id

    try:
        jobs.run(write(work))
    except QueueingError as error:
        return _ticket_page(token, queue, found, fault=words_for(error.code, str(error))), 409
    return redirect(url_for("kiosk.ticket", token=token, code=code), 303)


@blueprint.get("/kiosk/<token>/tickets/<code>")
def ticket(token: str, code: str) -> Any:
    """The ticket on the screen and for the printer, with the way to the phone ticket."""
    queue = _queue(token)
    return _ticket_page(token, queue, _ticket(queue, code))


def _ticket(queue: Queue, code: str) -> Ticket:
    found = read().scalar(select(Ticket).where(Ticket.code == code, Ticket.queue_id == queue.id))
    if found is None:
        abort(404)
    return found


def _ticket_page(token: str, queue: Queue, found: Ticket, *, fault: str = "") -> str:
    address = url_for("citizen.ticket", code=found.code, _external=True)
    printer = jobs.printer_at(read(), _kiosk(token).id)
    return render_template(
        "kiosk/ticket.html", token=token, queue=queue, view=view_of(read(), found, clock.now()), fault=fault,
        qr=qr_picture(address), place=place_of(read(), queue.id), printer=printer,
        slip=jobs.shown(read(), found.id, clock.now()),
    )  # fmt: skip


@blueprint.get("/kiosk/<token>/alive")
def alive(token: str) -> Response:
    """What an idle kiosk asks before it goes back to the start: a cut line must not end on an error page."""
    queue = _queue(token)
    response = Response(queue.state, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    return response


def qr_picture(address: str) -> Markup:
    """An address as a QR code: inline SVG, black on white whatever the page's colours."""
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        omitsize=True,
        border=4,
        dark="#000",
        light="#fff",
        nl=False,
    )
    return Markup(out.getvalue().decode())


def _kiosk(token: str) -> AccessToken:
    found: AccessToken | None = find_token(read(), token, ("kiosk",))
    if found is None or found.queue_id is None:
        abort(404)
    return found


def _queue(token: str) -> Queue:
    return read().get_one(Queue, _kiosk(token).queue_id)


def _opens(db: Session, queue: Queue) -> Any:
    place = place_of(db, queue.id)
    if place.visit is not None:
        return place.visit.opens_at if place.visit.status == "announced" else None
    return next_opening(place.site, clock.now()) if place.site is not None else None


def _service_tile(token: str, service: Service) -> dict[str, Any]:
    return {
        "url": url_for("kiosk.priority", token=token, service=service.code),
        "thing": service,
        "words": "",
        "icon": group_icon(service.group_code),
    }


def _group_tile(token: str, group: str) -> dict[str, Any]:
    url = url_for("kiosk.start", token=token, group=group)
    return {"url": url, "thing": None, "words": group_words(group), "icon": group_icon(group)}


def _tiles(page: dict[str, Any], tiles: list[dict[str, Any]], number: int, *, title: str, **more: Any) -> str:
    pages = max(1, -(-len(tiles) // TILES))
    number = min(max(1, number), pages)
    shown = tiles[(number - 1) * TILES : number * TILES]
    return render_template(
        "kiosk/start.html",
        **page,
        tiles=shown,
        others=False,
        pages=pages,
        number=number,
        more=more,
        title=title,
    )


# The rest of the kiosk attaches itself to the blueprint made above.
from web import kiosk_life  # noqa: E402, F401
