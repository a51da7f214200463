"""Signing in, roles, and the scope of a clerk: nothing of one site is open to another site's clerk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_login import LoginManager, current_user, login_user, logout_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import SiteQueue, Visit
from fleet.store_retired import RetiredQueue
from queueing import audit
from queueing.store import Desk, Queue
from web import clock
from web.accounts import Account, check_password
from web.db import read, write

P = ParamSpec("P")
R = TypeVar("R")

blueprint = Blueprint("auth", __name__)
login_manager = LoginManager()

HOME = {
    "planner": "planner.home",
    "supervisor": "clerk.desk",
    "clerk": "clerk.desk",
    "agency": "clerk.agency",
}
"""Where each role starts."""


class Throttle:
    """Slows guessing down: after `free` wrong passwords for a name from an address, each try costs a doubling wait."""

    REMEMBERED = 10_000
    """Names and addresses kept; the one that failed longest ago is forgotten first."""

    def __init__(
        self, free: int = 5, longest_s: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free, self._longest, self._clock = free, longest_s, clock
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}
        self._lock = threading.Lock()

    def blocked(self, key: tuple[str, str]) -> bool:
        """True while a try for `key` must wait."""
        with self._lock:
            count, until = self._failures.get(key, (0, 0.0))
            return count >= self._free and self._clock() < until

    def failed(self, key: tuple[str, str]) -> None:
        """Count a wrong password."""
        with self._lock:
            count = self._failures.pop(key, (0, 0.0))[0] + 1
            while len(self._failures) >= self.REMEMBERED:
                self._failures.pop(next(iter(self._failures)))
            wait = min(self._longest, 2.0 ** min(count - self._free, 60))
            self._failures[key] = (count, self._clock() + wait)

    def succeeded(self, key: tuple[str, str]) -> None:
        """Forget the failures of `key`."""
        with self._lock:
            self._failures.pop(key, None)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_account(identity: str) -> Account | None:
    """The account of a session; None when it was switched off or its password changed since."""
    number, _dot, epoch = identity.partition(".")
    if not (number.isdigit() and epoch.isdigit()):
        return None
    account = read().get(Account, int(number))
    return account if account and account.active and account.epoch == int(epoch) else None


@login_manager.unauthorized_handler  # type: ignore[untyped-decorator]
def sign_in_first() -> Any:
    """Send people to the sign-in page and back; answer 401 to programs and to sections fetched by a page."""
    if request.method != "GET" or request.headers.get("X-Part"):
        abort(401)
    return redirect(url_for("auth.login", next=request.script_root + request.full_path.rstrip("?")))


def roles(*allowed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Only accounts with one of these roles: others get 403, nobody signed in is sent to sign in (401 for posts)."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not current_user.is_authenticated:
                return login_manager.unauthorized()  # type: ignore[no-any-return]
            if current_user.role not in allowed:
                abort(403)
            return view(*args, **kwargs)

        return guarded

    return decorate


def may_use_queue(session: Session, account: Account, queue_id: int) -> bool:
    """True when the queue stands at the account's own site or center."""
    if account.role not in ("clerk", "supervisor"):
        return False
    if account.site_id is not None:
        return (
            session.scalar(
                select(SiteQueue.queue_id).where(
                    SiteQueue.queue_id == queue_id, SiteQueue.site_id == account.site_id
                )
            )
            is not None
        )
    return (
        session.scalar(
            select(Visit.id).where(Visit.queue_id == queue_id, Visit.center_id == account.center_id)
        )
        is not None
    )


def may_look_at_queue(session: Session, account: Account, queue_id: int) -> bool:
    """True also for a queue of the account's own site that has gone out of use: what happened in it can be read."""
    if may_use_queue(session, account, queue_id):
        return True
    out = session.get(RetiredQueue, queue_id) if account.role in ("clerk", "supervisor") else None
    return out is not None and out.site_id == account.site_id


def require_queue(queue_id: int) -> Queue:
    """The queue, when the signed-in clerk may use it. 404 where there is none, 403 where it is another's."""
    queue = read().get(Queue, queue_id)
    if queue is None:
        abort(404)
    if not may_use_queue(read(), current_user, queue_id):
        abort(403)
    return queue


def require_desk(desk_id: int) -> Desk:
    """The desk, when the signed-in clerk may use it."""
    desk = read().get(Desk, desk_id)
    if desk is None:
        abort(404)
    require_queue(desk.queue_id)
    return desk


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> Any:
    """Sign in with name and password."""
    throttle: Throttle = current_app.extensions["login_throttle"]
    target = safe_next(request.values.get("next", ""))
    if request.method == "POST":
        name = request.form.get("name", "").strip()[:80]
        key = (name.lower(), request.remote_addr or "")
        if throttle.blocked(key):
            abort(429)
        # Counted before it is looked at: a hundred tries sent at once are not a hundred tries for free.
        throttle.failed(key)
        account = read().scalar(select(Account).where(Account.name == name))
        if check_password(account, request.form.get("password", "")):
            assert account is not None
            throttle.succeeded(key)
            # What stood in the cookie before is not trusted with the account: a planted form token ends here.
            session.pop("csrf_token", None)
            session.permanent = True
            _note("login", account)
            login_user(account)
            return redirect(target or url_for(HOME[account.role]))
        if account is not None:
            _note("login_failed", account)
        flash(_("The name or the password is wrong."), "error")
        return render_template("shared/login.html", name=name, target=target), 401
    if current_user.is_authenticated and not target:
        return redirect(url_for(HOME[current_user.role]))
    return render_template("shared/login.html", name="", target=target)


@blueprint.post("/logout")
def logout() -> Any:
    """Sign out."""
    if current_user.is_authenticated:
        _note("logout", current_user)
    logout_user()
    session.clear()  # nothing of one person stays for the next at this screen
    return redirect(url_for("auth.login"))


def _note(action: str, account: Account) -> None:
    """Write a sign-in, a failed one or a sign-out where the account's supervisor reads it."""
    topic, name, now = topic_of(account), account.name, clock.now()
    write(lambda db: audit.note(db, topic, action, actor=name, now=now))


def topic_of(account: Account) -> str:
    """Whose audit an account's own acts belong to; empty for those of no place."""
    if account.site_id is not None:
        return f"site:{account.site_id}"
    return f"center:{account.center_id}" if account.center_id is not None else ""


def safe_next(target: str) -> str:
    """`target` when it is a path of this site, else nothing: no open redirects."""
    # Browsers drop tabs and line ends and take \\ for /: what holds any of them is no path that we made.
    if any(ord(letter) <= 32 or letter == "\\" for letter in target):
        return ""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return ""
    return target


def init_app(app: Flask) -> None:
    """Register sign-in."""
    app.extensions["login_throttle"] = Throttle()
    login_manager.init_app(app)
    # Nobody is remembered beyond the session here, so no answer need be looked at for that (nor vary by cookie).
    app.after_request_funcs[None].remove(login_manager._update_remember_cookie)
    app.register_blueprint(blueprint)
