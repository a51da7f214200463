"""Slips that are asked for, sent, and accounted for.

    job = ask(session, ticket, ...)     in the transaction that issued the ticket, or in one of its own
    run(job.id)                         after the commit: claims the job, prints, notes what became of it

Between the two, and within `run`, the process may die. What is then known stands in the job: `queued` was never sent,
`sending` may be on paper. `settle` says so after a minute, and pages say so before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Flask, current_app
from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from queueing.counter import Issue
from queueing.errors import Conflict
from queueing.ledger import Ledger, Needs
from queueing.store import Ticket
from queueing.turn import Done, NeedsSession, check_request_id
from web import clock
from web.accounts import AccessToken
from web.db import read, write
from web.printing import contents, slip
from web.printing.printer import Sent, encode, print_bytes
from web.printing.store import KioskPrinter, PrintJob

OLD_AFTER = timedelta(seconds=60)
"""A slip takes at most a quarter of a minute: what is not done after this never will be."""
PATIENCE_S = 3.0
"""A printer that is well has taken a slip by then."""
MOST_AT_KIOSK = 4
"""Slips of one ticket that its holder may print; staff print on."""
MAYBE_ON_PAPER = ("printed", "unsure", "sending")


@dataclass(frozen=True, slots=True)
class Shown:
    """A ticket's newest slip as pages tell it. `state` as of PrintJob, or `none`; `working`: wait a moment."""

    state: str
    fault: str
    copy: int
    working: bool
    at: datetime | None


def printer_at(session: Session, token_id: int) -> KioskPrinter | None:
    """The printer of a kiosk."""
    return session.get(KioskPrinter, token_id)


def printers_of(session: Session, queue_id: int) -> list[KioskPrinter]:
    """Printers at a queue's kiosks that are in use."""
    return list(
        session.scalars(
            select(KioskPrinter)
            .join(AccessToken, AccessToken.id == KioskPrinter.token_id)
            .where(KioskPrinter.queue_id == queue_id, AccessToken.revoked_at.is_(None))
            .order_by(KioskPrinter.token_id)
        )
    )


def ask(
    session: Session,
    ticket: Ticket,
    printer: KioskPrinter | None,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    most: int | None = None,
) -> PrintJob:
    """Ask for a slip; the same request again is the same slip. Without a printer it fails at once, and says so.

    Raises Conflict `printed_enough` where `most` slips of the ticket may be on paper already, `request_id_reused`.
    """
    check_request_id(request_id)
    key = f"slip:{request_id}"
    known = session.scalar(select(PrintJob).where(PrintJob.request_id == key))
    if known is not None:
        if known.ticket_id != ticket.id:
            raise Conflict("request_id_reused", "this request id was used to print another ticket")
        return known
    on_paper = session.scalar(
        select(func.count()).where(PrintJob.ticket_id == ticket.id, PrintJob.state.in_(MAYBE_ON_PAPER))
    )
    if most is not None and (on_paper or 0) >= most:
        raise Conflict("printed_enough", f"this ticket has been printed {on_paper} times", copies=on_paper)
    job = PrintJob(
        request_id=key,
        ticket_id=ticket.id,
        token_id=printer.token_id if printer is not None else None,
        copy=(on_paper or 0) + 1,
        actor=actor[:80],
        state="queued" if printer is not None else "failed",
        fault="" if printer is not None else "no_printer",
        made_at=now,
        ended_at=None if printer is not None else now,
    )
    session.add(job)
    session.flush()
    return job


@dataclass(frozen=True, slots=True)
class IssueWithSlip:
    """A ticket and its slip in one transaction: whatever happens next, the slip is not forgotten. A command like
    `Issue`, carried out in a session because of what hangs on it."""

    issue: Issue
    token_id: int
    """The kiosk with the printer."""

    @property
    def queue_id(self) -> int:
        """The queue whose turn it takes."""
        return self.issue.queue_id

    def ask(self, needs: Needs, zone: str) -> bool:
        """Nothing: a batch does not carry it out."""
        return True

    def carry_out(self, ledger: Ledger) -> Done:
        """Never on a batch's ledger."""
        raise NeedsSession

    def alone(self, session: Session) -> Done | None:
        """The ticket, and the slip of the same request."""
        done = self.issue.alone(session)
        assert done is not None
        printer = printer_at(session, self.token_id)
        if printer is not None:
            ask(
                session,
                done.ticket,
                printer,
                request_id=self.issue.request_id,
                actor=self.issue.actor,
                now=self.issue.now,
            )
        return done


def asked_by(session: Session, request_id: str) -> int | None:
    """The slip that a request has asked for."""
    return session.scalar(select(PrintJob.id).where(PrintJob.request_id == f"slip:{request_id}"))


