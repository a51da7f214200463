"""Following a place, a district, a van or one's ticket: by the browser's own messages, by SMS, and ending it.

Without JavaScript there are the text message and the calendar; a browser's messages need its script. Which things a
phone follows stands in a cookie of codes, so that each page can say it and end it with one press.
"""

from __future__ import annotations

import hmac
import secrets
import string
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Response,
    abort,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.visit_news import newest_visit
from queueing import following
from queueing.errors import QueueingError
from queueing.store import Ticket
from queueing.store_life import Follower, Notice
from web import clock, push
from web.app import csrf
from web.citizen import blueprint
from web.citizen.limits import Limiter
from web.citizen.phones import read_phone
from web.db import read, write
from web.i18n import language
from web.notices import text_of, topic_name, yes_to

COOKIE, KEPT, A_YEAR = "follows", 12, 365 * 24 * 3600
ALPHABET = string.ascii_letters + string.digits
QUESTIONS, WINDOW_S = 3, 3600.0
"""Questions that one number is sent within so many seconds, whoever types it."""


@blueprint.app_template_global()
def sms_offered() -> bool:
    """Whether text messages can be had: there is a gateway, or this is the demonstration, which shows them."""
    settings = current_app.extensions["settings"]
    return settings.sms is not None or settings.demo or "message_sender" in current_app.extensions


@blueprint.app_template_global()
def push_key() -> str:
    """What a browser needs to receive messages from here; empty where none are sent."""
    return push.public_key() if push.offered() else ""


@blueprint.app_template_global()
def followed(topic: str) -> list[Follower]:
    """How this phone follows `topic`."""
    if "follows" not in g:
        codes = _codes()
        found = read().scalars(select(Follower).where(Follower.code.in_(codes))).all() if codes else []
        g.follows = list(found)
    return [follower for follower in g.follows if follower.topic == topic]


@blueprint.app_template_global()
def here() -> str:
    """The address of this page with its language and question, to come back to."""
    return request.script_root + (request.full_path if request.query_string else request.path)


@blueprint.app_template_global()
def typed_phone() -> str:
    """A number that could not be read, to be put right instead of typed anew; once."""
    return str(session.pop("typed_phone", "")) if "typed_phone" in session else ""


@blueprint.post("/follow")
def follow() -> Any:
    """Begin to follow; the page that comes back says so."""
    form, back = request.form, _back(request.form.get("back", ""))
    topic, keys, address = _topic(form.get("topic", "")), {}, None
    channel = form.get("channel", "")
    if channel == "push":
        address, keys = form.get("endpoint", "")[:1000], {n: form.get(n, "") for n in ("p256dh", "auth")}
        if not push.offered() or not push.allowed(address) or not push.readable(keys):
            flash(
                _("This browser cannot receive messages from us. Use a text message or the calendar."), "bad"
            )
            return redirect(back, 303)
    elif channel == "sms" and sms_offered() and not topic.startswith("ticket:"):
        address = read_phone(form.get("phone", "").strip())
        if address is None:
            flash(_("This does not look like a mobile number. Nothing was sent."), "bad")
            session["typed_phone"] = form.get("phone", "").strip()[:24]
            return redirect(back + "#follow", 303)
        asked: Limiter = current_app.extensions.setdefault("ask_limiter", Limiter(QUESTIONS, WINDOW_S))
        if asked.full(address) or _askers().full(request.remote_addr):
            flash(_("Too many attempts. Please wait a few minutes."), "bad")
            return redirect(back + "#follow", 303)
        asked.count(address)
        _askers().count(request.remote_addr)
    else:
        abort(400)
    now, words = clock.now(), language()

    def run(db: Session) -> str:
        made, _there = following.follow(
            db, topic, channel=channel, address=address, keys=keys, language=words, now=now,
            code=_new_code(), newest_visit=newest_visit(db),
        )  # fmt: skip
        return made.code

    try:
        code = write(run)
    except QueueingError as error:
        if error.status_hint == "invalid":
            abort(400)
        flash(_("You follow very much already. End something first."), "bad")
        return redirect(back, 303)
    if channel == "push":
        return _remember(make_response(redirect(back + "#follow", 303)), [code, *_codes()])
    settings = current_app.extensions["settings"]
    if settings.demo and settings.sms is None:
        return redirect(url_for("citizen.follower", code=code), 303)
    # The link is the telephone's alone: whoever typed the number may not be who holds it, and learns nothing of it.
    flash(_("We have sent a text message to this number. Open its link to say yes."), "good")
    return redirect(back + "#follow", 303)


