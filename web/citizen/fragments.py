"""Pieces of pages that phones ask for again and again: answered 304 while nothing that they show has changed."""

from __future__ import annotations

import hashlib
from datetime import datetime

from flask import Response, make_response, request

from web.i18n import clock_time, language


def fragment(html: str, marks: tuple[object, ...], as_of: datetime) -> Response:
    """`html` with an ETag of `marks` (what it shows, its times left out).

    A phone that already has this picture gets 304 and, in `X-As-Of`, the time for which the picture still holds.
    """
    digest = hashlib.blake2s(repr((language(), request.path, *marks)).encode(), digest_size=12).hexdigest()
    response = make_response(html)
    response.set_etag(digest, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-As-Of"] = clock_time(as_of)
    response.make_conditional(request)
    return response
