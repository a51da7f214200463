"""What makes the citizen's pages an application: installed from the browser, read without a connection.

One service worker for all languages with the whole site as its scope; it looks after citizens' pages alone. The desk's
worker (web/clerk/tablet.py) has a narrower scope, so its pages never come to this one; each throws away only what it
kept itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Response, current_app, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from web.app import asset
from web.citizen import blueprint
from web.i18n import LANGUAGES, direction, language

FILES = ("citizen.css", "citizen.js", "icon.svg")
PAGES = ("visits", "centers", "places", "vans", "tickets", "queues", "figures")
"""First parts of the addresses of pages that a phone keeps; the first page and its results too."""
KEPT_PAGES = 30


def _root(path: str) -> str:
    """An address without a language."""
    return f"{request.environ.get('product.root', '')}{path}"


@blueprint.app_template_global()
def worker_address() -> str:
    """The worker's address, the same in every language: two at one scope would push each other out."""
    return _root("/worker.js")


@blueprint.get("/worker.js")
def worker() -> Response:
    """The service worker. Changes with every file and page that it keeps from the beginning."""
    prefixes = [f"/{code}" for code in list(LANGUAGES)[1:]]
    files = [asset(name) for name in FILES]
    folder = Path(current_app.root_path)
    made = [folder / "templates/citizen" / name for name in ("offline.html", "base.html", "worker.js")]
    stamp = hashlib.sha256("\n".join([*files, *(str(path.stat().st_mtime_ns) for path in made)]).encode())
    script = render_template(
        "citizen/worker.js",
        version=stamp.hexdigest()[:12],
        files=files,
        root=_root(""),
        prefixes=prefixes,
        pages=PAGES,
        most=KEPT_PAGES,
    )
    answer = Response(script, mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = _root("/")
    return answer


@blueprint.get("/offline")
def offline() -> Any:
    """What is shown in the place of a page that this phone has never seen: no connection, and what it has kept."""
    return render_template("citizen/offline.html")


@blueprint.get("/app.webmanifest")
def manifest() -> Response:
    """Name, icons and colours of the installed application, in the page's language."""
    answer = jsonify(
        {
            "id": _root("/"),
            "name": _("Mobile service centers"),
            "short_name": _("Centers"),
            "description": _("When and where a mobile center comes, and your place in the line."),
            "lang": language(),
            "dir": direction(),
            "start_url": url_for("citizen.home"),
            "scope": _root("/"),
            "display": "standalone",
            "background_color": "#ffffff",
            "theme_color": "#083a50",
            "icons": [
                {"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml"},
                {"src": asset("icon-192.png"), "sizes": "192x192", "type": "image/png"},
                {"src": asset("icon-512.png"), "sizes": "512x512", "type": "image/png"},
                {
                    "src": asset("icon-maskable.png"),
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "maskable",
                },
            ],
        }
    )
    answer.mimetype = "application/manifest+json"
    answer.headers["Cache-Control"] = "no-cache"
    return answer