@blueprint.route("/f/<code>", methods=["GET", "POST"])
def follower(code: str) -> Any:
    """What is followed by this link: say yes to it, or end it, with one press."""
    found = _follower(code)
    if found is None:
        return render_template("citizen/follower.html", follower=None, name="", question=""), 200 if (
            request.method == "POST"
        ) else 404
    holds = hmac.compare_digest(request.values.get("y", ""), yes_to(found))
    if request.method == "POST":
        if request.form.get("act") == "yes":
            if not holds:
                abort(403)
            now = clock.now()
            write(lambda db: following.confirm(db, db.get_one(Follower, found.id), now=now))
            answer = make_response(redirect(url_for("citizen.follower", code=code), 303))
            return _remember(answer, [code, *_codes()])
        return _end(found)
    asked = read().scalar(
        select(Notice).where(Notice.follower_id == found.id, Notice.kind == "question").limit(1)
    )
    settings = current_app.extensions["settings"]
    shown = settings.demo and settings.sms is None and found.confirmed_at is None and asked is not None
    return render_template(
        "citizen/follower.html",
        follower=found,
        name=topic_name(read(), found.topic),
        page=page_of(found.topic),
        question=text_of(read(), asked) if shown and asked is not None else "",
        yes=yes_to(found) if holds or shown else "",
    )


@blueprint.post("/f/<code>/stop")
def stop(code: str) -> Any:
    """End it from a message itself; the code is all that this needs."""
    found = _follower(code)
    if found is not None:
        write(lambda db: following.unfollow(db, db.get_one(Follower, found.id)))
    return "", 204


csrf.exempt(stop)


def _end(found: Follower) -> Response:
    code, back = found.code, _back(request.form.get("back", ""), "")
    write(lambda db: following.unfollow(db, db.get_one(Follower, found.id)))
    flash(_("Done. You get no more messages about this."), "good")
    page = redirect(back + "#follow", 303) if back else redirect(url_for("citizen.follower", code=code), 303)
    return _remember(make_response(page), [kept for kept in _codes() if kept != code])


def page_of(topic: str) -> str:
    """The page of what is followed."""
    kind, _colon, number = topic.partition(":")
    if kind == "site":
        return url_for("citizen.place", site_id=int(number))
    if kind == "center":
        return url_for("citizen.van", center_id=int(number))
    if kind == "unit":
        return url_for("citizen.home", unit=int(number))
    ticket = read().get(Ticket, int(number))
    return url_for("citizen.ticket", code=ticket.code) if ticket is not None else url_for("citizen.home")


def _follower(code: str) -> Follower | None:
    return read().scalar(select(Follower).where(Follower.code == code))


def _topic(text: str) -> str:
    """A form's topic; a ticket is named by its code, which only its holder knows."""
    kind, _colon, rest = text.partition(":")
    if kind == "ticket":
        ticket = read().scalar(select(Ticket).where(Ticket.code == rest))
        if ticket is None:
            abort(404)
        return f"ticket:{ticket.id}"
    if kind not in ("site", "unit", "center") or not (rest.isascii() and rest.isdigit() and len(rest) < 10):
        abort(400)
    if not topic_name(read(), text):
        abort(404)
    return text


def _back(text: str, otherwise: str | None = None) -> str:
    """A page of ours to go back to."""
    parts = urlsplit(text)
    ours = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text.split("#")[0] if ours else url_for("citizen.home") if otherwise is None else otherwise


def _new_code() -> str:
    """Letters and digits alone: a sign at either end would move about in Arabic text."""
    return "".join(secrets.choice(ALPHABET) for _ in range(12))


def _codes() -> list[str]:
    return [code for code in request.cookies.get(COOKIE, "").split(".") if code][:KEPT]


def _remember(answer: Response, codes: list[str]) -> Response:
    kept = list(dict.fromkeys(codes))[:KEPT]
    secure = current_app.extensions["settings"].secure_cookies
    answer.set_cookie(
        COOKIE, ".".join(kept), max_age=A_YEAR if kept else 0, httponly=True, samesite="Lax", secure=secure, path="/"
    )  # fmt: skip
    return answer


def _askers() -> Limiter:
    limiter: Limiter = current_app.extensions.setdefault("askers_limiter", Limiter())
    return limiter
