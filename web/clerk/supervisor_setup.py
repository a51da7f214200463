"""What a supervisor sets up: limits of queues, printers of kiosks, who sits at which desk."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import audit, desks, upkeep
from queueing.errors import Conflict, QueueingError
from queueing.store import Desk, Queue
from web import clock
from web.accounts import AccessToken, Account
from web.auth import require_desk, require_queue, roles
from web.clerk import words
from web.clerk.boards import boards_of
from web.clerk.door import blueprint
from web.clerk.scope import todays_queues
from web.db import read, write
from web.errors import status_of, words_for
from web.printing import printer, slip
from web.printing.printer import AddressError, check_address, encode, print_bytes
from web.printing.store import LANGUAGES, PAPERS, KioskPrinter
from web.printing.words import fault_words


@blueprint.get("/supervisor/setup")
@roles("supervisor")
def supervisor_setup() -> Any:
    """Limits and printers."""
    return _page()


@blueprint.post("/supervisor/queues/<int:queue_id>/limits")
@roles("supervisor")
def set_limits(queue_id: int) -> Any:
    """Tickets a day, how often a call is announced again, how long a no-show is held back."""
    queue = require_queue(queue_id)
    form = request.form
    values = [_whole(form.get(name, "")) for name in ("daily_capacity", "recall_limit", "hold_minutes")]
    capacity, recalls, minutes = values
    # Only tickets a day may be left empty: as many as there are numbers.
    if -1 in values or recalls is None or minutes is None:
        return _page(_("Write whole numbers; only the tickets a day may be left empty.")), 422

    def run(db: Session) -> None:
        upkeep.set_limits(
            db,
            db.get_one(Queue, queue.id),
            daily_capacity=capacity,
            recall_limit=recalls,
            cool_down_s=minutes * 60,
            actor=current_user.name,
            now=clock.now(),
        )

    return _answer(run, _("The limits hold from now on."))


@blueprint.post("/supervisor/kiosks/<int:token_id>/printer")
@roles("supervisor")
def set_printer(token_id: int) -> Any:
    """The printer of a kiosk; an empty address takes it away."""
    kiosk = _kiosk(token_id)
    form, now, name = request.form, clock.now(), current_user.name
    typed = form.get("address", "").strip()
    paper = _whole(form.get("paper", "80"))
    spoken = form.get("language", "both")
    try:
        address = check_address(typed) if typed else ""
    except AddressError:
        return _page(
            _("This is no address of a printer. Write tcp://192.168.1.50:9100 or usb:/dev/usb/lp0.")
        ), 422
    if paper not in PAPERS or spoken not in LANGUAGES:
        abort(400)

    def run(db: Session) -> None:
        known = db.get(KioskPrinter, kiosk.id)
        if known is not None and not address:
            db.delete(known)
        elif address:
            made = known or KioskPrinter(token_id=kiosk.id, queue_id=kiosk.queue_id)
            made.address, made.paper_mm, made.language = address, paper, spoken
            made.by_itself = "by_itself" in form
            made.changed_at, made.changed_by = now, name
            db.add(made)
        facts = {"address": address or "–", "paper_mm": paper, "language": spoken}
        audit.note(db, f"queue:{kiosk.queue_id}", "printer", actor=name, now=now, data=facts)

    return _answer(run, _("The printer is set.") if address else _("The kiosk has no printer now."))


@blueprint.post("/supervisor/kiosks/<int:token_id>/printer/test")
@roles("supervisor")
def test_printer(token_id: int) -> Any:
    """Print a slip that is no ticket, and say what the printer says."""
    kiosk = _kiosk(token_id)
    found = read().get(KioskPrinter, kiosk.id)
    if found is None:
        abort(404)
    address, dots = found.address, found.dots
    sample = slip.Slip(
        (slip.Line("تجربة الطابعة", 36, True), slip.Line("Printer test", 26, rtl=False)),
        "0000",
        (slip.Line("هذه ليست تذكرة", 32), slip.Line("This is not a ticket", 26, rtl=False)),
        url_for("citizen.home", _external=True),
        (),
    )
    read().rollback()
    try:
        sent = print_bytes(address, encode(slip.picture(sample, dots=dots)))
    except slip.NoFont:
        sent = printer.Sent("failed", "no_font")
    said = {
        "printed": _("The printer has taken the test slip. Look whether it is whole and cut."),
        "failed": _("Nothing was printed."),
        "unsure": _("Look whether the test slip came out."),
    }[sent.state]
    session["set_up"] = f"{said} {fault_words(sent.fault)}".strip()
    return redirect(url_for("clerk.supervisor_setup"), 303)


@blueprint.post("/supervisor/desks/<int:desk_id>/assign")
@roles("supervisor")
def assign_desk(desk_id: int) -> Any:
    """Seat a clerk at a desk, and open it. Another desk where they sat is closed."""
    desk = require_desk(desk_id)
    operator = request.form.get("operator", "")
    if operator not in clerks_of(read(), current_user):
        abort(400)

    def run(db: Session) -> None:
        common: dict[str, Any] = {"actor": current_user.name, "now": clock.now()}
        ids = [queue.id for queue in todays_queues(db, current_user, common["now"])]
        if desk.queue_id not in ids:
            raise Conflict("not_todays_queue", "this queue is not one of today's", queue=desk.queue_id)
        before = select(Desk).where(
            Desk.queue_id.in_(ids), Desk.operator == operator, Desk.state != "closed", Desk.id != desk.id
        )
        for other in db.scalars(before).all():
            desks.close_desk(db, other, **common)
        desks.open_desk(db, db.get_one(Desk, desk.id), operator=operator, **common)

    try:
        write(run)
    except QueueingError as error:
        text = words.refused(error, words_for)
        if error.code == "desk_busy":
            text = _(
                "%(label)s is still at the desk where this clerk sits. It must be finished there first.",
                label=error.details.get("label", ""),
            )
        from web.clerk import supervisor as main  # the page that this form stands on

        return main._page(text), status_of(error.code, error.status_hint)
    return redirect(url_for("clerk.supervisor"), 303)


def clerks_of(db: Session, account: Account) -> list[str]:
    """Who can sit at a desk of an account's place."""
    return list(
        db.scalars(
            select(Account.name)
            .where(
                Account.role.in_(("clerk", "supervisor")),
                Account.active,
                Account.site_id.is_not_distinct_from(account.site_id),
                Account.center_id.is_not_distinct_from(account.center_id),
            )
            .order_by(Account.role, Account.name)
        )
    )


