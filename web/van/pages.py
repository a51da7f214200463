"""The laptop's own page: is the morning's data here, when was headquarters heard, what is unsent; kiosk and board.

It shows no datum of a person, so that everybody in the van may look; pressing something needs an account, except the
first pull, before which there are none.
"""

from __future__ import annotations

import socket
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Center, Visit
from queueing.journal.marks import get_mark
from web import clock
from web.accounts import Account, new_token
from web.db import read, write
from web.van import words
from web.van.laptop import Laptop
from web.van.line import NoLine, Refused

blueprint = Blueprint("van", __name__, url_prefix="/van")
PLACES = {"kiosk": "kiosk.start", "board": "board.show"}


def _laptop() -> Laptop:
    laptop: Laptop = current_app.extensions["laptop"]
    return laptop


@blueprint.get("")
def home() -> Any:
    """The page."""
    return render_template("van/home.html", **_view(), words=words, addresses=addresses())


@blueprint.get("/status")
def status_part() -> Any:
    """The section that changes by itself."""
    return render_template("van/_status.html", **_view(), words=words)


@blueprint.post("/sync")
def sync_now() -> Any:
    """Try headquarters at once; in the morning with the pull."""
    if not _may_press():
        abort(403)
    pull = request.form.get("pull") == "yes"
    loop = current_app.extensions.get("van_loop")
    try:
        _laptop().sync(pull=1 if pull else 0, most=40)
    except NoLine:
        flash(_("There is no line to headquarters now. Everything is kept here and sent later."), "error")
    except Refused as refused:
        flash(_("Headquarters refuses this laptop: %(why)s", why=refused.words), "error")
    else:
        flash(_("Headquarters has been heard, and everything is sent."), "good")
    if loop is not None:
        loop.now()
    return redirect(url_for("van.home"), 303)


@blueprint.post("/open/<any(kiosk,board):what>/<int:visit_id>")
def open_screen(what: str, visit_id: int) -> Any:
    """Make this browser the kiosk or the board of a visit."""
    if not current_user.is_authenticated:
        abort(403)
    visit = read().get(Visit, visit_id)
    if visit is None:
        abort(404)
    queue_id, now = visit.queue_id, clock.now()
    token = write(lambda s: new_token(s, what, now=now, queue_id=queue_id, label="van"))
    return redirect(url_for(PLACES[what], token=token), 303)


def _may_press() -> bool:
    if current_user.is_authenticated:
        return True
    return read().scalar(select(func.count()).select_from(Account)) == 0


def _view() -> dict[str, Any]:
    session: Session = read()
    now = clock.now()
    today = local_day(now)
    visits = session.scalars(select(Visit).where(Visit.day >= today).order_by(Visit.opens_at).limit(12)).all()
    status = _laptop().status(session)
    leased = get_mark(session, "leases")
    code = current_app.extensions["settings"].van_center
    return {
        "status": status,
        "now": now,
        "pulled_today": status.pulled_at is not None and local_day(status.pulled_at) == today,
        "today": [(v, f"{v.queue_id}:{v.day.isoformat()}" in leased) for v in visits if v.day == today],
        "coming": [v for v in visits if v.day > today],
        "center": session.scalar(select(Center).where(Center.code == code)),
        "center_code": code,
        "may_press": _may_press(),
        "ended": [words.ended(why) for _queue, why in status.ended if words.ended(why)],
    }


def addresses() -> list[str]:
    """Where phones and tablets on the van's network find this laptop. Asks no name server."""
    port = request.host.rpartition(":")[2] if ":" in request.host else ""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing: only asks which way it would go
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    return [f"http://{host}{':' + port if port.isdigit() else ''}/" for host in found if host != "127.0.0.1"]


def line_words() -> str | None:
    """One line for the staff's pages on a laptop: last contact and what is unsent; None at headquarters."""
    laptop = current_app.extensions.get("laptop")
    if laptop is None:
        return None
    status = laptop.status(read())
    when = words.ago(status.contact_at, clock.now())
    if status.unsent:
        said = ngettext(
            "Last contact: %(ago)s, %(num)s event unsent",
            "Last contact: %(ago)s, %(num)s events unsent",
            status.unsent,
            ago=when,
        )
        return str(said)
    return str(_("Last contact: %(ago)s, everything sent", ago=when))
