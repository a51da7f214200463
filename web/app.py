"""The application factory."""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, g, request
from flask_compress import Compress
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from fleet.store import Setting
from web import auth, cli, clock, errors, i18n, live, van
from web.db import Writer, db
from web.fanout import Fanout
from web.sessions import Sessions
from web.settings import Settings, from_environment

csrf = CSRFProtect()
migrate = Migrate(directory=str(Path(__file__).parent / "migrations"), render_as_batch=True)
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


ALWAYS = (
    ("Content-Security-Policy", CONTENT_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
)
"""Headers of every answer that does not set its own."""


class IdConverter(IntegerConverter):
    """`<int:...>` in addresses: what no id can be (above 2**31 - 1) is a page that is not there."""

    def __init__(self, map: Any, **options: Any) -> None:
        super().__init__(map, **{"max": 2**31 - 1, **options})


def create_app(settings: Settings | None = None, *, time_source: Any = None) -> Flask:
    """The web application over `settings` (the environment's by default).

    `time_source` replaces the clock (anything with `now() -> aware datetime`), as tests do.
    Raises SettingsError when the environment is wrong.
    """
    settings = settings or from_environment()
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        TESTING=settings.testing,
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        WTF_CSRF_SSL_STRICT=False,
        MAX_CONTENT_LENGTH=1_000_000,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=30),
        JSON_SORT_KEYS=False,
        COMPRESS_ALGORITHM=["gzip"],
        COMPRESS_LEVEL=5,
    )
    app.session_interface = Sessions()
    app.ensure_sync = _as_it_is  # type: ignore[assignment, method-assign]
    app.url_map.converters["int"] = IdConverter
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["settings"] = settings
    db.init_app(app)
    migrate.init_app(app, db)
    csrf.init_app(app)
    Compress(app)
    with app.app_context():
        engine = db.engine
    fanout = Fanout(live.socketio, fast=settings.fast_fanout)
    relay = live.Relay(engine, fanout, settings.redis_url)
    app.extensions["relay"] = relay
    app.extensions["writer"] = Writer(engine, relay.wake)
    app.extensions["clock"] = time_source or _clock(app, settings)
    if settings.van:
        van.init_app(app, settings)
    errors.init_app(app)
    auth.init_app(app)
    live.init_app(app)
    _blueprints(app)
    i18n.init_app(app)
    cli.init_app(app)
    _templates(app)
    app.after_request(_headers)
    from web.api.lane import Lane  # as the blueprints: it uses what is set up here

    lane = app.extensions["lane"] = Lane(app, app.wsgi_app, ALWAYS)
    app.wsgi_app = lane  # type: ignore[method-assign]
    if hops := settings.trusted_proxies:
        # Only then: whoever reaches us directly could write any address and host into these headers.
        behind_proxy = partial(ProxyFix, x_for=hops, x_proto=hops, x_host=hops)
        app.wsgi_app = behind_proxy(app.wsgi_app)  # type: ignore[method-assign]
        # It gives back what is given to it, whatever that is.
        lane.through = behind_proxy(lane.through)  # type: ignore[assignment, arg-type]
    return app


def _as_it_is(function: Any) -> Any:
    """No view is asynchronous: Flask need not look at each of them on each request."""
    return function


def _clock(app: Flask, settings: Settings) -> Any:
    if not settings.demo_speed:
        return clock.SystemClock()

    def load() -> dict[str, object] | None:
        writer: Writer = app.extensions["writer"]
        with writer.engine.connect() as connection:
            return connection.scalar(sa.select(Setting.value).where(Setting.key == clock.KEY))

    return clock.SimulatedClock(load)


def _blueprints(app: Flask) -> None:
    # Imported here: the blueprints use `web.app.csrf` and everything set up above.
    from web import api, board, citizen, clerk, feeds, figures, health, kiosk, planner
    from web.van import office

    office.init_app(app, csrf.exempt)
    if app.extensions["settings"].van:
        from web.van import pages

        app.register_blueprint(pages.blueprint)
        app.jinja_env.globals["van_line"] = pages.line_words
    for module in (citizen, clerk, board, kiosk, planner, feeds, figures, health):
        app.register_blueprint(module.blueprint)
    for blueprint in api.blueprints:
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)


def new_request_id() -> str:
    """A fresh idempotency key for a form."""
    return secrets.token_urlsafe(12)


def asset(name: str) -> str:
    """URL of a static file, the same in both languages, with its time of change so that caches never lie."""
    path = Path(__file__).parent / "static" / name
    stamp = int(path.stat().st_mtime) if path.exists() else 0
    root = request.environ.get("product.root", "")
    return f"{root}/static/{name}?v={stamp:x}"


def _templates(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(new_request_id=new_request_id, asset=asset)

    @app.context_processor
    def context() -> dict[str, Any]:
        return {"now": clock.now(), "demo": app.extensions["settings"].demo}

    @app.before_request
    def speak() -> None:
        g.language = request.environ.get("product.language", "ar")


def _headers(response: Response) -> Response:
    there = {name.lower() for name, _value in response.headers}
    for name, value in (*ALWAYS, ("Content-Language", i18n.language())):
        if name.lower() not in there:
            response.headers.add(name, value)
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-cache")
        if "X-Accel-Expires" not in response.headers:
            response.headers.add("Vary", "Cookie")
        if request.headers.get("X-Part") and request.method == "GET" and response.status_code == 200:
            # A section that a page asks for again: 304 while it is the same.
            response.add_etag(weak=True)
            response.make_conditional(request)
    return response
