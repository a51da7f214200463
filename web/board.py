"""The television in the waiting room: who is called where. No login, no personal datum, both languages, out loud."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, current_app, render_template
from markupsafe import Markup
from sqlalchemy.orm import Session

from fleet.store import Site
from queueing import lineup
from queueing.status import Call, last_called
from queueing.store import Queue
from web import clock
from web.accounts import AccessToken, find_token
from web.board_store import queues_of, spoken_by
from web.citizen.fragments import fragment
from web.citizen.situation import Situation, place_of, situation
from web.db import read
from web.i18n import language, load_catalogue
from web.speech import pack, words

blueprint = Blueprint("board", __name__)

KEPT_CALLS = 12
"""Calls in the section: the five that are shown, and those that a quick row of calls still has to show."""
MOST_COUNTED = 4
"""Queues whose waiting people are told one by one; of more, all together."""
SOCKET_CLIENT = "vendor/socket.io.min.js"


@dataclass(frozen=True)
class Shown:
    """A call on the board, with the queue that it belongs to."""

    call: Call
    queue: Queue


@dataclass(frozen=True)
class Picture:
    """All that a board shows at one moment."""

    queues: list[Queue]
    site: Site | None
    statuses: list[Situation]
    calls: list[Shown]
    spoken: tuple[str, ...]
    as_of: datetime

    @property
    def status(self) -> Situation:
        """The queue's situation; of several, that of the one which is most open: while one is open the board is."""
        order = {"open": 0, "paused": 1}
        return min(self.statuses, key=lambda one: order.get(one.state, 2))

    @property
    def title(self) -> Any:
        """What stands on top: the queue, or the place of several queues."""
        return self.site if self.several and self.site is not None else self.queues[0]

    def part_name(self, name: str) -> str:
        """The name of one of several queues without that of the place, which stands on top of the board."""
        place = self.site
        for whole in (place.name_ar, place.name_en) if place is not None else ():
            if name.startswith(whole) and name != whole:
                return name[len(whole) :].lstrip(" –-:·")
        return name

    @property
    def several(self) -> bool:
        """Whether there is more than one queue."""
        return len(self.queues) > 1

    @property
    def waiting(self) -> int:
        """Everybody who waits."""
        return sum(one.waiting for one in self.statuses)

    @property
    def counts(self) -> list[tuple[Queue, int]]:
        """Waiting people by queue, where they are few enough to be read."""
        if not self.several or len(self.queues) > MOST_COUNTED:
            return []
        return [(queue, one.waiting) for queue, one in zip(self.queues, self.statuses, strict=True)]

    @property
    def made_up(self) -> str:
        """How the board is set up: a page that was loaded for another set-up loads itself again."""
        return "-".join([*(str(queue.id) for queue in self.queues), *self.spoken])

    def marks(self) -> tuple[object, ...]:
        """What the section's ETag stands for."""
        queues = tuple((queue.id, *one.mark()) for queue, one in zip(self.queues, self.statuses, strict=True))
        return (*queues, *(call_key(shown.call) for shown in self.calls), self.made_up)


@blueprint.get("/board/<token>")
def show(token: str) -> Any:
    """The board: one queue, several, or all of a site."""
    picture = _picture(read(), _token(token), clock.now())
    static = Path(current_app.static_folder or "")
    return render_template(
        "board/board.html",
        token=token,
        picture=picture,
        socket_client=SOCKET_CLIENT if (static / SOCKET_CLIENT).exists() else None,
    )


@blueprint.get("/board/<token>/now")
def now_part(token: str) -> Any:
    """The live section: 304 while nothing has changed, which is also how a board knows that its line is alive."""
    now = clock.now()
    picture = _picture(read(), _token(token), now)

    def html() -> str:
        return render_template("board/_now.html", picture=picture)

    answer = fragment(html, picture.marks(), now, shared=True)
    answer.headers["X-Live"] = "slow" if current_app.extensions["relay"].bell.slow else "fast"
    return answer


@blueprint.app_template_filter()
def call_key(call: Call) -> str:
    """What tells one call from the next: a ticket called again is a new call."""
    return f"{call.label}@{call.at.timestamp():.3f}"


@blueprint.app_template_filter()
def clips(call: Call, languages: tuple[str, ...]) -> str:
    """What is said for a call, as `ar:number ar:letter-A ... en:number ...` for the board's script. A language without
    a sound for this label is left out."""
    said = [(one, words.announcement(one, call.label, call.desk)) for one in languages]
    return " ".join(f"{one}:{clip}" for one, row in said for clip in row)


@blueprint.app_template_global()
def second(message: str, **values: object) -> Markup:
    """A text in the other language than the page's, for the smaller line under it. Its values may hold tags of ours."""
    other = "en" if language() == "ar" else "ar"
    return Markup(load_catalogue(other).gettext(message)) % values


@blueprint.app_template_filter()
def second_name(thing: Any) -> str:
    """The name of a thing in the other language."""
    return str(thing.name_en if language() == "ar" else thing.name_ar)


def _picture(db: Session, token: AccessToken, now: datetime) -> Picture:
    queues = queues_of(db, token)
    if not queues:
        abort(404)
    calls = [
        Shown(call, queue)
        for queue in queues
        for call in last_called(db, queue.id, lineup.since(now, queue.zone), KEPT_CALLS)
    ]
    calls.sort(key=lambda shown: shown.call.at, reverse=True)
    spoken = tuple(one for one in spoken_by(db, token) if one in pack.spoken_here())
    site = place_of(db, queues[0].id).site if len(queues) > 1 else None
    return Picture(
        queues, site, [situation(db, queue, now) for queue in queues], calls[:KEPT_CALLS], spoken, now
    )


def _token(text: str) -> AccessToken:
    found = find_token(read(), text, ("board",))
    if found is None:
        abort(404)
    return found
