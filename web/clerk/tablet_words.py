"""The words that a clerk's tablet needs when it draws the desk by itself, in the page's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Response, current_app, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from queueing.order import PRIORITIES
from web import clock
from web.auth import roles
from web.clerk.door import blueprint
from web.clerk.scope import own_desk
from web.clerk.words import act_words, priority_words, seconds_words, state_words
from web.db import read
from web.i18n import language

COUNTED = 60
"""Up to here a number has its own plural form; more says the same as this many."""
AGE_MINUTES = 180


def words() -> dict[str, Any]:
    """All texts; `{...}` are filled in by the script."""
    return {
        "alone": _("Working alone since {time}"),
        "slow": _("The line is slow"),
        "others": _("Another person's actions wait in this browser"),
        "comma": _(", "),
        "waiting": _counted("%(num)s action is waiting", "%(num)s actions are waiting"),
        "refused": _counted("%(num)s action needs you", "%(num)s actions need you"),
        "nobody": _(
            "None of the people kept for this desk is left. Others can be called when the line is back."
        ),
        "not_ours": _(
            "This person may be called from another desk just now. It must wait until the line is back."
        ),
        "not_possible": _(
            "This cannot be done with the ticket as it is now. The page shows its present state."
        ),
        "elsewhere": _(
            "This desk was used in another window. Here is how it stands now: look, then press again."
        ),
        "paused": _("This desk is on a break. It can be opened again when the line is back."),
        "needs_line": _(
            "This needs the line to the server. Calling, starting, finishing and putting aside go on."
        ),
        "nothing_kept": _(
            "There is no line, and this browser has kept nothing to go on with. Use the paper strip."
        ),
        "explained": _(
            "There is no line to the server. Go on: all you do is kept here and sent when it is back."
        ),
        "desk": _("Desk {name}"),
        "empty": _("Nobody is at your desk."),
        "next": _("Call next"),
        "finish_next": _("Finish {label} and call next"),
        "finish_last": _("Finish {label} (nobody is waiting)"),
        "verbs": [
            ["start", _("Start"), "S"],
            ["finish", _("Finish"), "F"],
            ["recall", _("Call again"), "R"],
            ["miss", _("Did not come"), "M"],
            ["requeue", _("Back to the line"), "B"],
            ["park", _("Put aside"), "P"],
        ],
        "call": _("Call"),
        "go_on": _("Go on"),
        "back": _("Back to the line"),
        "hand": _("Kept for this desk"),
        "hand_why": _("Only this desk calls these people until the line is back, so nobody is called twice."),
        "missed": _("Called and not here"),
        "parked": _("Set aside for later"),
        "note": _("Note:"),
        "since_then": _("Since then"),
        "states": {
            state: state_words(state) for state in ("called", "serving", "waiting", "parked", "missed")
        },
        "priority": [priority_words(number) for number in PRIORITIES],
        "minutes": [_("came %(time)s ago", time=seconds_words(60 * n)) for n in range(AGE_MINUTES + 1)],
        "acts": {
            verb: act_words({"next": "call"}.get(verb, verb))
            for verb in ("next", "start", "finish", "recall", "miss", "requeue", "park", "resume")
        },
        "leave": _(
            "Actions wait in this browser. They stay here and are sent when you sign in again. Sign out?"
        ),
        "act": url_for("clerk.act_on_ticket", desk_id=0, verb="start").replace("/start", "/verb"),
        "unsent": _("not sent yet"),
        "try": _("Try again"),
        "drop": _("Forget it"),
        "other": _("It was another ticket"),
        "do": _("Send for this ticket"),
        "sure": _("Forget this action? It will not be counted."),
        "by": _("pressed by {name}: they must sign in here to send it"),
    }


def _counted(one: str, many: str) -> list[str]:
    """A counted text for 0, 1, 2, ...: the page's language decides on the forms."""
    return [ngettext(one, many, n) for n in range(COUNTED + 1)]


def facts(*, shell: bool = False) -> dict[str, Any] | None:
    """What the scripts of a page are told; None where nobody works at desks."""
    if not current_user.is_authenticated or current_user.role not in ("clerk", "supervisor"):
        return None
    here = None if shell else own_desk(read(), current_user, clock.now())
    return {
        "account": current_user.name,
        "desk": here.id if here is not None else 0,
        "shell": shell,
        "csrf": generate_csrf(),
        "contact": url_for("clerk.contact", desk_id=0),
        "home": url_for("clerk.desk"),
        "worker": url_for("clerk.worker"),
        "scope": url_for("clerk.desk"),
    }


@blueprint.get("/desk/words.js")
@roles("clerk", "supervisor")
def words_script() -> Response:
    """The words of this language, to be kept by browsers: the address changes with them."""
    answer = Response(f"window.ClerkWords = {current_app.json.dumps(words())};\n", mimetype="text/javascript")
    answer.headers["Cache-Control"] = "public, max-age=2592000, immutable"
    return answer


def words_address() -> str:
    """Where the words stand, with a stamp of what they are made from."""
    folder = Path(current_app.root_path)
    made = [*sorted(folder.glob(f"translations/{language()}/*.po")), Path(__file__)]
    stamp = max(file.stat().st_mtime_ns for file in made)
    return url_for("clerk.words_script", v=f"{stamp:x}")


@blueprint.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"tablet_facts": facts, "words_address": words_address}
