"""What happens next at the desk, said in a sentence for every state it can be in."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from web.clerk.door import blueprint
from web.clerk.screen import DeskScreen


@blueprint.app_template_filter("what_next")
def what_next(screen: DeskScreen) -> str:
    """The sentence under the ticket at the desk, or in place of it."""
    now = screen.current
    if now is not None and now.state == "called":
        if screen.recalls_left:
            return str(
                ngettext(
                    "When they are here, press Start. If nobody comes, call again: %(num)s time left.",
                    "When they are here, press Start. If nobody comes, call again: %(num)s times left.",
                    screen.recalls_left,
                )
            )
        return str(_("When they are here, press Start. Called as often as allowed: if nobody comes, say so."))
    if now is not None:
        if screen.working and screen.callable:
            return str(_("When you are done, the big button finishes this ticket and calls the next person."))
        return str(_("When you are done, finish this ticket. Nobody is called after it for now."))
    if screen.queue.state == "closed":
        return str(_("Nobody can be called until a supervisor opens the queue."))
    if screen.desk.state == "paused":
        return str(_("Press Resume work when you are back: then you can call again."))
    if screen.callable:
        return str(
            ngettext(
                "%(num)s person is waiting. The big button calls them.",
                "%(num)s people are waiting. The big button calls the first of them.",
                screen.callable,
            )
        )
    if screen.waiting:
        return str(
            ngettext(
                "%(num)s person is waiting, but not for this desk or not yet. The button to call appears by itself.",
                "%(num)s people are waiting, but not for this desk or not yet. The button to call appears by itself.",
                len(screen.waiting),
            )
        )
    return str(_("Nobody is waiting. When somebody takes a ticket, the button to call appears by itself."))