def _kiosk(token_id: int) -> AccessToken:
    found = read().get(AccessToken, token_id)
    if found is None or found.kind != "kiosk" or found.queue_id is None or found.revoked_at is not None:
        abort(404)
    require_queue(found.queue_id)
    return found


def _whole(text: str) -> int | None:
    """A whole number as typed, None for nothing, -1 for anything else."""
    text = text.strip().translate(str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789"))
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1


def _answer(run: Any, said: str) -> Any:
    try:
        write(run)
    except QueueingError as error:
        text = (
            _("These limits make no sense here.")
            if error.code == "limits"
            else words.refused(error, words_for)
        )
        return _page(text), status_of(error.code, error.status_hint)
    session["set_up"] = said
    return redirect(url_for("clerk.supervisor_setup"), 303)


def _page(error: str = "") -> str:
    db = read()
    queues = todays_queues(db, current_user, clock.now())
    ids = [queue.id for queue in queues]
    kiosks = db.scalars(
        select(AccessToken)
        .where(AccessToken.queue_id.in_(ids), AccessToken.kind == "kiosk", AccessToken.revoked_at.is_(None))
        .order_by(AccessToken.id)
    ).all()
    printers = {
        row.token_id: row
        for row in db.scalars(select(KioskPrinter).where(KioskPrinter.token_id.in_([k.id for k in kiosks])))
    }
    return render_template(
        "clerk/setup.html",
        queues=[(queue, [k for k in kiosks if k.queue_id == queue.id]) for queue in queues],
        printers=printers,
        boards=boards_of(db, ids),
        here=queues,
        papers=tuple(PAPERS),
        said=session.pop("set_up", ""),
        error=error,
    )
