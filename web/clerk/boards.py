"""What the boards of a place show and say, set up by its supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, request
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import audit
from web import clock
from web.accounts import AccessToken
from web.auth import require_queue, roles
from web.board_store import MOST_QUEUES, SPOKEN, BoardSetting, queues_of, set_board
from web.clerk.door import blueprint
from web.clerk.scope import todays_queues
from web.db import read
from web.speech import pack


@dataclass(frozen=True)
class BoardRow:
    """A board as its supervisor sets it up."""

    token: AccessToken
    spoken: str
    whole: bool
    """All queues of the place, also later ones."""
    queue_ids: frozenset[int]


def boards_of(db: Session, queue_ids: Sequence[int]) -> dict[int, list[BoardRow]]:
    """The boards whose address was made for one of these queues, by queue."""
    found: dict[int, list[BoardRow]] = {}
    chosen = select(AccessToken).where(
        AccessToken.queue_id.in_(queue_ids), AccessToken.kind == "board", AccessToken.revoked_at.is_(None)
    )
    for token in db.scalars(chosen.order_by(AccessToken.id)):
        setting = db.get(BoardSetting, token.id)
        row = BoardRow(
            token,
            setting.spoken if setting is not None else SPOKEN[0],
            setting is not None and setting.site_id is not None,
            frozenset(queue.id for queue in queues_of(db, token)),
        )
        found.setdefault(token.queue_id or 0, []).append(row)
    return found


@blueprint.post("/supervisor/boards/<int:token_id>")
@roles("supervisor")
def set_up_board(token_id: int) -> Any:
    """The queues that a board shows, and the languages in which it calls."""
    from web.clerk import supervisor_setup as page  # the page that this form stands on

    token = read().get(AccessToken, token_id)
    if token is None or token.kind != "board" or token.queue_id is None or token.revoked_at is not None:
        abort(404)
    queue_id = require_queue(token.queue_id).id
    now, name = clock.now(), current_user.name
    spoken, whole = (
        request.form.get("spoken", ""),
        "whole" in request.form and current_user.site_id is not None,
    )
    here = {queue.id for queue in todays_queues(read(), current_user, now)}
    ticked = [int(text) for text in request.form.getlist("queue") if text.isascii() and text.isdigit()]
    if spoken not in SPOKEN or not here.issuperset(ticked):
        abort(400)
    if len(ticked) > MOST_QUEUES:
        return page._page(_("Nobody can follow so many queues on one board. Choose fewer.")), 422
    site_id = current_user.site_id if whole else None

    def run(db: Session) -> None:
        set_board(db, token_id, spoken=spoken, queues=ticked or [queue_id], site_id=site_id)
        facts = {"spoken": spoken or "–", "queues": len(here) if whole else max(1, len(ticked))}
        audit.note(db, f"queue:{queue_id}", "board", actor=name, now=now, data=facts)

    return page._answer(run, _("The board is set. It follows by itself within a few seconds."))


@blueprint.app_template_global()
def board_voices() -> list[tuple[str, str]]:
    """(code, words) of the ways in which a board can call here."""
    ways = {
        "ar": _("Arabic"),
        "ar en": _("Arabic, then English"),
        "en": _("English"),
        "": _("A chime alone"),
    }
    return [(code, words) for code, words in ways.items() if set(code.split()) <= set(pack.spoken_here())]
