"""Pieces of pages that phones ask for again and again: answered 304 while nothing that they show has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from flask import Response, make_response, request

from web.i18n import clock_time, language


def fragment(
    html: str | Callable[[], str], marks: tuple[object, ...], as_of: datetime, *, shared: bool = False
) -> Response:
    """`html`, or what it gives when it is called, with an ETag of `marks` (what it shows, its times left out).

    A phone that already has this picture gets 304 (nothing is drawn for it) and, in `X-As-Of`, the time for which the
    picture still holds. A `shared` one is the same for everybody: a proxy in front (deploy/nginx.conf) may keep it for
    a second.
    """
    digest = hashlib.blake2s(repr((language(), request.path, *marks)).encode(), digest_size=12).hexdigest()
    response = make_response("")
    response.set_etag(digest, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    if shared:
        response.headers["X-Accel-Expires"] = "1"
    response.headers["X-As-Of"] = clock_time(as_of)
    response.make_conditional(request)
    if response.status_code == 200:
        response.set_data(html if isinstance(html, str) else html())
    return response
