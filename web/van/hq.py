"""The planner's page of laptops: when each was last heard, what it does not know yet, what a person must decide."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.errors import QueueingError
from queueing.journal.decide import decide
from queueing.journal.leases import take_back
from queueing.measure import measure_day
from queueing.store import Ticket
from queueing.store_journal import Choice
from web import clock
from web.db import read, write
from web.planner.door import actor, blueprint
from web.van import overview, words


@blueprint.get("/vans")
def vans() -> Any:
    """The page."""
    now = clock.now()
    return render_template(
        "planner/vans.html",
        laptops=overview.laptops(read(), now),
        silent=overview.silent_centers(read(), now),
        questions=overview.questions(read()),
        decided=overview.decided_lately(read()),
        words=words,
        now=now,
    )


@blueprint.post("/vans/choices/<int:choice_id>")
def decide_choice(choice_id: int) -> Any:
    """A decision."""
    now, who = clock.now(), actor()
    decision = request.form.get("decision", "")

    def work(session: Session) -> None:
        if session.get(Choice, choice_id) is None:
            abort(404)
        choice = decide(session, choice_id, decision, actor=who, now=now)
        code = choice.facts.get("code")
        ticket = session.scalar(select(Ticket).where(Ticket.code == code)) if code else None
        if ticket is not None:
            measure_day(session, [ticket.queue_id], ticket.day, now=now, learn=False)

    try:
        write(work)
    except QueueingError:
        flash(_("This was decided already, or is no possible answer. Look again."), "error")
    else:
        flash(_("Noted. Nothing has been deleted."), "good")
    return redirect(url_for("planner.vans", _anchor="choices"), 303)


@blueprint.post("/vans/queues/<int:queue_id>/take-back")
def take_back_queue(queue_id: int) -> Any:
    """Headquarters runs a visit itself; asked for twice by the form."""
    now = clock.now()
    if request.form.get("sure") != "yes":
        flash(_("Tick that the van does not serve there any more, then press again."), "error")
        return redirect(url_for("planner.vans"), 303)
    write(lambda session: take_back(session, queue_id, now=now))
    flash(
        _("Numbers are given here again from now on. What the van still has is taken in when it is heard."),
        "good",
    )
    return redirect(url_for("planner.vans"), 303)
