"""What stands on a ticket's slip, in the languages of its kiosk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flask import g, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from queueing.store import Ticket
from web.citizen.situation import Place, place_of
from web.citizen.tickets import TicketView, view_of
from web.i18n import clock_time, language, long_date, named
from web.printing.slip import Line, Slip


def slip_of(session: Session, ticket: Ticket, *, spoken: str, copy: int, now: datetime) -> Slip:
    """The slip of `ticket`. `spoken`: both, ar or en; `copy` from 2 on: it says that it is a reprint."""
    languages = ("ar", "en") if spoken == "both" else (spoken,)
    place = place_of(session, ticket.queue_id)
    head: list[Line] = []
    body: list[Line] = []
    foot: list[Line] = []
    marks: list[str] = []
    for number, code in enumerate(languages):
        with speaking(code):
            view = view_of(session, ticket, now)
            first = number == 0
            head += _head(view, place, first)
            body += _body(view, first)
            foot.append(_line(_("Point your phone's camera here to see your turn on your phone."), 24))
            marks.append(_("Copy %(num)s", num=copy))
    with speaking(languages[0]):
        address = url_for("citizen.ticket", code=ticket.code, _external=True)
    mark = " · ".join(marks) if copy > 1 else ""
    return Slip(tuple(head), ticket.label, tuple(body), address, tuple(foot), mark)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Texts are in this language inside: a slip may speak another one than the page that asked for it."""
    before = getattr(g, "language", None)
    g.language = code
    try:
        yield
    finally:
        g.language = before


def _head(view: TicketView, place: Place, first: bool) -> list[Line]:
    name = named(view.queue)
    lines = [_line(name, 36 if first else 26, bold=first)]
    where = named(place.site) if place.site is not None else ""
    if where and where not in name:
        lines.append(_line(where, 28 if first else 24))
    return lines


def _body(view: TicketView, first: bool) -> list[Line]:
    lines = [_line(named(view.service), 34 if first else 26, bold=first, gap=8)]
    if view.ticket.state == "waiting":
        ahead = view.ahead or 0
        words = ngettext("%(num)s person ahead of you", "%(num)s people ahead of you", ahead)
        lines.append(_line(words if ahead else _("You are next. Stay close by."), 32 if first else 26))
        if view.wait_words:
            lines.append(_line(f"{_('Expected wait')}: {view.wait_words}", 32 if first else 26))
    when = f"{long_date(view.ticket.day)} · {clock_time(view.ticket.issued_at)}"
    lines.append(_line(when, 26 if first else 24))
    return lines


def _line(text: str, size: int, *, bold: bool = False, gap: int = 6) -> Line:
    return Line(text, size, bold, language() == "ar", gap)