def run(job_id: int, *, patience: float = PATIENCE_S) -> PrintJob:
    """Print a job that is queued; one that somebody else has taken is left alone. Within a request: the slip is drawn
    in its kiosk's languages.

    Waits `patience` seconds for the printer and then lets it go on by itself: a printer that hangs keeps nobody from
    seeing their number.
    """
    if write(lambda session: _claim(session, job_id, clock.now())):
        ready = _ready(job_id)
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        if isinstance(ready, Sent):
            _end(app, job_id, lambda: ready)
        else:
            address, data = ready
            sender = threading.Thread(
                target=_end, args=(app, job_id, lambda: print_bytes(address, data)), name="slip", daemon=True
            )
            sender.start()
            sender.join(patience)
    read().rollback()
    return read().get_one(PrintJob, job_id, populate_existing=True)


def shown(session: Session, ticket_id: int, now: datetime) -> Shown:
    """What a page says of a ticket's newest slip. A job whose process died is told for what it is at once."""
    job = session.scalar(
        select(PrintJob).where(PrintJob.ticket_id == ticket_id).order_by(PrintJob.id.desc()).limit(1)
    )
    if job is None:
        return Shown("none", "", 0, False, None)
    state, fault = _truth(job, now)
    return Shown(state, fault, job.copy, state in ("queued", "sending"), job.ended_at or job.made_at)


def settle(session: Session, *, now: datetime) -> int:
    """Close jobs that nobody will end any more; returns how many."""
    old = now - OLD_AFTER
    ended = 0
    for state, since, become, fault in (
        ("queued", PrintJob.made_at, "failed", "never_sent"),
        ("sending", PrintJob.sent_at, "unsure", "no_word"),
    ):
        done = session.execute(
            update(PrintJob)
            .where(PrintJob.state == state, since < old)
            .values(state=become, fault=fault, ended_at=now)
        )
        ended += cast(CursorResult[Any], done).rowcount
    return ended


def carry_over(session: Session, old_tokens: list[int], token_id: int) -> None:
    """A kiosk got a new address: its printer stays with it."""
    found = session.scalars(
        select(KioskPrinter)
        .where(KioskPrinter.token_id.in_(old_tokens))
        .order_by(KioskPrinter.token_id.desc())
    ).all()
    for number, printer in enumerate(found):
        if number == 0:
            kept = {c: getattr(printer, c) for c in _SETTINGS}
            session.add(KioskPrinter(token_id=token_id, **kept))
        session.delete(printer)
    session.flush()


_SETTINGS = ("queue_id", "address", "paper_mm", "language", "by_itself", "changed_at", "changed_by")


def _claim(session: Session, job_id: int, now: datetime) -> bool:
    taken = session.execute(
        update(PrintJob)
        .where(PrintJob.id == job_id, PrintJob.state == "queued")
        .values(state="sending", sent_at=now)
    )
    return cast(CursorResult[Any], taken).rowcount == 1


def _ready(job_id: int) -> Sent | tuple[str, bytes]:
    """Where to send what; or why not."""
    session = read()
    job = session.get_one(PrintJob, job_id, populate_existing=True)
    printer = session.get(KioskPrinter, job.token_id) if job.token_id is not None else None
    if printer is None:
        return Sent("failed", "no_printer")
    ticket = session.get_one(Ticket, job.ticket_id)
    made = contents.slip_of(session, ticket, spoken=printer.language, copy=job.copy, now=clock.now())
    address, dots = printer.address, printer.dots
    session.rollback()  # nothing of the database is held while a printer takes its time
    try:
        return address, encode(slip.picture(made, dots=dots))
    except slip.NoFont:
        return Sent("failed", "no_font")


def _end(app: Flask, job_id: int, work: Callable[[], Sent]) -> None:
    """Do the sending and note what became of it, in whatever thread."""
    sent = work()
    with app.app_context():
        app.extensions["writer"](lambda session: _note(session, job_id, sent, clock.now()))


def _note(session: Session, job_id: int, sent: Sent, now: datetime) -> None:
    job = session.get_one(PrintJob, job_id)
    job.state, job.fault, job.bytes_sent = sent.state, sent.fault, sent.bytes_sent
    job.confirmed, job.ended_at = sent.confirmed, now


def _truth(job: PrintJob, now: datetime) -> tuple[str, str]:
    if job.state == "queued" and now - job.made_at > OLD_AFTER:
        return "failed", "never_sent"
    if job.state == "sending" and job.sent_at is not None and now - job.sent_at > OLD_AFTER:
        return "unsure", "no_word"
    return job.state, job.fault
